//! One size, measured once: a crowd, and the profiler on it.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::results::{Axis, Kind};
use crate::{
    bench::{kernel, limits},
    exec,
    host::{
        child::{self, Running},
        clocks,
        package::Pair,
    },
};

/// Wake-ups per second of the crowd, whatever its size.
pub(super) const RATE: u64 = 10_000;
/// Threads of the series over processes: one each in the largest.
pub(super) const SPREAD_OVER: u64 = 2_000;
/// Threads of the series over sites, and of that over the length of a recording.
pub(super) const FEW: u64 = 100;
/// Longer than anything here takes.
const WATCHDOG: u64 = 600;
/// How long a measurement lasts, seconds.
const MEASURED: u64 = 2;
/// What happens only at the start is over after so long, under `check` and `live`.
const SETTLED: Duration = Duration::from_millis(300);
const LIVE_SETTLED: Duration = Duration::from_secs(5);
/// How long `live` is watched.
const LIVE_WATCHED: Duration = Duration::from_secs(6);

/// What one round found.
pub(super) type Found = Vec<(Kind, f64)>;

/// Why this machine cannot run a size; `None` where it can.
pub(super) fn cannot(axis: Axis, size: u64) -> Option<String> {
    let needed = match axis {
        Axis::Threads => size + 1_000,
        Axis::Processes => SPREAD_OVER + 2 * size,
        Axis::Sites | Axis::Recording => return None,
    };
    let limit = |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse::<u64>().ok();
    for (name, each) in [("kernel/pid_max", 1), ("kernel/threads-max", 1), ("vm/max_map_count", 2)] {
        // A stack and its guard are two mappings of one process.
        let needed = if each == 2 && axis == Axis::Processes { 0 } else { needed * each };
        if let Some(limit) = limit(name).filter(|limit| *limit < needed) {
            return Some(format!("{} is {limit}, and it takes {needed}", name.replace('/', ".")));
        }
    }
    None
}

/// The crowd of a size.
struct Crowd {
    running: Running,
    /// Arguments of whoever measures it.
    target: Vec<String>,
    /// How long to measure it, seconds.
    length: u64,
}

impl Crowd {
    fn start(program: &Path, axis: Axis, size: u64) -> Result<Self> {
        let (threads, processes, sites) = match axis {
            Axis::Threads => (size, 1, 1),
            Axis::Processes => (SPREAD_OVER, size, 1),
            Axis::Sites => (FEW, 1, size),
            Axis::Recording => (FEW, 1, 10),
        };
        let mut command = Command::new(program);
        for (flag, value) in [
            ("--threads", threads),
            ("--processes", processes),
            ("--sites", sites),
            ("--rate", RATE),
            ("--timeout-s", WATCHDOG),
        ] {
            command.args([flag, &value.to_string()]);
        }
        let mut running = Running::start(&mut command)?;
        let line = running.next_line(Duration::from_secs(120))?;
        ensure!(line == "ready", "the crowd printed {line:?}");
        let mut target = vec!["-p".to_owned(), running.pid().to_string()];
        if axis == Axis::Processes {
            target.push("--tree".to_owned());
        }
        if axis == Axis::Sites {
            target.extend(["--max-sites".to_owned(), (sites + 64).to_string()]);
        }
        // Each site is called once at least.
        let length = if axis == Axis::Sites { MEASURED.max(sites / RATE + 2) } else { MEASURED };
        Ok(Self { running, target, length })
    }
}

/// Measures a size once.
pub(super) fn size(programs: &Pair, axis: Axis, size: u64, scratch: &Path) -> Result<Found> {
    let crowd = Crowd::start(&programs.workload, axis, size)?;
    let mut found = Vec::new();
    if axis == Axis::Recording {
        found.extend(recording(&programs.tool, &crowd, size, scratch)?);
    } else {
        found.extend(check(&programs.tool, &crowd)?);
        found.extend(recording(&programs.tool, &crowd, crowd.length, scratch)?);
        found.retain(|(kind, _)| *kind != Kind::RecordMemory);
    }
    if axis == Axis::Threads {
        found.extend(live(&programs.tool, &crowd)?);
    }
    crowd.running.close(Duration::from_secs(30))?;
    Ok(found)
}

