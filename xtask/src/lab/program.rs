//! Programs of the lab at work: the target with its load or backend, warmed up, read while it runs, and ended.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::cells::{Load, Program, Setup};
use crate::host::{
    child::{self, Running, Said},
    clocks::{self, Machine},
};

/// The target has a core to itself; load and backend have the other one.
const TARGET_CPU: &str = "0";
const LOAD_CPU: &str = "1";
/// Until a program says that it is ready.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// Until a program that was told to end is gone.
const END_WITHIN: Duration = Duration::from_secs(10);
/// From a rest until what counts.
const SETTLING: Duration = Duration::from_millis(50);
/// Until a load that was told to rest has had all its replies.
const RESTED_WITHIN: Duration = Duration::from_secs(15);
/// Between the start of the load and the start of what counts.
const WARM_UP: Duration = Duration::from_millis(400);
/// Programs end by themselves when they outlive what they were started for by so much.
const MARGIN: Duration = Duration::from_secs(60);
/// Lines of a program that are looked at for an answer.
const LINES_AT_MOST: u32 = 10_000;
const BYTES: &str = "64";
const FILE_BYTES: usize = 128 << 20;

/// When a cell must be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// So long, or what is left of the time; an error once nothing is.
    fn at_most(self, wanted: Duration) -> Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "the cell's time is over");
        Ok(wanted.min(left))
    }
}

/// What every run needs to know.
#[derive(Debug)]
pub(super) struct Lab {
    /// The binary of the workloads.
    pub(super) binary: PathBuf,
    /// Read by the file cells.
    pub(super) file: PathBuf,
    /// Of the work loop, per µs.
    pub(super) iterations_per_us: f64,
    /// Operations per second at which the blocking echo server is busy all the time.
    pub(super) capacity: Option<f64>,
    /// Of the load.
    pub(super) seed: u64,
}

impl Lab {
    /// How many iterations of the work loop are one µs on the target's CPU.
    pub(super) fn calibrate(&mut self) -> Result<()> {
        let mut spin = Running::start(Command::new(&self.binary).args(["spin-rate", "--cpu", TARGET_CPU]))?;
        let rate = number(&answer(&mut spin, "iterations_per_us", READY_WITHIN)?, "iterations_per_us")?;
        ensure!(rate > 0.0, "a work loop of {rate} iterations per µs");
        self.iterations_per_us = rate;
        spin.close(END_WITHIN)?;
        Ok(())
    }

    /// Creates the file for the file cells, unless it is there.
    pub(super) fn create_file(&self) -> Result<()> {
        if fs::metadata(&self.file).is_ok_and(|found| found.len() == FILE_BYTES as u64) {
            return Ok(());
        }
        // No zeroes: some storage keeps them by not keeping them.
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut bytes = vec![0; FILE_BYTES];
        rng.fill(&mut bytes);
        fs::write(&self.file, bytes).with_context(|| format!("writing {}", self.file.display()))?;
        let file = fs::File::open(&self.file)?;
        file.sync_all().with_context(|| format!("writing {}", self.file.display()))
    }

    /// Command line of the target, without the binary.
    pub(super) fn arguments(&self, setup: &Setup, mode: &str) -> Vec<String> {
        let work = |us: u32| ["--work".to_owned(), format!("{:.0}", f64::from(us) * self.iterations_per_us)];
        let mut line: Vec<String> = Vec::new();
        let mut push = |words: &[&str]| line.extend(words.iter().map(|word| (*word).to_owned()));
        match setup.program {
            Program::Echo { pool, work_us } => {
                push(&["echo", "--mode", mode, "--bytes", BYTES]);
                if let Some(threads) = pool.filter(|_| mode == "pool") {
                    push(&["--pool", &threads.to_string()]);
                }
                line.extend(work(work_us));
            }
            Program::Fanout { workers, fan, work_us } => {
                push(&["fanout", "--mode", mode, "--bytes", BYTES]);
                push(&["--workers", &workers.to_string(), "--fan", &fan.to_string()]);
                line.extend(work(work_us));
            }
            Program::Brigade { stages, in_flight, work_us } => {
                push(&["brigade", "--mode", mode, "--stages", &stages.to_string()]);
                push(&["--messages-in-flight", &in_flight.to_string()]);
                line.extend(work(work_us));
            }
            Program::Files { direct, depth, work_us } => {
                push(&["files", "--mode", mode, "--block", "4096", "--depth", &depth.to_string()]);
                if direct {
                    push(&["--direct"]);
                }
                line.extend(work(work_us));
            }
            Program::Control => push(&["control", "--mode", mode]),
        }
        line.extend(["--cpu".to_owned(), TARGET_CPU.to_owned()]);
        line
    }

