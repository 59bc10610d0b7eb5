//! The tables of files.md. A figure is the median of a row's runs, with their spread.

use std::collections::BTreeMap;

use super::{
    cell::{Access, BLOCK, Cell, DEPTH, Place, Way},
    compare::Against,
    program::{Hand, Kind, Reader},
    results::{Results, Row, Sample, Subject},
};
use crate::{
    harness::statistics::Interval,
    host::{
        markdown::table,
        numbers::{NA, bytes, count, decimal, with_range},
    },
};

/// A figure in a table whose heading has the unit.
fn figure(found: Option<Interval>, each: impl Fn(f64) -> String) -> String {
    found.map_or_else(|| NA.to_owned(), |found| with_range(found.ends(), each))
}

/// ns as µs, with as many digits as they deserve.
pub(super) fn micros(ns: f64) -> String {
    let us = ns / 1e3;
    if us < 100.0 { decimal(us, 2) } else { count(us) }
}

fn hundredths(value: f64) -> String {
    decimal(value, 2)
}

fn block(size: u32) -> String {
    if size < 1024 { format!("{size} B") } else { bytes(f64::from(size)) }
}

fn latency(which: usize) -> impl Fn(&Sample) -> Option<f64> {
    move |run| run.latency_ns.map(|both| both[which])
}

/// A pair of a place and a kind of access, with the block and the depth.
type Setting = (Place, Access, u32, u32);

