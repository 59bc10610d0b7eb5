//! report/text/top: the machine at a glance, a row for each process, container or control group.

use super::{
    options::TextOptions,
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::{
    answer::{By, Top, TopRow},
    text::{
        clean::clean,
        numbers::{count, per_second, percent, plural},
    },
    words,
};

/// A list of rows, and what it cost to make it.
pub fn top(top: &Top, rows: usize, options: &TextOptions) -> String {
    let mut page = Page::new(options.width.max(TextOptions::MIN_WIDTH), options.color);
    page.line(Ink::Bold, &top.title());
    let mut table = Table::new(
        [
            ("cost", Side::Right),
            ("of its", Side::Right),
            ("CPU", Side::Right),
            ("blocks", Side::Right),
            ("mostly on", Side::Left),
            ("role", Side::Left),
            ("threads", Side::Right),
            ("pid", Side::Right),
            ("name", Side::Left),
            ("async?", Side::Left),
        ],
        // A command's name is short, those of groups are long.
        if top.by == By::Process { 9 } else { 8 },
    );
    let shown = rows.min(top.rows.len());
    top.rows.iter().take(shown).for_each(|row| table.row(cells(row)));
    page.table(&table.lines(2, page.width()));
    let rest = &top.rows[shown..];
    if !rest.is_empty() {
        let cpu = rest.iter().map(|row| row.cpu).sum::<f64>();
        let more = plural(rest.len() as u64, "row more", "rows more");
        page.line(Ink::Plain, &format!("  {more}, with {} of a CPU together (-n shows more)", percent(cpu)));
    }
    page.wrapped_at(Ink::Plain, "  ", 4, &top.sum());
    page.wrapped_at(Ink::Plain, "  ", 4, &top.overhead_words());
    if let Some(line) = top.left_out_words() {
        page.wrapped_at(Ink::Plain, "  ", 4, &line);
    }
    for line in top.losses_words() {
        page.wrapped(Ink::Bold, "  ", &line);
    }
    page.wrapped_at(Ink::Dim, "  ", 4, words::TOP_COLUMNS);
    page.finish()
}

fn cells(row: &TopRow) -> [String; 10] {
    [
        row.cost_words(),
        row.cost_share(),
        percent(row.cpu),
        per_second(row.blocks),
        row.mostly_words(),
        row.role_words(),
        count(row.threads),
        row.processes_short(),
        clean(&row.title()),
        row.answer(),
    ]
}
