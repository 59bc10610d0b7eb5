//! One run of a cell: what fio counts, and beside it the CPU time and the switches of its process.
//!
//! The workers of rings and their polling threads are threads of fio's process, so its CPU clock
//! has them. Interrupts, the threads of loop devices and the FUSE program are not in it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{cell::Cell, fio, results::Sample};
use crate::host::{
    child::{Running, pause, wait_until},
    clocks,
};

/// fio calibrates its clock and starts all threads within this.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// fio's main thread, and one that looks after the others.
const BESIDE: u64 = 2;
/// Time between the end of the look and fio's own.
const REST: Duration = Duration::from_millis(30);

/// What a process has used so far.
struct Used {
    at: Instant,
    cpu: Duration,
    switches: u64,
    stored: u64,
    machine: Duration,
}

impl Used {
    fn read(pid: u32) -> Result<Self> {
        let switches = clocks::switches(pid)?;
        let stored = clocks::bytes_from_storage(pid).context("fio has no /proc/PID/io")?;
        // The clocks last: reading the files of many threads takes a while.
        let machine = clocks::machine_busy()?;
        Ok(Self { cpu: clocks::process_cpu(pid)?, at: Instant::now(), switches, stored, machine })
    }
}

/// Runs a cell once, on a file of so many bytes, and looks at it for `window`.
pub(super) fn run(cell: &Cell, file: &Path, bytes: u64, window: Duration) -> Result<Sample> {
    let mut fio = Running::start(&mut fio::command(cell, file, bytes, window + fio::RAMP))?;
    let threads = u64::from(fio::jobs(cell)) + BESIDE;
    wait_until("fio has not started its threads", STARTS_WITHIN, || {
        Ok(fio.poll()? || clocks::threads(fio.pid()).is_some_and(|found| found >= threads))
    })?;
    fio.check_alive()?;
    pause(fio::RAMP)?;
    let before = Used::read(fio.pid())?;
    pause(window.saturating_sub(REST))?;
    let after = Used::read(fio.pid()).context("fio ended early")?;
    let counted = fio::parse(&fio.wait(ENDS_WITHIN)?.stdout)?;
    let seconds = (after.at - before.at).as_secs_f64();
    let operations = counted.operations_per_s * seconds;
    let cpu = after.cpu.saturating_sub(before.cpu);
    let others = after.machine.saturating_sub(before.machine).saturating_sub(cpu);
    let from_storage = after.stored.saturating_sub(before.stored) as f64 / (operations * f64::from(cell.block));
    Ok(Sample {
        operations_per_s: counted.operations_per_s,
        cpu_ns: cpu.as_secs_f64() * 1e9 / operations,
        switches: after.switches.saturating_sub(before.switches) as f64 / operations,
        latency_ns: Some([counted.p50_ns, counted.p99_ns]),
        from_storage: Some(from_storage),
        threads: None,
        others: others.as_secs_f64() / seconds,
    })
}
