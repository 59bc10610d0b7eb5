//! `cargo xtask bench scale`: what measuring costs by the size of the target: threads, processes,
//! call sites, and the length of a recording. Each step from one size to the next is judged.

mod growth;
mod measure;
mod plot;
mod results;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::{
    growth::Growth,
    results::{Axis, Results, Row, Series},
};
use super::machine::SUITE;
use crate::{
    host::{
        child,
        file::{Scratch, between, read_json, write_json},
        machine, markdown,
        numbers::{NA, count},
        package::{CROWD, Pair},
    },
    say::{self, say},
};

/// The section of docs/performance.md that this writes.
pub(super) const SECTION: (&str, &str) = ("<!-- scale: begin -->\n", "<!-- scale: end -->\n");

/// The longest recording of a quick run, seconds.
const QUICK_RECORDING: u64 = 16;

/// What measuring costs by the size of the target, and whether it grows too fast.
#[derive(Args)]
pub(super) struct Options {
    /// Only these series.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Axis>,
    /// Sizes up to this.
    #[arg(long, default_value_t = u64::MAX)]
    up_to: u64,
    /// Rounds; each measures every size once, in random order.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// One round, and no recording of more than 16 s: some minutes in place of half an hour.
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Writes docs/scale and the section of docs/performance.md. Series that are not measured now
    /// stay as they were.
    #[arg(long)]
    write: bool,
    /// A folder with the programs, to measure another build; without it they are built here.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Measures nothing: the table of the kept results.
    #[arg(long)]
    table: bool,
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let folder = root.join("docs").join("scale");
    let kept = folder.join("results.json");
    let mut results: Results = if kept.exists() { read_json(&kept)? } else { Results::default() };
    if !options.table {
        let programs = Pair::find(root, CROWD, options.programs.as_deref())?;
        let scratch = Scratch::new("scale")?;
        let wanted = |axis: &Axis| options.only.is_empty() || options.only.contains(axis);
        for axis in Axis::ALL.into_iter().filter(wanted) {
            results.replace(series(root, &programs, axis, options, &scratch)?);
        }
    }
    let text = table::section(&results);
    say(&text)?;
    if options.write {
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        write_json(&results, &kept)?;
        plot::draw(&results, &folder.join("growth.svg"))?;
        let path = root.join("docs").join("performance.md");
        let document = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        markdown::write(&path, &between(&document, SECTION, &text)?)?;
        say(&format!("written: {} and {}", folder.display(), path.display()))?;
    }
    let judged = table::judged(&results);
    let fast = judged.iter().flat_map(|(_, _, steps)| steps).filter(|step| step.growth == Growth::TooFast).count();
    let failed = results.series.iter().flat_map(|series| &series.rows).filter(|row| row.failed.is_some()).count();
    let missed = table::bars(&results).iter().filter(|bar| bar.found.is_ok() && !bar.holds()).count();
    ensure!(
        fast + missed + failed == 0,
        "{fast} steps grow faster than n·log n, {missed} bars not met, {failed} sizes failed"
    );
    Ok(())
}