fn settings(results: &Results) -> Vec<Setting> {
    let of = |row: &Row| match row.subject {
        Subject::Load(cell) => Some((cell.place, cell.access, cell.block, cell.depth)),
        _ => None,
    };
    let mut all: Vec<Setting> = results.rows.iter().filter_map(of).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A way against Linux AIO, in every setting where both ran.
pub(super) fn against_aio(results: &Results, way: Way) -> BTreeMap<Setting, Against> {
    let both = |(place, access, block, depth): Setting| {
        let row = |way| results.load(Cell { place, access, block, depth, way });
        Some(((place, access, block, depth), Against::new(row(way)?, row(Way::LinuxAio)?)?))
    };
    settings(results).into_iter().filter_map(both).collect()
}

/// The ways that are held against Linux AIO.
pub(super) const CHALLENGERS: [Way; 3] = [Way::Threads, Way::RingAsync, Way::Ring];

/// Each challenger against Linux AIO, where reads have 4 KiB.
pub(super) fn order(results: &Results) -> String {
    let found = CHALLENGERS.map(|way| against_aio(results, way));
    let text = |setting: &Setting, pick: fn(&Against) -> String| -> Vec<String> {
        found.iter().map(|all| all.get(setting).map_or_else(|| NA.to_owned(), pick)).collect()
    };
    let rows = settings(results).into_iter().filter(|&(_, _, size, _)| size == BLOCK).map(|setting| {
        let (place, access, _, depth) = setting;
        let mut row = vec![place.title().to_owned(), access.title().to_owned(), depth.to_string()];
        row.extend(text(&setting, |against| against.rate.text()));
        row.extend(text(&setting, |against| against.cpu.text()));
        row
    });
    let head = [
        "Place",
        "Access",
        "At once",
        "threads: reads",
        "workers: reads",
        "io_uring: reads",
        "threads: CPU",
        "workers: CPU",
        "io_uring: CPU",
    ];
    table(&head, rows.collect())
}

/// All ways at one depth, in each place, for CPU, rate and switches.
pub(super) fn ways(results: &Results, depth: u32) -> String {
    let settings = settings(results).into_iter().filter(|&(_, _, size, found)| (size, found) == (BLOCK, depth));
    let rows = settings.flat_map(|(place, access, block, depth)| {
        Way::ALL.map(|way| results.load(Cell { place, access, block, depth, way })).into_iter().flatten()
    });
    let lines = rows.filter_map(|row| match row.subject {
        Subject::Load(cell) => {
            let start = [cell.place.title(), cell.access.title(), cell.way.title()].map(str::to_owned);
            Some(start.into_iter().chain(figures(row)).collect())
        }
        _ => None,
    });
    table(&["Place", "Access", "Way", "Reads/s", "CPU, µs", "Switches", "p50, µs", "p99, µs"], lines.collect())
}

/// The CPU of a read by its size, on the disk.
pub(super) fn sizes(results: &Results) -> String {
    let here = |&(place, access, _, depth): &Setting| place == Place::Disk && access != Access::Cold && depth == DEPTH;
    let line = |(place, access, size, depth): Setting| {
        let cpu = |way| results.load(Cell { place, access, block: size, depth, way }).and_then(Row::cpu);
        let start = [access.title().to_owned(), block(size)];
        start.into_iter().chain(Way::ALL.map(|way| figure(cpu(way), micros))).collect()
    };
    let head: Vec<&str> = ["Access", "Block"].into_iter().chain(Way::ALL.map(Way::title)).collect();
    table(&head, settings(results).into_iter().filter(here).map(line).collect())
}

/// What every row of reads has.
fn figures(row: &Row) -> [String; 5] {
    [
        figure(row.rate(), count),
        figure(row.cpu(), micros),
        figure(row.figure(|run| Some(run.switches)), hundredths),
        figure(row.figure(latency(0)), micros),
        figure(row.figure(latency(1)), micros),
    ]
}

/// Every row of fio that ran, a table for each place and access.
pub(super) fn all(results: &Results) -> String {
    let mut parts: BTreeMap<(Place, Access), Vec<Vec<String>>> = BTreeMap::new();
    for row in results.rows.iter().filter(|row| !row.runs.is_empty()) {
        let Subject::Load(cell) = row.subject else { continue };
        let start = [block(cell.block), cell.depth.to_string(), cell.way.title().to_owned()];
        let stored = figure(row.figure(|run| run.from_storage), hundredths);
        let line = start.into_iter().chain(figures(row)).chain([stored]).collect();
        parts.entry((cell.place, cell.access)).or_default().push(line);
    }
    let head = ["Block", "At once", "Way", "Reads/s", "CPU, µs", "Switches", "p50, µs", "p99, µs", "From storage"];
    let part = |((place, access), rows): ((Place, Access), Vec<Vec<String>>)| {
        format!("### {}, {}\n\n{}", place.title(), access.title(), table(&head, rows))
    };
    parts.into_iter().map(part).collect::<Vec<_>>().join("\n")
}

/// How many switches a second each CPU does.
pub(super) fn switches(results: &Results) -> String {
    let line = |row: &Row| match row.subject {
        Subject::Hand(Hand { by, cpu }) => Some(vec![
            by.title().to_owned(),
            cpu.map_or_else(|| "all".to_owned(), |cpu| cpu.to_string()),
            figure(row.rate(), count),
            figure(row.cpu(), count),
        ]),
        _ => None,
    };
    let rows = results.rows.iter().filter(|row| !row.runs.is_empty()).filter_map(line);
    table(&["Handed over by", "CPU", "Switches/s", "ns each"], rows.collect())
}

/// The readers of our own, each place by itself.
pub(super) fn readers(results: &Results, place: Place, access: Access) -> String {
    let mut rows: Vec<(Reader, &Row)> = results
        .rows
        .iter()
        .filter(|row| !row.runs.is_empty())
        .filter_map(|row| match row.subject {
            Subject::Reader(reader) if (reader.place, reader.access) == (place, access) => Some((reader, row)),
            _ => None,
        })
        .collect();
    rows.sort_by_key(|(reader, _)| *reader);
    let line = |(reader, row): (Reader, &Row)| {
        let start = [reader.at_once.to_string(), Kind::title(reader.kind).to_owned()];
        let threads = figure(row.figure(|run| run.threads), count);
        start.into_iter().chain(figures(row)).chain([threads]).collect()
    };
    let head = ["At once", "Program", "Reads/s", "CPU, µs", "Switches", "p50, µs", "p99, µs", "OS threads"];
    table(&head, rows.into_iter().map(line).collect())
}

/// The rows without a run, with the reason; those with the same reason share a line.
pub(super) fn not_run(results: &Results) -> String {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in results.rows.iter().filter(|row| row.runs.is_empty()) {
        let why = row.not_run.as_deref().unwrap_or("the time was over");
        by_reason.entry(why).or_default().push(row.subject.id());
    }
    if by_reason.is_empty() {
        return "Every row ran.\n".to_owned();
    }
    let line = |(why, ids): (&str, Vec<String>)| vec![ids.join(", "), format!("not run: {why}")];
    table(&["Rows", "Why"], by_reason.into_iter().map(line).collect())
}
