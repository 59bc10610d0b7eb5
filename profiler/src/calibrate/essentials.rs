//! The essentials: what the model needs, in under 2 s, or eight times as thoroughly. `docs/calibrate.md` says what each figure includes.

mod blocks;
mod crowd;
mod effort;
mod file;
mod reads;
mod relay;
mod runtime;
mod steps;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{
    CalibrateError, cache,
    clock::{self, Watch},
    pace::Pacer,
    stats::Cost,
};

pub(super) use effort::Effort;
use effort::{Repeats, Time};

/// What a server pays per event, when `events` of its many connections have a message at once: ns of the server thread's
/// CPU per message. All of them read the message and write the reply; they differ in how they learn of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Connections that have a message.
    pub events: u32,
    /// Nobody asks: read and write on sockets that are known to be ready.
    pub ready: Cost,
    /// One level-triggered `epoll_wait` for all, then read and write.
    pub level: Cost,
    /// The same, and each is read once more, until `EAGAIN`.
    pub again: Cost,
    /// A tokio current-thread runtime, a task per connection.
    pub runtime: Option<Cost>,
    /// io_uring: receives armed beforehand; replies and next receives go with the enter that waits.
    pub uring: Option<Cost>,
    /// What they cost beyond `ready`.
    pub beyond: Beyond,
}

/// Differences from [`Step::ready`], repeat by repeat: what the machine does meanwhile is in both, and goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beyond {
    /// Of [`Step::level`].
    pub level: Cost,
    /// Of [`Step::again`].
    pub again: Cost,
    /// Of [`Step::runtime`].
    pub runtime: Option<Cost>,
    /// Of [`Step::uring`].
    pub uring: Option<Cost>,
}

/// An idle that ends before the next timer tick, ns.
pub const SHORT_IDLE: u64 = 40_000;
/// An idle in which the tick is stopped, ns (a tick is 4 ms at most on what distributions ship). Its way out restarts the
/// tick, at the expense of the thread that is woken.
pub const LONG_IDLE: u64 = 5_000_000;

/// Through what a thread blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// A pipe.
    Pipe,
    /// A Unix stream socket.
    Unix,
    /// TCP over loopback.
    Tcp,
}

impl Medium {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pipe, Self::Unix, Self::Tcp];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Unix => "Unix socket",
            Self::Tcp => "TCP socket",
        }
    }
}

/// What one block costs: CPU of leaving the CPU and coming back, over the same reads and writes with the data ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockCost {
    /// Through what.
    pub medium: Medium,
    /// Whether the CPU went idle in between; otherwise two threads share it and it switches from one to the other.
    pub via_idle: bool,
    /// For how long it was left idle before the wake-up, ns: [`SHORT_IDLE`] or [`LONG_IDLE`]; 0 where it was not.
    pub idle: u64,
    /// Leaving and coming back, ns of the blocked thread's CPU, without what the waker pays.
    pub cost: Cost,
    /// What the waker pays for the wake-up, ns of CPU.
    pub wake: Cost,
}

/// A message by one of many threads that take turns on one CPU, and by one loop. In the crowd the answer to it (a little work in user
/// mode and a write of 64 bytes to a TCP socket), right after the read that brought it: ns of wall time. In the relay all of it, from
/// one block to the next: ns of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrowdCost {
    /// Connections.
    pub threads: u32,
    /// By threads of their own, each of which blocked for its message.
    pub threaded: Cost,
    /// By one loop that never blocks.
    pub looped: Cost,
    /// The difference, turn by turn.
    pub colder: Cost,
}

/// What a read costs whose data is there, ns of CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadCost {
    /// From what.
    pub medium: Medium,
    /// Bytes of it.
    pub bytes: u32,
    /// The cost.
    pub cost: Cost,
}

/// What a cached 4 KiB read costs, ns of CPU per read over all threads, at a number of reads at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileStep {
    /// Reads at once.
    pub depth: u32,
    /// `pread` by one thread, one after the other: what the others compare with.
    pub pread: Cost,
    /// `pread` on a runtime's blocking pool, all on one CPU: tokio's `spawn_blocking`, awaited. The least that it can cost.
    pub pool: Option<Cost>,
    /// The same with every CPU that may be used: with interrupts between CPUs and the ways out of idle, where they are idle.
    pub pool_across: Option<Cost>,
    /// Linux AIO, one `io_submit` for all.
    pub aio: Option<Cost>,
    /// io_uring, one enter for all.
    pub uring: Option<Cost>,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// The reason, and the mend where there is one.
    pub why: String,
}

/// What the model needs to know of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Essentials {
    /// The kernel's release.
    pub kernel: String,
    /// CPU model and number of CPUs.
    pub machine: String,
    /// When, in seconds since 1970.
    pub taken_at: u64,
    /// The pace at which costs are given: what the yardstick took, ns. Costs that were measured at another one were brought to it.
    pub pace: f64,
    /// An empty syscall (`getppid`), ns of CPU.
    pub syscall: Cost,
    /// A receive on an empty non-blocking TCP socket, ns of CPU.
    pub again: Cost,
    /// By number of ready events, ascending.
    pub steps: Vec<Step>,
    /// By medium and size.
    pub reads: Vec<ReadCost>,
    /// By medium and placement.
    pub blocks: Vec<BlockCost>,
    /// By threads, ascending.
    pub crowd: Vec<CrowdCost>,
    /// What a message takes that is handed on through a pipe to a thread that waits for it, by threads, ascending: ns of CPU.
    pub relay: Vec<CrowdCost>,
    /// By depth, ascending.
    pub file: Vec<FileStep>,
    /// Share of the machine's CPU time that others used meanwhile, 0 to 1: above a few per cent, repeats scatter.
    pub others: f64,
    /// What could not be had here.
    pub missing: Vec<Missing>,
}

