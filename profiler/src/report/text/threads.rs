//! report/text/threads: the threads and their roles.

use super::{
    options::TextOptions,
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::{
    clean::clean,
    numbers::{NA, maybe, short},
};
use crate::{
    aggregate::Role,
    answer::{Report, ThreadView},
    quantity::Nanos,
    words::{self, InWords as _},
};

pub(super) fn render(page: &mut Page, report: &Report, options: &TextOptions) {
    page.title("THREADS", if report.threads.is_empty() { "" } else { words::THREADS_ORDER });
    if report.threads.is_empty() {
        page.line(Ink::Plain, &format!("  {NA}: {}", words::NO_THREAD));
        return;
    }
    let mut table = Table::new(
        [
            ("tid", Side::Right),
            ("name", Side::Left),
            ("role", Side::Left),
            ("CPU", Side::Right),
            ("run-q", Side::Right),
            ("blocked", Side::Right),
            ("mostly on", Side::Left),
            ("voluntary", Side::Right),
            ("invol.", Side::Right),
            ("burst", Side::Right),
        ],
        1,
    );
    let shown = options.top_threads.min(report.threads.len());
    for thread in report.threads.iter().take(shown) {
        let name = if thread.name.is_empty() { words::NO_NAME.to_owned() } else { clean(&thread.name) };
        table.row([
            thread.tid.to_string(),
            name,
            thread.role.role.name().to_owned(),
            thread.cpu.to_string(),
            thread.run_delay.to_string(),
            thread.blocked.to_string(),
            thread.mostly.map_or(NA, |c| c.name()).to_owned(),
            short(thread.voluntary),
            short(thread.involuntary),
            maybe(thread.burst_mean),
        ]);
    }
    if shown > 0 {
        page.table(&table.lines(2, page.width()));
    }
    if shown > 0 {
        bases(page, report.threads.iter().take(shown));
    }
    let rest = report.threads.len() - shown;
    if rest > 0 {
        let cpu: Nanos = report.threads.iter().skip(shown).map(|t| t.cpu).sum();
        page.line(Ink::Plain, &format!("  {}", words::more_threads(rest, cpu)));
    }
    if shown > 0 {
        page.wrapped_at(Ink::Dim, "  ", 4, words::THREAD_COLUMNS);
    }
}

/// What told each role, by the busiest thread that has it.
fn bases<'a>(page: &mut Page, threads: impl Iterator<Item = &'a ThreadView>) {
    let mut shown: Vec<Role> = Vec::new();
    let mut bases: Vec<String> = Vec::new();
    for ThreadView { tid, role, .. } in threads {
        if !shown.contains(&role.role) {
            shown.push(role.role);
            bases.push(format!("{} ({tid}): {}", role.role.name(), role.basis.in_words()));
        }
    }
    page.wrapped_at(Ink::Dim, "  ", 4, &format!("roles {}: {}", words::TOLD_FROM, bases.join("; ")));
}
