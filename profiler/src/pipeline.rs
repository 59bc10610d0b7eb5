//! pipeline: the composition root. Target → kernel session → windows → report; the only place that has a clock, a target and
//! a model at once.

mod facts;
mod reference;
mod sampling;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::{
    aggregate::Window,
    event::{self, DecodeError},
    kernel::{self, LoadError, Options, Session, Statistics},
    model::{Inputs, Report, Slice, WindowFacts},
    target::{self, ExitWatch, Process, Target, TargetError},
    units::{Nanos, Tgid, Tid},
};

use facts::{Descriptors, Silents, daemon_cost};
use sampling::Governor;

/// What to measure, checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The target.
    pub target: Target,
    /// How long; `None`: until the target ends or the user stops it.
    pub duration: Option<Nanos>,
    /// Whether processes that the target forks belong to it.
    pub follow: bool,
    /// Room for threads; `None`: from the target.
    pub max_threads: Option<u32>,
    /// Room for sites.
    pub max_sites: Option<u32>,
    /// Share of the target's CPU that the programs may use; `None`: whatever it takes.
    pub max_overhead: Option<f64>,
    /// Which form of the programs; `None`: the best that the kernel takes.
    pub form: Option<kernel::Form>,
    /// Keep the last window's bytes, for fixtures.
    pub keep_wire: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The kernel side.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Records that make no sense.
    #[error("{0}. This is a bug of should-i-async: please report it with the output of `should-i-async doctor`")]
    Decode(#[from] DecodeError),
}

/// What the user sees while it runs.
pub trait Progress {
    /// The programs are attached and events count.
    fn begun(&mut self) {}
    /// So much of the duration is over.
    fn tick(&mut self, elapsed: Nanos, duration: Option<Nanos>);
    /// It is over.
    fn done(&mut self) {}
}

/// How long one look at the target takes: exits and Ctrl-C are noticed within it.
const TICK: Duration = Duration::from_millis(20);
/// How often departed threads are collected.
const DRAIN: Nanos = Nanos::from_millis(50);
/// How often descriptors are looked up while they are open.
const LOOK: Nanos = Nanos::from_millis(500);

/// A measurement: what the programs saw, and what is known beside it.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The last window as it came over the wire ([`kernel::Harvest::to_bytes`]), where [`Request::keep_wire`] asked for it.
    pub wire: Option<Vec<u8>>,
    /// All windows, added up.
    pub window: Window,
    /// Names, facts and outside counters.
    pub inputs: Inputs,
}

impl Measurement {
    /// What it means.
    pub fn report(self) -> Report {
        Report::of(&self.window, self.inputs)
    }
}