    /// Command line of the load, without binary, port and duration; `None` where there is none.
    pub(super) fn load_arguments(&self, load: Load) -> Result<Option<Vec<String>>> {
        let (connections, flag, value) = match load {
            Load::Alone | Load::Backend { .. } => return Ok(None),
            Load::Closed { connections, think_us } => (connections, "--think-us", think_us.to_string()),
            Load::Open { connections, percent } => {
                let capacity = self.capacity.context("the capacity of the blocking server is not known")?;
                (connections, "--rate", format!("{:.0}", capacity * f64::from(percent) / 100.0))
            }
        };
        let line =
            ["load", "--connections", &connections.to_string(), "--bytes", BYTES, flag, &value, "--cpu", LOAD_CPU];
        Ok(Some(line.map(str::to_owned).to_vec()))
    }

    /// Why a setup cannot run here; `None` where it can.
    pub(super) fn obstacle(&self, setup: &Setup) -> Option<String> {
        let Program::Files { direct: true, .. } = setup.program else { return None };
        direct_read(&self.file).err().map(|error| format!("no direct reads: {error:#}"))
    }
}

/// Whether the file's filesystem allows O_DIRECT.
fn direct_read(file: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(file)
        .with_context(|| format!("opening {} with O_DIRECT", file.display()))?;
    Ok(())
}

/// Counters of the target and of the machine at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Of the target.
    pub(super) operations: f64,
    /// `CLOCK_MONOTONIC`, ns.
    pub(super) now_ns: f64,
    /// CPU of the target, ns.
    pub(super) cpu_ns: f64,
    /// CPU of the load or backend, ns.
    pub(super) load_ns: f64,
    pub(super) machine: Machine,
    /// Interrupts between CPUs; `None` where they are not told apart.
    pub(super) between_cpus: Option<u64>,
}

/// A target with what keeps it busy.
pub(super) struct Stage {
    target: Running,
    load: Option<Running>,
    role: Role,
    deadline: Deadline,
}

/// What the companion of a target is.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// A load.
    Load,
    /// It answers the target.
    Backend,
}

impl Stage {
    /// Starts everything, to stay for at least this, and warms it up.
    pub(super) fn start(lab: &Lab, setup: &Setup, mode: &str, stay: Duration, deadline: Deadline) -> Result<Self> {
        let seconds = (stay + MARGIN).as_secs().to_string();
        let mut backend = None;
        let mut target = Command::new(&lab.binary);
        target.args(lab.arguments(setup, mode)).args(["--seconds", &seconds]);
        if let Program::Files { .. } = setup.program {
            target.arg("--file").arg(&lab.file);
        }
        if let Load::Backend { latency_us } = setup.load {
            let mut command = Command::new(&lab.binary);
            command.args(["backend", "--latency-us", &latency_us.to_string()]);
            command.args(["--cpu", LOAD_CPU, "--seconds", &seconds]);
            let mut running = Running::start(&mut command)?;
            let port = port(&answer(&mut running, "pid", deadline.at_most(READY_WITHIN)?)?)?;
            target.args(["--backend", &port]);
            backend = Some(running);
        }
        let mut target = Running::start(&mut target)?;
        let ready = answer(&mut target, "pid", deadline.at_most(READY_WITHIN)?)?;
        let load = match lab.load_arguments(setup.load)? {
            None => {
                child::pause(deadline.at_most(WARM_UP)?)?;
                backend
            }
            Some(arguments) => {
                let mut command = Command::new(&lab.binary);
                command.args(arguments).args(["--port", &port(&ready)?, "--seed", &lab.seed.to_string()]);
                command.args(["--duration", &seconds, "--seconds", &seconds]);
                command.args(["--warmup", &WARM_UP.as_secs_f64().to_string()]);
                let mut load = Running::start(&mut command)?;
                answer(&mut load, "warm", deadline.at_most(READY_WITHIN)?)?;
                Some(load)
            }
        };
        let role = match setup.load {
            Load::Backend { .. } => Role::Backend,
            _ => Role::Load,
        };
        Ok(Self { target, load, role, deadline })
    }

    pub(super) fn target_pid(&self) -> u32 {
        self.target.pid()
    }

    /// Lets it run.
    pub(super) fn run_for(&mut self, length: Duration) -> Result<()> {
        child::pause(self.deadline.at_most(length)?)?;
        self.target.check_alive()?;
        self.load.as_mut().map_or(Ok(()), Running::check_alive)
    }

    /// Nothing goes on any more: a load sends nothing, a target without one stands still.
    pub(super) fn rest(&mut self) -> Result<()> {
        match (self.role, &mut self.load) {
            (Role::Load, Some(load)) => {
                load.tell("rest")?;
                answer(load, "resting", self.deadline.at_most(RESTED_WITHIN)?)?;
            }
            _ => self.target.freeze(),
        }
        Ok(())
    }

    /// After a rest: goes on as before, and has settled.
    pub(super) fn go(&mut self) -> Result<()> {
        match (self.role, &mut self.load) {
            (Role::Load, Some(load)) => load.tell("go")?,
            _ => self.target.thaw(),
        }
        child::pause(self.deadline.at_most(SETTLING)?)
    }

