//! The packages of this workspace, and the programs that cargo builds of them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::exec;

/// The profiler; its program has the same name.
pub(crate) const TOOL: &str = "should-i-async";
/// What the profiler shares with its kernel programs.
pub(crate) const COMMON: &str = "profiler-common";
/// The programs that tests, benchmarks and the lab measure.
pub(crate) const WORKLOADS: &str = "workloads";
pub(crate) const XTASK: &str = "xtask";

/// The program of [`WORKLOADS`] whose blocks are known by construction.
pub(crate) const TRUTH: &str = "truth";
/// The program of [`WORKLOADS`] that does the same work in a blocking and in an async way.
pub(crate) const LAB: &str = "lab";
/// The program of [`WORKLOADS`] that has any number of threads, processes and call sites.
pub(crate) const CROWD: &str = "crowd";
/// The program of [`WORKLOADS`] that reads files, hands CPUs over, and serves a slow file.
pub(crate) const STORAGE: &str = "storage";

/// What makes cargo write messages that [`Programs`] reads.
pub(crate) const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// Executables that cargo built: name and path.
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Runs a `cargo build` that has [`MESSAGES`] among its arguments.
    pub(crate) fn build(cargo: &mut Command) -> Result<Self> {
        Ok(Self::from_messages(&exec::output(cargo)?))
    }

    /// A program and a test may have the same name: then it stands for the program, whichever was
    /// built last.
    fn from_messages(messages: &str) -> Self {
        let program = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let name = message.pointer("/target/name")?.as_str()?.to_owned();
            let is_test = message.pointer("/profile/test").is_some_and(|test| *test == true);
            Some((is_test, name, PathBuf::from(message.get("executable")?.as_str()?)))
        };
        let (tests, programs): (Vec<_>, Vec<_>) =
            messages.lines().filter_map(program).partition(|(is_test, ..)| *is_test);
        Self(tests.into_iter().chain(programs).map(|(_, name, path)| (name, path)).collect())
    }

    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).with_context(|| format!("cargo built no {name}"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.0.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }
}

/// The profiler and one of the workloads, to be measured with each other.
pub(crate) struct Pair {
    pub(crate) tool: PathBuf,
    pub(crate) workload: PathBuf,
}

impl Pair {
    /// Takes both from `folder`, or builds them for release where there is none.
    pub(crate) fn find(root: &Path, workload: &str, folder: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            return Ok(Self { tool: folder.join(TOOL), workload: folder.join(workload) });
        }
        let mut cargo = Command::new("cargo");
        cargo.current_dir(root).args(["build", "--release", "--locked", MESSAGES]);
        cargo.args(["--package", TOOL, "--bin", TOOL, "--package", WORKLOADS, "--bin", workload]);
        let programs = Programs::build(&mut cargo)?;
        Ok(Self { tool: programs.path(TOOL)?.to_owned(), workload: programs.path(workload)?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_no_test_of_the_same_name() {
        let built = |test: bool, path: &str| {
            format!(r#"{{"target":{{"name":"lab"}},"profile":{{"test":{test}}},"executable":"{path}"}}"#)
        };
        for messages in
            [[built(true, "/t/test"), built(false, "/t/lab")], [built(false, "/t/lab"), built(true, "/t/test")]]
        {
            assert_eq!(Programs::from_messages(&messages.join("\n")).path("lab").unwrap(), Path::new("/t/lab"));
        }
    }

    #[test]
    fn executables_are_found_among_other_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"truth"},"executable":"/t/truth"}"#,
            "\n"
        );
        let programs = Programs::from_messages(messages);
        assert_eq!(programs.iter().collect::<Vec<_>>(), [("truth", Path::new("/t/truth"))]);
        assert!(programs.path("lib").is_err());
    }
}
