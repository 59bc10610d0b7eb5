//! A list that fills the screen: rows to look through, and one to choose.

use ratatui::{Frame, crossterm::event::KeyEvent, layout::Position};

use super::{
    act::in_table,
    app::Scroll,
    draw,
    keymap::{Action, Place, find},
    page::Page,
    pen::Pen,
    prompt::Line,
    show::Shown,
    table::{Sheet, Table},
    text::contains,
    theme::{Ink, Theme},
    view::{draw_text, help},
};
use crate::text::{clean::clean, fit::cut};

/// What stands around the rows.
pub(super) struct Frames {
    /// The first line.
    pub(super) title: String,
    /// Lines above the last one.
    pub(super) status: Vec<String>,
    /// The most useful keys, in the last line.
    pub(super) hints: &'static str,
    /// Where its own keys are in the keymap.
    pub(super) place: Place,
}

/// The state of a list.
pub(super) struct List<R: 'static> {
    sheet: &'static Sheet<R>,
    pub(super) frames: Frames,
    rows: Vec<R>,
    table: Table,
    filter: String,
    typing: Option<Line>,
    help: Option<Scroll>,
    theme: Theme,
    /// An action that is none of a list's.
    pub(super) asked: Option<Action>,
    /// Left, with or without a choice.
    pub(super) chosen: Option<Option<R>>,
}

impl<R: Clone> List<R> {
    pub(super) fn new(sheet: &'static Sheet<R>, frames: Frames, theme: Theme) -> Self {
        Self {
            sheet,
            frames,
            rows: Vec::new(),
            table: Table::new(sheet),
            filter: String::new(),
            typing: None,
            help: None,
            theme,
            asked: None,
            chosen: None,
        }
    }

    /// Takes a new list.
    pub(super) fn update(&mut self, rows: Vec<R>) {
        self.rows = rows;
        self.arrange();
    }

    fn arrange(&mut self) {
        let filter = self.filter();
        let keep = |row: &R| filter.is_empty() || contains(&(self.sheet.words)(row), &filter);
        self.table.arrange_some(self.sheet, &self.rows, keep);
    }

    fn filter(&self) -> String {
        self.typing.as_ref().map_or_else(|| self.filter.clone(), Line::text)
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
            self.chosen = Some(Some(row.clone()));
        }
    }

    /// All rows; the column of the cursor in the last of them.
    fn screen(&self, pen: &mut Pen<'_>) -> Option<u16> {
        if draw::too_small(pen) {
            return None;
        }
        let (width, height) = (pen.width(), pen.height());
        pen.ink_row(0, Ink::Bar);
        pen.text(0, 1, &cut(&self.frames.title, usize::from(width) - 1), Ink::Bar);
        // On a low screen the rows come first.
        let lines = self.frames.status.iter().take(usize::from(height / 8));
        let status = lines.len() as u16;
        for (line, row) in lines.zip(height - 1 - status..) {
            pen.text(row, 1, &cut(line, usize::from(width) - 1), Ink::Plain);
        }
        let mut body = pen.part(1, 0, height - 2 - status, width);
        if let Some(scroll) = &self.help {
            let mut page = Page::new(width);
            help::write(&mut page, &[self.frames.place, Place::Tables, Place::Moving, Place::Typing, Place::Help]);
            draw_text(&mut body, &page, scroll, "");
        } else {
            self.table.draw(&mut body, self.sheet, &self.rows, &self.filter());
        }
        let mut last = pen.below(height - 1);
        if let Some(line) = &self.typing {
            return Some(draw::prompt(&mut last, "show only: ", line));
        }
        let (at, of) = self.table.place();
        let filter = if self.filter.is_empty() { String::new() } else { format!("only `{}`  ", clean(&self.filter)) };
        let end = last.right(0, &format!("{filter}{at} of {of}"), Ink::Dim);
        last.text(0, 0, &cut(self.frames.hints, usize::from(end).saturating_sub(1)), Ink::Dim);
        None
    }
}

impl<R: Clone> Shown for List<R> {
    fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let cursor = {
            let mut pen = Pen::new(frame.buffer_mut(), area, self.theme);
            self.screen(&mut pen)
        };
        if let Some(column) = cursor {
            frame.set_cursor_position(Position { x: area.x + column, y: area.bottom().saturating_sub(1) });
        }
    }

    fn key(&mut self, key: KeyEvent) {
        let places: &[Place] = match (&self.typing, &self.help) {
            (Some(_), _) => &[Place::Typing],
            (None, Some(_)) => &[Place::Help, Place::Moving],
            (None, None) => &[self.frames.place, Place::Tables, Place::Moving, Place::Everywhere],
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
            (Some(action @ Action::By), None) => self.asked = Some(action),
            (Some(action), None) => {
                in_table(&mut self.table, self.sheet, &self.rows, action);
                // Sorting puts all rows in order: the filter takes some out again.
                self.arrange();
            }
            (None, _) => {}
        }
    }

    fn is_left(&self) -> bool {
        self.chosen.is_some()
    }
}
