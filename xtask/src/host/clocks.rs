//! Clocks and counters of processes and of the machine, read from outside.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// CPU time of a process, with that of its exited threads, exact at this moment. It is read from
/// the CPU clock (kernel/time/posix-cpu-timers.c), not from the ticks of `/proc/PID/stat`. Works
/// until the process is reaped.
pub(crate) fn process_cpu(pid: u32) -> Result<Duration> {
    let pid = libc::pid_t::try_from(pid)?;
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write only to the locals they are given.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) != 0 || libc::clock_gettime(clock, &raw mut time) != 0
    };
    anyhow::ensure!(!failed, "process {pid} has no CPU clock: it is gone");
    Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?))
}

/// CPU time of the children that we have waited for.
pub(crate) fn children_cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for a whole rusage, and zeroes are one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec.unsigned_abs(), t.tv_usec.unsigned_abs() as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// `CLOCK_MONOTONIC`, the clock of the BPF programs, ns.
pub(crate) fn monotonic() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Time that all CPUs were busy since boot, counted in ticks. Includes interrupts and time stolen
/// by a hypervisor.
pub(crate) fn machine_busy() -> Result<Duration> {
    Ok(machine()?.busy)
}

/// What all CPUs did since boot, counted in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Everything but idling. Includes interrupts and time stolen by a hypervisor.
    pub(crate) busy: Duration,
    /// Hard and soft interrupts.
    pub(crate) interrupts: Duration,
}

/// Reads the machine's CPU times from `/proc/stat`.
pub(crate) fn machine() -> Result<Machine> {
    let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
    let (busy, interrupts) = parse_stat(&text).context("/proc/stat has no line `cpu`")?;
    let time = |ticks: u64| Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    Ok(Machine { busy: time(busy), interrupts: time(interrupts) })
}

/// Ticks: busy, and in interrupts.
fn parse_stat(text: &str) -> Option<(u64, u64)> {
    let fields: Vec<u64> =
        text.lines().find_map(|l| l.strip_prefix("cpu "))?.split_whitespace().map_while(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal. Guest time is in user already.
    let sum_of = |wanted: &[usize]| wanted.iter().filter_map(|&i| fields.get(i)).sum();
    Some((sum_of(&[0, 1, 2, 5, 6, 7]), sum_of(&[5, 6])))
}

/// Interrupts that CPUs sent each other since boot, from `/proc/interrupts`: to wake an idle CPU or
/// to have something run on it. `None` where the architecture gives them other names.
pub(crate) fn interrupts_between_cpus() -> Option<u64> {
    parse_interrupts(&fs::read_to_string("/proc/interrupts").ok()?)
}

fn parse_interrupts(text: &str) -> Option<u64> {
    let between =
        text.lines().filter(|l| l.ends_with("Rescheduling interrupts") || l.ends_with("Function call interrupts"));
    let counts = |line: &str| line.split_whitespace().skip(1).map_while(|f| f.parse::<u64>().ok()).sum::<u64>();
    between.map(counts).reduce(|a, b| a + b)
}

/// Context switches of all living threads of a process, voluntary and not.
pub(crate) fn switches(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the target is gone")? {
        // A thread may end between the two reads.
        let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
        sum += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        sum += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
    }
    Ok(sum)
}

/// Threads of a process.
pub(crate) fn threads(pid: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "Threads:")
}

/// Bytes that storage gave a process and its ended threads, for reads past the page cache or into
/// it.
pub(crate) fn bytes_from_storage(pid: u32) -> Option<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?, "read_bytes:")
}

/// The largest resident size so far, bytes; `None` once the process has ended.
pub(crate) fn peak_rss(pid: u32) -> Option<u64> {
    Some(field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:")? * 1024)
}

/// Memory that it holds for itself, bytes: without the pages of files that it has mapped, which
/// belong to the page cache. `None` once the process has ended.
pub(crate) fn own_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some((field(&status, "RssAnon:")? + field(&status, "RssShmem:")?) * 1024)
}

/// Whether every thread of `pid` is traced by `tracer`.
pub(crate) fn traced_by(pid: u32, tracer: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        field(&status, "TracerPid:") == Some(u64::from(tracer))
    })
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|l| l.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_iowait_and_guest_are_not_busy() {
        assert_eq!(parse_stat("cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 9 9\n"), Some((63, 24)));
        assert_eq!(parse_stat("cpu0 1 2\n"), None);
    }

    #[test]
    fn interrupts_between_cpus_are_summed_over_kinds_and_cpus() {
        let text = "           CPU0       CPU1\n LOC:  7  8   Local timer interrupts\n RES:  1  20   Rescheduling interrupts\n \
                    CAL:  300  4000   Function call interrupts\n";
        assert_eq!(parse_interrupts(text), Some(4321));
        assert_eq!(parse_interrupts("ERR:  0\n"), None);
    }

    #[test]
    fn a_status_field_is_its_first_number() {
        let status = "Threads:\t3\nVmHWM:\t  12 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t5\n";
        assert_eq!(field(status, "VmHWM:"), Some(12));
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(7));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), Some(5));
    }

    #[test]
    fn the_own_clock_runs() {
        let before = process_cpu(std::process::id()).unwrap();
        std::hint::black_box((0..200_000u64).map(|i| std::hint::black_box(i) * i).fold(0, u64::wrapping_add));
        assert!(process_cpu(std::process::id()).unwrap() > before);
    }
}
