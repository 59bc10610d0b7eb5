//! Facts from outside the programs: names, devices, threads without events, our own cost.

use std::{
    collections::{HashMap, HashSet},
    sync::OnceLock,
    time::SystemTime,
};

use crate::{
    aggregate::{Doing, Silent},
    answer::{Facts, ProcessFacts, Quota},
    event::{Batch, BlockClass, DecodeError, Living, Loads, Phase, Standing},
    kernel::{self, Form, preflight, syscalls},
    machine::Runtime,
    process::{self, CpuQuota, Descriptor, DescriptorTable, Note, Process, Protocol, QuotaWatch, SyscallState, Target},
    quantity::{Nanos, Tgid, Tid, kib},
};

/// Names by key, for reports.
type Names<K> = HashMap<K, String>;

/// Of threads that should still wait where they waited, so many are asked in each window.
const ASKED_AGAIN: usize = 500;
/// Where more than one in so many of them has moved, all are asked.
const MOVED: usize = 100;
/// The CPU clock hits a thread that runs for so long: six ticks of it (`kernel/sampler.rs`).
const SURE_TO_BE_HIT: Nanos = Nanos::from_millis(12);
/// How often a screen learns which CPUs the target may use.
const CPUS_EVERY: Nanos = Nanos::from_millis(5_000);

/// What `/proc` says of the threads that had no event. An answer is kept: a thread without an event
/// still waits where it waited. That holds within a window. In the next one, some are asked again:
/// to ask ten thousand takes longer than a short window.
#[derive(Default)]
pub(super) struct Silents {
    tables: HashMap<Tgid, DescriptorTable>,
    /// Where each thread slept last, and how that counts in the load average.
    known: HashMap<Tid, (BlockClass, Loads)>,
    /// Those of them that were asked whether they work for a ring.
    rings: HashMap<Tid, bool>,
    /// The beginning of the window that this is of.
    window: Option<Nanos>,
}

impl Silents {
    pub(super) fn find(&mut self, batch: &Batch) -> Vec<Silent> {
        self.among(batch.threads.standings(), batch)
    }

    /// The same, where the living threads of the batch are not in it.
    pub(super) fn find_living(&mut self, batch: &Batch, living: &Living<'_>) -> Result<Vec<Silent>, DecodeError> {
        let living = living.standings().collect::<Result<Vec<_>, _>>()?;
        Ok(self.among(living.into_iter().chain(batch.threads.standings()), batch))
    }

    fn among(&mut self, threads: impl Iterator<Item = Standing>, batch: &Batch) -> Vec<Silent> {
        let (mut unseen, mut asleep) = (Vec::new(), HashMap::with_capacity(threads.size_hint().0));
        let mut on_cpu = Vec::new();
        for Standing { tgid, tid, phase, loads } in threads {
            match phase {
                Phase::Unseen => unseen.push((tgid, tid)),
                Phase::Blocked { class, .. } => _ = asleep.insert(tid, (class, loads)),
                Phase::OnCpu { .. } => on_cpu.push((tgid, tid)),
                _ => {}
            }
        }
        if self.window.replace(batch.start) != Some(batch.start) && !self.still_there(&unseen, batch.measured) {
            self.known.clear();
        }
        let mut running = Running::new(batch, on_cpu);
        let mut found = Vec::with_capacity(unseen.len());
        for (tgid, tid) in unseen {
            let known = self.known.get(&tid).map(|&(on, loads)| Doing::Asleep { on, loads });
            let doing = match known.or_else(|| self.ask(tgid, tid, batch.measured)) {
                Some(Doing::Queued) if running.has(tgid, tid) => Doing::Running,
                Some(doing) => doing,
                // Gone: not of this window.
                None => continue,
            };
            if let Doing::Asleep { on, loads } = doing {
                asleep.insert(tid, (on, loads));
            }
            // It shows the call in which it was made, whatever that was.
            let ring = self.works_for_ring(tgid, tid);
            found.push(Silent { tid, doing, ring });
        }
        self.known = asleep;
        self.rings.retain(|tid, _| self.known.contains_key(tid));
        found
    }

