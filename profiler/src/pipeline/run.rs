//! Runs a measurement: attaches the programs, opens and closes windows, and notices the end.

mod gather;

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use super::{
    baseline::{SETTLE, Stretches},
    facts::{AllowedCpus, Silents, daemon_cost, process_cpu, thread_cpu},
    filing::{Arrivals, file_processes, file_threads},
    load::LoadWatch,
    lookups::Lookups,
    measurement::{Failure, Progress, Request},
    memory::MemoryWatch,
    names::ThreadNames,
    pace::{PaceWatch, Taken},
    prices::Pricing,
    reference,
    runtimes::Runtimes,
    sampling::Governor,
    slices::Slices,
    stacks::Stacks,
    stalls::Stalls,
    streaming::Streaming,
};
use crate::{
    aggregate::{LoadTimes, Window},
    answer::{self, Ended},
    cost::Reference,
    event,
    kernel::{self, LoadError, Options, Session},
    process::{self, Children, ExitWatch, Process, QuotaWatch, Target, TargetError},
    quantity::{Nanos, Tgid, Tid},
    words,
};

/// The target's exit and Ctrl-C are noticed within this time.
const TICK: Duration = Duration::from_millis(20);
/// Once the target is gone, its threads are looked up every so many ticks. A thread that ended
/// while the programs were attached has handed over its record long before.
const PRUNE_TICKS: u32 = 5;
/// How often departed threads are collected.
const DRAIN: Nanos = Nanos::from_millis(50);
/// A screen gets its first figures after this time.
const FIRST_SNAPSHOT: Nanos = Nanos::from_millis(150);
/// A snapshot replays only the newest block ends, at most so many.
const SNAPSHOT_EVENTS: usize = 10_000;
/// How often sites are read, and their descriptors looked up while they are open.
const SITES_EVERY: Nanos = Nanos::from_millis(250);
/// Tens of thousands of sites are read more rarely: reading them takes at most one in so many of a
/// core. So do snapshots of tens of thousands of threads or sites.
const SITES_SHARE: u64 = 50;
const SNAPSHOT_SHARE: u64 = 25;

/// A measurement under way.
pub(super) struct Run<'a> {
    request: &'a Request,
    began_at: SystemTime,
    session: Session,
    log: Option<kernel::ProgramLog>,
    watch: ExitWatch,
    governor: Governor,
    lookups: Lookups,
    arrivals: Arrivals,
    allowed: AllowedCpus,
    silents: Silents,
    names: ThreadNames,
    runtimes: Runtimes,
    /// `None` where nothing is replayed.
    streaming: Option<Streaming>,
    stacks: Option<Stacks>,
    stalls: Option<Stalls>,
    windows: Windows,
    load: LoadWatch,
    memory: MemoryWatch,
    slices: Slices,
    /// The last window's bytes, where they are to be kept.
    wire: Option<Vec<u8>>,
    /// The target by its own clock, with the programs and without.
    stretches: Stretches,
    /// Watches how fast the target's CPUs are, where there are prices to bring to that pace.
    pace: Option<PaceWatch>,
    /// The yardsticks of closed windows.
    paced: Taken,
    /// The yardsticks taken before the open window began.
    unpaced: Taken,
    /// The reference block. It is measured first if there are snapshots, else at the end.
    reference: Option<Reference>,
    pricing: Option<Pricing>,
    /// When the first window began, and when this one did.
    first: Nanos,
    begun: Nanos,
    lives: Lives,
    /// Whether a window is open: not between two of them.
    open: bool,
    /// When the last pause ended.
    rested: Option<Nanos>,
    cpu_before: Option<Nanos>,
    /// The processes below the target when the first window began; `None` where they belong to it.
    children: Option<Children>,
    /// The quotas of the cgroups that it is in.
    quotas: QuotaWatch,
    daemon_before: Nanos,
}

/// What tells those who live from the dead, and from strangers with a dead one's number.
#[derive(Default)]
struct Lives {
    /// When the living processes began, as of the last window's end: who has one's number and
    /// began at another time is a stranger.
    starts: HashMap<Tgid, u64>,
    /// Threads of the open window that `/proc` did not list when it was asked last.
    missing: HashSet<(Tgid, Tid)>,
}

/// When things were last done.
struct Last {
    drained: Nanos,
    sites_read: Turn,
    arrived: Turn,
    shown: Turn,
}

