//! The machine at a glance: its processes, containers or control groups, ranked by what blocking
//! costs them.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    sync::atomic::AtomicBool,
};

use super::{
    keymap::Place,
    list::{Frames, List},
    show::{self, News},
    table::{Column, Sheet, by_name},
    theme::Theme,
};
use crate::{
    answer::{By, Top, TopRow},
    feed::Machine,
    text::{
        clean::clean,
        numbers::{per_second, percent, short as count},
    },
};

static SHEET: Sheet<TopRow> = Sheet {
    columns: &[
        Column {
            name: "name",
            width: 16,
            right: false,
            rank: 0,
            largest_first: false,
            text: |row| clean(&row.title()),
            order: |a, b| by_name(&a.title(), &b.title()),
        },
        Column {
            name: "PID",
            width: 8,
            right: true,
            rank: 4,
            largest_first: false,
            text: TopRow::processes_short,
            order: |a, b| a.pid().cmp(&b.pid()),
        },
        Column::number("cost", 8, 0, TopRow::cost_words, TopRow::by_cost),
        Column::number("of its", 8, 1, TopRow::cost_share, |a, b| {
            a.cost_ratio().unwrap_or(-1.0).total_cmp(&b.cost_ratio().unwrap_or(-1.0))
        }),
        Column::number("CPU", 8, 0, |row| percent(row.cpu), |a, b| a.cpu.total_cmp(&b.cpu)),
        Column::number("blocks", 10, 2, |row| per_second(row.blocks), |a, b| a.blocks.total_cmp(&b.blocks)),
        Column {
            name: "mostly on",
            width: 11,
            right: false,
            rank: 5,
            largest_first: false,
            text: TopRow::mostly_words,
            order: |a, b| by_name(&a.mostly_words(), &b.mostly_words()),
        },
        Column {
            name: "role",
            width: 12,
            right: false,
            rank: 6,
            largest_first: false,
            text: TopRow::role_words,
            order: |a, b| by_name(&a.role_words(), &b.role_words()),
        },
        Column::number("threads", 8, 3, |row| count(row.threads), |a, b| a.threads.cmp(&b.threads)),
        Column {
            name: "async?",
            width: 0,
            right: false,
            rank: 0,
            largest_first: false,
            text: TopRow::answer,
            order: |a, b| by_name(&a.answer(), &b.answer()),
        },
    ],
    sorted_by: "cost",
    least: 24,
    id: |row| row.pid().map_or_else(|| hash_of(&row.title()), u64::from),
    words: |row| {
        let commands: Vec<&str> = row.members.iter().map(|member| &*member.command).collect();
        clean(&format!("{} {} {} {}", row.title(), row.processes(), row.answer(), commands.join(" ")))
    },
};

/// What a row of several processes is known by from look to look.
fn hash_of(title: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    title.hash(&mut hasher);
    hasher.finish()
}

/// The list, before the first look.
pub(super) fn list(theme: Theme) -> List<TopRow> {
    let frames = Frames {
        title: "should-i-async  looking at the machine …".to_owned(),
        status: Vec::new(),
        hints: "Enter look at it  b by what  / filter  < > sort  R reverse  ? help  q quit",
        place: Place::Machine,
    };
    List::new(&SHEET, frames, theme)
}

/// Puts a look on the screen.
pub(super) fn show(list: &mut List<TopRow>, top: Top) {
    list.frames.title = format!("should-i-async  {}", top.title());
    list.frames.status =
        [top.sum(), top.overhead_words()].into_iter().chain(top.left_out_words()).chain(top.losses_words()).collect();
    list.update(top.rows);
}

/// Shows the machine until the user quits (`None`), or chooses a row, or `stop` is set, or the
/// measurement is over. `said` stands below the rows until the first look.
///
/// # Errors
/// Standard output is no terminal, or the terminal went away.
pub fn glance(
    machine: &mut dyn Machine,
    mut by: By,
    said: Option<String>,
    stop: &AtomicBool,
) -> io::Result<Option<TopRow>> {
    let mut list = list(Theme::from_env());
    list.frames.status = said.into_iter().collect();
    show::show(&mut list, stop, |list| {
        let mut news = News::Same;
        if list.asked.take().is_some() {
            by = next(by);
            machine.show_by(by);
            list.frames.title = format!("should-i-async  by {}: with the next look", by.name());
            news = News::Changed;
        }
        if let Some(top) = machine.newest().filter(|top| top.by == by) {
            show(list, top);
            news = News::Changed;
        }
        if machine.is_over() { News::Over } else { news }
    })?;
    Ok(list.chosen.flatten())
}

fn next(by: By) -> By {
    let at = By::ALL.iter().position(|&other| other == by).unwrap_or(0);
    By::ALL[(at + 1) % By::ALL.len()]
}
