//! A text in lines of a given width, with its ink: what views that scroll are written on.

use super::theme::Ink;
use crate::text::fit::{fit, width, wrap};

/// A line: pieces with their ink.
pub(super) type Line = Vec<(String, Ink)>;

/// A text that is written line by line.
pub(super) struct Page {
    width: usize,
    lines: Vec<Line>,
}

impl Page {
    pub(super) fn new(width: u16) -> Self {
        Self { width: usize::from(width), lines: Vec::new() }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// A line without its ink.
    pub(super) fn plain(line: &Line) -> String {
        line.iter().map(|(text, _)| text.as_str()).collect()
    }

    pub(super) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub(super) fn blank(&mut self) {
        if !self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
    }

    /// A heading, apart from what is before it.
    pub(super) fn title(&mut self, title: &str) {
        self.blank();
        self.wrapped(0, title, Ink::Bold);
    }

    /// A text, each of its lines this far in.
    pub(super) fn wrapped(&mut self, indent: usize, text: &str, ink: Ink) {
        let indent = indent.min(self.width / 3);
        let pad = " ".repeat(indent);
        for line in wrap(text, self.width - indent) {
            self.lines.push(vec![(format!("{pad}{line}"), ink)]);
        }
    }

    /// A name and what there is to say of it: in two columns where there is room, one below the
    /// other elsewhere.
    pub(super) fn entry(&mut self, name: &str, text: &str, ink: Ink) {
        const NAMES: usize = 22;
        if self.width < 3 * NAMES {
            self.wrapped(1, &format!("{name}: {text}"), ink);
        } else {
            self.columns((&fit(name, NAMES, false), Ink::Dim), text, ink);
        }
    }

    /// What stands on the left, as wide as it is, and beside it a text in as many lines as it
    /// takes.
    pub(super) fn columns(&mut self, (name, name_ink): (&str, Ink), text: &str, ink: Ink) {
        let names = width(name) + 3;
        let mut first = format!("  {name} ");
        for line in wrap(text, self.width.saturating_sub(names)) {
            self.lines.push(vec![(first, name_ink), (line, ink)]);
            first = " ".repeat(names);
        }
    }

    /// Rows in columns as wide as what is in them, right-aligned but for the first; columns that do
    /// not fit go, the last first. The first row is the heading.
    pub(super) fn table(&mut self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let wide = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|cell| width(cell)).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..columns).map(wide).collect();
        while widths.len() > 1 && widths.iter().map(|w| w + 2).sum::<usize>() > self.width {
            widths.pop();
        }
        for (i, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate();
            let line: String = cells.map(|(c, (cell, &w))| format!("  {}", fit(cell, w, c > 0))).collect();
            self.lines.push(vec![(line.trim_end().to_owned(), if i == 0 { Ink::Dim } else { Ink::Plain })]);
        }
    }
}