/// Measures. `stop` ends the measurement early; it is then as good as any other of that length.
///
/// # Errors
/// See [`Failure`]. Nothing stays attached, whatever happens.
pub fn measure(request: &Request, stop: &AtomicBool, progress: &mut dyn Progress) -> Result<Measurement, Failure> {
    let began_at = std::time::SystemTime::now();
    let threads: usize = request.target.processes.iter().map(|p| p.threads).sum();
    let mut options = Options::for_threads(threads);
    options.follow = request.follow;
    options.form = request.form;
    if let Some(n) = request.max_threads {
        options.max_threads = n;
    }
    if let Some(n) = request.max_sites {
        options.max_sites = n;
    }
    enough_memory(&options)?;
    let asked = kernel::now();
    let mut session = Session::open(&options)?;
    log::info!("programs loaded as {} in {}", session.form().name(), kernel::now().saturating_sub(asked));
    let mut log = session.take_log();
    let mut watch = ExitWatch::new(&request.target.processes)?;
    let mut governor = Governor::new(request.max_overhead);
    let mut descriptors = Descriptors::default();
    let mut silents = Silents::default();
    let daemon_before = daemon_cost().0;

    governor.calibrate(&mut session)?;
    file_threads(&mut session, &request.target)?;
    let cpu_before = process_cpu(&request.target);
    let mut begun = session.begin();
    let first = begun;
    log::info!("measuring {} threads, {} after the start", session.live_threads(), first.saturating_sub(asked));
    progress.begun();
    // With `-- CMD` the process has become the command only now.
    let processes: Vec<_> =
        request.target.processes.iter().map(|p| Process::read(p.tgid).unwrap_or_else(|_| p.clone())).collect();

    let deadline = request.duration.map(|d| first + d);
    let mut windows = Windows::default();
    // False only when the end comes between two windows.
    let mut open = true;
    let mut slices = Vec::new();
    let (mut drained, mut looked) = (first, Nanos::ZERO);
    let ended = loop {
        let now = kernel::now();
        if deadline.is_some_and(|d| now >= d) {
            break "duration over";
        }
        if stop.load(Ordering::Relaxed) {
            break "interrupted";
        }
        if watch.wait(wait_for(deadline, now))? {
            if !open || !followed_alive(&session, request) {
                break "target exited";
            }
            // The named ones are gone, what they forked goes on: nothing to wait for but time.
            std::thread::sleep(wait_for(deadline, now));
        }
        let now = kernel::now();
        if now.saturating_sub(drained) >= DRAIN {
            session.drain();
            drained = now;
            if let Some(log) = log.as_mut() {
                log.flush();
            }
            progress.tick(now.saturating_sub(first), request.duration);
        }
        if now.saturating_sub(looked) >= LOOK {
            slices.extend(look(&session, &request.target, &mut descriptors)?);
            file_late_threads(&mut session, &request.target);
            looked = now;
        }
        if governor.over(&session, &request.target, now.saturating_sub(begun)) {
            // Above the budget: this window ends, the programs leave, and come back for the next one.
            session.finish();
            windows.add(close(&mut session, request, &mut silents)?.0);
            session.detach();
            open = !pause(governor.pause(), deadline, stop);
            if open {
                // Who ended meanwhile was not seen to end.
                let mut living = HashMap::new();
                session.forget_dead(|tgid, tid| {
                    let threads = living.entry(tgid).or_insert_with(|| target::threads(tgid));
                    threads.binary_search(&tid).is_ok()
                });
                session.attach()?;
                file_threads(&mut session, &request.target)?;
                begun = session.begin();
                governor.resumed();
            }
        }
    };
    if ended == "target exited" {
        // The process is gone before its threads' last switches: their records need a moment.
        for _ in 0..20 {
            if session.live_threads() == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    if open {
        slices.extend(look(&session, &request.target, &mut descriptors)?);
        session.finish();
    }
    let cpu_after = process_cpu(&request.target);
    session.detach();
    let daemon = daemon_cost();
    progress.done();
    let mut wire = None;
    if open {
        let (window, bytes) = close(&mut session, request, &mut silents)?;
        windows.add(window);
        wire = bytes;
    }
    let Windows { total: Some(total), count: windows, shares } = windows else {
        return Err(Failure::Load(LoadError::Object("no window".into())));
    };
    if let Some(log) = log.as_mut() {
        log.flush();
    }

    let reference = reference::measure(&mut session).ok();
    let forked = total.quality.forks > 0 && request.follow;
    let sampled = windows > 1;
    let inputs = Inputs {
        facts: facts::facts(&processes, &request.target.notes, session.form(), began_at),
        window: WindowFacts {
            wall: total.end.saturating_sub(first),
            measured: total.measured,
            windows,
            ended: ended.to_owned(),
        },
        descriptors: descriptors.names(),
        thread_names: facts::thread_names(&total),
        device_names: facts::device_names(),
        reference,
        process_cpu: if forked || sampled || request.target.threads_only.is_some() {
            None
        } else {
            cpu_before.zip(cpu_after).map(|(a, b)| b.saturating_sub(a))
        },
        daemon_cpu: daemon.0.saturating_sub(daemon_before),
        daemon_bytes: daemon.1,
        shares,
        slices,
    };
    Ok(Measurement { wire, window: total, inputs })
}

/// The kernel takes maps from whatever memory there is, and ends other processes where that runs out.
fn enough_memory(options: &Options) -> Result<(), LoadError> {
    let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = table.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let needed = options.map_bytes();
    match available.map(|kib| kib.saturating_mul(1024)) {
        Some(available) if needed > available => Err(LoadError::NoMemory(format!(
            "they need {} MiB, and {} MiB are available",
            needed >> 20,
            available >> 20
        ))),
        _ => Ok(()),
    }
}

fn wait_for(deadline: Option<Nanos>, now: Nanos) -> Duration {
    deadline.map_or(TICK, |d| d.saturating_sub(now).to_duration().min(TICK))
}

/// Sleeps between two windows; true if the measurement is over meanwhile.
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

/// The named processes are gone, but what they forked may live.
fn followed_alive(session: &Session, request: &Request) -> bool {
    request.follow && session.live_threads() > 0
}

/// The windows so far: one, unless the measurement is sampled.
#[derive(Default)]
struct Windows {
    total: Option<Window>,
    count: u32,
    shares: Vec<f64>,
}

impl Windows {
    fn add(&mut self, window: Window) {
        self.count += 1;
        self.shares.extend(direct_share(&window));
        match &mut self.total {
            Some(total) => total.absorb(window),
            None => self.total = Some(window),
        }
    }
}

fn direct_share(window: &Window) -> Option<f64> {
    Report::of(window, Inputs::default()).score.direct.value().copied()
}

/// Files every thread that lives now. Births are followed by the kernel side from the attachment on; a thread born by one
/// that was not filed yet is found by looking again.
fn file_threads(session: &mut Session, target: &Target) -> Result<(), LoadError> {
    if let Some(only) = &target.threads_only {
        session.ignore_births();
        for process in &target.processes {
            for tid in target::threads(process.tgid) {
                if only.contains(&tid) {
                    session.add_thread(process.tgid, tid);
                }
            }
        }
        return Ok(());
    }
    for tgid in target.tgids() {
        session.add_process(tgid)?;
    }
    for _ in 0..8 {
        let mut new = 0;
        for tgid in target.tgids() {
            for tid in target::threads(tgid) {
                new += usize::from(session.add_thread(tgid, tid));
            }
        }
        if new == 0 {
            break;
        }
    }
    Ok(())
}

/// Looks at the sites while their descriptors are open, and while the target can still be asked for its CPU.
fn look(session: &Session, target: &Target, descriptors: &mut Descriptors) -> Result<Option<Slice>, Failure> {
    let sites = event::decode_sites(&session.sites()?)?;
    descriptors.look(&sites);
    let Some(cpu) = process_cpu(target) else { return Ok(None) };
    let blocked = sites
        .into_iter()
        .filter(|s| s.site.blocked_calls > 0)
        .map(|s| (s.place, s.site.cpu_blocked.count, Nanos::from_nanos(s.site.cpu_blocked.sum)))
        .collect();
    Ok(Some(Slice { cpu, blocked }))
}

/// Threads that came without the fork tracepoint: the kernel's own workers for io_uring (`create_io_thread`).
fn file_late_threads(session: &mut Session, target: &Target) {
    if target.threads_only.is_some() {
        return;
    }
    for tgid in target.tgids() {
        // One small read tells whether the list is worth reading.
        let known = session.live_threads();
        if Process::read(tgid).is_ok_and(|p| p.threads > 0 && target.processes.len() == 1 && p.threads <= known) {
            continue;
        }
        for tid in target::threads(tgid) {
            session.add_thread(tgid, tid);
        }
    }
}

fn process_cpu(target: &Target) -> Option<Nanos> {
    target.tgids().map(target::cpu_time).sum()
}

/// Takes the window that has just ended.
fn close(
    session: &mut Session,
    request: &Request,
    silents: &mut Silents,
) -> Result<(Window, Option<Vec<u8>>), Failure> {
    let harvest = session.harvest()?;
    let wire = request.keep_wire.then(|| harvest.to_bytes());
    let batch = event::decode(harvest)?;
    let silent = silents.look(&batch);
    Ok((Window::close(batch, &silent), wire))
}

/// Names by key, for reports.
type Names<K> = HashMap<K, String>;
/// A process and a descriptor of it.
type Caller = (Tgid, i32);
/// Names of threads.
type ThreadNames = Names<Tid>;

/// Keeps the kernel's statistics on for as long as it lives, where that is allowed.
fn statistics() -> Option<Statistics> {
    Statistics::enable()
}
