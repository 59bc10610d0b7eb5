//! Programs by a pattern.

use std::path::Path;

use regex_lite::Regex;

use super::name::{Name, bad, nothing};
use crate::{
    process::{
        error::{Candidate, TargetError},
        proc::{self, Stat},
        single::Process,
    },
    quantity::Tgid,
};

/// Programs that run others: for these the script counts too. A version may follow.
const INTERPRETERS: [&str; 10] = ["python", "node", "ruby", "perl", "php", "java", "bash", "sh", "dash", "lua"];

/// Options of theirs that a value follows.
const HAVE_VALUES: [&str; 7] = ["-cp", "-classpath", "--class-path", "-p", "--module-path", "-W", "-X"];

/// The process whose name the pattern is found in. Where there are several, the one above all
/// others, if its `tree` is wanted.
pub(super) fn find(name: &Name, pattern: &str, tree: bool) -> Result<u32, TargetError> {
    let pattern = Regex::new(pattern).map_err(|error| bad(name, error.to_string().trim_end()))?;
    let own = with_ancestors(std::process::id());
    let pids = proc::all_pids().unwrap_or_default().into_iter().filter(|pid| !own.contains(pid));
    let runs =
        |process: &Process| Stat::read(process.tgid.as_raw()).is_ok_and(|s| !s.is_zombie() && !s.is_kernel_thread());
    let found: Vec<Process> = pids
        .filter_map(|pid| Process::read(Tgid::from_raw(pid)).ok())
        .filter(|process| names(process).iter().any(|name| pattern.is_match(name)) && runs(process))
        .collect();
    match found.as_slice() {
        [] => Err(nothing(name, "`ps -ef` lists the programs that run; a part of a name is enough")),
        [one] => Ok(one.tgid.as_raw()),
        several => {
            let root = root_of(several);
            match root.filter(|_| tree) {
                Some(root) => Ok(root),
                None => Err(TargetError::SeveralNamed {
                    name: name.to_string(),
                    candidates: several.iter().map(candidate).collect(),
                    root,
                }),
            }
        }
    }
}

/// A process with its command line, as lists of several show it.
fn candidate(process: &Process) -> Candidate {
    let command = if process.cmdline.is_empty() { process.comm.clone() } else { process.cmdline.join(" ") };
    Candidate { pid: process.tgid.as_raw(), comm: command }
}

/// What a process is known by: its command name, its executable, what it was started as, and for an
/// interpreter what it runs.
fn names(process: &Process) -> Vec<String> {
    let file_name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut names = vec![process.comm.clone()];
    names.extend(process.exe.as_deref().and_then(file_name));
    let runs_others = names.iter().any(|name| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        INTERPRETERS.contains(&stem)
    });
    // A process that has written its own title, as nginx does, has one argument with blanks in it.
    let script = process.cmdline.get(1..).filter(|_| runs_others).and_then(script);
    let arguments = process.cmdline.first().map(String::as_str).into_iter().chain(script);
    names.extend(arguments.map(Path::new).filter_map(file_name));
    names
}

/// What an interpreter runs: the first argument that is no option and not an option's value.
fn script(arguments: &[String]) -> Option<&str> {
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if HAVE_VALUES.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

/// A process and those that it was started by: `sudo`, a shell, whose command lines have the
/// pattern too.
fn with_ancestors(pid: u32) -> Vec<u32> {
    let parent = |&pid: &u32| Stat::read(pid).ok().map(|stat| stat.ppid).filter(|&ppid| ppid > 1);
    std::iter::successors(Some(pid), parent).collect()
}

/// The one of them that all others descend from.
fn root_of(processes: &[Process]) -> Option<u32> {
    let lines: Vec<Vec<u32>> = processes.iter().map(|process| with_ancestors(process.tgid.as_raw())).collect();
    let candidates = processes.iter().map(|process| process.tgid.as_raw());
    candidates.into_iter().find(|root| lines.iter().all(|line| line.contains(root)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(comm: &str, exe: &str, cmdline: &[&str]) -> Process {
        Process {
            tgid: Tgid::from_raw(7),
            ns_pids: vec![7],
            comm: comm.to_owned(),
            cmdline: cmdline.iter().map(|&word| word.to_owned()).collect(),
            exe: Some(exe.into()),
            uid: 0,
            started: 1,
            container: None,
            cgroup: String::new(),
            threads: 1,
        }
    }

    #[test]
    fn a_program_is_known_by_its_command_its_file_and_what_it_interprets() {
        let known = |process: &Process, pattern: &str| {
            names(process).iter().any(|name| Regex::new(pattern).unwrap().is_match(name))
        };
        let server = process("very-long-serve", "/usr/bin/very-long-server", &["/usr/bin/very-long-server", "app.py"]);
        assert!(known(&server, "^very-long-server$") && known(&server, "long"));
        assert!(!known(&server, "app"), "an argument is no name");
        let script = process("python3.11", "/usr/bin/python3.11", &["python3", "-u", "/srv/app.py", "--port", "80"]);
        assert!(known(&script, r"^app\.py$") && known(&script, "python") && !known(&script, "port"));
        let java =
            process("java", "/usr/lib/jvm/bin/java", &["java", "-cp", "a.jar", "-Xmx1g", "-jar", "/srv/web.jar", "x"]);
        assert!(known(&java, "^web.jar$") && !known(&java, "a.jar") && !known(&java, "^x$"));
        let titled = process("nginx", "/usr/sbin/nginx", &["nginx: worker process"]);
        assert!(known(&titled, "worker"));
    }
}
