//! From what was measured to the price list of this machine.

use super::result::{BlockRow, CrowdRow, DiskRow, Essentials, FileInterface, FileRow, Full, ReadRow, StepRow};
use crate::{
    machine::{BlockCost, Calibration, Cost, Crowd, DirectRead, FileCost, ReadCost, Step},
    quantity::{Estimate, Repeats},
};

/// The price list, at the pace at which it was measured. The caller adds where it comes from.
pub fn prices(found: &Essentials, full: Option<&Full>) -> Calibration {
    let direct = full.map_or(&[] as &[DiskRow], |full| &full.disk);
    Calibration {
        steps: found.steps.iter().map(Step::from).collect(),
        reads: found.reads.iter().map(ReadCost::from).collect(),
        blocks: found.blocks.iter().map(BlockCost::from).collect(),
        files: found.file.iter().map(FileCost::from).collect(),
        direct: direct.iter().filter_map(direct_read).collect(),
        crowd: found.crowd.iter().map(Crowd::from).collect(),
        relay: found.relay.iter().map(Crowd::from).collect(),
        pace: Some(found.pace),
        ..Calibration::default()
    }
}

/// The median with its 90 % interval.
fn cost(repeats: Repeats) -> Cost {
    repeats.estimate().into()
}

impl From<&StepRow> for Step {
    fn from(row: &StepRow) -> Self {
        // The price list subtracts `ready` again. What is left are the differences, whose intervals
        // are narrower than those of two costs.
        let ready = Estimate::exact(row.ready.median);
        let plus = |beyond: Repeats| {
            let Estimate { value, low, high } = beyond.estimate();
            let ready = ready.value;
            Cost::from(Estimate { value: ready + value, low: ready + low, high: ready + high })
        };
        Self {
            events: row.events,
            ready: ready.into(),
            level: plus(row.beyond.level),
            again: plus(row.beyond.again),
            runtime: row.beyond.runtime.map(plus),
            uring: row.beyond.uring.map(plus),
        }
    }
}

impl From<&ReadRow> for ReadCost {
    fn from(row: &ReadRow) -> Self {
        Self { class: row.medium.class(), bytes: row.bytes, cost: cost(row.cost) }
    }
}

impl From<&BlockRow> for BlockCost {
    fn from(row: &BlockRow) -> Self {
        Self {
            class: row.medium.class(),
            idle: row.via_idle.then_some(row.idle as f64),
            cost: cost(row.cost),
            wake: cost(row.wake),
        }
    }
}

impl From<&FileRow> for FileCost {
    fn from(row: &FileRow) -> Self {
        Self { depth: row.depth, pread: cost(row.pread), pool: row.pool.map(cost), uring: row.uring.map(cost) }
    }
}

impl From<&CrowdRow> for Crowd {
    fn from(row: &CrowdRow) -> Self {
        Self { threads: row.threads, cost: cost(row.colder) }
    }
}

/// A device or a hypervisor behaves differently from one moment to the next, so that the interval
/// is the scatter.
fn direct_read(row: &DiskRow) -> Option<DirectRead> {
    if !row.direct || row.interface != FileInterface::Uring {
        return None;
    }
    let cost = row.cpu.cost()?.scatter().into();
    Some(DirectRead { batch: row.depth, cost })
}
