//! The chooser: which process to look at, where none was named.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use ratatui::{Frame, crossterm::event::KeyEvent, layout::Position};

use super::{
    act::in_table,
    app::Scroll,
    draw,
    keymap::{Action, Place, find, strokes},
    page::Page,
    pen::Pen,
    prompt::Line,
    table::{Column, Sheet, Table, by_name},
    terminal::{Input, Screen},
    text::contains,
    theme::{Ink, Theme},
    view::{draw_text, help},
};
use crate::text::{
    clean::clean,
    fit::cut,
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

/// The state of the choice.
pub(super) struct Chooser {
    rows: Vec<ProcessRow>,
    table: Table,
    filter: String,
    typing: Option<Line>,
    help: Option<Scroll>,
    theme: Theme,
    /// Left, with or without a choice.
    pub(super) chosen: Option<Option<u32>>,
}

impl Chooser {
    pub(super) fn new(theme: Theme) -> Self {
        Self {
            rows: Vec::new(),
            table: Table::new(&SHEET),
            filter: String::new(),
            typing: None,
            help: None,
            theme,
            chosen: None,
        }
    }

    /// Takes a new list.
    pub(super) fn update(&mut self, rows: Vec<ProcessRow>) {
        self.rows = rows;
        self.arrange();
    }

    fn arrange(&mut self) {
        let filter = self.filter();
        let keep = |row: &ProcessRow| filter.is_empty() || contains(&(SHEET.words)(row), &filter);
        self.table.arrange_some(&SHEET, &self.rows, keep);
    }

    fn filter(&self) -> String {
        self.typing.as_ref().map_or_else(|| self.filter.clone(), Line::text)
    }

    pub(super) fn key(&mut self, key: KeyEvent) {
        let places: &[Place] = match (&self.typing, &self.help) {
            (Some(_), _) => &[Place::Typing],
            (None, Some(_)) => &[Place::Help, Place::Moving],
            (None, None) => &[Place::Processes, Place::Tables, Place::Moving, Place::Everywhere],
        };
        let action = find(places, key).map(|b| b.action);
        if self.typing.is_some() {
            return self.typed(key, action);
        }
        match (action, &self.help) {
            (Some(Action::Back), Some(_)) => self.help = None,
            (Some(action), Some(help)) => help.act(action),
            (Some(Action::Quit), None) => self.chosen = Some(None),
            (Some(Action::Help), None) => self.help = Some(Scroll::default()),
            (Some(Action::Search), None) => self.typing = Some(Line::new(&self.filter)),
            (Some(Action::Open), None) => self.open(),
            (Some(action), None) => {
                in_table(&mut self.table, &SHEET, &self.rows, action);
                // Sorting puts all rows in order: the filter takes some out again.
                self.arrange();
            }
            (None, _) => {}
        }
    }

    fn typed(&mut self, key: KeyEvent, action: Option<Action>) {
        use ratatui::crossterm::event::{KeyCode, KeyModifiers};
        let Some(line) = &mut self.typing else { return };
        match (action, key.code) {
            (Some(Action::Cancel), _) => {
                self.typing = None;
                self.filter.clear();
            }
            (Some(Action::Accept), _) => {
                self.filter = line.text();
                self.typing = None;
            }
            (Some(action), _) => line.act(action),
            (None, KeyCode::Char(c)) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                line.insert(c);
            }
            _ => {}
        }
        self.arrange();
    }

    fn open(&mut self) {
        if let Some(row) = self.table.selected(&self.rows) {
            self.chosen = Some(Some(row.pid));
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let cursor = {
            let mut pen = Pen::new(frame.buffer_mut(), area, self.theme);
            self.screen(&mut pen)
        };
        if let Some(column) = cursor {
            frame.set_cursor_position(Position { x: area.x + column, y: area.bottom().saturating_sub(1) });
        }
    }

    /// All rows; the column of the cursor in the last of them.
    fn screen(&self, pen: &mut Pen<'_>) -> Option<u16> {
        if draw::too_small(pen) {
            return None;
        }
        let (width, height) = (pen.width(), pen.height());
        pen.ink_row(0, Ink::Bar);
        pen.text(0, 1, &cut("should-i-async  which process?", usize::from(width) - 1), Ink::Bar);
        let mut body = pen.part(1, 0, height - 2, width);
        if let Some(scroll) = &self.help {
            let mut page = Page::new(width);
            help::write(&mut page, &[Place::Processes, Place::Tables, Place::Moving, Place::Typing, Place::Help]);
            draw_text(&mut body, &page, scroll, "");
        } else {
            self.table.draw(&mut body, &SHEET, &self.rows, &self.filter());
        }
        let mut last = pen.below(height - 1);
        if let Some(line) = &self.typing {
            return Some(draw::prompt(&mut last, "show only: ", line));
        }
        let (at, of) = self.table.place();
        let filter = if self.filter.is_empty() { String::new() } else { format!("only `{}`  ", clean(&self.filter)) };
        let end = last.right(0, &format!("{filter}{at} of {of}"), Ink::Dim);
        let hints = "Enter look at it  / filter  < > sort  R reverse  ? help  q leave";
        last.text(0, 0, &cut(hints, usize::from(end).saturating_sub(1)), Ink::Dim);
        None
    }
}

/// Lets the user choose a process; `None` if they left without, or `stop` was set. `list` is asked
/// every second.
///
/// # Errors
/// Standard output is no terminal, or the terminal went away.
pub fn choose(list: &mut dyn FnMut() -> Vec<ProcessRow>, stop: &AtomicBool) -> io::Result<Option<u32>> {
    let mut screen = Screen::open()?;
    let mut chooser = Chooser::new(Theme::from_env());
    chooser.update(list());
    let (mut changed, mut listed) = (true, Instant::now());
    while chooser.chosen.is_none() && !stop.load(Ordering::Relaxed) {
        if changed && screen.draw(|frame| chooser.draw(frame))? {
            changed = false;
        }
        match screen.input(changed)? {
            Some(Input::Key(key)) => {
                changed = true;
                strokes(key).for_each(|key| chooser.key(key));
            }
            Some(Input::Resized) => changed = true,
            None => {}
        }
        if listed.elapsed() >= REFRESH {
            chooser.update(list());
            (changed, listed) = (true, Instant::now());
        }
    }
    Ok(chooser.chosen.flatten())
}
