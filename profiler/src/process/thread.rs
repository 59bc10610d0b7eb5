//! process/thread: the threads of a process and the kernel's own counters of each, against which
//! every report checks itself.

use std::ffi::CStr;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Mode, OFlags, RawDir};

use super::asleep::{SyscallState, sleeping_place};
use super::proc;
use crate::quantity::{Nanos, Tgid, Tid};

/// Room for the names of some 40,000 threads, so that one system call sees them all at one moment.
/// With a small buffer the kernel resumes by position where the last thread has exited meanwhile,
/// and then skips or repeats some.
const TASK_DIR_BYTES: usize = 1 << 20;

/// The kernel's own counters of one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadCounters {
    /// `voluntary_ctxt_switches` of /proc/PID/task/TID/status: the thread left the CPU by its own
    /// will.
    pub voluntary: u64,
    /// `nonvoluntary_ctxt_switches` of the same file.
    pub involuntary: u64,
    /// CPU time, `se.sum_exec_runtime` (first field of schedstat). While the thread runs it is as
    /// of the last tick. `None` where the kernel has no CONFIG_SCHED_INFO.
    pub on_cpu: Option<Nanos>,
    /// Time on the run queue, `sched_info.run_delay` (second field of schedstat). `None` as above.
    pub run_delay: Option<Nanos>,
}

/// What one thread does at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadState {
    /// As in /proc/PID/task/TID/stat: R running or runnable, S asleep, D uninterruptible, T
    /// stopped, Z exited.
    pub state: char,
    /// `None` while it runs, where it sleeps outside a system call (page fault), or where the
    /// rights are missing (`PTRACE_MODE_ATTACH`: cap_sys_ptrace for other users' threads) or the
    /// kernel has no CONFIG_HAVE_ARCH_TRACEHOOK.
    pub syscall: Option<SyscallState>,
}

/// The threads of a process at this moment, sorted. Empty where the process has gone.
pub fn threads(tgid: Tgid) -> Vec<Tid> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(dir) = rustix::fs::open(format!("/proc/{tgid}/task"), flags, Mode::empty()) else {
        return Vec::new();
    };
    // Memory that was never written to costs nothing: a small process fills one page of it.
    let mut buffer: Vec<u8> = Vec::with_capacity(TASK_DIR_BYTES);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    let mut tids = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        // `.` and `..` are no numbers.
        tids.extend(tid_of(entry.file_name()));
    }
    tids.sort_unstable();
    tids.dedup();
    tids
}

/// How many threads a process has, without a look at any: the links of its folder of threads, of
/// which two are not threads (`proc_task_getattr`, fs/proc/base.c). `None` where it has gone.
pub fn thread_count(tgid: Tgid) -> Option<usize> {
    let links = std::fs::metadata(format!("/proc/{tgid}/task")).ok()?.nlink();
    usize::try_from(links.checked_sub(2)?).ok()
}

fn tid_of(name: &CStr) -> Option<Tid> {
    name.to_str().ok()?.parse().ok().map(Tid::from_raw)
}

/// The kernel's counters of a thread; `None` where it has exited or /proc hides it.
pub fn counters(tgid: Tgid, tid: Tid) -> Option<ThreadCounters> {
    let status = proc::read(&format!("/proc/{tgid}/task/{tid}/status")).ok()?;
    let schedstat = proc::read(&format!("/proc/{tgid}/task/{tid}/schedstat")).ok();
    let (on_cpu, run_delay) = schedstat.as_deref().and_then(parse_schedstat).unzip();
    Some(ThreadCounters {
        voluntary: proc::number(proc::status_field(&status, b"voluntary_ctxt_switches:")?)?,
        involuntary: proc::number(proc::status_field(&status, b"nonvoluntary_ctxt_switches:")?)?,
        on_cpu,
        run_delay,
    })
}

