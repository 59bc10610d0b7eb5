//! The check against the kernel's own counters.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::numbers::{NA, short};
use crate::{
    answer::{Check, Counted, Report},
    quantity::Nanos,
    words::{self, Compared},
};

pub(super) fn render(page: &mut Page, report: &Report) {
    let check = &report.check;
    page.title("CHECK", Check::TITLE);
    let mut table =
        Table::new([("", Side::Left), ("ours", Side::Right), ("kernel", Side::Right), ("difference", Side::Right)], 0);
    for (name, counted) in check.counted() {
        table.row([name.in_full(), short(counted.ours), short(counted.kernel), words::counts(counted)]);
    }
    let time = |table: &mut Table<4>, name: Compared, counted: Counted| {
        let [ours, kernel] = [counted.ours, counted.kernel].map(|ns| Nanos::from_nanos(ns).to_string());
        table.row([name.in_full(), ours, kernel, words::times(counted)]);
    };
    for (name, counted) in check.timed() {
        time(&mut table, name, counted);
    }
    match check.process_cpu {
        Some(cpu) => time(&mut table, Check::IN_ALL, cpu),
        None => table.row([Check::IN_ALL.in_full(), report.cpu.total.to_string(), NA.to_owned(), NA.to_owned()]),
    }
    page.table(&table.lines(2, page.width()));
    if check.process_cpu.is_none() {
        page.wrapped_at(Ink::Dim, "  ", 4, &format!("{NA}: {}", report.no_clock()));
    }
    if check.charge != 0 {
        let why = "a wake-up that ends a CPU's idling: the kernel charges the thread from there on, we from the switch on; the \
                   kernel leaves out what a hypervisor steals";
        page.wrapped_at(Ink::Dim, "  ", 4, why);
    }
    if let Some(differing) = check.differing() {
        page.wrapped_at(Ink::Bold, "  !! ", 5, &differing);
    }
    if let Some(left) = report.left_over() {
        page.wrapped_at(Ink::Plain, "  ", 4, &left);
    }
}