/// Measures one axis: all sizes in every round.
fn series(root: &Path, programs: &Pair, axis: Axis, options: &Options, scratch: &Path) -> Result<Series> {
    let rounds = if options.quick { 1 } else { options.rounds };
    let most = if options.quick && axis == Axis::Recording { QUICK_RECORDING } else { u64::MAX };
    let sizes = axis.sizes().iter().filter(|size| **size <= options.up_to.min(most));
    let mut rows: Vec<Row> =
        sizes.map(|&size| Row { size, not_run: measure::cannot(axis, size), ..Row::default() }).collect();
    for round in 0..rounds {
        let mut order: Vec<&mut Row> = rows.iter_mut().filter(|row| row.runs()).collect();
        fastrand::shuffle(&mut order);
        for row in order {
            say::progress(
                SUITE,
                &format!("round {}/{rounds}: {} {}", round + 1, count(row.size as f64), axis.title()),
            )?;
            let found = match measure::size(programs, axis, row.size, scratch) {
                Ok(found) => found,
                Err(error) => {
                    child::check_interrupt()?;
                    say::progress(SUITE, &format!("  failed: {error:#}"))?;
                    row.failed = Some(format!("{error:#}"));
                    continue;
                }
            };
            for (kind, value) in found {
                say::progress(SUITE, &format!("  {}: {}", kind.title(), kind.print(value)))?;
                row.figures.entry(kind).or_default().push(value);
            }
        }
    }
    let mut facts: Vec<(String, String)> =
        machine::facts(root)?.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    facts.push(("Load of the last 15 minutes".to_owned(), load.split(' ').nth(2).unwrap_or(NA).to_owned()));
    Ok(Series { axis, facts, rounds, rows })
}

/// The section as it stands in a document: whoever writes the rest of it leaves it as it is.
pub(super) fn kept_section(document: &str) -> String {
    let (begin, end) = SECTION;
    let kept = document.split_once(begin).and_then(|(_, rest)| Some(rest.split_once(end)?.0));
    format!("{begin}{}{end}", kept.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{results::Kind, *};

    fn results(of: impl Fn(f64) -> f64) -> Results {
        let row = |size: u64| {
            let value = of(size as f64);
            let figures = BTreeMap::from([(Kind::End, vec![value, value * 1.01]), (Kind::Live, vec![0.04])]);
            Row { size, figures, ..Row::default() }
        };
        let mut rows: Vec<Row> = [10, 100, 10_000].map(row).into();
        rows.push(Row { size: 50_000, not_run: Some("kernel.pid_max is 32768".to_owned()), ..Row::default() });
        let series = Series { axis: Axis::Threads, facts: vec![("Date".into(), "today".into())], rounds: 2, rows };
        Results { series: vec![series] }
    }

    fn too_fast(results: &Results) -> usize {
        let judged = table::judged(results);
        judged.iter().flat_map(|(_, _, steps)| steps).filter(|step| step.growth == Growth::TooFast).count()
    }

    /// The judge fails what grows like a square, and shows it; what grows in proportion passes.
    #[test]
    fn the_judge_can_fail() {
        let square = results(|n| n * n * 1e-6);
        assert_eq!(too_fast(&square), 2);
        assert!(table::section(&square).contains("**FASTER THAN n·log n**"));
        let linear = results(|n| 0.2 + n * 1e-6);
        assert_eq!(too_fast(&linear), 0);
        assert!(!table::section(&linear).contains("FASTER"));
    }

    #[test]
    fn a_size_that_was_not_run_says_why_and_no_cell_is_blank() {
        let text = table::section(&results(|n| n));
        assert!(text.contains("| 50,000  | not run: kernel.pid_max is 32768"), "{text}");
        assert!(text.contains("n/a: not measured"), "memory of live: {text}");
        assert!(!text.lines().any(|line| line.starts_with("| ") && line.contains("|  ")), "{text}");
    }

    #[test]
    fn a_picture_and_a_file_hold_what_was_found() {
        let scratch = Scratch::new("scale").unwrap();
        let (found, path) = (results(|n| n), scratch.join("results.json"));
        write_json(&found, &path).unwrap();
        assert_eq!(read_json::<Results>(&path).unwrap(), found);
        plot::draw(&found, &scratch.join("growth.svg")).unwrap();
        assert!(fs::read_to_string(scratch.join("growth.svg")).unwrap().contains("harvest and report"));
    }

    #[test]
    fn a_section_stays_when_the_rest_is_written_anew() {
        let (begin, end) = SECTION;
        let section = format!("{begin}kept\n{end}");
        assert_eq!(kept_section(&format!("a\n{section}b\n")), section);
        assert_eq!(kept_section("without"), format!("{begin}{end}"));
    }
}