    /// Whether threads without an event still wait where they waited in the window before, by a
    /// sample of them. Who has moved is forgotten.
    fn still_there(&mut self, unseen: &[(Tgid, Tid)], measured: Nanos) -> bool {
        let expected: Vec<_> =
            unseen.iter().filter_map(|&(tgid, tid)| Some((tgid, tid, *self.known.get(&tid)?))).collect();
        let sample = fastrand::choose_multiple(expected, ASKED_AGAIN);
        let asked = sample.len();
        let mut moved = 0;
        for (tgid, tid, (on, loads)) in sample {
            if self.ask(tgid, tid, measured) != Some(Doing::Asleep { on, loads }) {
                self.known.remove(&tid);
                moved += 1;
            }
        }
        moved * MOVED <= asked
    }

    /// Whether it is a thread of the kernel's that works for a ring. No thread becomes one.
    fn works_for_ring(&mut self, tgid: Tgid, tid: Tid) -> bool {
        *self.rings.entry(tid).or_insert_with(|| process::works_for_ring(tgid, tid))
    }

    /// What a thread slept on for so long, or that it could run: whether it did is not told from
    /// here. `None` where it is gone.
    fn ask(&mut self, tgid: Tgid, tid: Tid, measured: Nanos) -> Option<Doing> {
        let state = process::snapshot_state(tgid, tid)?;
        let asleep = |on, loads| Some(Doing::Asleep { on, loads });
        match (state.state, state.syscall) {
            ('R', _) => {
                // A thread without counters is gone by now. Where the kernel keeps an account of
                // CPU, a thread without one was born after the window and has not run yet.
                let ever = process::counters(tgid, tid)?.on_cpu;
                if ever.is_none() && keeps_account() {
                    return None;
                }
                if could_have_run(ever, measured) {
                    return Some(Doing::Queued);
                }
                asleep(BlockClass::Unknown, Loads::No)
            }
            ('T', _) => asleep(BlockClass::Stopped, Loads::No),
            ('t', _) => asleep(BlockClass::Traced, Loads::No),
            ('Z' | 'X', _) => None,
            (letter, call) => {
                let class = call.map_or(BlockClass::Unknown, |call| self.class_of_call(tgid, &call));
                asleep(class, loads_of(letter, class))
            }
        }
    }

    fn class_of_call(&mut self, tgid: Tgid, call: &SyscallState) -> BlockClass {
        let nr = usize::try_from(call.nr).unwrap_or(usize::MAX);
        let (wait, args) = if is_compat(tgid, call.ip) {
            let args = call.args.map(|arg| arg & u64::from(u32::MAX));
            (syscalls::waits_for_compat(nr, args[0]), args)
        } else {
            (syscalls::waits_for(nr), call.args)
        };
        let [first, second, ..] = args;
        match wait {
            syscalls::Wait::Class(class) => class.into(),
            syscalls::Wait::Pointed => {
                let mut fd = [0; 4];
                if !process::read_memory(tgid, second, &mut fd) {
                    return BlockClass::SocketOther;
                }
                self.class_of(tgid, i32::from_ne_bytes(fd))
            }
            syscalls::Wait::Descriptor => self.class_of(tgid, first as i32),
            syscalls::Wait::Polled if second as u32 == 0 => BlockClass::Timeout,
            syscalls::Wait::Selected if first as u32 == 0 => BlockClass::Timeout,
            syscalls::Wait::Polled => {
                // `fd` is the first member of `struct pollfd`.
                let mut fd = [0; 4];
                if second as u32 != 1 || !process::read_memory(tgid, first, &mut fd) {
                    return BlockClass::EventWait;
                }
                self.class_of(tgid, i32::from_ne_bytes(fd)).waited_for()
            }
            syscalls::Wait::Selected => match only_selected(tgid, args) {
                Some(fd) => self.class_of(tgid, fd).waited_for(),
                None => BlockClass::EventWait,
            },
        }
    }

