//! Clocks and CPUs: the CPU time of threads and what it costs to read it, switches, and the pinning
//! of our own threads.

use std::{io, time::Duration};

use rustix::{
    thread::CpuSet,
    time::{ClockId, clock_gettime},
};

/// CPU time of the calling thread, ns: `CLOCK_THREAD_CPUTIME_ID`, the scheduler's
/// `sum_exec_runtime` up to now.
pub(crate) fn thread_cpu() -> u64 {
    ns(clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU time of this process, ns: of all threads that live or have lived, and of the kernel's
/// threads for its rings.
pub(crate) fn process_cpu() -> u64 {
    ns(clock_gettime(ClockId::ProcessCPUTime))
}

/// Wall time in ns, `CLOCK_MONOTONIC`.
pub(crate) fn wall() -> u64 {
    ns(clock_gettime(ClockId::Monotonic))
}

fn ns(time: rustix::time::Timespec) -> u64 {
    Duration::try_from(time).map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

/// CPU time of another thread of this process, ns. `None` once it has ended.
pub(crate) fn cpu_of(tid: i32) -> Option<u64> {
    // CPUCLOCK_PERTHREAD (4) with CPUCLOCK_SCHED (2): include/linux/posix-timers.h.
    read_clock(((!tid) << 3) | 6)
}

fn read_clock(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (result == 0).then_some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// The sum of [`cpu_of`] over the threads that live.
pub(crate) fn cpu_of_all(tids: &[i32]) -> u64 {
    tids.iter().filter_map(|&tid| cpu_of(tid)).sum()
}

/// The calling thread's id.
pub(crate) fn tid() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// What an empty interval between two readings of [`thread_cpu`] shows, ns. It is subtracted from
/// every interval.
pub(crate) fn empty_interval() -> u64 {
    let mut readings: Vec<u64> = (0..400)
        .map(|_| {
            let begun = thread_cpu();
            thread_cpu() - begun
        })
        .collect();
    readings.sort_unstable();
    readings[readings.len() / 2]
}

/// A stopwatch of the calling thread's CPU time. It subtracts what its own readings cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    empty: u64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { empty: empty_interval() }
    }

    /// CPU since `begun`, ns, without the readings.
    pub(crate) fn since(self, begun: u64) -> u64 {
        (thread_cpu() - begun).saturating_sub(self.empty)
    }
}

/// Voluntary switches of the calling thread so far.
pub(crate) fn blocks_so_far() -> u64 {
    switches().0
}

/// Involuntary switches of the calling thread so far.
pub(crate) fn preemptions_so_far() -> u64 {
    switches().1
}

fn switches() -> (u64, u64) {
    // SAFETY: an all-zero rusage is a value; the kernel overwrites it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one rusage.
    let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    if result == 0 { (usage.ru_nvcsw as u64, usage.ru_nivcsw as u64) } else { (0, 0) }
}

/// CPUs that the calling thread may use.
pub(crate) fn allowed() -> io::Result<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Runs the calling thread on these CPUs only.
pub(crate) fn pin(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu);
    }
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// Two CPUs that share no core, if the machine has such. The second is `None` if there is but one.
pub(crate) fn two_cpus(allowed: &[usize]) -> (usize, Option<usize>) {
    let first = allowed.first().copied().unwrap_or(0);
    let siblings = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list"))
        .unwrap_or_default();
    let shares = |cpu: usize| {
        siblings.trim().split(',').any(|part| match part.split_once('-') {
            Some((from, to)) => {
                from.parse().is_ok_and(|f: usize| f <= cpu) && to.parse().is_ok_and(|t: usize| cpu <= t)
            }
            None => part.parse() == Ok(cpu),
        })
    };
    let others = || allowed.iter().copied().filter(|&cpu| cpu != first);
    (first, others().find(|&cpu| !shares(cpu)).or_else(|| others().next()))
}

/// Undoes [`never_preempt`], so that it does not apply to threads that are started from here.
pub(crate) fn preempt_as_usual() {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one sched_param. Refusal is harmless.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const param) };
}

/// Makes wake-ups by this thread, and of it, preempt nobody. A wake-up then leads to a switch only
/// if somebody blocks.
pub(crate) fn never_preempt() {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one sched_param. Refusal is harmless: blocks are counted, not
    // assumed.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const param) };
}

/// Gives the calling thread a rank above all that are not real-time, and none to its children;
/// `false` where the rights are missing.
pub(crate) fn outrank() -> bool {
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads one sched_param.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const param) == 0 }
}

/// The kernel's threads that work for this process's rings: `iou-wrk-…` and `iou-sqp-…`. They count
/// as threads of the process.
pub(crate) fn ring_workers() -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let is_worker = |tid: &i32| {
        std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")).is_ok_and(|name| name.starts_with("iou-"))
    };
    let tids = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
    tids.filter(is_worker).collect()
}

/// How long the calling thread was runnable and did not run so far, ns. `None` if the kernel does
/// not count it.
pub(crate) fn waited_so_far() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

/// CPU time of the machine so far, in ticks of `USER_HZ`: all but idle, and all.
pub(crate) fn machine_so_far() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guest time is part of user's.
    let ticks: Vec<u64> = first.split_whitespace().skip(1).take(8).filter_map(|t| t.parse().ok()).collect();
    let all = ticks.iter().sum();
    let idle = ticks.iter().skip(3).take(2).sum::<u64>();
    (all - idle, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_clock_is_read_from_another() {
        let (send, tids) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            send.send((tid(), thread_cpu())).unwrap();
            let _ = stopped.recv();
        });
        let (tid, at_least) = tids.recv().unwrap();
        assert!(cpu_of(tid).unwrap() >= at_least);
        drop(stop);
        thread.join().unwrap();
    }

    #[test]
    fn the_kernels_thread_of_a_polling_ring_is_one_of_ours_and_has_a_clock() {
        let made: Result<io_uring::IoUring, _> = io_uring::IoUring::builder().setup_sqpoll(10).build(4);
        let Ok(mut ring) = made else {
            eprintln!("SKIPPED (no io_uring with SQPOLL here)");
            return;
        };
        let nop = io_uring::opcode::Nop::new().build();
        // SAFETY: it has no buffers.
        unsafe { ring.submission().push(&nop) }.unwrap();
        ring.submit_and_wait(1).unwrap();
        let workers = ring_workers();
        assert!(!workers.is_empty());
        assert!(workers.iter().any(|&tid| cpu_of(tid).is_some_and(|ns| ns > 0)), "{workers:?}");
    }

    #[test]
    fn two_cpus_are_two_where_there_are_two() {
        assert_eq!(two_cpus(&[3]), (3, None));
        let (first, second) = two_cpus(&[0, 1]);
        assert_eq!((first, second), (0, Some(1)));
    }
}
