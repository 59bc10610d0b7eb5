//! A table that sorts, scrolls and drops columns: ten thousand rows cost no more to draw than the
//! visible ones.

use std::{
    cell::Cell,
    cmp::{Ordering, Reverse},
};

use super::{pen::Pen, text::contains, theme::Ink};
use crate::text::fit::fit;

/// A column of a table of rows `R`.
pub(super) struct Column<R> {
    pub(super) name: &'static str,
    /// Columns on the terminal, the gap not counted; 0: whatever is left.
    pub(super) width: u16,
    pub(super) right: bool,
    /// The highest rank is the first to go where there is no room; 0 stays.
    pub(super) rank: u8,
    /// Whether the largest comes first unless asked otherwise.
    pub(super) largest_first: bool,
    pub(super) text: fn(&R) -> String,
    pub(super) order: fn(&R, &R) -> Ordering,
}

impl<R> Column<R> {
    /// A column of numbers: to the right, the largest first.
    pub(super) const fn number(
        name: &'static str,
        width: u16,
        rank: u8,
        text: fn(&R) -> String,
        order: fn(&R, &R) -> Ordering,
    ) -> Self {
        Self { name, width, right: true, rank, largest_first: true, text, order }
    }
}

/// A kind of table.
pub(super) struct Sheet<R: 'static> {
    /// The columns; the first one stays where it is when columns move.
    pub(super) columns: &'static [Column<R>],
    /// The name of the column that the table is sorted by at first.
    pub(super) sorted_by: &'static str,
    /// The least width at which the column that takes what is left makes sense, on a screen that is
    /// not narrow.
    pub(super) least: u16,
    /// Identifies a row when figures and order change.
    pub(super) id: fn(&R) -> u64,
    /// The text of a row that a search looks through.
    pub(super) words: fn(&R) -> String,
}

/// The state of a table: its order, and what is in view.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) sort: usize,
    pub(super) reversed: bool,
    /// Places of rows, in order; made when rows or order change, not when drawing.
    pub(super) order: Vec<u32>,
    selected: usize,
    /// Columns moved out on the left.
    shift: usize,
    id: Option<u64>,
    offset: Cell<usize>,
    page: Cell<usize>,
    dropped: Cell<usize>,
}

/// Names that are compared without capitals.
pub(super) fn by_name(a: &str, b: &str) -> Ordering {
    a.to_lowercase().cmp(&b.to_lowercase()).then_with(|| a.cmp(b))
}

impl Table {
    /// A table of this kind as it stands at first.
    pub(super) fn new<R>(sheet: &Sheet<R>) -> Self {
        let sort = sheet.columns.iter().position(|column| column.name == sheet.sorted_by);
        debug_assert!(sort.is_some(), "no column {}", sheet.sorted_by);
        Self { sort: sort.unwrap_or(0), ..Self::default() }
    }

    /// Puts the rows in order. The row that was selected stays selected, wherever it is now.
    pub(super) fn arrange<R>(&mut self, sheet: &Sheet<R>, rows: &[R]) {
        self.arrange_some(sheet, rows, |_| true);
    }

    /// The same with only those rows that `keep` takes.
    pub(super) fn arrange_some<R>(&mut self, sheet: &Sheet<R>, rows: &[R], keep: impl Fn(&R) -> bool) {
        self.order = (0..rows.len() as u32).filter(|&i| rows.get(i as usize).is_some_and(&keep)).collect();
        if let Some(column) = sheet.columns.get(self.sort) {
            let falling = column.largest_first != self.reversed;
            let row = |i: &u32| rows.get(*i as usize);
            self.order.sort_by(|a, b| {
                let by = row(a).zip(row(b)).map_or(Ordering::Equal, |(a, b)| (column.order)(a, b));
                if falling { by.reverse() } else { by }
            });
        }
        let known = |i: &u32| rows.get(*i as usize).map(sheet.id) == self.id && self.id.is_some();
        if let Some(at) = self.order.iter().position(known) {
            self.selected = at;
        }
        self.select(sheet, rows, self.selected);
    }

    fn select<R>(&mut self, sheet: &Sheet<R>, rows: &[R], at: usize) {
        self.selected = at.min(self.order.len().saturating_sub(1));
        self.id = self.selected(rows).map(sheet.id);
    }

