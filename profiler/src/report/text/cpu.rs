//! report/text/cpu: the CPU ledger.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
    words::figure,
};
use crate::text::{
    clean::clean,
    numbers::{NA, part, share, span},
};
use crate::{
    answer::{CpuLedger, Note, Report},
    quantity::{Figure, Nanos},
    words::{self, provenance},
};

pub(super) fn render(page: &mut Page, report: &Report) {
    let cpu = &report.cpu;
    page.title("CPU", CpuLedger::TITLE);
    if cpu.total == Nanos::ZERO {
        page.line(Ink::Plain, &format!("  {NA}: {}", words::NO_CPU));
        return;
    }
    let lines = cpu.lines();
    let mut table =
        Table::new([("", Side::Left), ("time", Side::Right), ("share", Side::Right), ("provenance", Side::Left)], 0);
    for (name, line) in &lines {
        let share = line.value().map_or_else(|| NA.to_owned(), |&ns| part(ns, cpu.whole()));
        let origin = if line.value().is_some() { line.provenance().name() } else { "" };
        table.row([(*name).to_owned(), figure(line, |&ns| span(ns)), share, origin.to_owned()]);
    }
    // Less than a nanosecond is rounding of floating point, not a rest of the ledger.
    let rest = cpu.rest.round();
    // Softirqs are no part of their own where they are not hooked: they are inside the lines above.
    table.row(["rest".to_owned(), span(rest), part(rest, cpu.whole()), cpu.rest_note().to_owned()]);
    table.row(["total".to_owned(), cpu.total.to_string(), share(cpu.total, cpu.whole()), String::new()]);
    page.table(&table.lines(2, page.width()));
    page.wrapped_at(Ink::Plain, "  ", 4, &cpu.composition());
    if let Some(refused) = cpu.refused() {
        page.wrapped_at(Ink::Plain, "  ", 4, &refused);
    }
    notes(page, &lines);
}

/// Assumptions and reasons, each once, with the lines that rest on it.
fn notes(page: &mut Page, lines: &[(&str, Figure<f64, Note>)]) {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, line) in lines.iter().filter(|(_, line)| line.note().is_some()) {
        let note = clean(&provenance(line));
        match said.iter_mut().find(|(other, _)| *other == note) {
            Some((_, names)) => names.push(name),
            None => said.push((note, vec![name])),
        }
    }
    for (note, names) in said {
        page.wrapped_at(Ink::Dim, "  ", 4, &format!("{} {note}", names.join(" and ")));
    }
}
