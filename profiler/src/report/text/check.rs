//! The check against the kernel's own counters.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::numbers::{NA, difference, residual, short, span};
use crate::{
    answer::{Counted, Report},
    quantity::Nanos,
};

/// Threads named before the list is cut.
const NAMED: usize = 12;

pub(super) fn render(page: &mut Page, report: &Report) {
    let check = &report.check;
    page.title("CHECK", "against the kernel's own counters over the same interval");
    let mut table =
        Table::new([("", Side::Left), ("ours", Side::Right), ("kernel", Side::Right), ("difference", Side::Right)], 0);
    for (name, counted) in [
        ("voluntary switches", check.voluntary),
        ("involuntary switches", check.involuntary),
        ("blocks of all classes, against voluntary switches", check.blocks),
    ] {
        table.row([name.to_owned(), short(counted.ours), short(counted.kernel), counts(counted)]);
    }
    let time = |table: &mut Table<4>, name: &str, counted: Counted| {
        let [ours, kernel] = [counted.ours, counted.kernel].map(|ns| Nanos::from_nanos(ns).to_string());
        table.row([name.to_owned(), ours, kernel, times(counted)]);
    };
    time(&mut table, "CPU by the tracepoints, against sum_exec_runtime", check.cpu);
    let charged = Counted { ours: check.cpu.ours.saturating_add_signed(check.charge), kernel: check.cpu.kernel };
    time(&mut table, &format!("  with the {} that the kernel charges otherwise", span(check.charge as f64)), charged);
    match check.process_cpu {
        Some(cpu) => time(&mut table, "CPU in all, against the process's CPU clock", cpu),
        None => table.row([
            "CPU in all, against the process's CPU clock".to_owned(),
            report.cpu.total.to_string(),
            NA.to_owned(),
            NA.to_owned(),
        ]),
    }
    page.table(&table.lines(2, page.width()));
    if check.charge != 0 {
        let why = "where a wake-up ends a CPU's idling, the kernel charges the thread from there, we from the switch; what a \
                   hypervisor steals it leaves out";
        page.wrapped_at(Ink::Dim, "  ", 4, why);
    }
    differing(page, &check.threads_that_differ);
    if report.wall.total == Nanos::ZERO || report.cpu.total == Nanos::ZERO {
        return;
    }
    let share = |ns: f64, whole: Nanos| residual(ns / whole.as_nanos() as f64);
    let left = report.wall.unknown + report.wall.excess;
    page.wrapped_at(
        Ink::Plain,
        "  ",
        4,
        &format!(
            "ledgers: {} of the wall time unknown or counted twice, {} of the CPU left as rest",
            share(left.as_nanos() as f64, report.wall.total),
            share(report.cpu.rest.round(), report.cpu.total)
        ),
    );
}

fn counts(counted: Counted) -> String {
    difference(counted.difference())
}

fn times(counted: Counted) -> String {
    match counted.ratio() {
        _ if counted.difference() == 0 => "exact".to_owned(),
        Some(ratio) if ratio > 0.0 => format!("+{}", residual(ratio)),
        Some(ratio) => residual(ratio),
        None => span(counted.difference() as f64),
    }
}

fn differing(page: &mut Page, threads: &[u32]) {
    if threads.is_empty() {
        return;
    }
    let mut named: Vec<String> = threads.iter().take(NAMED).map(u32::to_string).collect();
    if threads.len() > NAMED {
        named.push(format!("… and {} more", threads.len() - NAMED));
    }
    page.wrapped_at(Ink::Bold, "  !! ", 5, &format!("counts differ in threads {}", named.join(", ")));
}