/// Measures the essentials quickly, on a thread of its own: the caller's affinity and signal mask stay as they are. Parts that the model
/// can do without do not begin once `within` is over; they are missing then.
///
/// # Errors
/// No thread, no loopback connections, no descriptors, or a measurement that came to nothing.
pub fn measure(within: Duration) -> Result<Essentials, CalibrateError> {
    std::thread::Builder::new()
        .name("calibrate".into())
        .spawn(move || on_this_thread(Effort::Quick, within))
        .map_err(CalibrateError::system("no thread for the calibration"))?
        .join()
        .map_err(|_| CalibrateError::Failed("the calibration's thread panicked".into()))?
}

/// The cache file of this machine, kernel and version, if there is one.
pub fn cached() -> Option<cache::Calibration> {
    cache::load().ok()
}

pub(super) fn on_this_thread(effort: Effort, within: Duration) -> Result<Essentials, CalibrateError> {
    let allowed = clock::allowed().map_err(CalibrateError::system("reading the CPUs that may be used"))?;
    let (first, second) = clock::two_cpus(&allowed);
    let mut missing = Vec::new();
    let before = Usage::so_far();
    let pin = || clock::pin(&[first]).map_err(CalibrateError::system("pinning a thread"));
    pin()?;
    let time = Time::begins(within);
    let pacer = Pacer::new();
    let file = file::measure(&allowed, first, pacer, &mut missing);
    pin()?;
    time.told("files");
    let syscall = empty_syscall(pacer)?;
    let (steps, again) = steps::measure(effort, pacer, &mut missing)?;
    time.told("server steps");
    let reads = reads::measure(effort, pacer)?;
    time.told("reads");
    // Of these the model takes what there is.
    let blocks = time.spend("blocks", &mut missing, |m| blocks::measure(first, second, effort, pacer, m))?;
    let crowd = time.spend(crowd::WHAT, &mut missing, |m| crowd::measure(first, effort, pacer, m))?;
    let relay = time.spend(relay::WHAT, &mut missing, |m| relay::measure(first, effort, pacer, m))?;
    let others = before.others();
    let (kernel, machine) = identity();
    let taken_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let pace = pacer.base();
    Ok(Essentials {
        kernel,
        machine,
        taken_at,
        pace,
        syscall,
        again,
        steps,
        reads,
        blocks,
        crowd,
        relay,
        file,
        others,
        missing,
    })
}

/// What the machine had used so far, and this process of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU of the machine, all but idle and all, in ticks of 10 ms.
    busy: u64,
    all: u64,
    /// CPU of this process, ns.
    us: u64,
}

impl Usage {
    /// Up to now.
    pub(crate) fn so_far() -> Self {
        let (busy, all) = clock::machine_so_far();
        Self { busy, all, us: clock::process_cpu() }
    }

    /// The share of the machine's CPU time that other processes have used since then, 0 to 1.
    pub(crate) fn others(self) -> f64 {
        let now = Self::so_far();
        let ours = (now.us - self.us) as f64 / 1e7;
        let all = (now.all - self.all).max(1) as f64;
        (((now.busy - self.busy) as f64 - ours) / all).clamp(0.0, 1.0)
    }
}

/// Kernel release, and CPU model with the number of CPUs.
pub(super) fn identity() -> (String, String) {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        cpuinfo
            .lines()
            .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
            .map(|(_, v)| v.trim())
    };
    // aarch64 names no model: implementer and part are its numbers.
    let model = match (value("model name"), value("CPU implementer"), value("CPU part")) {
        (Some(model), ..) => model.to_owned(),
        (None, Some(implementer), Some(part)) => format!("implementer {implementer} part {part}"),
        _ => std::env::consts::ARCH.to_owned(),
    };
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    (kernel, format!("{model}, {cpus} CPUs"))
}

/// Calls per repeat, and repeats, of what takes some hundred ns.
const CALLS: u64 = 1_000;
const REPEATS: usize = 21;

/// CPU per call of something short, ns, over repeats of `CALLS` calls.
pub(super) fn per_call(mut pacer: Pacer, mut call: impl FnMut()) -> Option<Cost> {
    let watch = Watch::new();
    let mut repeats = Vec::with_capacity(REPEATS);
    pacer.mark();
    for repeat in 0..=REPEATS {
        let begun = clock::thread_cpu();
        for _ in 0..CALLS {
            call();
        }
        let spent = pacer.steady(watch.since(begun) as f64 / CALLS as f64);
        // The first warms up.
        if repeat > 0 {
            repeats.push(spent);
        }
    }
    Cost::of(&repeats)
}

fn empty_syscall(pacer: Pacer) -> Result<Cost, CalibrateError> {
    // SAFETY: takes nothing and touches nothing.
    let cost = per_call(pacer, || unsafe {
        libc::syscall(libc::SYS_getppid);
    });
    cost.ok_or_else(|| CalibrateError::Failed("no time for an empty syscall".into()))
}

/// An optional part's cost; the reason goes to `missing` once.
fn note<T>(missing: &mut Vec<Missing>, what: &str, result: Result<T, String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(why) => {
            if !missing.iter().any(|m| m.what == what) {
                missing.push(Missing { what: what.into(), why });
            }
            None
        }
    }
}
