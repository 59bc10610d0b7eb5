//! The chooser: which process to look at, where none was named.

use std::{
    io,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{
    keymap::Place,
    list::{Frames, List},
    show::{News, show},
    table::{Column, Sheet, by_name},
    theme::Theme,
};
use crate::text::{
    clean::clean,
    numbers::{NA, per_second, percent, short as count},
};

/// A process to choose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessRow {
    /// Its PID in the user's own namespace.
    pub pid: u32,
    /// Name of the user that it runs as.
    pub user: String,
    /// How many threads it has.
    pub threads: u32,
    /// CPU over the last second, in CPUs; `None` in the first list.
    pub cpu: Option<f64>,
    /// Voluntary switches a second; `None` in the first list.
    pub switches: Option<f64>,
    /// Command line, as `/proc` gives it.
    pub command: String,
}

/// How often the list is made anew.
const REFRESH: Duration = Duration::from_secs(1);

fn by_figure(a: Option<f64>, b: Option<f64>) -> std::cmp::Ordering {
    a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0))
}

static SHEET: Sheet<ProcessRow> = Sheet {
    columns: &[
        Column {
            name: "PID",
            width: 8,
            right: true,
            rank: 0,
            largest_first: false,
            text: |p| p.pid.to_string(),
            order: |a, b| a.pid.cmp(&b.pid),
        },
        Column {
            name: "user",
            width: 10,
            right: false,
            rank: 3,
            largest_first: false,
            text: |p| clean(&p.user),
            order: |a, b| by_name(&a.user, &b.user),
        },
        Column::number("threads", 8, 2, |p| count(p.threads.into()), |a, b| a.threads.cmp(&b.threads)),
        Column::number("CPU", 8, 1, |p| p.cpu.map_or_else(|| NA.to_owned(), percent), |a, b| by_figure(a.cpu, b.cpu)),
        Column::number(
            "switches",
            10,
            0,
            |p| p.switches.map_or_else(|| NA.to_owned(), per_second),
            |a, b| by_figure(a.switches, b.switches),
        ),
        Column {
            name: "command",
            width: 0,
            right: false,
            rank: 0,
            largest_first: false,
            text: |p| clean(&p.command),
            order: |a, b| by_name(&a.command, &b.command),
        },
    ],
    // Who blocks often stands on top.
    sorted_by: "switches",
    least: 24,
    id: |p| u64::from(p.pid),
    words: |p| format!("{} {} {}", p.pid, p.user, clean(&p.command)),
};

/// The list, without rows yet.
pub(super) fn chooser(theme: Theme) -> List<ProcessRow> {
    let frames = Frames {
        title: "should-i-async  which process?".to_owned(),
        status: Vec::new(),
        hints: "Enter look at it  / filter  < > sort  R reverse  ? help  q leave",
        place: Place::Processes,
    };
    List::new(&SHEET, frames, theme)
}

/// Lets the user choose a process; `None` if they left without, or `stop` was set. `list` is asked
/// every second.
///
/// # Errors
/// Standard output is no terminal, or the terminal went away.
pub fn choose(list: &mut dyn FnMut() -> Vec<ProcessRow>, stop: &AtomicBool) -> io::Result<Option<u32>> {
    let mut chooser = chooser(Theme::from_env());
    chooser.update(list());
    let mut listed = Instant::now();
    show(&mut chooser, stop, |chooser| {
        if listed.elapsed() < REFRESH {
            return News::Same;
        }
        chooser.update(list());
        listed = Instant::now();
        News::Changed
    })?;
    Ok(chooser.chosen.flatten().map(|row| row.pid))
}
