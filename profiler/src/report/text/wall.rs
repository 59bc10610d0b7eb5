//! report/text/wall: the wall ledger.

use super::{
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::numbers::{NA, part, short};
use crate::{
    answer::{Report, WallLedger, WallLine},
    event::Family,
    quantity::Nanos,
    words,
};

pub(super) fn render(page: &mut Page, report: &Report) {
    let wall = &report.wall;
    if wall.total == Nanos::ZERO {
        page.title("WALL", "");
        page.line(Ink::Plain, &format!("  {NA}: {}", words::NO_THREAD));
        return;
    }
    page.title("WALL", &WallLedger::title(report.threads.len()));
    let mut table = Table::new(
        [
            ("", Side::Left),
            ("time", Side::Right),
            ("share", Side::Right),
            ("blocks", Side::Right),
            ("run-q after", Side::Right),
        ],
        0,
    );
    let share = |time: Nanos| part(time.as_nanos() as f64, wall.total);
    let plain = |table: &mut Table<5>, name: &str, time: Nanos| {
        table.row([name.to_owned(), time.to_string(), share(time), String::new(), String::new()]);
    };
    for (name, time) in wall.ran_or_ready() {
        plain(&mut table, name, time);
    }
    let blocked = |table: &mut Table<5>, name: String, lines: &[&WallLine]| {
        let time: Nanos = lines.iter().map(|l| l.blocked).sum();
        let delay: Nanos = lines.iter().map(|l| l.run_delay).sum();
        let blocks = lines.iter().map(|l| l.blocks).sum();
        table.row([name, time.to_string(), share(time), short(blocks), delay.to_string()]);
    };
    for family in Family::ALL {
        let lines: Vec<&WallLine> = wall.classes.iter().filter(|l| l.class.family() == family).collect();
        match lines.as_slice() {
            // Blocking IO is what the question is about: it is named even if there was none.
            [] if family == Family::BlockingIo => {
                let none = || NA.to_owned();
                table.row([format!("blocked: {}", family.name()), none(), none(), short(0), none()]);
            }
            [] => {}
            [one] => blocked(&mut table, WallLedger::blocked_on(one.class), &lines),
            many => {
                blocked(&mut table, format!("blocked: {}, of that", family.name()), many);
                for line in many {
                    blocked(&mut table, format!("    {}", line.class.name()), &[line]);
                }
            }
        }
    }
    plain(&mut table, "unknown", wall.unknown);
    plain(&mut table, "counted twice", wall.excess);
    plain(&mut table, "total", wall.total);
    page.table(&table.lines(2, page.width()));
    if report.facts.held_back().next().is_some() {
        page.wrapped_at(Ink::Plain, "  ", 4, words::RUN_DELAY_OF_QUOTA);
    }
}