    /// Reads all counters.
    pub(super) fn read(&mut self) -> Result<Reading> {
        let pid = self.target.pid();
        let clock =
            || Ok::<_, anyhow::Error>((clocks::monotonic() as f64, clocks::process_cpu(pid)?.as_nanos() as f64));
        let load_ns = match &self.load {
            Some(load) => clocks::process_cpu(load.pid())?.as_nanos() as f64,
            None => 0.0,
        };
        let machine = clocks::machine()?;
        let between_cpus = clocks::interrupts_between_cpus();
        let before = clock()?;
        self.target.check_alive()?;
        self.target.tell("count")?;
        let count = answer(&mut self.target, "now_ns", self.deadline.at_most(READY_WITHIN)?)?;
        let after = clock()?;
        let now_ns = number(&count, "now_ns")?;
        let operations = number(&count, "operations")?;
        Ok(Reading { operations, now_ns, cpu_ns: between(before, after, now_ns), load_ns, machine, between_cpus })
    }

    /// Ends everything; who asks ends before who answers, so that nobody's peer vanishes in the middle of a request.
    pub(super) fn end(self) -> Result<LastWords> {
        let Self { target, load: companion, role, .. } = self;
        let (target, companion) = match role {
            Role::Backend => {
                let target = target.close(END_WITHIN);
                (target, companion.map(|backend| backend.close(END_WITHIN)))
            }
            Role::Load => {
                let companion = companion.map(|load| load.close(END_WITHIN));
                (target.close(END_WITHIN), companion)
            }
        };
        let companion = companion.transpose()?.map(|said| last_words(&said)).unwrap_or_default();
        Ok(LastWords { load: companion, target: last_words(&target?) })
    }
}

/// What the programs said at their end; null where there was nothing.
#[derive(Debug, Default)]
pub(super) struct LastWords {
    pub(super) load: Value,
    pub(super) target: Value,
}

fn last_words(said: &Said) -> Value {
    said.stdout.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default()
}

/// The CPU clock at the moment when the target counted, from readings before and after it: its answer may have waited for
/// a busy CPU.
fn between(before: (f64, f64), after: (f64, f64), now: f64) -> f64 {
    let share = if after.0 > before.0 { ((now - before.0) / (after.0 - before.0)).clamp(0.0, 1.0) } else { 0.0 };
    before.1 + (after.1 - before.1) * share
}

/// The next line of a program that is a JSON object with this key.
fn answer(program: &mut Running, key: &str, within: Duration) -> Result<Value> {
    for _ in 0..LINES_AT_MOST {
        let line = program.next_line(within)?;
        if let Ok(value) = serde_json::from_str::<Value>(&line)
            && value.get(key).is_some()
        {
            return Ok(value);
        }
    }
    anyhow::bail!("no line with {key:?} among {LINES_AT_MOST}")
}

fn number(value: &Value, key: &str) -> Result<f64> {
    value.get(key).and_then(Value::as_f64).with_context(|| format!("{value}: {key:?} is no number"))
}

fn port(ready: &Value) -> Result<String> {
    Ok(ready.get("port").and_then(Value::as_u64).with_context(|| format!("{ready} names no port"))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::{super::cells, *};

    fn lab() -> Lab {
        Lab { binary: "lab".into(), file: "f".into(), iterations_per_us: 2.5, capacity: None, seed: 1 }
    }

    fn line(id: &str) -> String {
        let setup = cells::all().into_iter().find(|setup| setup.id == id).unwrap();
        lab().arguments(&setup, setup.mode).join(" ")
    }

    #[test]
    fn commands_follow_the_setup() {
        assert_eq!(line("echo-closed-c8-w10us"), "echo --mode threads --bytes 64 --work 25 --cpu 0");
        assert_eq!(line("pool8-c8-w10us"), "echo --mode pool --bytes 64 --pool 8 --work 25 --cpu 0");
        assert!(line("files-direct-d8").contains(" --direct "));
        assert_eq!(line("control-lock"), "control --mode lock --cpu 0");
    }

    #[test]
    fn an_open_loop_needs_the_capacity() {
        let open = Load::Open { connections: 64, percent: 50 };
        assert!(lab().load_arguments(open).is_err());
        let line = Lab { capacity: Some(30_000.4), ..lab() }.load_arguments(open).unwrap().unwrap().join(" ");
        assert!(line.contains("--rate 15000 "), "{line}");
        assert_eq!(lab().load_arguments(Load::Alone).unwrap(), None);
    }

    #[test]
    fn the_cpu_clock_is_read_when_the_target_counted() {
        assert_eq!(between((0.0, 100.0), (10.0, 200.0), 5.0), 150.0);
        assert_eq!(between((0.0, 100.0), (10.0, 200.0), 99.0), 200.0);
        assert_eq!(between((3.0, 100.0), (3.0, 100.0), 3.0), 100.0);
    }

    #[test]
    fn a_cell_out_of_time_is_an_error() {
        assert!(Deadline::after(Duration::ZERO).at_most(Duration::from_secs(1)).is_err());
        assert!(Deadline::after(Duration::from_secs(60)).at_most(Duration::from_secs(1)).is_ok());
    }
}
