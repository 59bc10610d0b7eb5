//! process/stack_memory: what the stacks of a process's threads take of its memory, and what the
//! kernel keeps for each thread beside that.

use std::{collections::BTreeMap, fs::File, ops::Range, os::unix::fs::FileExt as _};

use super::{asleep::sleeping_place, proc, thread};
use crate::quantity::{Tgid, Tid, kib};

/// Stacks of so many threads are looked at, spread over all of them.
const ASKED: usize = 256;
/// A stack reserves no more than this: what is larger is a heap on which stacks lie (Go, Erlang).
const LARGEST: u64 = 64 << 20;
/// Bits of an entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// The stacks of a process's threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackMemory {
    /// Threads of the process.
    pub threads: u64,
    /// Those whose stack was found: they slept, and it is a mapping of its own.
    pub found: u64,
    /// Addresses of the stacks that were found, bytes.
    pub reserved: u64,
    /// Of them in memory, bytes.
    pub resident: u64,
    /// Of them swapped out, bytes.
    pub swapped: u64,
}

/// What the kernel keeps for each thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelMemory {
    /// Its stack in the kernel, bytes: `KernelStack` of /proc/meminfo for each thread of the
    /// machine.
    pub stack: Option<u64>,
    /// Its `task_struct`, bytes, where the kernel shows its caches.
    pub task: Option<u64>,
    /// Memory of the machine, bytes.
    pub machine: Option<u64>,
}

/// Where the stacks of one process's threads are, as far as they were seen asleep.
#[derive(Debug)]
pub struct Stacks {
    tgid: Tgid,
    threads: u64,
    maps: Vec<Range<u64>>,
    pages: File,
    /// How many threads were asked about.
    asked: usize,
    /// Those of them that ran when they were looked at.
    missing: Vec<Tid>,
    /// End and threads of each mapping, by its start.
    found: BTreeMap<u64, (u64, u64)>,
}

impl Stacks {
    /// Looks once at the threads of a process; `None` where it has gone, or where the rights are
    /// missing (`PTRACE_MODE_READ` for its map, `PTRACE_MODE_ATTACH` for where its threads sleep).
    pub fn of(tgid: Tgid) -> Option<Self> {
        let maps = mappings(&proc::read(&format!("{}/maps", proc::shared_dir(tgid.as_raw()))).ok()?);
        let pages = File::open(format!("/proc/{tgid}/pagemap")).ok()?;
        let tids = thread::threads(tgid);
        let step = tids.len().div_ceil(ASKED).max(1);
        let threads = tids.len() as u64;
        let missing: Vec<Tid> = tids.into_iter().step_by(step).collect();
        let mut stacks = Self { tgid, threads, maps, pages, asked: missing.len(), missing, found: BTreeMap::new() };
        stacks.look();
        Some(stacks)
    }

    /// Looks again at those that ran so far.
    pub fn look(&mut self) {
        let Self { tgid, maps, missing, found, .. } = self;
        missing.retain(|&tid| {
            let Some(place) = sleeping_place(*tgid, tid).filter(|place| place.sp != 0) else { return true };
            let holds = |range: &&Range<u64>| range.contains(&place.sp) && range.end - range.start <= LARGEST;
            if let Some(range) = maps.iter().find(holds) {
                found.entry(range.start).or_insert((range.end, 0)).1 += 1;
            }
            false
        });
    }

    /// Whether half of those that were asked about, or more, ran each time.
    pub fn mostly_ran(&self) -> bool {
        !self.missing.is_empty() && self.missing.len() * 2 >= self.asked
    }

    /// What they take now.
    pub fn memory(&self) -> StackMemory {
        let mut memory = StackMemory { threads: self.threads, ..StackMemory::default() };
        // Where two threads' stacks are one mapping, what belongs to whom cannot be told.
        for (&start, &(end, threads)) in &self.found {
            if threads == 1
                && let Some((resident, swapped)) = pages_of(&self.pages, start..end)
            {
                memory.found += 1;
                memory.reserved += end - start;
                memory.resident += resident;
                memory.swapped += swapped;
            }
        }
        memory
    }
}

