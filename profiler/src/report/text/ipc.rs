//! IPC after returns, where hardware counters ran.

use super::{
    options::TextOptions,
    page::{Ink, Page},
};
use crate::answer::Report;
use crate::text::{clean::clean, fit::width};
use crate::words::{INDIRECT_COST, IPC_WINDOWS, SURVIVORS};

pub(super) fn render(page: &mut Page, report: &Report, options: &TextOptions) {
    let Some(ipc) = report.ipc.value() else { return };
    page.title("IPC AFTER RETURNS", IPC_WINDOWS);
    let mut rows = vec![ipc.heading().into_iter().map(str::to_owned).collect()];
    rows.extend(ipc.rows());
    page.table(&lines(&rows, page.width()));
    let mut line = |text: &str| page.wrapped_at(Ink::Plain, "  ", 4, &clean(text));
    line(&format!("{INDIRECT_COST}: {}", ipc.cost_words()));
    let sites = if options.verbose { options.top_sites } else { options.top_sites.min(3) };
    for site in ipc.sites.iter().filter(|s| s.cost.value().is_some()).take(sites) {
        line(&format!("{}: {}", site.name(), site.words()));
    }
    for curve in &ipc.curves {
        line(&format!("recovery after a {}: {}", curve.before.name(), curve.words()));
    }
    line(&ipc.coverage());
    if !ipc.curves.is_empty() {
        page.wrapped_at(Ink::Dim, "  ", 4, SURVIVORS);
    }
}

/// Rows in columns, all but the first on the right; columns that do not fit go, the last first.
fn lines(rows: &[Vec<String>], page: usize) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| width(cell)).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(wide).collect();
    while widths.len() > 1 && widths.iter().map(|w| w + 2).sum::<usize>() > page {
        widths.pop();
    }
    let line = |row: &Vec<String>| -> String {
        row.iter()
            .zip(&widths)
            .enumerate()
            .map(|(c, (cell, &columns))| {
                let pad = " ".repeat(columns.saturating_sub(width(cell)));
                if c == 0 { format!("  {cell}{pad}") } else { format!("  {pad}{cell}") }
            })
            .collect()
    };
    rows.iter().map(line).collect()
}