fn check(tool: &Path, crowd: &Crowd) -> Result<Found> {
    let statistics = kernel::statistics()?;
    let arguments: Vec<&str> = crowd.target.iter().map(String::as_str).collect();
    let (start, running) = limits::start(tool, &arguments)?;
    let pid = running.pid();
    child::pause(SETTLED)?;
    let read = || -> Result<_> { Ok((kernel::costs(pid), clocks::process_cpu(pid)?, clocks::monotonic())) };
    let (before, cpu_before, from) = read()?;
    child::pause(Duration::from_secs(crowd.length))?;
    let (after, cpu_after, to) = read()?;
    drop(statistics);
    let (mut runs, mut time) = (0, Duration::ZERO);
    for (a, b) in before.iter().zip(&after).filter(|(a, b)| a.name == b.name) {
        runs += b.runs.saturating_sub(a.runs);
        time += b.time.saturating_sub(a.time);
    }
    ensure!(runs > 0, "the kernel counted no run of a program");
    let mut peak = clocks::peak_rss(pid).unwrap_or(0);
    let ended = clocks::monotonic();
    running.end(|| peak = peak.max(clocks::peak_rss(pid).unwrap_or(0)));
    let end = (clocks::monotonic() - ended) as f64 / 1e9;
    let seconds = (to - from) as f64 / 1e9;
    Ok(vec![
        (Kind::Start, start),
        (Kind::Event, time.as_secs_f64() * 1e9 / runs as f64),
        (Kind::Daemon, cpu_after.saturating_sub(cpu_before).as_secs_f64() / seconds),
        (Kind::Memory, peak as f64),
        (Kind::End, end),
    ])
}

/// Records for so many seconds, and has a report made of it.
fn recording(tool: &Path, crowd: &Crowd, seconds: u64, scratch: &Path) -> Result<Found> {
    let file = scratch.join("crowd.sia");
    let mut record = Command::new(tool);
    record.arg("record").args(&crowd.target).args(["--exact", "-d", &seconds.to_string(), "-o"]).arg(&file);
    let mut running = Running::start(&mut record)?;
    let (pid, mut peak) = (running.pid(), 0);
    child::wait_until("the recording", Duration::from_secs(seconds + 90), || {
        peak = peak.max(clocks::peak_rss(pid).unwrap_or(0));
        running.poll()
    })?;
    running.wait(Duration::from_secs(1))?;
    let bytes = fs::metadata(&file).with_context(|| format!("reading {}", file.display()))?.len();
    let before = clocks::children_cpu();
    exec::output(Command::new(tool).arg("report").arg(&file))?;
    let cpu = clocks::children_cpu().saturating_sub(before);
    fs::remove_file(&file)?;
    Ok(vec![(Kind::Report, cpu.as_secs_f64()), (Kind::File, bytes as f64), (Kind::RecordMemory, peak as f64)])
}

/// Watches `live` in a terminal of its own.
fn live(tool: &Path, crowd: &Crowd) -> Result<Found> {
    let tool = tool.to_str().context("the program's path")?;
    let line = format!("stty cols 110 rows 34; exec '{tool}' live {}", crowd.target.join(" "));
    let mut terminal = Running::start(Command::new("script").args(["-q", "-e", "-c", &line, "/dev/null"]))?;
    child::pause(LIVE_SETTLED)?;
    let parent = terminal.pid();
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).context("`script` ended")?;
    let pid: u32 = children.split_whitespace().next().context("`live` did not start")?.parse()?;
    let read = || -> Result<_> { Ok((clocks::process_cpu(pid)?, clocks::monotonic())) };
    let (before, from) = read()?;
    child::pause(LIVE_WATCHED)?;
    let (after, to) = read()?;
    let peak = clocks::peak_rss(pid).context("`live` ended early")?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    ensure!(name.trim_end() != "sh", "`live` did not start");
    terminal.send("q")?;
    terminal.wait(Duration::from_secs(10))?;
    let share = after.saturating_sub(before).as_secs_f64() * 1e9 / (to - from) as f64;
    Ok(vec![(Kind::Live, share), (Kind::LiveMemory, peak as f64)])
}
