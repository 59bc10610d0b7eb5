//! What the kernel tests share: a workload whose truth is known, a measurement of it, and the
//! kernel's own counters, read by the test itself.

#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

pub(crate) mod cgroup;
pub(crate) mod check;
pub(crate) mod measuring;
pub(crate) mod procfs;
pub(crate) mod tool;
pub(crate) mod truth;

use std::io::Write;

use rustix::thread::CapabilitySet;

/// Whether kernel tests can run here. If not, that is a failure in CI and a loud skip elsewhere.
pub(crate) fn can_measure() -> bool {
    let wanted = CapabilitySet::BPF | CapabilitySet::PERFMON;
    let effective = rustix::thread::capabilities(None).map(|sets| sets.effective);
    let may = effective.is_ok_and(|own| own.contains(wanted) || own.contains(CapabilitySet::SYS_ADMIN));
    if may {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "kernel tests need root or CAP_BPF + CAP_PERFMON, and CI must run them");
    // Not println!: libtest captures that, and a skip is to be seen.
    let _ = writeln!(std::io::stdout(), "SKIPPED (needs root or CAP_BPF + CAP_PERFMON)");
    false
}

/// A line of figures for whoever reads the log; captured unless asked for.
macro_rules! figures {
    ($($arg:tt)*) => { eprintln!($($arg)*) };
}
pub(crate) use figures;