    fn class_of(&mut self, tgid: Tgid, fd: i32) -> BlockClass {
        let table = self.tables.entry(tgid).or_insert_with(|| DescriptorTable::new(tgid));
        let class = class_of_descriptor(&table.describe(fd));
        if class != BlockClass::EventWait {
            return class;
        }
        process::only_watched(tgid, fd)
            .map_or(class, |watched| class_of_descriptor(&table.describe(watched)).waited_for())
    }
}

/// Which of the threads that can run by now ran all the window. The others waited for a CPU, or
/// were woken after it.
struct Running<'a> {
    /// Threads that the CPU clock hit, where it was watched.
    hit: Option<&'a HashSet<Tid>>,
    /// Whether it hit every thread that ran: no sample was lost, and the window is long enough.
    all: bool,
    /// CPUs that other threads of the target had. One that ran without a switch had its own.
    taken: HashSet<u32>,
}

impl<'a> Running<'a> {
    /// `on_cpu`: threads that had events, and a CPU at the window's end.
    fn new(batch: &'a Batch, on_cpu: Vec<(Tgid, Tid)>) -> Self {
        let hit = batch.hit.as_ref();
        let all = hit.is_some() && batch.measured >= SURE_TO_BE_HIT && batch.counters.samples_lost == 0;
        let on_cpu = on_cpu.into_iter().filter(|_| !all);
        Self { hit, all, taken: on_cpu.filter_map(|(tgid, tid)| process::processor(tgid, tid)).collect() }
    }

    /// Whether this one did; to be asked once for each.
    fn has(&mut self, tgid: Tgid, tid: Tid) -> bool {
        let mut has_own = || process::processor(tgid, tid).is_some_and(|cpu| self.taken.insert(cpu));
        self.hit.is_some_and(|hit| hit.contains(&tid)) || !self.all && has_own()
    }
}

/// How a sleep counts in the load average: `D` is uninterruptible. `/proc` does not tell whether it
/// is for the disk; a wait for a file is.
fn loads_of(letter: char, class: BlockClass) -> Loads {
    match (letter, class) {
        ('D', BlockClass::File | BlockClass::BlockDevice) => Loads::OnDisk,
        ('D', _) => Loads::Yes,
        _ => Loads::No,
    }
}

/// The only descriptor that a `select` waits for: the highest one plus one, then up to three sets
/// of bits. `None` where there are more.
fn only_selected(tgid: Tgid, args: [u64; 6]) -> Option<i32> {
    /// As many as the kernel programs look at.
    const MOST: u32 = 256;
    let [beyond, sets @ ..] = args;
    let beyond = u32::try_from(beyond).ok().filter(|&beyond| beyond <= MOST)?;
    let mut found = vec![0u8; beyond.div_ceil(64) as usize * 8];
    for &set in sets.iter().take(3).filter(|&&set| set != 0) {
        let mut bits = vec![0; found.len()];
        if !process::read_memory(tgid, set, &mut bits) {
            return None;
        }
        found.iter_mut().zip(bits).for_each(|(found, bits)| *found |= bits);
    }
    if beyond % 64 != 0
        && let Some(last) = found.last_chunk_mut::<8>()
    {
        // The kernel does not look beyond the highest descriptor.
        *last = (u64::from_ne_bytes(*last) & ((1 << (beyond % 64)) - 1)).to_ne_bytes();
    }
    let words = found.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_ne_bytes));
    let mut selected = words.zip(0..).filter(|(word, _)| *word != 0);
    match (selected.next(), selected.next()) {
        (Some((word, i)), None) if word.is_power_of_two() => Some(i * 64 + word.trailing_zeros() as i32),
        _ => None,
    }
}

/// Whether this kernel keeps an account of each thread's CPU. Then there is one of our own thread.
fn keeps_account() -> bool {
    let own = process::own_tid();
    process::counters(Tgid::from_raw(std::process::id()), own).is_some_and(|counters| counters.on_cpu.is_some())
}

/// Whether a thread that can run now may have had a CPU all this time, by the CPU that it has used
/// in its life. It may also have been woken after the window. The kernel's figure is as of the last
/// tick.
fn could_have_run(ever: Option<Nanos>, measured: Nanos) -> bool {
    ever.is_none_or(|ever| ever >= Nanos::from_nanos(measured.as_nanos() / 2))
}

