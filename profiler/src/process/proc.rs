//! process/proc: the few fields of /proc that this room needs, read and parsed by hand, because
//! 10,000 threads are read in one go. Formats: proc(5), fs/proc/array.c (`do_task_stat`,
//! `proc_pid_status`).

use std::fs::File;
use std::io::{self, Read as _};

use crate::{quantity::Nanos, text::clean::as_read};

/// `PF_KTHREAD` of include/linux/sched.h: the task runs in the kernel only.
const PF_KTHREAD: u32 = 0x0020_0000;
/// `PF_IO_WORKER` of the same file: the task works for a ring of its process, in the kernel only.
const PF_IO_WORKER: u32 = 0x10;

/// What /proc/PID/stat says, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) comm: String,
    pub(crate) state: char,
    pub(crate) ppid: u32,
    flags: u32,
    pub(crate) threads: usize,
    /// CPU of its children that it has waited for, clock ticks.
    waited_for: u64,
    /// Clock ticks since boot.
    pub(crate) started: u64,
    /// The CPU that it runs on or ran on last.
    pub(crate) processor: Option<u32>,
}

impl Stat {
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        Self::parse(&read(&format!("/proc/{pid}/stat"))?).ok_or_else(|| malformed("stat"))
    }

    pub(crate) fn of_thread(pid: u32, tid: u32) -> Option<Self> {
        Self::parse(&read(&format!("/proc/{pid}/task/{tid}/stat")).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (open, close) = (text.iter().position(|&b| b == b'(')?, comm_end(text)?);
        let rest = str::from_utf8(text.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().take(37).collect();
        Some(Self {
            comm: printable(text.get(open + 1..close)?),
            state: fields.first()?.chars().next()?,
            ppid: fields.get(1)?.parse().ok()?,
            flags: fields.get(6)?.parse().ok()?,
            waited_for: fields.get(13)?.parse::<u64>().ok()?.saturating_add(fields.get(14)?.parse().ok()?),
            threads: fields.get(17)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            processor: fields.get(36).and_then(|field| field.parse().ok()),
        })
    }

    /// CPU of its children that have ended and that it has waited for, and of theirs.
    pub(crate) fn waited_for(&self) -> Nanos {
        Nanos::from_nanos(
            self.waited_for.saturating_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)),
        )
    }

    pub(crate) fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    pub(crate) fn works_for_ring(&self) -> bool {
        self.flags & PF_IO_WORKER != 0 && !self.is_kernel_thread()
    }

    /// Exited and not yet reaped. A leader that has exited while its other threads run is a zombie
    /// by state only: the process is alive.
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }
}

/// What /proc/PID/status says, as far as it matters here. For a thread's id, `tgid` names its
/// process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) tgid: u32,
    /// The effective UID: the user that it runs as.
    pub(crate) uid: u32,
    /// From the reader's PID namespace to the innermost one.
    pub(crate) ns_pids: Vec<u32>,
}

impl Status {
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        Self::parse(&read(&format!("/proc/{pid}/status"))?).ok_or_else(|| malformed("status"))
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        Some(Self {
            tgid: number(status_field(text, b"Tgid:")?)?,
            uid: numbers(status_field(text, b"Uid:")?).nth(1)?,
            ns_pids: status_field(text, b"NSpid:").map(|field| numbers(field).collect()).unwrap_or_default(),
        })
    }
}

/// The value of one line of a status file, without its name.
pub(crate) fn status_field<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    text.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(name))
}

/// The first decimal number.
pub(crate) fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    str::from_utf8(field).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

fn numbers(field: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let words = str::from_utf8(field).unwrap_or_default().split_ascii_whitespace();
    words.filter_map(|word| word.parse().ok())
}

/// Where the command name of a stat line ends. The name may hold any byte, brackets and newlines
/// too, so the last closing bracket is the one.
pub(crate) fn comm_end(stat: &[u8]) -> Option<usize> {
    stat.iter().rposition(|&b| b == b')')
}

/// A whole small file. Files of /proc have no size, so the size query of `std::fs::read` is a
/// wasted system call.
pub(crate) fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut text = Vec::with_capacity(2048);
    let mut chunk = [0; 4096];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(text),
            Ok(n) => text.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Text of another process as it is kept: see [`as_read`].
pub(crate) fn printable(bytes: &[u8]) -> String {
    as_read(&String::from_utf8_lossy(bytes))
}

/// As [`printable`], line by line.
pub(crate) fn printable_lines(bytes: &[u8]) -> String {
    bytes.split(|&b| b == b'\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Whether an error of /proc means that the task has gone: ENOENT at open, ESRCH at read.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Whether an error of /proc means that this user may not look.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM))
}

/// The folder for what threads share (descriptors, executable, arguments). A leader that has exited
/// while other threads run has released all of it; then it is the folder of one of those.
pub(crate) fn shared_dir(pid: u32) -> String {
    let leader = format!("/proc/{pid}");
    if !Stat::read(pid).is_ok_and(|stat| stat.state == 'Z' && stat.threads > 1) {
        return leader;
    }
    let threads = std::fs::read_dir(format!("{leader}/task")).into_iter().flatten();
    let mut tids = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    tids.find(|&tid| tid != pid).map_or(leader, |tid| format!("/proc/{pid}/task/{tid}"))
}

/// Every process of the machine that this user can see (with hidepid, not every one).
pub(crate) fn all_pids() -> io::Result<Vec<u32>> {
    let entries = std::fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

fn malformed(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/PID/{file} is not as proc(5) describes it"))
}

#[cfg(fuzzing)]
pub(super) fn fuzz(text: &[u8]) {
    if let Some(stat) = Stat::parse(text) {
        let _ = (stat.waited_for(), stat.is_zombie());
    }
    let _ = Status::parse(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_a_hostile_command_name() {
        let line = b"42 (a) R 1 (\x1b[2J) S 7 42 42 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 3 0 9876 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 5 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.comm.as_str(), stat.state, stat.ppid), ("a) R 1 (?[2J", 'S', 7));
        assert_eq!((stat.threads, stat.started, stat.processor), (3, 9876, Some(5)));
        assert!(stat.is_kernel_thread() && !stat.is_zombie());
        assert_eq!(Stat::parse(b"42 (a"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn an_exited_leader_with_live_threads_is_no_zombie() {
        let line = |threads| format!("42 (a) Z 7 42 42 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 9 0");
        assert!(!Stat::parse(line(2).as_bytes()).unwrap().is_zombie());
        assert!(Stat::parse(line(1).as_bytes()).unwrap().is_zombie());
    }

    #[test]
    fn status_gives_the_effective_user_and_every_pid() {
        let text = b"Name:\tx\nTgid:\t12\nPid:\t13\nUid:\t1\t2\t3\t4\nNSpid:\t12\t7\t1\n";
        let status = Status::parse(text).unwrap();
        assert_eq!((status.tgid, status.uid), (12, 2));
        assert_eq!(status.ns_pids, [12, 7, 1]);
        assert_eq!(Status::parse(b"Name:\tx\n"), None);
    }

    #[test]
    fn this_process_reads_itself() {
        let pid = std::process::id();
        assert_eq!(Status::read(pid).unwrap().tgid, pid);
        assert!(Stat::read(pid).unwrap().started > 0);
        assert!(all_pids().unwrap().contains(&pid));
    }
}