/// What is done every so often, and so rarely that it takes only a part of a core.
struct Turn {
    /// When it was last done.
    done: Nanos,
    /// CPU of this thread that it took the last two times. The lesser counts: once in a while there
    /// is more to do, and at first there is most.
    took: [Nanos; 2],
}

impl Turn {
    fn new(done: Nanos) -> Self {
        Self { done, took: [Nanos::ZERO; 2] }
    }

    /// Whether it is to be done again: it takes no more than one in `share` of a core.
    fn is_due(&self, now: Nanos, every: Nanos, share: u64) -> bool {
        let [before, last] = self.took;
        let least = Nanos::from_nanos(before.min(last).as_nanos().saturating_mul(share));
        now.saturating_sub(self.done) >= every.max(least)
    }

    fn done(&mut self, now: Nanos, took: Nanos) {
        self.done = now;
        self.took = [self.took[1], took];
    }
}

impl<'a> Run<'a> {
    /// Loads, attaches, files the threads that live, and opens the first window.
    pub(super) fn begin(request: &'a Request) -> Result<Self, Failure> {
        let (began_at, asked) = (SystemTime::now(), kernel::now());
        let options = options(request)?;
        let mut session = Session::open(&options)?;
        log::info!("programs loaded as {} in {}", session.form().name(), kernel::now().saturating_sub(asked));
        let (log, watch) = (session.take_log(), ExitWatch::new(&request.target.processes)?);
        let mut governor = Governor::new(request.max_overhead, request.duration);
        let pace = request.price.then(|| PaceWatch::begin(&request.target));
        let reference = request.snapshots.then(|| reference::measure(&mut session).ok()).flatten();
        let pricing = (request.snapshots && request.price).then(Pricing::begin);
        let daemon_before = daemon_cost().0;
        governor.calibrate(&mut session)?;
        let (stacks, stalls) = begin_stacks(&mut session, request, &options);
        file_all(&mut session, &request.target)?;
        let (children, cpu_before) = (children_of(request), process_cpu(&request.target));
        let stretches = Stretches::begin(request, pace.as_ref());
        let first = session.begin();
        governor.begun(&session, &request.target, first);
        // A prediction needs them, and stalls alone do not.
        let streams = stalls.is_none() || request.price;
        let streaming = streams.then(|| Streaming::new(&mut session, first));
        log::info!("measuring {} threads, {} after the start", session.live_threads(), first.saturating_sub(asked));
        Ok(Self {
            request,
            began_at,
            session,
            log,
            watch,
            governor,
            lookups: Lookups::begin(),
            arrivals: Arrivals::default(),
            allowed: AllowedCpus::default(),
            silents: Silents::default(),
            names: ThreadNames::default(),
            runtimes: Runtimes::default(),
            streaming,
            stacks,
            stalls,
            windows: Windows::default(),
            load: LoadWatch::default(),
            memory: MemoryWatch::default(),
            slices: Slices::default(),
            wire: None,
            stretches,
            unpaced: pace.as_ref().map(PaceWatch::so_far).unwrap_or_default(),
            paced: Taken::default(),
            pace,
            reference,
            pricing,
            first,
            begun: first,
            lives: Lives::default(),
            open: true,
            rested: None,
            cpu_before,
            children,
            quotas: QuotaWatch::begin(request.target.tgids(), first),
            daemon_before,
        })
    }