/// Whether a call came through the 32-bit table: `/proc/PID/syscall` has the number, but not the
/// table. The instruction before the return address tells: `syscall` or, for the other table, `int
/// 0x80` or `sysenter`.
#[cfg(target_arch = "x86_64")]
fn is_compat(tgid: Tgid, ip: u64) -> bool {
    let mut code = [0u8; 2];
    process::read_memory(tgid, ip.wrapping_sub(2), &mut code) && (code == [0xcd, 0x80] || code == [0x0f, 0x34])
}

/// Whether a call came through the 32-bit table: on arm64 a process has one table for all its life,
/// its program's.
#[cfg(target_arch = "aarch64")]
fn is_compat(tgid: Tgid, _ip: u64) -> bool {
    /// Magic and class: `ELFCLASS32`.
    const ELF_32: [u8; 5] = *b"\x7fELF\x01";
    let mut head = [0u8; 5];
    let program = std::fs::File::open(format!("/proc/{tgid}/exe"));
    program.is_ok_and(|mut file| std::io::Read::read_exact(&mut file, &mut head).is_ok()) && head == ELF_32
}

/// The class of a call that waits on such a descriptor.
pub(super) fn class_of_descriptor(descriptor: &Descriptor) -> BlockClass {
    match descriptor {
        Descriptor::Path { .. } => BlockClass::File,
        Descriptor::Device(path) => {
            let name = path.to_string_lossy();
            if name.starts_with("/dev/pts/") || name.starts_with("/dev/tty") {
                BlockClass::Tty
            } else {
                BlockClass::CharDevice
            }
        }
        Descriptor::Fifo { .. } | Descriptor::Pipe { .. } => BlockClass::Pipe,
        Descriptor::Socket { listening: true, .. } | Descriptor::Unix { listening: true, .. } => BlockClass::Accept,
        Descriptor::Socket { proto: Protocol::Tcp, .. } => BlockClass::Tcp,
        Descriptor::Socket { proto: Protocol::Udp, .. } => BlockClass::Udp,
        Descriptor::Socket { .. } => BlockClass::SocketOther,
        Descriptor::Unix { .. } => BlockClass::Unix,
        Descriptor::Anon(name) => match name.as_str() {
            "eventfd" => BlockClass::EventFd,
            "timerfd" => BlockClass::TimerFd,
            "signalfd" => BlockClass::SignalFd,
            "inotify" | "fanotify" => BlockClass::Inotify,
            "eventpoll" => BlockClass::EventWait,
            _ => BlockClass::AnonFd,
        },
        Descriptor::Gone => BlockClass::BadFd,
        Descriptor::Denied => BlockClass::Unknown,
    }
}

/// Why there are no hardware counters, looked up once: a live screen asks every second.
pub(super) fn why_no_counters() -> String {
    static WHY: OnceLock<String> = OnceLock::new();
    WHY.get_or_init(preflight::pmu_words).clone()
}

/// Names of block devices, from `/proc/partitions`.
pub(super) fn device_names() -> Names<(u32, u32)> {
    let table = std::fs::read_to_string("/proc/partitions").unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (major, minor) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(((major, minor), fields.nth(1)?.to_owned()))
        })
        .collect()
}

/// How many CPUs the target may use. To ask is to read the list of its threads and a file for each
/// of many, so a screen gets the answer of a moment ago.
#[derive(Default)]
pub(super) struct AllowedCpus {
    asked: Option<Nanos>,
    pub(super) found: u32,
}

impl AllowedCpus {
    /// Asks now.
    pub(super) fn ask(&mut self, target: &Target) {
        (self.asked, self.found) = (Some(kernel::now()), process::allowed_cpus(target));
    }

    /// Asks if the answer is older than [`CPUS_EVERY`].
    pub(super) fn refresh(&mut self, target: &Target) {
        if self.asked.is_none_or(|at| kernel::now().saturating_sub(at) >= CPUS_EVERY) {
            self.ask(target);
        }
    }
}

