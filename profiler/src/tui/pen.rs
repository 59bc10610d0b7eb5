//! A pen: writes into a part of the screen and never beyond it.

use ratatui::{buffer::Buffer, layout::Rect};

use super::theme::{Ink, Theme};
use crate::text::fit::width;

/// A part of the screen to write on; rows and columns count from its own corner.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    pub(super) theme: Theme,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        let area = area.intersection(buffer.area);
        Self { buffer, area, theme }
    }

    pub(super) fn width(&self) -> u16 {
        self.area.width
    }

    pub(super) fn height(&self) -> u16 {
        self.area.height
    }

    /// A pen for a smaller part of this area.
    pub(super) fn part(&mut self, row: u16, column: u16, height: u16, width: u16) -> Pen<'_> {
        let inner = Rect { x: self.area.x.saturating_add(column), y: self.area.y.saturating_add(row), width, height };
        // Where the two do not meet, `intersection` alone would leave a place outside.
        let area = if column >= self.area.width || row >= self.area.height {
            Rect { width: 0, height: 0, ..self.area }
        } else {
            inner.intersection(self.area)
        };
        Pen { buffer: self.buffer, area, theme: self.theme }
    }

    /// From this row on, all of the width.
    pub(super) fn below(&mut self, row: u16) -> Pen<'_> {
        let (height, width) = (self.area.height.saturating_sub(row), self.area.width);
        self.part(row, 0, height, width)
    }

    /// Text at a place; the column behind it.
    pub(super) fn text(&mut self, row: u16, column: u16, text: &str, ink: Ink) -> u16 {
        if row >= self.area.height || column >= self.area.width {
            return column;
        }
        let room = usize::from(self.area.width - column);
        let style = self.theme.style(ink);
        let (x, _) = self.buffer.set_stringn(self.area.x + column, self.area.y + row, text, room, style);
        x - self.area.x
    }

    /// Writes text that ends at the right edge, and returns the column before it.
    pub(super) fn right(&mut self, row: u16, text: &str, ink: Ink) -> u16 {
        let column = self.area.width.saturating_sub(u16::try_from(width(text)).unwrap_or(u16::MAX));
        self.text(row, column, text, ink);
        column
    }

    /// Rows of a drawing, from one of them on.
    pub(super) fn paste(&mut self, drawing: &Buffer, from: u16) {
        for row in 0..self.area.height.min(drawing.area.height.saturating_sub(from)) {
            for column in 0..self.area.width.min(drawing.area.width) {
                let place = (self.area.x + column, self.area.y + row);
                if let (Some(cell), Some(to)) = (drawing.cell((column, from + row)), self.buffer.cell_mut(place)) {
                    to.clone_from(cell);
                }
            }
        }
    }

    /// A whole row in one ink, whatever stands in it.
    pub(super) fn ink_row(&mut self, row: u16, ink: Ink) {
        self.ink(row, 0, self.area.width, ink);
    }

    /// Some columns of a row in one ink.
    pub(super) fn ink(&mut self, row: u16, column: u16, width: u16, ink: Ink) {
        if row < self.area.height && column < self.area.width {
            let width = width.min(self.area.width - column);
            let area = Rect { x: self.area.x + column, y: self.area.y + row, width, height: 1 };
            self.buffer.set_style(area, self.theme.style(ink));
        }
    }
}