    /// Runs the measurement until it ends, and returns why it ended.
    pub(super) fn until_the_end(
        &mut self,
        stop: &AtomicBool,
        processes: &[Process],
        progress: &mut dyn Progress,
    ) -> Result<Ended, Failure> {
        let deadline = self.request.duration.map(|d| self.first + d);
        // The first figures come soon; a budget may leave the target alone for seconds after them.
        let first_snapshot = progress
            .snapshot_every()
            .filter(|_| self.request.snapshots)
            .map(|every| every.saturating_sub(FIRST_SNAPSHOT));
        let shown = self.first.saturating_sub(first_snapshot.unwrap_or(Nanos::ZERO));
        let [sites_read, arrived] = [(); 2].map(|()| Turn::new(Nanos::ZERO));
        let mut last = Last { drained: self.first, sites_read, arrived, shown: Turn::new(shown) };
        let mut gone_for = 0u32;
        loop {
            let now = kernel::now();
            if deadline.is_some_and(|d| now >= d) {
                return Ok(Ended::DurationOver);
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(Ended::Interrupted);
            }
            if self.watch.wait(wait_for(deadline, now))? {
                if !self.open || !self.followed_alive() && !self.may_come(now)? {
                    self.wait_for_last_switches();
                    return Ok(Ended::TargetExited);
                }
                // The named processes are gone, and what they forked goes on. A thread that ended
                // between two windows, or before the programs were attached, was not seen to end:
                // /proc knows.
                gone_for += 1;
                let prunes = gone_for.is_multiple_of(PRUNE_TICKS) && self.followed_alive();
                if prunes && self.forget_dead() == 0 && !self.may_come(now)? {
                    return Ok(Ended::TargetExited);
                }
                std::thread::sleep(wait_for(deadline, now).max(Duration::from_millis(1)));
            }
            let now = kernel::now();
            self.tick(now, &mut last, processes, progress)?;
            let elapsed = now.saturating_sub(self.begun);
            if self.governor.over(&mut self.session, &self.request.target, now, elapsed) {
                self.rest(now, deadline, stop)?;
            }
        }
    }

    /// Does whatever is due at this tick.
    fn tick(
        &mut self,
        now: Nanos,
        last: &mut Last,
        processes: &[Process],
        progress: &mut dyn Progress,
    ) -> Result<(), Failure> {
        if let Some(streaming) = &mut self.streaming {
            streaming.tick(&mut self.session, now);
        }
        if now.saturating_sub(last.drained) >= DRAIN {
            last.drained = now;
            self.session.drain();
            self.session.call_spares()?;
            self.flush_log();
            progress.tick(now.saturating_sub(self.first), self.request.duration);
        }
        if last.sites_read.is_due(now, SITES_EVERY, SITES_SHARE) {
            let begun = thread_cpu();
            self.load.look(now);
            self.memory.look(&self.session, &self.request.target, now.saturating_sub(self.first));
            self.read_sites()?;
            self.arrivals.file_threads(&mut self.session, &self.request.target);
            last.sites_read.done(now, thread_cpu().saturating_sub(begun));
        }
        if last.arrived.is_due(now, SITES_EVERY, SITES_SHARE) {
            let begun = thread_cpu();
            self.arrivals.file_processes(&mut self.session, &self.request.target)?;
            last.arrived.done(now, thread_cpu().saturating_sub(begun));
        }
        if progress.snapshot_every().is_some_and(|every| last.shown.is_due(now, every, SNAPSHOT_SHARE)) {
            let begun = thread_cpu();
            if let Some(so_far) = self.so_far(processes)? {
                progress.snapshot(so_far);
            }
            last.shown.done(now, thread_cpu().saturating_sub(begun));
        }
        Ok(())
    }

    /// The programs cost more than the budget: the window ends, the programs leave, and come back
    /// for the next one.
    fn rest(&mut self, now: Nanos, deadline: Option<Nanos>, stop: &AtomicBool) -> Result<(), Failure> {
        let before = thread_cpu();
        if let Some(streaming) = &mut self.streaming {
            streaming.close(&mut self.session, now);
        }
        self.session.finish();
        self.take_window()?;
        self.lives.starts =
            self.session.live_processes().filter_map(|tgid| Some((tgid, process::started(tgid)?))).collect();
        self.session.detach();
        // What the target pays is of the time until it has settled.
        let length = self.governor.pause(now.saturating_sub(self.begun) + SETTLE, self.rested.is_none());
        let wait = |length| pause(length, deadline, stop);
        let over = self.stretches.pause(&self.request.target, self.pace.as_ref(), length, wait);
        self.governor.compare(&self.stretches);
        self.rested = Some(kernel::now());
        if !over {
            self.open_window()?;
        }
        let turn = thread_cpu().saturating_sub(before);
        log::debug!("the window's end and the next one's opening took {turn} of CPU");
        self.governor.turned(turn);
        Ok(())
    }

    /// The named processes are gone, but what they forked may live.
    fn followed_alive(&self) -> bool {
        self.request.follow && self.session.live_threads() > 0
    }

    /// Whether somebody may still come.
    fn may_come(&mut self, now: Nanos) -> Result<bool, LoadError> {
        self.arrivals.may_come(&mut self.session, &self.request.target, now)
    }

