//! `cargo xtask lab ipc`: draws figure 1 of FlexSC (Soares and Stumm, OSDI 2010) anew on a machine
//! with hardware counters. It shows IPC over the instructions since a return, for working sets from
//! the L1 to beyond the last cache, at several rates of calls and of blocks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use serde_json::Value;

use super::{
    curves,
    results::documents,
    sweep::{Cache, Cell, Point, Results},
};
use crate::{
    harness::report::{self, Ipc, Range, Report},
    host::{
        child::{self, Running},
        machine,
        numbers::{NA, bytes, count, with_range},
        package::{LAB, Pair},
    },
    say::say,
};

/// Exit code where the machine has no counters: nothing was measured, and nothing went wrong.
pub(crate) const NO_COUNTERS: u8 = 3;
/// The program's own core; its partner has the other.
const CPUS: &str = "0,1";
/// Time that a cell takes beside its measurement: to build a working set, to load, to report.
const AROUND: Duration = Duration::from_secs(60);
/// Mean touches in a window. Fewer touches make more calls.
const TOUCHES: [u64; 3] = [100, 1_000, 10_000];
/// One in so many calls blocks.
const BLOCKS: [u32; 3] = [2, 8, 32];
/// The largest working set, in bytes: the order of its places must fit beside it.
const LARGEST: u64 = 1 << 30;

/// What to do where the kernel does not give the sizes of the caches.
const GIVE_SIZES: &str = "give the sizes with --caches, like 64K,1M,32M";

/// IPC after returns: draws figure 1 of FlexSC anew. Needs hardware counters; without, it says why
/// and exits with 3.
#[derive(Args)]
pub(super) struct Options {
    /// Three working sets, one rate of calls, one of blocks.
    #[arg(long)]
    quick: bool,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Sizes of the data caches, the nearest first, where the kernel does not say: 64K,1M,32M.
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = size)]
    caches: Vec<u64>,
    /// Builds nothing and takes `should-i-async` and `lab` from here.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Draws from this file and measures nothing.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Folder to write ipc.json and ipc.svg to [default: docs/lab]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// The machine has no counters, or gives none.
#[derive(Debug)]
pub(crate) struct NoCounters(String);

impl std::fmt::Display for NoCounters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "nothing was measured and nothing drawn: {}", self.0)
    }
}

impl std::error::Error for NoCounters {}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let folder = options.to.clone().unwrap_or_else(|| documents(root));
    let results = match &options.from {
        Some(from) => {
            let text = fs::read_to_string(from).with_context(|| format!("reading {}", from.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} holds no results of `lab ipc`", from.display()))?
        }
        None => measure(root, options)?,
    };
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    if options.from.is_none() {
        let path = folder.join("ipc.json");
        let text = serde_json::to_string_pretty(&results).context("results as JSON")?;
        fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        say(&format!("written: {}", path.display()))?;
    }
    let path = folder.join("ipc.svg");
    curves::draw(&results, &path)?;
    say(&format!("written: {}", path.display()))
}

fn measure(root: &Path, options: &Options) -> Result<Results> {
    let programs = Pair::find(root, LAB, options.binaries.as_deref())?;
    let caches = if options.caches.is_empty() {
        caches(Path::new("/sys/devices/system/cpu/cpu0/cache"))?
    } else {
        (1..).zip(&options.caches).map(|(level, &bytes)| Cache { level, bytes }).collect()
    };
    let facts = machine::facts(root)?.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut results = Results { machine: facts, caches, cells: Vec::new() };
    let sets = working_sets(&results.caches, options.quick);
    let (touches, blocks) = if options.quick { (&TOUCHES[1..2], &BLOCKS[..1]) } else { (&TOUCHES[..], &BLOCKS[..]) };
    for &touches in touches {
        for &one_blocks_in in blocks {
            for &working_set in &sets {
                let report = observe(&programs, options.seconds, (working_set, touches, one_blocks_in))?;
                let cell = cell(&report, working_set, touches, one_blocks_in)?;
                say(&line(&cell))?;
                results.cells.push(cell);
            }
        }
    }
    Ok(results)
}

