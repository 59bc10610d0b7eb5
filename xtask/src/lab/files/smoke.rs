//! The smallest form of the suite, for CI: a cell of each way, a device with a latency, and a pair
//! of threads, run once with a very short window. No timing is checked.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    cell::{Access, BLOCK, Cell, Place, Way},
    program::{By, Hand, Kind, Reader},
    results::{Row, Subject},
    run::{Plan, Suite},
};
use crate::{host::child, pairs::smoke::Outcome};

const PLAN: Plan = Plan { window: Duration::from_millis(150), rounds: 1, lasts: Duration::from_secs(60), seed: 1 };

/// Runs it, with the programs of this folder if there is one.
pub(crate) fn run(root: &Path, binaries: Option<&Path>, install: bool) -> Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::NotRun("needs root".to_owned()));
    }
    child::catch_interrupts()?;
    let mut rows: Vec<Row> = subjects().into_iter().map(Row::new).collect();
    let suite = Suite::prepare(root, &rows, binaries, install)?;
    // The second time for what a stalled disk has stopped.
    suite.measure(&mut rows, &PLAN)?;
    suite.measure(&mut rows, &PLAN)?;
    drop(suite);
    for row in &rows {
        if let Some(why) = &row.not_run {
            return Ok(Outcome::NotRun(format!("{}: {why}", row.subject.id())));
        }
        must_hold(row).with_context(|| row.subject.id())?;
    }
    Ok(Outcome::Good(format!("{} rows", rows.len())))
}

fn subjects() -> Vec<Subject> {
    let load = |place, access, depth, way| Subject::Load(Cell { place, access, block: BLOCK, depth, way });
    let reader = |kind| Subject::Reader(Reader { place: Place::Slow, access: Access::Direct, at_once: 8, kind });
    let mut all: Vec<Subject> = Way::ALL.map(|way| load(Place::Slow, Access::Direct, 4, way)).to_vec();
    all.extend([
        load(Place::Disk, Access::Cached, 1, Way::Threads),
        load(Place::Disk, Access::Cold, 4, Way::Threads),
        reader(Kind::Go),
        reader(Kind::Ring),
        Subject::Hand(Hand { by: By::Futex, cpu: Some(0) }),
    ]);
    all
}

/// What holds of every row, however busy the machine is.
fn must_hold(row: &Row) -> Result<()> {
    let run = row.runs.first().context("no run")?;
    ensure!(run.operations_per_s > 0.0 && run.cpu_ns > 0.0 && run.others >= 0.0, "no work: {run:?}");
    let Subject::Load(cell) = row.subject else { return Ok(()) };
    let [p50, p99] = run.latency_ns.context("no latency")?;
    ensure!(p50 <= p99, "{run:?}");
    if cell.place == Place::Slow {
        ensure!(p50 >= 190_000.0, "a device of 0.2 ms answered within {p50} ns");
    }
    if cell.access == Access::Cached {
        // fio's own pages may come in meanwhile.
        let stored = run.from_storage.context("no bytes from storage")?;
        ensure!(stored < 0.01, "what is cached came from storage: {run:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_form_has_every_way() {
        let all = subjects();
        for way in Way::ALL {
            assert!(all.iter().any(|subject| matches!(subject, Subject::Load(cell) if cell.way == way)));
        }
    }
}
