//! Aligned columns, as wide as their contents; one column is shortened where the page is too
//! narrow.

use crate::text::fit::{cut_middle, width};

/// Which side a column's contents stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// To the left, as words stand.
    Left,
    /// To the right, as figures stand.
    Right,
}

/// A table: lines of equal layout, with a cell for each column.
pub(super) struct Table<const N: usize> {
    columns: [Side; N],
    rows: Vec<[String; N]>,
    flexible: usize,
}

impl<const N: usize> Table<N> {
    /// With a header row; `flexible` is the column that is shortened.
    pub(super) fn new(header: [(&str, Side); N], flexible: usize) -> Self {
        Self { columns: header.map(|(_, side)| side), rows: vec![header.map(|(name, _)| name.to_owned())], flexible }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The lines, the header's first.
    pub(super) fn lines(&self, indent: usize, page: usize) -> Vec<String> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|c| self.rows.iter().filter_map(|r| r.get(c)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let taken =
            |gap: usize, widths: &[usize]| indent + widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1);
        let gap = if taken(2, &widths) <= page { 2 } else { 1 };
        let over = taken(gap, &widths).saturating_sub(page);
        if let Some(flexible) = widths.get_mut(self.flexible) {
            *flexible = flexible.saturating_sub(over).max(4);
        }
        let line = |row: &[String; N]| {
            let mut line = " ".repeat(indent);
            for (i, ((cell, &side), &columns)) in row.iter().zip(&self.columns).zip(&widths).enumerate() {
                if i > 0 {
                    line.push_str(&" ".repeat(gap));
                }
                let cell = if i == self.flexible { cut_middle(cell, columns) } else { cell.clone() };
                let pad = " ".repeat(columns.saturating_sub(width(&cell)));
                match side {
                    Side::Left => line.extend([cell, pad]),
                    Side::Right => line.extend([pad, cell]),
                }
            }
            line.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}