pub(super) fn facts(
    target: &Target,
    processes: &[Process],
    form: Form,
    allowed_cpus: u32,
    began_at: SystemTime,
    runtime: Option<Runtime>,
    quotas: &QuotaWatch,
) -> Facts {
    let notes: &[Note] = &target.notes;
    Facts {
        processes: processes.iter().map(process_facts).collect(),
        notes: notes.iter().map(ToString::to_string).collect(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        cpus: process::online_cpus(),
        allowed_cpus,
        form: form.name().to_owned(),
        began_at: began_at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        runtime,
        quota_cpus: quotas.limit(),
        quotas: quotas.found().into_iter().map(|found| quota(found, quotas.over())).collect(),
    }
}

fn quota(found: CpuQuota, over: Nanos) -> Quota {
    let CpuQuota { group, cpus, cpus_at_start, periods, throttled_periods, throttled } = found;
    Quota { group, cpus, cpus_at_start, periods, throttled_periods, throttled, over }
}

pub(super) fn process_facts(process: &Process) -> ProcessFacts {
    ProcessFacts {
        tgid: process.tgid.as_raw(),
        ns_pids: process.ns_pids.clone(),
        name: process.comm.clone(),
        command: process.cmdline.join(" "),
        container: process.container.clone(),
    }
}

/// CPU of the target's processes so far; `None` where one of them is gone.
pub(super) fn process_cpu(target: &Target) -> Option<Nanos> {
    let of_process = |process: &Process| {
        let cpu = process::cpu_time(process.tgid)?;
        // Asked after the clock: who has the number by now and began at another time is a stranger.
        (process::started(process.tgid)? == process.started).then_some(cpu)
    };
    target.processes.iter().map(of_process).sum()
}

/// CPU that this process used so far.
pub(super) fn own_cpu() -> Nanos {
    cpu_of(rustix::time::ClockId::ProcessCPUTime)
}

/// CPU that the calling thread used so far.
pub(super) fn thread_cpu() -> Nanos {
    cpu_of(rustix::time::ClockId::ThreadCPUTime)
}

fn cpu_of(clock: rustix::time::ClockId) -> Nanos {
    let time = rustix::time::clock_gettime(clock);
    Nanos::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// CPU that this process used so far, and its largest resident size, bytes.
pub(super) fn daemon_cost() -> (Nanos, u64) {
    (own_cpu(), peak_of(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()).unwrap_or(0))
}

/// The largest resident size, bytes, as `/proc/PID/status` has it.
fn peak_of(status: &str) -> Option<u64> {
    kib::bytes_of(status, "VmHWM")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_woken_after_the_window_did_not_run_in_it() {
        let measured = Nanos::from_millis(3_000);
        let could = |ever: u64| could_have_run(Some(Nanos::from_millis(ever)), measured);
        assert!(could(3_200) && could(2_995), "as of the last tick");
        assert!(!could(0) && !could(12));
        assert!(could_have_run(None, measured), "a kernel without the account");
    }

    #[test]
    fn who_can_run_by_now_ran_only_where_a_cpu_was_its_own() {
        let (tgid, own) = (Tgid::from_raw(std::process::id()), process::own_tid());
        let (hit, other) = (HashSet::from([own]), Tid::from_raw(1));
        let running = |hit, all, taken| Running { hit, all, taken };
        let mut watched = running(Some(&hit), true, HashSet::new());
        assert!(watched.has(tgid, own) && !watched.has(tgid, other));
        let every = || (0..4096).collect();
        assert!(running(Some(&hit), false, every()).has(tgid, own), "a hit tells");
        assert!(running(None, false, HashSet::new()).has(tgid, own), "nobody else was there");
        assert!(!running(None, false, every()).has(tgid, own));
    }

    #[test]
    fn who_has_a_targets_number_by_now_gives_it_no_cpu() {
        let mut own = Process::read(Tgid::from_raw(std::process::id())).unwrap();
        let of = |process: &Process| {
            process_cpu(&Target { processes: vec![process.clone()], threads_only: None, groups: vec![], notes: vec![] })
        };
        assert!(of(&own).is_some());
        own.started += 1;
        assert_eq!(of(&own), None);
    }
}