    /// A process is gone before its threads' last switches: their records need a moment.
    fn wait_for_last_switches(&self) {
        for _ in 0..20 {
            if self.session.live_threads() == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn flush_log(&mut self) {
        if let Some(log) = self.log.as_mut() {
            log.flush();
        }
    }

    /// Reads the sites while their descriptors are open, and while the target can still be asked
    /// for its CPU.
    fn read_sites(&mut self) -> Result<(), Failure> {
        let sites = event::decode_sites(&self.session.sites()?)?;
        self.session.tune_samples();
        self.quotas.look(kernel::now());
        let descriptors = self.session.fresh_descriptors();
        self.lookups.ask(&sites, descriptors);
        self.runtimes.update(self.request.target.processes.first());
        if let Some(stacks) = self.stacks.as_mut() {
            stacks.tune(&self.session, sites.iter().map(|s| s.site.blocked_calls).sum());
        }
        if let Some(cpu) = process_cpu(&self.request.target) {
            self.slices.add(cpu, &sites);
        }
        Ok(())
    }

    /// Takes what the window that has just ended gathered.
    fn take_window(&mut self) -> Result<(), Failure> {
        self.open = false;
        self.paced = self.paced_so_far();
        if let Some(stalls) = &self.stalls {
            stalls.window_over(&self.session, self.session.ended());
        }
        let harvest = self.session.harvest()?;
        self.wire = self.request.keep_wire.then(|| harvest.to_bytes());
        let batch = event::decode(harvest)?;
        let silent = self.silents.find(&batch);
        self.windows.add(Window::close(batch, &silent));
        Ok(())
    }

    /// The yardsticks of all windows, with the one that is open.
    fn paced_so_far(&self) -> Taken {
        let now = self.pace.as_ref().map_or_else(Taken::default, |pace| pace.since(self.unpaced));
        self.paced.plus(now)
    }

    /// Frees the slots of threads that `/proc` does not list any more; while a window is open, of
    /// those that it did not list the last time either, because a thread is off the list before its
    /// last switch.
    fn forget_dead(&mut self) -> usize {
        let mut living = HashMap::new();
        let (open, Lives { starts, missing }) = (self.open, &mut self.lives);
        self.session.forget_dead(|tgid, tid| {
            let threads = living.entry(tgid).or_insert_with(|| {
                if starts.get(&tgid).is_some_and(|&start| process::started(tgid) != Some(start)) {
                    return Vec::new();
                }
                let mut threads = process::threads(tgid);
                // A leader that nobody has waited for is still listed: a zombie, like a command of
                // our own.
                threads.retain(|&t| {
                    t.as_raw() != tgid.as_raw()
                        || process::snapshot_state(tgid, t).is_some_and(|s| !matches!(s.state, 'Z' | 'X'))
                });
                threads
            });
            if threads.binary_search(&tid).is_ok() {
                missing.remove(&(tgid, tid));
                return true;
            }
            open && missing.insert((tgid, tid))
        })
    }

    /// Opens another window, after a pause in which nothing was attached.
    fn open_window(&mut self) -> Result<(), Failure> {
        // The programs saw no thread end or begin meanwhile.
        self.forget_dead();
        self.lives.missing.clear();
        self.session.forget_processes()?;
        self.session.attach()?;
        if takes_samples(self.request) {
            self.session.attach_samples();
        }
        file_threads(&mut self.session, &self.request.target)?;
        if self.request.follow && self.request.target.threads_only.is_none() {
            let newer = process::descendants(&self.request.target).unwrap_or_default();
            file_processes(&mut self.session, &newer)?;
        }
        self.arrivals.file_again(&mut self.session, &self.request.target)?;
        self.begun = self.session.begin();
        self.unpaced = self.pace.as_ref().map(PaceWatch::so_far).unwrap_or_default();
        self.open = true;
        self.governor.begun(&self.session, &self.request.target, self.begun);
        Ok(())
    }
}

/// Files every thread of the target. Groups may be empty for now.
fn file_all(session: &mut Session, target: &Target) -> Result<(), Failure> {
    file_threads(session, target)?;
    let any = session.live_threads() > 0 || !target.groups.is_empty();
    if any { Ok(()) } else { Err(TargetError::EndedBefore.into()) }
}

/// The processes below the target, where they are not measured with it.
fn children_of(request: &Request) -> Option<Children> {
    let apart = !request.follow && request.target.threads_only.is_none();
    apart.then(|| Children::below(request.target.tgids()))
}

/// Takes sizes from the target unless the user gave them; fails where there is no room for them.
fn options(request: &Request) -> Result<Options, LoadError> {
    let threads: usize = request.target.processes.iter().map(|p| p.threads).sum();
    let mut options = Options::for_threads(threads);
    options.follow = request.follow;
    options.stacks = request.stacks || request.stalls.is_some_and(|stalls| stalls.stacks);
    options.stalls = request.stalls.is_some();
    options.form = request.form;
    options.max_threads = request.max_threads.unwrap_or(options.max_threads);
    options.max_sites = request.max_sites.unwrap_or(options.max_sites);
    enough_memory(&mut options)?;
    kernel::descriptors::room_for(request.target.processes.len())?;
    Ok(options)
}

/// Fails where the maps and what works with them need more memory than can be had. The kernel would
/// make the maps all the same, and kill other processes later, or this one. Where only stacks have
/// no room, nothing else is given up for them.
fn enough_memory(options: &mut Options) -> Result<(), LoadError> {
    let needed = options.map_bytes() + kernel::memory::OWN_BYTES;
    let Some(room) = kernel::memory::room() else { return Ok(()) };
    if needed > room.bytes {
        return Err(LoadError::LittleMemory(words::memory_needed(needed, room.bytes, room.limit)));
    }
    if options.stacks && needed + kernel::memory::STACKS_BYTES > room.bytes {
        log::warn!("{}", words::NO_ROOM_FOR_STACKS);
        options.stacks = false;
    }
    Ok(())
}

/// Starts to take stacks, all or those of stalls, and samples of the CPU clock.
fn begin_stacks(session: &mut Session, request: &Request, options: &Options) -> (Option<Stacks>, Option<Stalls>) {
    if takes_samples(request) {
        session.attach_samples();
    }
    match request.stalls {
        Some(stalls) => (None, Stalls::begin(session, stalls)),
        None => (options.stacks.then(|| Stacks::begin(session)).flatten(), None),
    }
}

/// Whether the CPU clock is of use.
fn takes_samples(request: &Request) -> bool {
    request.price || request.stalls.is_some_and(|stalls| stalls.stacks)
}

fn wait_for(deadline: Option<Nanos>, now: Nanos) -> Duration {
    deadline.map_or(TICK, |d| d.saturating_sub(now).to_duration().min(TICK))
}

/// Sleeps between two windows. Returns true if the measurement is over meanwhile.
fn pause(length: Nanos, deadline: Option<Nanos>, stop: &AtomicBool) -> bool {
    let until = kernel::now() + length;
    loop {
        let now = kernel::now();
        if stop.load(Ordering::Relaxed) || deadline.is_some_and(|d| now >= d) {
            return true;
        }
        if now >= until {
            return false;
        }
        std::thread::sleep(wait_for(Some(until), now));
    }
}

/// The windows so far, added up. There is one unless the measurement is sampled.
#[derive(Default)]
struct Windows {
    total: Option<Window>,
    count: u32,
    shares: Vec<f64>,
    loads: Vec<LoadTimes>,
}

impl Windows {
    fn add(&mut self, window: Window) {
        self.count += 1;
        self.shares.extend(direct_share(&window));
        self.loads.push(LoadTimes::new(&window));
        match &mut self.total {
            Some(total) => total.absorb(window),
            None => self.total = Some(window),
        }
    }
}

fn direct_share(window: &Window) -> Option<f64> {
    answer::direct_share(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_done_more_rarely_but_not_for_one_time() {
        let ms = Nanos::from_millis;
        let mut turn = Turn::new(ms(0));
        let next = |turn: &Turn| (0..100_000).find(|&at| turn.is_due(ms(at), ms(1_000), 25)).unwrap();
        assert_eq!(next(&turn), 1_000);
        turn.done(ms(1_000), ms(300));
        assert_eq!(next(&turn), 2_000, "the first time there is most to do");
        turn.done(ms(2_000), ms(60));
        assert_eq!(next(&turn), 3_500);
        turn.done(ms(3_500), ms(1));
        assert_eq!(next(&turn), 4_500);
    }
}