/// Runs the program, and `check` on its thread.
fn observe(programs: &Pair, seconds: u32, what: (u64, u64, u32)) -> Result<Report> {
    let (working_set, touches, one_blocks_in) = what;
    let mut target = Command::new(&programs.workload);
    target.args(["window", "--working-set", &working_set.to_string(), "--touches", &touches.to_string()]);
    target.args(["--one-blocks-in", &one_blocks_in.to_string(), "--cpu", CPUS]);
    target.args(["--seconds", &(u64::from(seconds) + AROUND.as_secs()).to_string()]);
    let mut target = Running::start(&mut target)?;
    let ready: Value = serde_json::from_str(&target.next_line(AROUND)?).context("the program output no JSON")?;
    let tid = ready.get("tid").and_then(Value::as_u64).context("the program named no thread")?;
    let mut check = Command::new(&programs.tool);
    check.args(["check", "-t", &tid.to_string(), "-d", &format!("{seconds}s"), "--exact", "--json"]);
    let output = Running::start(&mut check)?.wait(Duration::from_secs(seconds.into()) + AROUND)?;
    target.check_alive()?;
    target.close(AROUND)?;
    Report::parse(&output.stdout)
}

/// The caches that hold data, the nearest first. An error where the kernel does not say: in virtual
/// machines it often has levels but no sizes.
fn caches(folder: &Path) -> Result<Vec<Cache>> {
    let read = |path: PathBuf| fs::read_to_string(&path).map(|text| text.trim().to_owned());
    let mut caches = Vec::new();
    for index in 0..16 {
        let entry = folder.join(format!("index{index}"));
        let Ok(kind) = read(entry.join("type")) else { break };
        if kind == "Instruction" {
            continue;
        }
        let level = read(entry.join("level"))?.parse().context("a cache's level")?;
        let unknown = || format!("{} has no size of that cache: {GIVE_SIZES}", entry.display());
        let bytes = read(entry.join("size")).map_err(Into::into).and_then(|text| size(&text)).with_context(unknown)?;
        caches.push(Cache { level, bytes });
    }
    ensure!(!caches.is_empty(), "{} names no cache: {GIVE_SIZES}", folder.display());
    caches.sort_by_key(|c| c.level);
    Ok(caches)
}

/// Bytes of a size as typed: `48K`, `2048K`, `32M`.
fn size(text: &str) -> Result<u64> {
    let (digits, factor) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 1u64 << 10),
        Some(digits) if text.ends_with('M') => (digits, 1 << 20),
        Some(digits) => (digits, 1 << 30),
        None => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| anyhow!("{text:?} is no size"))?;
    number.checked_mul(factor).with_context(|| format!("{text:?} is too large"))
}

/// Half of each cache, and two and four times the last cache. With `quick`: half of the first
/// cache, half of the last, four times the last.
fn working_sets(caches: &[Cache], quick: bool) -> Vec<u64> {
    let mut sets: Vec<u64> = caches.iter().map(|c| c.bytes / 2).collect();
    if let Some(last) = caches.last() {
        sets.extend([2 * last.bytes, 4 * last.bytes]);
    }
    let mut sets: Vec<u64> = sets.into_iter().map(|s| s.clamp(4_096, LARGEST)).collect();
    sets.sort_unstable();
    sets.dedup();
    if let ([first, .., last], true) = (sets.as_slice(), quick) {
        let beyond = caches.last().map_or(*last, |c| c.bytes / 2);
        sets = vec![*first, beyond.clamp(4_096, LARGEST), *last];
        sets.dedup();
    }
    sets
}

fn points(ipc: &Ipc, after: &str) -> Vec<Point> {
    let curve = ipc.curves.iter().find(|curve| curve.after == after);
    let point = |point: &report::Point| {
        let Range { value, low, high } = point.local_ipc_ratio.range;
        Some(Point { at: point.middle_instructions_count.value?, ipc: value?, low: low?, high: high? })
    };
    curve.into_iter().flat_map(|curve| &curve.points).filter_map(point).collect()
}

