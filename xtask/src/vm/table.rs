//! Kernel × test, as a table.

use super::{case::Case, cell::Cell, row::Row, run::Outcome};
use crate::host::{
    markdown,
    numbers::{self, NA, tenths},
};

/// One row a kernel, one column a test.
pub(super) fn table(rows: &[Row], columns: &[String]) -> String {
    let mut head = vec!["kernel"];
    head.extend(columns.iter().map(String::as_str));
    head.push("in all");
    markdown::table(&head, rows.iter().map(|row| line(row, columns)).collect())
}

fn line(row: &Row, columns: &[String]) -> Vec<String> {
    let mut cells = vec![title(row.cell, row.version.as_deref())];
    cells.extend(columns.iter().map(|column| row.outcome(column).map_or_else(|| NA.to_owned(), text)));
    cells.push(row.seconds.map_or_else(|| NA.to_owned(), numbers::seconds));
    cells
}

fn title(cell: Cell, version: Option<&str>) -> String {
    format!("{} {}", cell.arch.name(), version.unwrap_or(cell.series))
}

fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed { tests: Some(tests), seconds } => format!("ok, {tests} in {}", tenths(*seconds)),
        Outcome::Passed { tests: None, seconds } => format!("ok, {}", tenths(*seconds)),
        Outcome::Failed { why } => format!("FAILED: {why}"),
        Outcome::NotRun { why } => format!("not run: {why}"),
    }
}

/// The columns of all rows, in the order of the first that has them.
pub(super) fn columns(cases: impl Iterator<Item = Case>) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for case in cases {
        if !columns.contains(&case.name) {
            columns.push(case.name);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::arch::Arch;

    #[test]
    fn a_cell_says_what_happened() {
        let row = Row {
            cell: Cell { arch: Arch::Aarch64, series: "5.10" },
            version: Some("5.10.223-1".into()),
            seconds: Some(41.6),
            results: vec![
                ("exact".into(), Outcome::Passed { tests: Some(12), seconds: 3.25 }),
                ("edges".into(), Outcome::Failed { why: "2 failed".into() }),
            ],
            failed: String::new(),
        };
        let not_booted = Row::not_run(row.cell, None, &[], "no kernel");
        assert_eq!(line(&not_booted, &[]), ["aarch64 5.10", NA]);
        let columns = ["exact", "edges", "ipc"].map(str::to_owned);
        let expected = ["aarch64 5.10.223-1", "ok, 12 in 3.2 s", "FAILED: 2 failed", "n/a", "42 s"];
        assert_eq!(line(&row, &columns), expected);
    }
}