/// `on-cpu run-delay slices` (kernel/sched/stats.h, `proc_pid_schedstat`). A kernel without the
/// accounting writes three zeroes; a thread that exists has had a slice, unless it is this very
/// moment's child.
fn parse_schedstat(text: &[u8]) -> Option<(Nanos, Nanos)> {
    let mut fields = str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::parse::<u64>);
    let (on_cpu, delay, slices) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
    (slices != 0 || on_cpu != 0).then_some((Nanos::from_nanos(on_cpu), Nanos::from_nanos(delay)))
}

/// Switches of the whole machine since it started: `ctxt` of `/proc/stat`, one for each switch on
/// any CPU.
pub fn switches_of_all() -> Option<u64> {
    proc::number(proc::status_field(&proc::read("/proc/stat").ok()?, b"ctxt ")?)
}

/// The load averages of the machine over 1, 5 and 15 minutes, from `/proc/loadavg`.
pub fn load_averages() -> Option<[f64; 3]> {
    let text = proc::read("/proc/loadavg").ok()?;
    parse_load_averages(&text)
}

fn parse_load_averages(text: &[u8]) -> Option<[f64; 3]> {
    let mut fields = str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::parse::<f64>);
    let averages = [fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?];
    averages.iter().all(|average| average.is_finite()).then_some(averages)
}

/// What a thread does at this moment; `None` where it has exited or /proc hides it.
pub fn snapshot_state(tgid: Tgid, tid: Tid) -> Option<ThreadState> {
    let stat = proc::read(&format!("/proc/{tgid}/task/{tid}/stat")).ok()?;
    let state = char::from(*stat.get(proc::comm_end(&stat)? + 2)?);
    // The kernel would only say "running", at the price of an unwinding attempt.
    let syscall = match state {
        'R' => None,
        _ => sleeping_place(tgid, tid).and_then(|place| place.syscall),
    };
    Some(ThreadState { state, syscall })
}

/// Whether a thread is the kernel's, made for a ring (`io_uring`) of its process.
pub fn works_for_ring(tgid: Tgid, tid: Tid) -> bool {
    proc::Stat::of_thread(tgid.as_raw(), tid.as_raw()).is_some_and(|stat| stat.works_for_ring())
}

/// The CPU that a thread runs on or ran on last; `None` where it has exited.
pub fn processor(tgid: Tgid, tid: Tid) -> Option<u32> {
    proc::Stat::of_thread(tgid.as_raw(), tid.as_raw()).and_then(|stat| stat.processor)
}

/// The calling thread.
pub fn own_tid() -> Tid {
    Tid::from_raw(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs())
}

/// A thread's name, at most 15 bytes, without control characters; `None` where it has exited.
pub fn comm(tgid: Tgid, tid: Tid) -> Option<String> {
    let name = proc::read(&format!("/proc/{tgid}/task/{tid}/comm")).ok()?;
    Some(proc::printable(name.strip_suffix(b"\n").unwrap_or(&name)))
}

