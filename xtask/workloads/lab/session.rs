//! The life of a program of the lab: it is ready, answers `count`, and ends. This runs on the main
//! thread, which does nothing else.

use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::io::Errno;
use serde_json::{Map, Value, json};

use crate::line::say;
use crate::sys;
use crate::work::{Counter, Job};

/// Flags that every program has.
#[derive(clap::Args, Clone)]
pub(crate) struct Common {
    /// CPUs that it may use, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) cpu: Vec<usize>,
    /// It ends by itself after so many seconds.
    #[arg(long, default_value_t = 120.0)]
    pub(crate) seconds: f64,
}

/// What the threads that serve have in common with the one that answers.
pub(crate) struct Tally {
    counters: Mutex<Vec<Arc<Counter>>>,
    errors: AtomicU64,
    failed: AtomicBool,
    ready: OnceLock<()>,
    over: OwnedFd,
    pace: Pace,
}

/// Whether the harness has told a load to rest or to go on.
struct Pace {
    resting: AtomicBool,
    /// How often rest was asked for.
    rests: AtomicU64,
    changed: OwnedFd,
}

impl Pace {
    fn new() -> Result<Self> {
        let changed = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).context("eventfd")?;
        Ok(Self { resting: AtomicBool::new(false), rests: AtomicU64::new(0), changed })
    }

    fn set(&self, resting: bool) {
        self.resting.store(resting, Ordering::Release);
        self.rests.fetch_add(u64::from(resting), Ordering::Release);
        // Fails only when the counter is full, and then the change is seen as well.
        let _ = rustix::io::write(&self.changed, &1u64.to_ne_bytes());
    }
}

impl Tally {
    /// A job with a counter of its own. Called when a connection, worker, slot or stage begins; no
    /// operation comes here.
    pub(crate) fn job(&self, iterations: u64, limit: Option<u64>) -> Job {
        let counter = Arc::new(Counter::default());
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&counter));
        Job::new(counter, iterations, limit)
    }

    /// Blocks until the ready line is out. Threads that print lines of their own begin after it.
    pub(crate) fn await_ready(&self) {
        self.ready.wait();
    }

    /// Counts a failure and prints it on stderr.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        // Nobody may be listening any more.
        let _ = writeln!(std::io::stderr(), "lab: {error:#}");
    }

    /// Ends the program as a failure: something that every operation needs does not work.
    pub(crate) fn fail(&self, error: &anyhow::Error) {
        self.error(error);
        self.failed.store(true, Ordering::Relaxed);
        self.finish();
    }

    /// Ends the program: all its operations are done.
    pub(crate) fn finish(&self) {
        // Fails only when the counter is full, and then it is over as well.
        let _ = rustix::io::write(&self.over, &1u64.to_ne_bytes());
    }

    /// Starts a thread that serves. Its error is the program's failure.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: &str,
        body: impl FnOnce(&Arc<Self>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let own = Arc::clone(self);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Err(error) = body(&own) {
                own.fail(&error);
            }
        });
        thread.with_context(|| format!("starting thread {name}"))?;
        Ok(())
    }

    /// Whether the harness wants it to rest. Only a load asks: without requests nothing else works.
    pub(crate) fn rests(&self) -> bool {
        self.pace.resting.load(Ordering::Acquire)
    }

    /// How many rests were asked for. Each is answered once.
    pub(crate) fn rests_asked(&self) -> u64 {
        self.pace.rests.load(Ordering::Acquire)
    }

    /// A descriptor that is readable after each change of [`Self::rests`], until
    /// [`Self::pace_seen`].
    pub(crate) fn pace_changed(&self) -> &OwnedFd {
        &self.pace.changed
    }

    /// The change has been seen.
    pub(crate) fn pace_seen(&self) {
        // Fails where there was none.
        let _ = rustix::io::read(&self.pace.changed, &mut [0; 8]);
    }

    fn sum(&self, of: impl Fn(&Counter) -> u64) -> u64 {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter().fold(0, |sum, counter| sum.wrapping_add(of(counter)))
    }

    /// Operations done so far.
    pub(crate) fn operations(&self) -> u64 {
        self.sum(Counter::operations)
    }

    /// How many operations have failed so far.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
}

/// Runs a program. `start` sets it up, starts its threads, and returns what the ready line says
/// beside the pid.
pub(crate) fn run(common: &Common, start: impl FnOnce(&Arc<Tally>) -> Result<Map<String, Value>>) -> Result<()> {
    run_with(common, start, |tally| {
        let digest = format!("{:016x}", tally.sum(Counter::digest));
        json!({ "operations": tally.operations(), "errors": tally.errors(), "digest": digest })
    })
}

/// As [`run`], with a last line of its own.
pub(crate) fn run_with(
    common: &Common,
    start: impl FnOnce(&Arc<Tally>) -> Result<Map<String, Value>>,
    last: impl FnOnce(&Tally) -> Value,
) -> Result<()> {
    sys::die_with_parent()?;
    workloads::raise_descriptor_limit()?;
    sys::keep_on(&common.cpu)?;
    let terminated = workloads::signalfd(libc::SIGTERM)?;
    let over = rustix::event::eventfd(0, EventfdFlags::CLOEXEC).context("eventfd")?;
    let (errors, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let (ready, pace) = (OnceLock::new(), Pace::new()?);
    let tally = Arc::new(Tally { counters: Mutex::default(), errors, failed, ready, over, pace });

    let mut ready = start(&tally)?;
    ready.insert("pid".into(), std::process::id().into());
    say(&Value::Object(ready))?;
    tally.ready.get_or_init(|| ());
    answer(&tally, &terminated, Duration::try_from_secs_f64(common.seconds).context("--seconds")?)?;
    say(&last(&tally))?;
    anyhow::ensure!(!tally.failed.load(Ordering::Relaxed), "it could not go on");
    Ok(())
}

/// Answers `count`, and hands `rest` and `go` on, until stdin, SIGTERM, the program itself or the
/// clock ends it.
fn answer(tally: &Tally, terminated: &OwnedFd, length: Duration) -> Result<()> {
    // SAFETY: descriptor 0 is this process's stdin, open for its whole life; ManuallyDrop leaves it
    // open.
    let mut stdin = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(0) });
    let end = sys::now_ns().saturating_add(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
    let mut line = Vec::new();
    let mut bytes = [0; 256];
    loop {
        let left = sys::timespec(end.saturating_sub(sys::now_ns()));
        let mut polled = [
            PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(terminated.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(tally.over.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut polled, Some(&left)) {
            Ok(0) => return Ok(()),
            Err(Errno::INTR) => continue,
            polled => polled.context("poll")?,
        };
        if !polled[1].revents().is_empty() || !polled[2].revents().is_empty() {
            return Ok(());
        }
        let read = stdin.read(&mut bytes).context("reading stdin")?;
        if read == 0 {
            return Ok(());
        }
        for byte in &bytes[..read] {
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            match std::mem::take(&mut line).as_slice() {
                b"count" => say(&json!({ "operations": tally.operations(), "now_ns": sys::now_ns() }))?,
                b"rest" => tally.pace.set(true),
                b"go" => tally.pace.set(false),
                _ => {}
            }
        }
    }
}

/// The part of a ready line that names the port.
pub(crate) fn with_port(port: u16) -> Map<String, Value> {
    Map::from_iter([("port".to_owned(), port.into())])
}
