//! Programs of ours in the kernel, and who holds them.

use std::{collections::BTreeSet, fs, time::Duration};

use anyhow::{Context as _, Result};
use aya::programs::loaded_programs;

use super::child;

/// What the names of our BPF programs begin with.
pub(crate) const PREFIX: &str = "sia_";
/// The kernel frees a program a moment after its last user has gone (RCU), on a full machine later.
const GRACE: Duration = Duration::from_secs(10);

/// Ids of our programs that no process has a descriptor of, neither of the program nor of a link
/// to it: nobody will ever detach them.
pub(crate) fn orphans() -> Result<BTreeSet<u32>> {
    let mut orphans = BTreeSet::new();
    for program in loaded_programs() {
        // One that is freed meanwhile is no orphan.
        let Ok(program) = program else { continue };
        if program.name_as_str().is_some_and(|name| name.starts_with(PREFIX)) {
            orphans.insert(program.id());
        }
    }
    let held = held()?;
    Ok(orphans.difference(&held).copied().collect())
}

/// Waits until there are none, or for [`GRACE`].
pub(crate) fn orphans_after_grace() -> Result<BTreeSet<u32>> {
    let mut left = orphans()?;
    let begun = std::time::Instant::now();
    while !left.is_empty() && begun.elapsed() < GRACE {
        child::pause(Duration::from_millis(100))?;
        left = orphans()?;
    }
    Ok(left)
}

/// Ids of the programs that processes have descriptors of.
fn held() -> Result<BTreeSet<u32>> {
    let mut held = BTreeSet::new();
    for process in fs::read_dir("/proc").context("reading /proc")? {
        // What ends meanwhile holds nothing.
        let Ok(process) = process else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fdinfo")) else { continue };
        let texts = descriptors.filter_map(|fd| fs::read_to_string(fd.ok()?.path()).ok());
        held.extend(texts.filter_map(|text| program_of(&text)));
    }
    Ok(held)
}

/// Descriptors of programs and of links say `prog_id` (kernel/bpf/syscall.c, `bpf_prog_show_fdinfo`
/// and `bpf_link_show_fdinfo`).
fn program_of(fdinfo: &str) -> Option<u32> {
    fdinfo.lines().find_map(|line| line.strip_prefix("prog_id:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_its_program() {
        assert_eq!(program_of("pos:\t0\nlink_type:\ttracing\nlink_id:\t7\nprog_tag:\tab\nprog_id:\t123\n"), Some(123));
        assert_eq!(program_of("pos:\t0\nflags:\t02\n"), None);
    }
}