/// Bytes in memory and swapped out.
fn pages_of(pages: &File, range: Range<u64>) -> Option<(u64, u64)> {
    let size = rustix::param::page_size() as u64;
    let mut entries = vec![0; usize::try_from((range.end - range.start) / size * 8).ok()?];
    pages.read_exact_at(&mut entries, range.start / size * 8).ok()?;
    let mut sums = (0, 0);
    for entry in entries.chunks_exact(8).filter_map(|entry| entry.try_into().ok().map(u64::from_ne_bytes)) {
        sums.0 += if entry & PRESENT != 0 { size } else { 0 };
        sums.1 += if entry & SWAPPED != 0 { size } else { 0 };
    }
    Some(sums)
}

/// The address ranges of a /proc/PID/maps file.
fn mappings(text: &[u8]) -> Vec<Range<u64>> {
    let address = |text: &[u8]| u64::from_str_radix(str::from_utf8(text).ok()?, 16).ok();
    let range = |line: &[u8]| {
        let mut ends = line.split(|&b| b == b' ').next()?.split(|&b| b == b'-');
        Some(address(ends.next()?)?..address(ends.next()?)?)
    };
    text.split(|&b| b == b'\n').filter_map(range).collect()
}

/// What the kernel of this machine keeps for each thread.
pub fn kernel_memory() -> KernelMemory {
    let text = |path: &str| proc::read(path).map(|text| proc::printable_lines(&text)).unwrap_or_default();
    let memory = text("/proc/meminfo");
    let task = text("/sys/kernel/slab/task_struct/object_size").trim().parse().ok();
    KernelMemory {
        stack: threads_of_all(&text("/proc/loadavg"))
            .and_then(|threads| kib::bytes_of(&memory, "KernelStack")?.checked_div(threads)),
        task: task.or_else(|| of_slab(&text("/proc/slabinfo"))),
        machine: kib::bytes_of(&memory, "MemTotal"),
    }
}

/// The threads of the machine: `running/all` in /proc/loadavg.
fn threads_of_all(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

/// The size of a `task_struct`, as /proc/slabinfo has it (root reads it): `name active all size …`.
fn of_slab(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("task_struct "))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As /proc/PID/smaps counts them: the mapping of a thread's stack, its size and what of it is
    /// in memory.
    fn by_smaps(tgid: Tgid, sp: u64) -> (u64, u64) {
        let smaps = std::fs::read_to_string(format!("/proc/{tgid}/smaps")).unwrap();
        let mut here = false;
        let mut found = (0, 0);
        for line in smaps.lines() {
            if let [range] = mappings(line.as_bytes()).as_slice() {
                here = range.contains(&sp);
            }
            let kib = |name: &str| kib::bytes_of(line, name).filter(|_| here);
            found.0 += kib("Size").unwrap_or(0);
            found.1 += kib("Rss").unwrap_or(0);
        }
        found
    }

    #[test]
    fn stacks_are_what_smaps_says_of_their_mappings() {
        // A shell that waits: its one stack is that of the main thread.
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let tgid = Tgid::from_raw(child.id());
        let asleep = || sleeping_place(tgid, Tid::from_raw(child.id())).filter(|p| p.syscall.is_some());
        let place = (0..1_000).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            asleep()
        });
        let (found, smaps) = (Stacks::of(tgid).map(|stacks| stacks.memory()), by_smaps(tgid, place.unwrap().sp));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = found.unwrap();
        assert_eq!((found.threads, found.found, found.swapped), (1, 1, 0));
        assert_eq!((found.reserved, found.resident), smaps);
        assert!(found.resident > 0 && found.resident <= found.reserved);
        assert!(Stacks::of(tgid).is_none(), "it has gone");
    }

    #[test]
    fn the_kernels_part_is_of_the_size_that_kernels_have() {
        let kernel = kernel_memory();
        let stack = kernel.stack.unwrap();
        assert!((4 << 10..128 << 10).contains(&stack), "{stack}");
        assert!(kernel.machine.unwrap() > 64 << 20);
        assert!(kernel.task.is_none_or(|task| (1 << 10..64 << 10).contains(&task)), "{:?}", kernel.task);
        assert_eq!(threads_of_all("0.10 0.20 0.30 2/139 4711"), Some(139));
        assert_eq!(of_slab("slabinfo - version: 2.1\ntask_struct  182  195  9792  3  8 : tunables"), Some(9_792));
        assert_eq!((threads_of_all(""), of_slab("")), (None, None));
    }

    #[test]
    fn ranges_of_a_map() {
        let text = b"55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0 [heap]\n7ffd0-7ffd8 rw-p 0\n\nx-y\n";
        assert_eq!(mappings(text), [0x55d0_c000_0000..0x55d0_c002_1000, 0x7ffd0..0x7ffd8]);
    }
}
