//! From what was measured to the price list of this machine.

use super::result::{
    BlockRow, CrowdRow, DiskRow, Essentials, FileInterface, FileRow, Full, HandOverRow, ReadRow, SteadyRow, StepRow,
};
use crate::{
    machine::{BlockCost, Crowd, DirectRead, FileCost, HandOverCost, PriceList, Queue, ReadCost, Source, Step},
    quantity::{Estimate, Repeats},
};

/// The price list, at the pace at which it was measured. The caller adds where it comes from.
pub fn prices(found: &Essentials, full: Option<&Full>) -> PriceList {
    let direct = full.map_or(&[] as &[DiskRow], |full| &full.disk);
    let steady = full.map_or(&[] as &[SteadyRow], |full| &full.steady).iter().filter_map(steady);
    PriceList {
        steps: found.steps.iter().map(Step::from).collect(),
        reads: found.reads.iter().map(ReadCost::from).collect(),
        blocks: found.blocks.iter().map(BlockCost::from).collect(),
        files: found.file.iter().map(FileCost::from).collect(),
        direct: direct.iter().filter_map(direct_read).chain(steady).collect(),
        crowd: found.crowd.iter().map(Crowd::from).collect(),
        relay: found.relay.iter().map(Crowd::from).collect(),
        hand_overs: found.hand_overs.iter().map(HandOverCost::from).collect(),
        pace: Some(found.pace),
        source: Source::default(),
        runtime: None,
    }
}

impl From<&StepRow> for Step {
    fn from(row: &StepRow) -> Self {
        // The price list subtracts `ready` again. What is left are the differences, whose intervals
        // are narrower than those of two costs.
        let ready = row.ready.median;
        let plus = |beyond: Repeats| beyond.estimate().plus_exactly(ready);
        Self {
            events: row.events,
            ready: Estimate::exact(ready),
            level: plus(row.beyond.level),
            again: plus(row.beyond.again),
            runtime: row.beyond.runtime.map(plus),
            uring: row.beyond.uring.map(plus),
        }
    }
}

impl From<&ReadRow> for ReadCost {
    fn from(row: &ReadRow) -> Self {
        Self { class: row.medium.class(), bytes: row.bytes, cost: row.cost.estimate() }
    }
}

impl From<&BlockRow> for BlockCost {
    fn from(row: &BlockRow) -> Self {
        Self {
            class: row.medium.class(),
            idle: row.via_idle.then_some(row.idle as f64),
            cost: row.cost.estimate(),
            wake: row.wake.estimate(),
        }
    }
}

impl From<&FileRow> for FileCost {
    fn from(row: &FileRow) -> Self {
        Self {
            depth: row.depth,
            pread: row.pread.estimate(),
            pool: row.pool.map(Repeats::estimate),
            uring: row.uring.map(Repeats::estimate),
        }
    }
}

impl From<&CrowdRow> for Crowd {
    fn from(row: &CrowdRow) -> Self {
        Self { threads: row.threads, cost: row.colder.estimate() }
    }
}

impl From<&HandOverRow> for HandOverCost {
    fn from(row: &HandOverRow) -> Self {
        Self { class: row.class, via_idle: row.via_idle, cost: row.cost.estimate() }
    }
}

/// A device or a hypervisor behaves differently from one moment to the next, so that the interval
/// is the scatter.
fn direct_read(row: &DiskRow) -> Option<DirectRead> {
    let queue = match row.interface {
        FileInterface::Uring => Queue::Ring,
        FileInterface::LinuxAio => Queue::Aio,
        _ => return None,
    };
    let cost = row.cpu.cost().filter(|_| row.direct)?.scatter();
    Some(DirectRead { batch: row.depth, depth: None, write: false, queue, cost })
}

pub(super) fn steady(row: &SteadyRow) -> Option<DirectRead> {
    let SteadyRow { queue, write, depth, batch, ref cpu } = *row;
    Some(DirectRead { batch, depth: Some(depth), write, queue, cost: cpu.cost()?.scatter() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calibrate::result::{Beyond, Figure},
        machine::{At, Way},
    };

    /// So many repeats that the interval of the median is 1 % wide on each side.
    fn sure(median: f64) -> Repeats {
        Repeats { median, low: median, high: median, repeats: 400 }
    }

    #[test]
    fn a_step_costs_what_its_repeats_differ_by_and_not_the_difference_of_medians() {
        let beyond = Beyond { level: sure(400.0), again: sure(600.0), runtime: None, uring: Some(sure(-50.0)) };
        let row = StepRow {
            events: 1,
            ready: Repeats { median: 2_000.0, low: 1_000.0, high: 4_000.0, repeats: 9 },
            level: sure(2_500.0),
            again: sure(2_700.0),
            runtime: None,
            uring: Some(sure(2_000.0)),
            beyond,
        };
        let list = PriceList { steps: vec![Step::from(&row)], ..PriceList::default() };
        let naive = list.tax(Way::Naive, At::events(1.0)).unwrap();
        assert_eq!((naive.low, naive.value, naive.high), (594.0, 600.0, 606.0), "how `ready` scatters is not in it");
        assert_eq!(list.tax(Way::Tuned, At::events(1.0)).unwrap().value, -50.0);
        assert_eq!(list.tax(Way::Runtime, At::events(1.0)), None);
    }

    #[test]
    fn only_direct_reads_through_a_queue_have_a_price_and_it_is_as_unsure_as_they_scatter() {
        let cpu = Figure::Measured(Repeats { median: 2_000.0, low: 1_500.0, high: 4_000.0, repeats: 41 });
        let row = |interface, direct, cpu: &Figure| DiskRow {
            interface,
            direct,
            depth: 8,
            cpu: cpu.clone(),
            latency: Figure::unavailable(""),
        };
        let found = direct_read(&row(FileInterface::Uring, true, &cpu)).unwrap();
        assert_eq!((found.batch, found.cost.low, found.cost.value, found.cost.high), (8, 1_500.0, 2_000.0, 4_000.0));
        let aio = direct_read(&row(FileInterface::LinuxAio, true, &cpu)).unwrap();
        assert_eq!((found.queue, aio.queue), (Queue::Ring, Queue::Aio));
        assert_eq!(direct_read(&row(FileInterface::Uring, false, &cpu)), None);
        assert_eq!(direct_read(&row(FileInterface::Threads, true, &cpu)), None);
        assert_eq!(direct_read(&row(FileInterface::Uring, true, &Figure::unavailable("no disk"))), None);
    }
}
