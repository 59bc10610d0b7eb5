//! `cargo xtask`: the automation of this repository. One module and one `Options` per subcommand;
//! what several of them use is in `harness`, `host` and `exec`.

mod bench;
mod child;
mod dist;
mod documents;
mod ebpf;
mod exec;
mod goldens;
mod harness;
mod host;
mod lab;
mod pairs;
mod pictures;
mod residuals;
mod roles;
mod say;
mod schema;
mod soak;
mod test;
mod tidy;
mod vm;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

/// Automation of should-i-async.
#[derive(Parser)]
enum Command {
    Bench(bench::Options),
    Child(child::Options),
    Dist(dist::Options),
    Documents(documents::Options),
    Ebpf(ebpf::Options),
    Goldens(goldens::Options),
    Lab(lab::Options),
    Pairs(pairs::Options),
    Pictures(pictures::Options),
    Residuals(residuals::Options),
    Roles(roles::Options),
    Schema(schema::Options),
    Soak(soak::Options),
    Test(test::Options),
    Tidy(tidy::Options),
    Vm(vm::Options),
}

fn main() -> ExitCode {
    // The build of the kernel object runs us in rustc's place.
    let done = if ebpf::is_rustc_wrapper() { ebpf::run_as_rustc(std::env::args_os().skip(1)) } else { run() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            match error.downcast_ref::<lab::ipc::NoCounters>() {
                Some(_) => ExitCode::from(lab::ipc::NO_COUNTERS),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn run() -> Result<()> {
    let root = workspace_root()?;
    match Command::parse() {
        Command::Bench(options) => bench::run(&root, &options),
        Command::Child(options) => child::run(&root, &options),
        Command::Dist(options) => dist::run(&root, &options),
        Command::Documents(options) => documents::run(&root, &options),
        Command::Ebpf(options) => ebpf::run(&root, &options),
        Command::Goldens(options) => goldens::run(&root, &options),
        Command::Lab(options) => lab::run(&root, &options),
        Command::Pairs(options) => pairs::run(&root, &options),
        Command::Pictures(options) => pictures::run(&root, &options),
        Command::Residuals(options) => residuals::run(&root, &options),
        Command::Roles(options) => roles::run(&root, &options),
        Command::Schema(options) => schema::run(&root, &options),
        Command::Soak(options) => soak::run(&root, &options),
        Command::Test(options) => test::run(&root, &options),
        Command::Tidy(options) => tidy::run(&root, &options),
        Command::Vm(options) => vm::run(&root, &options),
    }
}

/// The checkout that cargo runs us for. It need not be the one we were built from: checkouts may
/// share a build folder.
fn workspace_root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    Ok(Path::new(&manifest).parent().context("xtask/ has no parent folder")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands of this program that documents show are commands that it takes.
    #[test]
    fn every_command_of_the_documents_is_taken() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut seen = 0;
        for name in documents::documents(root).unwrap() {
            let text = std::fs::read_to_string(root.join(&name)).unwrap();
            for line in documents::typed(&text, "cargo xtask ") {
                seen += 1;
                let words = line.split_whitespace().map(|word| word.trim_matches('\''));
                let taken = Command::try_parse_from(["xtask"].into_iter().chain(words));
                assert!(taken.is_ok(), "{name}: cargo xtask {line}: {}", taken.err().unwrap());
            }
        }
        assert!(seen >= 15, "{seen} commands");
    }
}