/// Reads the curves of a report.
fn cell(report: &Report, working_set: u64, touches: u64, one_blocks_in: u32) -> Result<Cell> {
    let ipc = &report.ipc;
    if let Some(why) = &ipc.unavailable {
        return Err(NoCounters(why.clone()).into());
    }
    let cost = &ipc.indirect_cycles_per_block_count;
    let cycles = match cost.range {
        Range { value: Some(value), low: Some(low), high: Some(high) } => Some([value, low, high]),
        _ => None,
    };
    Ok(Cell {
        working_set,
        touches,
        one_blocks_in,
        blocked: points(ipc, "blocked"),
        direct: points(ipc, "direct"),
        cycles,
        reason: cost.note.clone().filter(|_| cycles.is_none()),
    })
}

fn line(cell: &Cell) -> String {
    let cost = match cell.cycles {
        Some([value, low, high]) => {
            format!("{} cycles per block", with_range([low, value, high], count))
        }
        None => format!("{NA}: {}", cell.reason.as_deref().unwrap_or("the report gives no reason")),
    };
    format!(
        "{}, {} touches a window, 1 of {} calls blocks: {cost}; {} points after blocks, {} after none",
        bytes(cell.working_set as f64),
        count(cell.touches as f64),
        cell.one_blocks_in,
        cell.blocked.len(),
        cell.direct.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_read_as_the_kernel_writes_them() {
        assert_eq!(size("48K").unwrap(), 49_152);
        assert_eq!(size("32M").unwrap(), 32 << 20);
        assert!(size("many").is_err() && size("").is_err());
        let folder = std::env::temp_dir().join(format!("lab-ipc-{}", std::process::id()));
        for (i, (level, kind, size)) in
            [(1, "Data", "32K"), (1, "Instruction", "32K"), (2, "Unified", "1024K")].iter().enumerate()
        {
            let entry = folder.join(format!("index{i}"));
            fs::create_dir_all(&entry).unwrap();
            fs::write(entry.join("level"), format!("{level}\n")).unwrap();
            fs::write(entry.join("type"), format!("{kind}\n")).unwrap();
            fs::write(entry.join("size"), format!("{size}\n")).unwrap();
        }
        let found = caches(&folder).unwrap();
        assert_eq!(found, [Cache { level: 1, bytes: 32 << 10 }, Cache { level: 2, bytes: 1 << 20 }]);
        assert_eq!(working_sets(&found, false), [16 << 10, 512 << 10, 2 << 20, 4 << 20]);
        assert_eq!(working_sets(&found, true), [16 << 10, 512 << 10, 4 << 20]);
        // A virtual machine: levels, but no sizes.
        fs::remove_file(folder.join("index2").join("size")).unwrap();
        assert!(caches(&folder).unwrap_err().to_string().contains("--caches"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(caches(&folder).unwrap_err().to_string().contains("--caches"));
    }

    fn report(ipc: &Value) -> Report {
        report::tests::report("yes", &json!({"refused": null, "scenarios": []}), Some(ipc))
    }

    #[test]
    fn a_machine_without_counters_is_named_with_its_reason() {
        let none = json!({"value": null, "low": null, "high": null, "note": "no PMU"});
        let ipc = json!({"unavailable": "no PMU (ENOENT)", "indirect_cycles_per_block_count": none, "curves": []});
        let error = cell(&report(&ipc), 4_096, 100, 2).unwrap_err();
        assert!(error.downcast_ref::<NoCounters>().is_some());
        assert!(error.to_string().contains("no PMU (ENOENT)"));
    }

    #[test]
    fn a_report_is_read_back() {
        let point = json!({ "middle_instructions_count": { "value": 50.0 },
            "local_ipc_ratio": { "value": 0.5, "low": 0.4, "high": 0.6 } });
        let unknown = json!({ "middle_instructions_count": { "value": 5.0 },
            "local_ipc_ratio": { "value": null, "low": null, "high": null } });
        let ipc = json!({
            "unavailable": null,
            "indirect_cycles_per_block_count": { "value": null, "low": null, "high": null, "note": "too few" },
            "curves": [{ "after": "blocked", "points": [unknown, point] }],
        });
        let cell = cell(&report(&ipc), 1 << 21, 100, 2).unwrap();
        assert_eq!(cell.blocked, [Point { at: 50.0, ipc: 0.5, low: 0.4, high: 0.6 }]);
        assert!(cell.direct.is_empty() && line(&cell).contains("n/a: too few") && line(&cell).starts_with("2.0 MiB"));
    }
}