    /// The row under the cursor.
    pub(super) fn selected<'r, R>(&self, rows: &'r [R]) -> Option<&'r R> {
        rows.get(*self.order.get(self.selected)? as usize)
    }

    /// Place of the cursor from 1, and the number of rows: `3 of 15`.
    pub(super) fn place(&self) -> (usize, usize) {
        (if self.order.is_empty() { 0 } else { self.selected + 1 }, self.order.len())
    }

    /// Moves the cursor by so many rows.
    pub(super) fn step<R>(&mut self, sheet: &Sheet<R>, rows: &[R], by: isize) {
        self.select(sheet, rows, self.selected.saturating_add_signed(by));
    }

    /// Moves it by pages.
    pub(super) fn page<R>(&mut self, sheet: &Sheet<R>, rows: &[R], by: isize) {
        let page = isize::try_from(self.page.get().max(1)).unwrap_or(1);
        self.step(sheet, rows, by * page);
    }

    /// To the first row.
    pub(super) fn first<R>(&mut self, sheet: &Sheet<R>, rows: &[R]) {
        self.select(sheet, rows, 0);
    }

    /// To the last row.
    pub(super) fn last<R>(&mut self, sheet: &Sheet<R>, rows: &[R]) {
        self.select(sheet, rows, usize::MAX);
    }

    /// Sorts by a neighbouring column.
    pub(super) fn sort_by_next<R>(&mut self, sheet: &Sheet<R>, rows: &[R], by: isize) {
        let last = sheet.columns.len().saturating_sub(1);
        self.sort = self.sort.saturating_add_signed(by).min(last);
        self.reversed = false;
        self.arrange(sheet, rows);
    }

    /// Turns the order round.
    pub(super) fn reverse<R>(&mut self, sheet: &Sheet<R>, rows: &[R]) {
        self.reversed = !self.reversed;
        self.arrange(sheet, rows);
    }

    /// Moves columns in from the right (or, negative, from the left).
    pub(super) fn move_columns(&mut self, by: isize) {
        let most = self.shift + self.dropped.get();
        self.shift = self.shift.saturating_add_signed(by).min(most);
    }

    /// Selects the next row that holds the text, from the one under the cursor on (`skip`: after
    /// it). Returns whether there is one.
    pub(super) fn find<R>(&mut self, sheet: &Sheet<R>, rows: &[R], text: &str, back: bool, skip: bool) -> bool {
        let n = self.order.len();
        let hit = |at: &usize| {
            let row = self.order.get(*at).and_then(|&i| rows.get(i as usize));
            row.is_some_and(|r| contains(&(sheet.words)(r), text))
        };
        let steps = usize::from(skip)..n + usize::from(skip);
        let at = |step: usize| if back { (self.selected + 2 * n - step) % n } else { (self.selected + step) % n };
        let found = steps.map(at).find(hit);
        if let Some(at) = found {
            self.select(sheet, rows, at);
        }
        found.is_some()
    }

    /// Which columns fit, and how wide the one is that takes what is left.
    fn fitting<R>(&self, sheet: &Sheet<R>, width: u16) -> (Vec<usize>, u16) {
        let least = sheet.least.min(width / 5 * 2);
        let needs = |chosen: &[usize]| -> u16 {
            let width_of =
                |&i: &usize| sheet.columns.get(i).map_or(0, |c| if c.width == 0 { least } else { c.width } + 1);
            chosen.iter().map(width_of).sum()
        };
        let all: Vec<usize> = (0..sheet.columns.len()).collect();
        let mut chosen = all.clone();
        if self.shift > 0 && needs(&all) > width {
            // The first column stays, the others move past it.
            chosen = vec![0];
            for i in 1 + self.shift.min(all.len().saturating_sub(2))..all.len() {
                chosen.push(i);
                if needs(&chosen) > width {
                    chosen.pop();
                    break;
                }
            }
        }
        while needs(&chosen) > width && chosen.len() > 1 {
            let rank = |&&i: &&usize| (sheet.columns.get(i).map_or(0, |c| c.rank), Reverse(usize::MAX - i));
            let Some(&last) = chosen.iter().max_by_key(rank) else { break };
            chosen.retain(|&i| i != last);
        }
        self.dropped.set(all.len() - chosen.len());
        let fixed: u16 =
            chosen.iter().filter_map(|&i| sheet.columns.get(i)).filter(|c| c.width > 0).map(|c| c.width + 1).sum();
        (chosen, width.saturating_sub(fixed + 1))
    }

    /// Draws what is visible.
    pub(super) fn draw<R>(&self, pen: &mut Pen<'_>, sheet: &Sheet<R>, rows: &[R], search: &str) {
        let (chosen, rest) = self.fitting(sheet, pen.width());
        let columns: Vec<(usize, &Column<R>)> =
            chosen.iter().filter_map(|&i| Some((i, sheet.columns.get(i)?))).collect();
        let wide = |c: &Column<R>| usize::from(if c.width == 0 { rest } else { c.width });
        let mut x = 0;
        for &(i, column) in &columns {
            let falling = column.largest_first != self.reversed;
            let mark = match falling {
                _ if i != self.sort => "",
                true => "▼",
                false => "▲",
            };
            let name = format!("{}{mark}", column.name);
            let ink = if i == self.sort { Ink::Bold } else { Ink::Dim };
            pen.text(0, x, &fit(&name, wide(column), column.right), ink);
            x += wide(column) as u16 + 1;
        }
        let page = usize::from(pen.height().saturating_sub(1));
        self.page.set(page);
        let lowest = (self.selected + 1).saturating_sub(page);
        let highest = self.selected.min(self.order.len().saturating_sub(page));
        let offset = self.offset.get().clamp(lowest, highest.max(lowest));
        self.offset.set(offset);
        for (line, &i) in self.order.iter().skip(offset).take(page).enumerate() {
            let Some(row) = rows.get(i as usize) else { continue };
            let y = line as u16 + 1;
            let ink = if contains(&(sheet.words)(row), search) { Ink::Match } else { Ink::Plain };
            let mut x = 0;
            for &(_, column) in &columns {
                pen.text(y, x, &fit(&(column.text)(row), wide(column), column.right), ink);
                x += wide(column) as u16 + 1;
            }
            if offset + line == self.selected {
                pen.ink_row(y, Ink::Selected);
            }
        }
    }
}
