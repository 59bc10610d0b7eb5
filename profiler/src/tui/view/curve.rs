//! Curves in characters: IPC upwards from 0, instructions since the return to the right, in powers
//! of ten.

use crate::{
    cost::ipc::{Before, Curve},
    text::{fit::width, numbers::decimal},
    tui::{page::Page, theme::Ink},
    words,
};

/// Rows of a drawing, its axes not counted.
const ROWS: usize = 12;
/// Columns left of it: a number and the axis.
const LEFT: usize = 8;
/// Narrower than this there is no drawing.
const NARROWEST: usize = 24;

/// The mark of a kind: they are told apart without colour too.
pub(super) const fn mark(before: Before) -> char {
    match before {
        Before::Blocked => '●',
        Before::Direct => '○',
        Before::Preempted => '×',
        Before::Unknown => '◇',
    }
}

pub(super) const fn ink(before: Before) -> Ink {
    match before {
        Before::Blocked => Ink::Part(2),
        Before::Direct => Ink::Part(1),
        Before::Preempted => Ink::Part(3),
        Before::Unknown => Ink::Part(5),
    }
}

struct Grid {
    cells: Vec<Vec<(char, Ink)>>,
    /// Powers of ten of the first and last column.
    left: f64,
    right: f64,
    top: f64,
}

impl Grid {
    /// Axes that hold all points; `None` where there is nothing to draw.
    fn over(curves: &[Curve], columns: usize) -> Option<Self> {
        let points = || curves.iter().flat_map(|c| &c.points).filter_map(|p| Some((p.middle.max(1.0), p.local?)));
        let left = points().map(|(x, _)| x).fold(f64::INFINITY, f64::min).log10().floor();
        let right = points().map(|(x, _)| x).fold(f64::NEG_INFINITY, f64::max).log10();
        // A point that hardly anything is known of does not make the others flat.
        let top = points().map(|(_, y)| y.value.max(y.high.min(1.3 * y.value))).fold(0.0, f64::max);
        let drawn = left.is_finite() && right.is_finite() && top > 0.0 && top.is_finite();
        let cells = vec![vec![(' ', Ink::Plain); columns]; ROWS];
        drawn.then(|| Self { cells, left, right: right.max(left + 1.0), top: 1.05 * top })
    }

    fn column(&self, x: f64) -> usize {
        let columns = self.cells.first().map_or(1, Vec::len);
        let share = (x.max(1.0).log10() - self.left) / (self.right - self.left);
        (share * (columns - 1) as f64).round().clamp(0.0, (columns - 1) as f64) as usize
    }

    fn row(&self, y: f64) -> usize {
        let share = 1.0 - y / self.top;
        (share * (ROWS - 1) as f64).round().clamp(0.0, (ROWS - 1) as f64) as usize
    }

    fn draw(&mut self, curve: &Curve) {
        let places: Vec<_> = curve
            .points
            .iter()
            .filter_map(|p| {
                let y = p.local?;
                let (high, low) = (self.row(y.high), self.row(y.low));
                Some((self.column(p.middle), self.row(y.value), high..=low))
            })
            .collect();
        for (column, _, rows) in &places {
            for row in rows.clone() {
                if self.cells[row][*column].0 == ' ' {
                    self.cells[row][*column] = ('│', Ink::Dim);
                }
            }
        }
        for (column, row, _) in places {
            self.cells[row][column] = (mark(curve.before), ink(curve.before));
        }
    }

    /// The names of the powers of ten, below where they stand.
    fn labels(&self) -> String {
        let mut line = String::new();
        for power in self.left as i32..=self.right as i32 {
            let at = self.column(10f64.powi(power));
            let name = short(power);
            if width(&line) <= at {
                line += &" ".repeat(at - width(&line));
                line += &name;
                line.push(' ');
            }
        }
        line.trim_end().to_owned()
    }
}

/// A power of ten.
fn short(power: i32) -> String {
    let (unit, of) = match power {
        ..3 => ("", power.max(0)),
        3..6 => (" k", power - 3),
        6..9 => (" M", power - 6),
        _ => (" G", power - 9),
    };
    format!("{}{unit}", 10u64.pow(of.clamp(0, 9) as u32))
}

/// Draws the curves, if there is room and anything to draw.
pub(super) fn draw(page: &mut Page, curves: &[Curve]) {
    let columns = page.width().saturating_sub(LEFT + 2);
    if columns < NARROWEST {
        return;
    }
    let Some(mut grid) = Grid::over(curves, columns) else { return };
    // The most important last: on top.
    curves.iter().rev().for_each(|curve| grid.draw(curve));
    for (i, row) in grid.cells.iter().enumerate() {
        let value = grid.top * (1.0 - i as f64 / (ROWS - 1) as f64);
        let number = if i % 3 == 2 { format!("{:>6} ┤", decimal(value, 2)) } else { format!("{:>7}│", "") };
        let mut line = vec![(number, Ink::Dim)];
        for &(c, ink) in row {
            match line.last_mut() {
                Some((text, same)) if *same == ink && !text.is_empty() => text.push(c),
                _ => line.push((c.to_string(), ink)),
            }
        }
        page.line(line);
    }
    page.line(vec![(format!("{:>7}└{}", "IPC", "─".repeat(columns)), Ink::Dim)]);
    page.line(vec![(format!("{:LEFT$}{}", "", grid.labels()), Ink::Dim)]);
    page.wrapped(LEFT, &format!("{}; │ 90 % interval", words::SINCE_THE_RETURN), Ink::Dim);
    for curve in curves {
        let key = format!("{:>7} ", mark(curve.before));
        page.line(vec![(key, ink(curve.before)), (format!("after a {}", curve.before.name()), Ink::Plain)]);
    }
}
