//! The kernel's own counters of threads, read from /proc by code of the tests: the profiler's code
//! for that is what they test.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What /proc counts of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
    /// First field of schedstat, ns.
    pub(crate) cpu: u64,
}

impl Counters {
    pub(crate) const ZERO: Self = Self { voluntary: 0, involuntary: 0, cpu: 0 };

    /// `None` for a thread that is gone.
    pub(crate) fn read(pid: u32, tid: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name))?.trim().parse().ok();
        let schedstat = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).ok()?;
        Some(Self {
            voluntary: field("voluntary_ctxt_switches:")?,
            involuntary: field("nonvoluntary_ctxt_switches:")?,
            cpu: schedstat.split_whitespace().next()?.parse().ok()?,
        })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            voluntary: self.voluntary - before.voluntary,
            involuntary: self.involuntary - before.involuntary,
            cpu: self.cpu - before.cpu,
        }
    }
}

/// Threads of a process.
pub(crate) fn tids(pid: u32) -> Vec<u32> {
    let Ok(dir) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut tids: Vec<u32> = dir.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    tids.sort_unstable();
    tids
}

/// Counters of every thread of a process.
pub(crate) fn all(pid: u32) -> BTreeMap<u32, Counters> {
    tids(pid).into_iter().filter_map(|tid| Some((tid, Counters::read(pid, tid)?))).collect()
}

/// Sends a signal to a process that the test started.
pub(crate) fn signal(pid: u32, signal: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::kill(pid.cast_signed(), signal) }, 0, "{}", std::io::Error::last_os_error());
}

/// Waits until the threads of a process have made so many voluntary switches.
pub(crate) fn await_switches(pid: u32, count: u64) {
    let begun = Instant::now();
    loop {
        let seen: u64 = all(pid).values().map(|c| c.voluntary).sum();
        if seen >= count {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{seen} voluntary switches of process {pid}, not {count}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until a thread is off the CPU in one of `calls`. `/proc/…/syscall` only names the call of
/// a thread that has left the CPU.
pub(crate) fn await_asleep(pid: u32, tid: u32, calls: &[i64]) {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).unwrap_or_default();
        let number = text.split_whitespace().next().and_then(|n| n.parse::<i64>().ok());
        if number.is_some_and(|number| calls.contains(&number)) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "thread {tid} never slept in {calls:?}: it says {text:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}