/// CPU time of a whole process, its exited threads included, exact at this moment even for threads
/// that run (schedstat is as of the last tick). `None` where it has gone. From the process's CPU
/// clock, kernel/time/posix-cpu-timers.c.
pub fn cpu_time(tgid: Tgid) -> Option<Nanos> {
    // MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of include/linux/posix-timers.h.
    let clock = (!i32::try_from(tgid.as_raw()).ok()? << 3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the kernel to fill; a clock of a process that has gone
    // is EINVAL.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (secs, nanos) = (u64::try_from(time.tv_sec).ok()?, u64::try_from(time.tv_nsec).ok()?);
    (result == 0).then(|| Nanos::from_nanos(secs * 1_000_000_000 + nanos))
}

/// CPUs of the machine that are online, whatever this process may use of them.
pub fn online_cpus() -> u32 {
    // SAFETY: a number in, a number out.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(online).unwrap_or(1).max(1)
}

/// Threads whose affinity is read: it is the same for nearly all.
const ASKED_FOR_CPUS: usize = 64;

/// How many CPUs a thread of these processes may use: all that at least one of them is allowed to.
pub fn allowed_cpus(target: &super::target::Target) -> u32 {
    let online = online_cpus();
    match cpus(target).len() as u32 {
        0 => online,
        // The mask may name CPUs that the machine does not have.
        allowed => allowed.min(online),
    }
}

/// The CPUs that at least one thread of these processes may use. They need not all exist.
pub fn cpus(target: &super::target::Target) -> Vec<usize> {
    let mut union: Vec<u32> = Vec::new();
    for tgid in target.tgids() {
        for tid in threads(tgid).into_iter().take(ASKED_FOR_CPUS) {
            let path = format!("/proc/{}/task/{}/status", tgid.as_raw(), tid.as_raw());
            let status = std::fs::read_to_string(path).unwrap_or_default();
            let mask = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed:")).unwrap_or("");
            // Words of 32 CPUs, the highest first.
            let words: Vec<u32> = mask.trim().rsplit(',').filter_map(|w| u32::from_str_radix(w, 16).ok()).collect();
            union.resize(union.len().max(words.len()), 0);
            union.iter_mut().zip(words).for_each(|(all, own)| *all |= own);
        }
    }
    let is_set = |cpu: &usize| union[cpu / 32] & (1 << (cpu % 32)) != 0;
    (0..union.len() * 32).filter(is_set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn me() -> Tgid {
        Tgid::from_raw(std::process::id())
    }

    #[test]
    fn schedstat_without_accounting_is_absent_and_not_zero() {
        assert_eq!(parse_schedstat(b"0 0 0\n"), None);
        assert_eq!(parse_schedstat(b"12 34"), None);
        let (cpu, delay) = parse_schedstat(b"12 34 5\n").unwrap();
        assert_eq!((cpu.as_nanos(), delay.as_nanos()), (12, 34));
    }

    #[test]
    fn load_averages_are_three_numbers() {
        assert_eq!(parse_load_averages(b"1.53 0.87 0.40 2/139 4711\n"), Some([1.53, 0.87, 0.40]));
        for text in [&b""[..], b"1.0 2.0", b"1.0 x 2.0 1/2 3", b"inf 1.0 1.0 1/2 3", b"\xff"] {
            assert_eq!(parse_load_averages(text), None);
        }
        assert!(load_averages().is_some());
    }

    #[test]
    fn threads_are_counted_without_a_list() {
        let (hold, held) = mpsc::channel::<()>();
        let worker = std::thread::spawn(move || held.recv());
        // Other tests start and end threads meanwhile.
        let agrees = || thread_count(me()).is_some_and(|count| count > 1 && count == threads(me()).len());
        assert!((0..1_000).any(|_| agrees()));
        drop(hold);
        assert!(worker.join().unwrap().is_err());
        assert_eq!(thread_count(Tgid::from_raw(u32::MAX)), None);
    }

    #[test]
    fn a_thread_that_waits_in_read_is_seen_in_read() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (send, receive) = mpsc::channel();
        let worker = std::thread::Builder::new().name("wait in (read)".into()).spawn(move || {
            use std::io::Read as _;
            send.send(own_tid()).unwrap();
            (&reader).read(&mut [0; 8]).unwrap()
        });
        let tid = receive.recv().unwrap();
        assert!(threads(me()).contains(&tid));
        assert_eq!(comm(me(), tid).unwrap(), "wait in (read)");
        let state = (0..200).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            snapshot_state(me(), tid).filter(|now| now.state == 'S')
        });
        // The file is absent on kernels without CONFIG_HAVE_ARCH_TRACEHOOK.
        if std::path::Path::new("/proc/self/syscall").exists() {
            assert_eq!(state.unwrap().syscall.unwrap().nr, libc::SYS_read.unsigned_abs());
        }
        let before = counters(me(), tid).unwrap();
        drop(writer);
        worker.unwrap().join().unwrap();
        assert!(before.voluntary >= 1);
        assert_eq!((counters(me(), tid), comm(me(), tid)), (None, None));
    }

    #[test]
    fn the_cpu_clock_of_a_process_advances_while_it_runs() {
        let before = cpu_time(me()).unwrap();
        while cpu_time(me()).unwrap().saturating_sub(before) < Nanos::from_millis(1) {}
        assert_eq!(cpu_time(Tgid::from_raw(u32::MAX)), None);
    }
}
