//! The smallest form of the suite, for CI: one row from installing to its result, on the real
//! kernel, with turns so short that no figure of it is kept. What must hold of every row is
//! checked, and no timing.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use super::{needs::Place, pair::WRONG, results::Results, rows};
use crate::{
    harness::{
        forecast::Mode,
        judge::head_start,
        results::{self, Cell, Settings, Status},
        run::{Run, SMALLEST},
    },
    host::{child, file::read_json, machine, numbers::millis, package},
};

/// The row: a server whose library Debian has, and whose source builds in a second.
const ROW: &str = "mhd-c8-epoll";
/// Its folder, apart from that of a whole run, whose files other commands read.
const FOLDER: &str = "pairs-smoke";
const SEED: u64 = 1;

/// How it ended.
pub(crate) enum Outcome {
    /// The row ran, and all that must hold does.
    Good(String),
    /// This machine cannot run it.
    NotRun(String),
}

/// Runs one pair for a short time.
pub(crate) fn run(root: &Path, programs: package::Pair, install: bool) -> Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::NotRun("needs root".to_owned()));
    }
    child::catch_interrupts()?;
    let place = Place::new(root, FOLDER, programs.workload)?;
    let file = place.folder.join("results.json");
    let chosen = rows::chosen(false, Some(ROW))?;
    let groups = rows::groups(&place, &chosen, Some(ROW), install)?;
    if let Some(why) = groups.iter().find_map(|group| group.obstacle.clone()) {
        return Ok(Outcome::NotRun(why));
    }
    let run = Run::smallest(rows::SUITE, &programs.tool, &place.folder);
    let mut found = Results::new(&machine::facts(root)?, settings());
    run.predict_and_measure(groups, &mut Rng::with_seed(SEED), |so_far| {
        found.settings.first_twin_unix_ns = so_far.first_twin_unix_ns;
        found.cells = so_far.cells;
        found.write(&file)
    })?;
    // Reads the results back from the file, as others do.
    let found: Results = read_json(&file)?;
    must_hold(&found)?;
    let answer = found.cells.iter().filter_map(|cell| Some(cell.prediction.as_ref()?.sentence.clone())).collect();
    Ok(Outcome::Good(answer))
}

fn settings() -> Settings {
    Settings {
        quick: true,
        only: Some(ROW.to_owned()),
        checks: 1,
        repeats: 1,
        turns: SMALLEST.turns,
        seed: SEED,
        turn_s: SMALLEST.length.as_secs_f64(),
        check_s: Mode::EXACT.length.as_secs_f64(),
        exact: Mode::EXACT.exact,
        first_twin_unix_ns: None,
    }
}

/// What holds of every row, however busy the machine is.
fn must_hold(found: &Results) -> Result<()> {
    let [cell] = &found.cells[..] else { anyhow::bail!("{} rows, not 1", found.cells.len()) };
    let Cell { id, scenario, twin, load, blocking, .. } = cell;
    ensure!(cell.status == Status::Done, "{id}: {}", cell.reason.as_deref().unwrap_or("no reason is given"));
    let complete = id == ROW && scenario.is_some() && twin.is_some() && load.is_some() && !blocking.is_empty();
    ensure!(complete, "{id}: a field of the row is empty: {cell:?}");
    let prediction = cell.prediction.as_ref().context("no prediction")?;
    ensure!(!WRONG.contains(&prediction.answer), "{id} is called {:?}: {}", prediction.answer, prediction.sentence);
    ensure!(
        prediction.saving.is_some_and(|saving| saving.is_sound()) != prediction.refused.is_some(),
        "{id}: neither a saving nor a reason, or both: {prediction:?}"
    );
    ensure!(prediction.others.is_some() && prediction.cpu_cores > 0.0, "{id}: {prediction:?}");
    let truth = cell.truth.as_ref().context("no truth")?;
    ensure!(truth.saving.is_sound(), "{id}: {:?} is no interval", truth.saving);
    // On the clock of the machine, which nobody may set meanwhile.
    for started in [found.settings.first_twin_unix_ns, truth.first_started_unix_ns] {
        let ahead = head_start(&found.cells, started).context("no time of a prediction or of a start")?;
        ensure!(ahead > 0.0, "{id}: an async form was started {} before the prediction was on disk", millis(-ahead));
    }
    for (form, runs) in [("blocking", &truth.blocking), ("async", &truth.twin)] {
        let [run] = &runs[..] else { anyhow::bail!("{id}: {} rounds of the {form} form", runs.len()) };
        worked(run).with_context(|| format!("{id}: the {form} form: {run:?}"))?;
    }
    Ok(())
}

/// A run did something, and has every figure that all machines have.
fn worked(run: &results::Run) -> Result<()> {
    ensure!(run.operations_per_s > 0.0 && run.cpu_cores > 0.0 && run.cpu_per_operation_ns > 0.0, "no work");
    ensure!(run.turns_ns.len() == SMALLEST.turns as usize, "{} turns", run.turns_ns.len());
    ensure!(run.interrupts.is_some() && run.others.is_some() && run.p99_ns.is_some(), "a figure is missing");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{judge::tests::cell, report::Answer, results::Truth, row::Scenario};

    fn good() -> Results {
        let run = results::Run {
            cpu_per_operation_ns: 10.0,
            turns_ns: vec![10.0; SMALLEST.turns as usize],
            operations_per_s: 5.0,
            cpu_cores: 0.5,
            interrupts: Some(0.0),
            between_cpus: None,
            others: Some(0.0),
            p99_ns: Some(1.0),
            beside: None,
        };
        let mut row = cell(ROW, Some([0.1, 0.2, 0.3]), [0.2; 3]);
        (row.scenario, row.twin) = (Some(Scenario::Level), Some("mhd --form epoll".to_owned()));
        row.load = Some("load".to_owned());
        let truth = row.truth.take().unwrap();
        row.truth =
            Some(Truth { first_started_unix_ns: Some(2), blocking: vec![run.clone()], twin: vec![run], ..truth });
        let mut found = Results::new(&[], settings());
        found.settings.first_twin_unix_ns = Some(2);
        found.cells = vec![row];
        found
    }

    #[test]
    fn a_row_that_ran_is_good() {
        must_hold(&good()).unwrap();
    }

    #[test]
    fn what_must_hold_of_a_row_is_checked() {
        let spoilt: [fn(&mut Results); 9] = [
            |found| found.cells.clear(),
            |found| found.cells[0].fail("measurement: it ended early"),
            |found| found.cells[0].load = None,
            |found| found.cells[0].prediction.as_mut().unwrap().answer = Answer::Locks,
            |found| found.cells[0].prediction.as_mut().unwrap().answer = Answer::AlreadyAsync,
            |found| found.cells[0].prediction.as_mut().unwrap().saving = None,
            |found| found.cells[0].prediction.as_mut().unwrap().at_unix_ns = Some(3),
            |found| found.cells[0].truth.as_mut().unwrap().twin[0].operations_per_s = 0.0,
            |found| found.cells[0].truth.as_mut().unwrap().blocking[0].p99_ns = None,
        ];
        for (i, spoil) in spoilt.iter().enumerate() {
            let mut found = good();
            spoil(&mut found);
            assert!(must_hold(&found).is_err(), "{i}");
        }
    }
}
