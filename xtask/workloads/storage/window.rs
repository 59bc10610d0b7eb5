//! The stretch of time that counts: what the process used in it, as a line of JSON.

use std::{
    fs,
    io::Write as _,
    mem::MaybeUninit,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use serde_json::json;

/// Time before it.
pub(crate) const RAMP: Duration = Duration::from_millis(100);

/// A read that takes longer counts as one of a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// What the process has used until now, its ended threads included.
pub(crate) struct Used {
    at: Instant,
    cpu: Duration,
    switches: u64,
    operations: u64,
    threads: u64,
}

impl Used {
    pub(crate) fn now(operations: u64) -> Result<Self> {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer is valid for a whole rusage, and zeroes are one.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
            usage.assume_init()
        };
        let time = |t: libc::timeval| Duration::new(t.tv_sec.unsigned_abs(), t.tv_usec.unsigned_abs() as u32 * 1_000);
        let switches = usage.ru_nvcsw.unsigned_abs() + usage.ru_nivcsw.unsigned_abs();
        let cpu = time(usage.ru_utime) + time(usage.ru_stime);
        Ok(Self { at: Instant::now(), cpu, switches, operations, threads: threads()? })
    }

    /// Prints what was used since then. `latency` has ns.
    pub(crate) fn print_until(&self, end: &Self, latency: &Histogram<u64>) -> Result<()> {
        let line = json!({
            "operations": end.operations - self.operations,
            "seconds": (end.at - self.at).as_secs_f64(),
            "cpu_ns": (end.cpu - self.cpu).as_nanos() as u64,
            "switches": end.switches - self.switches,
            "threads": end.threads,
            "p50_ns": latency.value_at_quantile(0.5),
            "p99_ns": latency.value_at_quantile(0.99),
        });
        writeln!(std::io::stdout().lock(), "{line}").context("writing to stdout")
    }
}

/// A histogram of latencies, to 1 in 100.
pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LONGEST_NS, 2)?)
}

/// Threads of this process now.
fn threads() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).context("no line `Threads:`")?;
    Ok(line.trim().parse()?)
}
