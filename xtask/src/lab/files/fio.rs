//! fio as the load: its command line for a cell, and what it says at the end.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::cell::{Access, Cell, Way};

/// Time that fio reads before it counts.
pub(super) const RAMP: Duration = Duration::from_millis(100);

/// What fio counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) operations_per_s: f64,
    /// From asking for a read to having it, ns.
    pub(super) p50_ns: f64,
    pub(super) p99_ns: f64,
}

/// The command that reads `file`, of so many bytes, for so long.
pub(super) fn command(cell: &Cell, file: &Path, bytes: u64, lasts: Duration) -> Command {
    let mut fio = Command::new("fio");
    fio.args(["--name=cell", "--rw=randread", "--thread", "--group_reporting", "--time_based", "--randrepeat=0"]);
    fio.args(["--eta=never", "--output-format=json", "--lat_percentiles=1", "--percentile_list=50:99"]);
    fio.arg(format!("--filename={}", file.display())).arg(format!("--bs={}", cell.block));
    fio.arg(format!("--runtime={}ms", lasts.as_millis())).arg(format!("--ramp_time={}ms", RAMP.as_millis()));
    fio.args(way(cell));
    match cell.access {
        Access::Cached => fio.args(["--direct=0", "--invalidate=0", "--norandommap"]),
        Access::Direct => fio.args(["--direct=1", "--norandommap"]),
        // Every block once: each thread has a part of the file for itself.
        Access::Cold => {
            let part = bytes / u64::from(jobs(cell)) / u64::from(cell.block) * u64::from(cell.block);
            let part = [format!("--size={part}"), format!("--offset_increment={part}")];
            fio.args(["--direct=0", "--invalidate=1", "--fadvise_hint=random"]).args(part)
        }
    };
    fio
}

/// Threads of fio that read.
pub(super) const fn jobs(cell: &Cell) -> u32 {
    match cell.way {
        Way::Threads => cell.depth,
        _ => 1,
    }
}

fn way(cell: &Cell) -> Vec<String> {
    let words: &[&str] = match cell.way {
        Way::Threads => &["--ioengine=psync"],
        Way::PosixAio => &["--ioengine=posixaio"],
        Way::LinuxAio => &["--ioengine=libaio"],
        Way::Ring => &["--ioengine=io_uring"],
        Way::RingAsync => &["--ioengine=io_uring", "--force_async=1"],
        Way::RingPoll => &["--ioengine=io_uring", "--sqthread_poll=1"],
    };
    let many = match cell.way {
        Way::Threads => format!("--numjobs={}", cell.depth),
        _ => format!("--iodepth={}", cell.depth),
    };
    words.iter().map(|word| (*word).to_owned()).chain([many]).collect()
}

#[derive(Deserialize)]
struct Said {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    error: i32,
    read: Read,
}

#[derive(Deserialize)]
struct Read {
    iops: f64,
    total_ios: u64,
    lat_ns: Latency,
}

#[derive(Deserialize)]
struct Latency {
    percentile: Option<Percentiles>,
}

#[derive(Deserialize)]
struct Percentiles {
    #[serde(rename = "50.000000")]
    p50: f64,
    #[serde(rename = "99.000000")]
    p99: f64,
}

/// Reads what fio printed: some lines of text may stand before the JSON.
pub(super) fn parse(stdout: &str) -> Result<Counted> {
    let begin = stdout.find('{').with_context(|| format!("fio printed no JSON: {}", stdout.trim()))?;
    let said: Said = serde_json::from_str(&stdout[begin..]).context("what fio printed")?;
    let [job] = &said.jobs[..] else { anyhow::bail!("fio printed {} groups", said.jobs.len()) };
    ensure!(job.error == 0, "fio: error {}", job.error);
    ensure!(job.read.total_ios > 0 && job.read.iops > 0.0, "fio read nothing in its time");
    let latency = job.read.lat_ns.percentile.as_ref().context("fio printed no latencies")?;
    Ok(Counted { operations_per_s: job.read.iops, p50_ns: latency.p50, p99_ns: latency.p99 })
}

#[cfg(test)]
mod tests {
    use super::{super::cell::Place, *};

    #[test]
    fn what_fio_printed_is_read() {
        let counted = parse(include_str!("fio.txt")).unwrap();
        assert_eq!(counted, Counted { operations_per_s: 33_651.162791, p50_ns: 95_744.0, p99_ns: 216_064.0 });
        assert!(parse("fio: no such engine").unwrap_err().to_string().contains("no such engine"));
    }

    #[test]
    fn a_thread_reads_a_part_of_its_own_where_nothing_may_be_cached() {
        let cell = |way| Cell { place: Place::Disk, access: Access::Cold, block: 4096, depth: 4, way };
        let line = |way| {
            let command = command(&cell(way), Path::new("/f"), 1 << 20, Duration::from_secs(1));
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert!(line(Way::Threads).contains("--numjobs=4 "), "{}", line(Way::Threads));
        assert!(line(Way::Threads).ends_with("--size=262144 --offset_increment=262144"));
        assert!(line(Way::RingPoll).contains("--sqthread_poll=1 --iodepth=4 "));
        assert!(line(Way::RingPoll).ends_with("--size=1048576 --offset_increment=1048576"));
    }
}
