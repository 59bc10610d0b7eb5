//! `cargo xtask vm`: the tool and its kernel tests on other kernels, under emulation.
//!
//! QEMU boots Debian's kernels of four series for two architectures into an archive of static
//! programs, with one emulated CPU for each guest. The lines that the guest prints are the result;
//! its exit code means nothing. On aarch64 the virtual CPU counts instructions, so the guest has a
//! PMU and every run is the same. The results are in docs/kernels.md.

mod case;
mod cell;
mod fetch;
mod guest;
mod initramfs;
mod options;
mod row;
mod run;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::case::Case;
use self::cell::{Cell, SERIES};
use self::fetch::Fetched;
use self::guest::GuestPrograms;
pub(crate) use self::options::Options;
use self::row::Row;
use self::run::{Guest, Outcome};
use crate::host::{arch::Arch, child, numbers::seconds};
use crate::say::say;

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let begun = Instant::now();
    let cells = cells(options);
    if cells.is_empty() {
        bail!("no kernel is both of these series and of these architectures, in that quarter");
    }
    if options.left_out {
        return cells.iter().try_for_each(|&cell| {
            let left_out = case::left_out(cell, options.brief).join("; ");
            say(&format!("{} {}: {left_out}", cell.arch.name(), cell.series))
        });
    }
    let matrix = Matrix { root, options, dir: root.join("target").join("vm") };
    fs::create_dir_all(&matrix.dir).with_context(|| format!("making {}", matrix.dir.display()))?;
    let mut programs = BTreeMap::new();
    // Fetches from the network while the CPUs build.
    let fetched = std::thread::scope(|scope| {
        let fetched = scope.spawn(|| fetch::fetch(&matrix.dir, &cells, options.refresh));
        for arch in Arch::ALL.into_iter().filter(|&arch| cells.iter().any(|cell| cell.arch == arch)) {
            programs.insert(arch, guest::build(root, arch, options)?);
        }
        fetched.join().unwrap_or_else(|_| bail!("fetching kernels panicked"))
    })?;
    let built = begun.elapsed();
    let rows = matrix.run(&cells, &fetched, &programs)?;
    let columns = table::columns(cells.iter().flat_map(|&cell| matrix.cases(cell)));
    say(&table::table(&rows, &columns))?;
    let (all, built) = (begun.elapsed().as_secs_f64(), built.as_secs_f64());
    say(&format!(
        "kernels: {} guests in {}, after {} of builds and downloads",
        rows.len(),
        seconds(all - built),
        seconds(built)
    ))?;
    verdict(&rows)
}

fn verdict(rows: &[Row]) -> Result<()> {
    let failed = rows.iter().filter(|row| row.has_outcome(|o| matches!(o, Outcome::Failed { .. }))).count();
    let not_run = rows.iter().filter(|row| row.has_outcome(|o| matches!(o, Outcome::NotRun { .. }))).count();
    if failed > 0 {
        bail!("tests failed on {failed} of {} kernels", rows.len());
    }
    if not_run > 0 && std::env::var_os("CI").is_some() {
        bail!("tests were not run on {not_run} of {} kernels, and CI must run them", rows.len());
    }
    Ok(())
}

fn cells(options: &Options) -> Vec<Cell> {
    let all = Arch::ALL.into_iter().flat_map(|arch| SERIES.map(|series| Cell { arch, series }));
    all.filter(|cell| options.arch.is_empty() || options.arch.contains(&cell.arch))
        .filter(|cell| options.kernels.is_empty() || options.kernels.iter().any(|series| series == cell.series))
        .filter(|cell| options.quarter.is_none_or(|quarter| quarter.has(*cell)))
        .collect()
}

/// Everything that guests have in common.
struct Matrix<'a> {
    root: &'a Path,
    options: &'a Options,
    dir: PathBuf,
}

impl Matrix<'_> {
    fn cases(&self, cell: Cell) -> Vec<Case> {
        if !self.options.command.is_empty() {
            let limit = Duration::from_secs(self.options.limit);
            return vec![Case { name: "command".into(), command: self.options.command.clone(), limit }];
        }
        let mut cases = case::all(self.root, cell, self.options.brief);
        let wanted = &self.options.filter;
        cases.retain(|case| wanted.is_empty() || wanted.iter().any(|part| case.name.contains(part)));
        cases
    }

    /// Runs the guests, some at a time.
    fn run(&self, cells: &[Cell], fetched: &Fetched, programs: &BTreeMap<Arch, GuestPrograms>) -> Result<Vec<Row>> {
        let left = Mutex::new(cells.iter().copied().enumerate());
        let rows = Mutex::new(BTreeMap::new());
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let work = || -> Result<()> {
                loop {
                    // A worker that panicked leaves the list as it was.
                    let next = left.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
                    let Some((index, cell)) = next else { return Ok(()) };
                    let row = self.run_cell(cell, fetched, &programs[&cell.arch])?;
                    rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(index, row);
                }
            };
            let workers: Vec<_> = (0..self.options.jobs.unwrap_or(cpus).max(1)).map(|_| scope.spawn(work)).collect();
            let done =
                workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| bail!("a guest's thread panicked")));
            done.collect::<Result<Vec<()>>>()
        })?;
        Ok(rows.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_values().collect())
    }

    /// Runs the cases of one cell in a guest.
    fn run_cell(&self, cell: Cell, fetched: &Fetched, programs: &GuestPrograms) -> Result<Row> {
        let cases = self.cases(cell);
        let cases: Vec<&Case> = cases.iter().collect();
        let (kernel, busybox) = match (&fetched.kernels[&cell], &fetched.busybox[&cell.arch]) {
            (Ok(kernel), Ok(busybox)) => (kernel, busybox),
            (Err(why), _) => return Ok(Row::not_run(cell, None, &cases, why)),
            (_, Err(why)) => return Ok(Row::not_run(cell, None, &cases, &format!("no busybox: {why}"))),
        };
        let name = format!("{}-{}", cell.arch.name(), cell.series);
        let initramfs = self.dir.join(format!("{name}.cpio"));
        guest::pack(&initramfs, self.root, programs, busybox, &cases, self.options)?;
        // A clock of instructions leaps over idle time, and the driver's time is up while the disk
        // works.
        let disk = (cell.arch == Arch::X86_64).then(|| self.dir.join(format!("{name}.disk")));
        disk.as_deref().map_or(Ok(()), guest::format)?;
        let log = self.dir.join(format!("{name}.log"));
        let guest =
            Guest { arch: cell.arch, kernel, initramfs: &initramfs, disk: disk.as_deref(), pmu: self.options.pmu, log };
        let ran = guest.run(&cases)?;
        // Each takes a hundred megabytes and is made in a second.
        fs::remove_file(&initramfs)?;
        disk.map_or(Ok(()), fs::remove_file)?;
        let mut row = Row {
            cell,
            version: Some(kernel.version.clone()),
            seconds: Some(ran.seconds),
            results: Vec::new(),
            failed: String::new(),
        };
        for (case, outcome) in cases.iter().zip(ran.outcomes) {
            if self.options.command.is_empty() {
                if !matches!(outcome, Outcome::Passed { .. }) {
                    let said = run::console_of(&ran.console, case);
                    row.failed.push_str(&format!("\n=== {name}: {}\n{said}", case.name));
                }
            } else {
                say(&format!("=== {name}\n{}", run::console_of(&ran.console, case).trim_end()))?;
            }
            row.results.push((case.name.clone(), outcome));
        }
        eprintln!("{name}: {}{}", seconds(ran.seconds), row.failed);
        Ok(row)
    }
}
