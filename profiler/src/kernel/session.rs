//! A session: programs attached, threads filed, one or more windows measured. `harvest` reads back.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU32, Ordering},
};

use aya::{
    Pod,
    maps::{HashMap as BpfHashMap, MapData, Queue, RingBuf},
    programs::{BtfTracePoint, RawTracePoint, raw_trace_point::RawTracePointLink, tp_btf::BtfTracePointLink},
};
use profiler_common::thread::{LATE, Sums, Thread, mark};

use super::{
    chunks::Chunks,
    clock,
    error::LoadError,
    hooks::{Hook, Spares},
    loader::{Loaded, load},
    options::{Form, Options},
    per_cpu::{no_map, unreadable},
    pmu::Grade,
    sampler::Sampler,
    stacks::StackRing,
    stream::{Stream, take_ring},
    tids::TIDS_PER_CHUNK,
    turns::{RawTurn, StallRing},
};
use crate::quantity::{Nanos, Tgid, Tid};

enum Link {
    Typed(#[allow(dead_code, reason = "dropped to detach")] BtfTracePointLink),
    Raw(#[allow(dead_code, reason = "dropped to detach")] RawTracePointLink),
}

/// The log of the programs' rare anomalies; `flush` hands it to `log`.
pub type ProgramLog = aya_log::EbpfLogger<&'static dyn log::Log>;

/// Loaded programs and their maps. Dropping it detaches everything; so does the process's end,
/// however it ends, because links and maps live by their descriptors.
pub struct Session {
    pub(super) loaded: Loaded,
    links: Vec<Link>,
    ring: RingBuf<MapData>,
    pub(super) stream: Stream,
    pub(super) sampler: Sampler,
    /// Until somebody has taken it.
    stacks: Option<StackRing>,
    /// Until somebody has taken it.
    stalls: Option<StallRing>,
    pub(super) spares: Spares,
    pub(super) departed: Chunks<Thread>,
    /// What they did, in all windows.
    gone: Passed,
    refused: HashSet<Tid>,
    pub(super) start: Nanos,
    /// When the window was about to end: who is filed later is not in it.
    pub(super) ending: Nanos,
    pub(super) end: Nanos,
    pub(super) measured: Nanos,
}

impl Session {
    /// Loads the programs. Nothing is attached yet.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn open(options: &Options) -> Result<Self, LoadError> {
        let mut loaded = load(options)?;
        let ring = take_ring(&mut loaded, "SIA_EXITS")?;
        let stream = Stream::new(take_ring(&mut loaded, "SIA_STREAM")?);
        let sampler = Sampler::new(take_ring(&mut loaded, "SIA_SAMPLES")?);
        let stacks = Some(StackRing::new(take_ring(&mut loaded, "SIA_STACKS")?));
        let stalls = Some(StallRing::new(take_ring(&mut loaded, "SIA_STALLS")?));
        let control = loaded.control.at(0);
        // SAFETY: the mapped control page; the programs are not attached yet.
        unsafe {
            (*control).follow = u32::from(options.follow);
            (*control).ipc_every = u32::from(loaded.pmu.grade() != Grade::None);
        }
        Ok(Self {
            loaded,
            links: Vec::new(),
            ring,
            stream,
            sampler,
            stacks,
            stalls,
            spares: Spares::default(),
            departed: Chunks::default(),
            gone: Passed::default(),
            refused: HashSet::new(),
            start: Nanos::ZERO,
            ending: Nanos::ZERO,
            end: Nanos::ZERO,
            measured: Nanos::ZERO,
        })
    }

    /// Which form the kernel accepted.
    pub fn form(&self) -> Form {
        self.loaded.form
    }

    /// Takes the log of the programs' rare anomalies; each call of the returned function flushes it
    /// to `log`.
    pub fn take_log(&mut self) -> Option<ProgramLog> {
        aya_log::EbpfLogger::init(&mut self.loaded.ebpf).ok()
    }

    /// Attaches every program. Events do not count before [`Self::begin`].
    ///
    /// # Errors
    /// A tracepoint that is needed and refuses.
    pub fn attach(&mut self) -> Result<(), LoadError> {
        self.set_tracking(1);
        self.loaded.pmu.start();
        for hook in self.loaded.hooks.clone() {
            match self.attach_one(&hook, hook.program) {
                Err(error) if hook.optional => log::warn!("{error}"),
                done => done?,
            }
        }
        self.attach_spares()
    }

    pub(super) fn attach_one(&mut self, hook: &Hook, program: &str) -> Result<(), LoadError> {
        let failed = |reason: String| LoadError::Attach { tracepoint: hook.tracepoint.to_owned(), reason };
        let Some(program) = self.loaded.ebpf.program_mut(&self.loaded.form.program_name(program)) else {
            return Err(failed("not in the object".into()));
        };
        let link = match self.loaded.form {
            Form::Typed => <&mut BtfTracePoint>::try_from(program)
                .and_then(|p| p.attach().and_then(|id| p.take_link(id)))
                .map(Link::Typed),
            Form::Raw => <&mut RawTracePoint>::try_from(program)
                .and_then(|p| p.attach(hook.tracepoint).and_then(|id| p.take_link(id)))
                .map(Link::Raw),
        };
        self.links.push(link.map_err(|error| failed(error.to_string()))?);
        Ok(())
    }

    /// Attaches the spares, where they are needed.
    pub(super) fn attach_spares(&mut self) -> Result<(), LoadError> {
        if self.spares.0.is_none() {
            return Ok(());
        }
        let hooks: Vec<Hook> = self.hooks_with_spares().cloned().collect();
        hooks.iter().try_for_each(|hook| hook.spare.map_or(Ok(()), |spare| self.attach_one(hook, spare)))
    }

    pub(super) fn hooks_with_spares(&self) -> impl Iterator<Item = &Hook> {
        self.loaded.hooks.iter().filter(|hook| hook.spare.is_some())
    }

    /// Attaches the CPU-clock samples too, where that can be had: they are evidence beside the
    /// rest, and no reason to fail.
    pub fn attach_samples(&mut self) {
        if let Err(error) = self.sampler.attach(&mut self.loaded) {
            log::warn!("no CPU-clock samples: {error}");
            self.sampler.detach();
        }
    }

    /// Detaches every program; maps and what they hold stay.
    pub fn detach(&mut self) {
        self.links.clear();
        self.sampler.detach();
        self.loaded.pmu.stop();
    }

    /// Births are not followed any more: only the threads that were filed are measured.
    pub fn ignore_births(&self) {
        self.set_tracking(0);
    }

    /// Births are followed again.
    pub fn follow_births(&self) {
        self.set_tracking(1);
    }

    /// Forgets every thread, and gives their slots back: none is measured until it is filed again.
    /// For another measurement with the same programs.
    pub fn forget_threads(&mut self) {
        self.forget_dead(|_, _| false);
    }

    /// Frees the slots of threads that ended while nothing was attached. `alive` says of each
    /// whether it lives. Returns how many live.
    pub fn forget_dead(&mut self, mut alive: impl FnMut(Tgid, Tid) -> bool) -> usize {
        let mut living = 0;
        for slot in self.live_slots() {
            let (tgid, tid) = self.thread_in(slot);
            if alive(tgid, tid) {
                living += 1;
                continue;
            }
            // Only if the slot is still this thread's: the kernel side may have freed it meanwhile,
            // and two threads would get a slot that is freed twice.
            let ours = self
                .tid_word(tid)
                .is_some_and(|word| word.compare_exchange(slot, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok());
            let queue = self.loaded.ebpf.map_mut("SIA_FREE_THREADS").map(Queue::<&mut MapData, u32>::try_from);
            if let (true, Some(Ok(mut queue))) = (ours, queue) {
                let _ = queue.push(slot, 0);
            }
        }
        living
    }

    fn set_tracking(&self, value: u32) {
        // SAFETY: the mapped control page; a single word that only this side writes.
        unsafe { (&raw mut (*self.loaded.control.at(0)).tracking).write_volatile(value) };
    }

    fn tid_word(&self, tid: Tid) -> Option<&AtomicU32> {
        let tid = tid.as_raw() as usize;
        let chunk = tid / TIDS_PER_CHUNK;
        if chunk >= self.loaded.tids.len() {
            return None;
        }
        // SAFETY: inside the mapping, aligned, and only ever accessed as whole words on both sides.
        Some(unsafe { AtomicU32::from_ptr(self.loaded.tids.at(chunk).cast::<u32>().add(tid % TIDS_PER_CHUNK)) })
    }

    /// The processes of the threads that are filed, each once.
    pub fn live_processes(&self) -> impl Iterator<Item = Tgid> {
        let threads = self.live_slots().into_iter().map(|slot| self.thread_in(slot).0);
        threads.collect::<std::collections::BTreeSet<Tgid>>().into_iter()
    }

    /// Forgets all processes, and who was inside `execve`: while nothing was attached, others may
    /// have got their numbers, and the programs did not see how the calls went on.
    ///
    /// # Errors
    /// A map that cannot be changed.
    pub fn forget_processes(&mut self) -> Result<(), LoadError> {
        clear(&mut self.map::<u32, u32>("SIA_GROUPS")?);
        let mut execs = self.map::<u64, u32>("SIA_EXECS")?;
        let slots: Vec<u32> = execs.iter().filter_map(Result::ok).map(|(_, slot)| slot).collect();
        clear(&mut execs);
        for slot in slots {
            let thread = self.loaded.threads.at(slot as usize);
            // SAFETY: inside the mapping; nothing is attached that could write.
            unsafe {
                let marks = (&raw const (*thread).marks).read_volatile();
                (&raw mut (*thread).marks).write_volatile(marks & !mark::EXECING);
            }
        }
        // SAFETY: the mapped control page, as above.
        unsafe { (&raw mut (*self.loaded.control.at(0)).pending_exec).write_volatile(0) };
        Ok(())
    }

    /// Counts a process as the target's: births in it are followed.
    pub fn add_process(&mut self, tgid: Tgid) -> Result<(), LoadError> {
        let mut groups = self.map::<u32, u32>("SIA_GROUPS")?;
        groups.insert(tgid.as_raw(), 1, 0).map_err(|e| LoadError::NoMemory(format!("processes: {e}")))
    }

    /// A hash map of the programs, to be changed.
    pub(super) fn map<K: Pod, V: Pod>(&mut self, name: &str) -> Result<BpfHashMap<&mut MapData, K, V>, LoadError> {
        self.loaded.ebpf.map_mut(name).ok_or_else(|| no_map(name))?.try_into().map_err(unreadable)
    }

    /// Files a thread that lives already. True if it is new here; false if it was filed, or if
    /// there is no room (counted).
    pub fn add_thread(&mut self, tgid: Tgid, tid: Tid) -> bool {
        if self.tid_word(tid).is_none_or(|word| word.load(Ordering::Acquire) != 0) {
            return false;
        }
        let Some(slot) = self.free_slot() else {
            // The list of threads is read more than once, but a thread counts as lost only once.
            if self.refused.insert(tid) {
                // SAFETY: the mapped control page; a lost update only makes a count of losses
                // smaller by one.
                unsafe { (*self.loaded.control.at(0)).counters.threads_lost += 1 };
            }
            return false;
        };
        let mut thread = Thread::ZERO;
        thread.tid = tid.as_raw();
        thread.tgid = tgid.as_raw();
        // One address space a process, until it execs.
        thread.space = tgid.as_raw() << 1;
        thread.epoch = LATE;
        thread.first = clock::now().as_nanos();
        // SAFETY: inside the mapping; the slot is free, so no program touches it before the word
        // below is written.
        unsafe { self.loaded.threads.at(slot as usize).write_volatile(thread) };
        if let Some(word) = self.tid_word(tid) {
            word.store(slot, Ordering::Release);
        }
        true
    }

    fn free_slot(&mut self) -> Option<u32> {
        let map = self.loaded.ebpf.map_mut("SIA_FREE_THREADS")?;
        let mut queue: Queue<&mut MapData, u32> = map.try_into().ok()?;
        queue.pop(0).ok()
    }

    /// From now on events count.
    pub fn begin(&mut self) -> Nanos {
        // Who ended before is of no window.
        self.drain();
        self.departed = Chunks::default();
        let control = self.loaded.control.at(0);
        let at = clock::now();
        // SAFETY: the mapped control page. The programs read `enabled` first, and it is written
        // last.
        unsafe {
            (&raw mut (*control).counters.exits_pooled).write_volatile(0);
            (&raw mut (*control).runnable.value).write_volatile(0);
            (&raw mut (*control).start).write_volatile(at.as_nanos());
            let epoch = (&raw mut (*control).epoch).read_volatile().wrapping_add(1);
            (&raw mut (*control).epoch).write_volatile(epoch);
            // What was closed while nobody looked may be another file by now.
            let generation = (&raw mut (*control).fd_generation).read_volatile().wrapping_add(1);
            (&raw mut (*control).fd_generation).write_volatile(generation);
            (&raw mut (*control).fd_unsure).write_volatile(0);
            AtomicU32::from_ptr(&raw mut (*control).enabled).store(1, Ordering::Release);
        }
        self.start = at;
        at
    }

    /// From now on every block end is streamed. The ring has to be drained often enough: what finds
    /// no room is lost, and counted.
    pub fn begin_span(&mut self) {
        self.stream.begin(clock::now());
        self.set_stream(1);
    }

    /// Takes the streamed block ends out of the ring; returns how many came.
    pub fn drain_stream(&mut self) -> usize {
        self.stream.drain()
    }

    /// The span is over.
    pub fn end_span(&mut self) {
        self.set_stream(0);
        self.stream.end(clock::now());
    }

    fn set_stream(&self, value: u32) {
        // SAFETY: the mapped control page; a single word that only this side writes.
        unsafe { (&raw mut (*self.loaded.control.at(0)).stream).write_volatile(value) };
    }

    /// From now on the stack of one in `every` blocked calls of a thread is taken, and of each that
    /// blocks for `long`; `every` of 0: none.
    pub fn set_stacks(&self, every: u32, long: Nanos) {
        let control = self.loaded.control.at(0);
        // SAFETY: the mapped control page; words that only this side writes.
        unsafe {
            (&raw mut (*control).stack_long).write_volatile(long.as_nanos());
            (&raw mut (*control).stack_every).write_volatile(every.min(1 << 20));
        }
    }

    /// The ring of stacks, for whoever empties it; `None` the second time.
    pub fn take_stacks(&mut self) -> Option<StackRing> {
        self.stacks.take()
    }

    /// From now on a turn of an event loop that lasts for `over` is a stall.
    pub fn set_stalls(&self, over: Nanos) {
        let control = self.loaded.control.at(0);
        // SAFETY: the mapped control page; a word that only this side writes.
        unsafe { (&raw mut (*control).stall_over).write_volatile(over.as_nanos()) };
    }

    /// The ring of stalls, for whoever empties it; `None` the second time.
    pub fn take_stalls(&mut self) -> Option<StallRing> {
        self.stalls.take()
    }

    /// The turns of the living threads that came to an event wait in this window.
    pub fn turns(&self) -> Vec<RawTurn> {
        let epoch = self.loaded.control.read(0).epoch;
        let slots = self.live_slots().into_iter().map(|slot| slot as usize);
        let slots = slots.filter(|&slot| slot < self.loaded.turns.len());
        let turns = slots.map(|slot| (slot, self.loaded.turns.read(slot)));
        let of_window = turns.filter(|(_, turn)| turn.epoch == epoch).filter_map(|(slot, turn)| {
            let thread = self.loaded.threads.read(slot);
            (turn.tid == thread.tid).then_some(RawTurn { turn, thread: Some(thread) })
        });
        of_window.collect()
    }

    /// Events stop counting. Whoever reads the harvest closes open intervals at this moment.
    pub fn finish(&mut self) -> Nanos {
        let control = self.loaded.control.at(0);
        self.ending = clock::now();
        // SAFETY: the mapped control page.
        unsafe { AtomicU32::from_ptr(&raw mut (*control).enabled).store(0, Ordering::Release) };
        self.end = clock::now();
        self.measured += self.end.saturating_sub(self.start);
        self.end_span();
        // A program that saw `enabled` a moment ago is done within microseconds.
        std::thread::sleep(std::time::Duration::from_millis(1));
        self.drain();
        self.end
    }

    /// When the last window ended.
    pub fn ended(&self) -> Nanos {
        self.end
    }

    /// Takes the records of ended threads out of the ring. If it is called too rarely the ring is
    /// full, and names are lost, but no sums.
    pub fn drain(&mut self) -> usize {
        let mut taken = 0;
        self.sampler.drain();
        while let Some(item) = self.ring.next() {
            if let Some(thread) = decode(&item) {
                self.gone.add(&thread.sums);
                self.departed.push(thread);
                taken += 1;
            }
        }
        taken
    }

    /// Slots in use: threads filed by this side and born since.
    pub(super) fn live_slots(&self) -> Vec<u32> {
        let mut slots = Vec::new();
        for chunk in 0..self.loaded.tids.len() {
            let words = self.loaded.tids.read(chunk);
            slots.extend(words.iter().copied().filter(|&s| s != 0 && (s as usize) < self.loaded.threads.len()));
        }
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Where each living thread is.
    pub fn places(&self) -> impl Iterator<Item = RawPlace> + '_ {
        self.live_slots().into_iter().map(|slot| {
            let thread = self.loaded.threads.at(slot as usize);
            macro_rules! words {
                ($($name:ident)*) => {
                    // SAFETY: inside the mapping; the kernel may be writing, each word is whole.
                    unsafe { RawPlace { $($name: (&raw const (*thread).$name).read_volatile()),* } }
                };
            }
            words!(tgid tid epoch phase marks block_class since off wake)
        })
    }

    /// The records of the living threads, each as it is when it is asked for: ten thousand are
    /// 17 MB, and never held together.
    pub fn living(&self) -> impl Iterator<Item = Thread> + '_ {
        self.live_slots().into_iter().map(|slot| self.loaded.threads.read(slot as usize))
    }

    /// Whose slot it is.
    fn thread_in(&self, slot: u32) -> (Tgid, Tid) {
        let thread = self.loaded.threads.at(slot as usize);
        // SAFETY: inside the mapping; single words, written before their slot is in use.
        let (tgid, tid) =
            unsafe { ((&raw const (*thread).tgid).read_volatile(), (&raw const (*thread).tid).read_volatile()) };
        (Tgid::from_raw(tgid), Tid::from_raw(tid))
    }

    /// How many threads are filed.
    pub fn live_threads(&self) -> usize {
        self.live_slots().len()
    }

    /// How many threads of each process are filed.
    pub fn threads_by_process(&self) -> HashMap<Tgid, usize> {
        let mut counts = HashMap::new();
        for slot in self.live_slots() {
            *counts.entry(self.thread_in(slot).0).or_default() += 1;
        }
        counts
    }

    /// Calls and switches so far of the living threads and of those whose records were read: what
    /// the programs ran for on the target's account.
    pub fn passed(&self) -> Passed {
        let mut passed = self.gone;
        for slot in self.live_slots() {
            // Three words of each: ten thousand threads have 17 MB.
            // SAFETY: inside the mapping; the kernel may be writing, each counter is a whole word.
            let [calls, voluntary, involuntary] = unsafe {
                let sums = &raw const (*self.loaded.threads.at(slot as usize)).sums;
                [&raw const (*sums).calls, &raw const (*sums).voluntary, &raw const (*sums).involuntary]
                    .map(|word| word.read_volatile())
            };
            passed.calls += calls;
            passed.switches += voluntary + involuntary;
        }
        passed
    }
}

/// Where a thread is: as much of its record as tells that.
#[derive(Clone, Copy, Debug)]
pub struct RawPlace {
    pub tgid: u32,
    pub tid: u32,
    pub epoch: u32,
    pub phase: u32,
    pub marks: u32,
    pub block_class: u32,
    pub since: u64,
    pub off: u64,
    pub wake: u64,
}

impl From<&Thread> for RawPlace {
    fn from(thread: &Thread) -> Self {
        let &Thread { tgid, tid, epoch, phase, marks, block_class, since, off, wake, .. } = thread;
        Self { tgid, tid, epoch, phase, marks, block_class, since, off, wake }
    }
}

/// What threads did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Syscalls that returned.
    pub calls: u64,
    /// Switches, voluntary or not.
    pub switches: u64,
}

impl Passed {
    fn add(&mut self, sums: &Sums) {
        self.calls += sums.calls;
        self.switches += sums.voluntary + sums.involuntary;
    }
}

fn clear<K: Pod>(map: &mut BpfHashMap<&mut MapData, K, u32>) {
    let known: Vec<K> = map.keys().filter_map(Result::ok).collect();
    for key in known {
        let _ = map.remove(&key);
    }
}

/// A record from the ring; `None` where its size is not that of this build's layout.
fn decode(bytes: &[u8]) -> Option<Thread> {
    // Records are padded to eight bytes, and so is the layout.
    if bytes.len() != size_of::<Thread>() {
        return None;
    }
    // SAFETY: as many bytes as a `Thread` has, and any bytes are one: it is made of integers alone.
    Some(unsafe { bytes.as_ptr().cast::<Thread>().read_unaligned() })
}
