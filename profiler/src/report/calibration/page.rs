//! The page of a calibration: titles, tables, wrapped text, and at its end why figures are missing.

use std::fmt::Write as _;

use super::figure::cost;
use crate::calibrate::{Figure, Missing};
use crate::text::numbers::{NA, whole_percent};

/// Above this share of the CPUs for others, a page says so.
const NOISY: f64 = 0.05;
/// Columns of a page.
const WIDTH: usize = 100;

/// The page under construction.
pub(super) struct Page {
    out: String,
    /// What is missing, with its reason, each once.
    missing: Vec<(String, String)>,
}

impl Page {
    /// An empty page; the essentials that are missing come first among what is missing.
    pub(super) fn new(missing: &[Missing]) -> Self {
        Self { out: String::new(), missing: missing.iter().map(|m| (m.what.clone(), m.why.clone())).collect() }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Says that others used the machine meanwhile, where they did.
    pub(super) fn crowded(&mut self, others: f64) {
        if others > NOISY {
            self.line(&format!(
                "Others used {} of the CPUs meanwhile: on a quiet machine the spreads are smaller.",
                whole_percent(others)
            ));
        }
    }

    pub(super) fn title(&mut self, title: &str) {
        self.out.push('\n');
        self.line(title);
    }

    /// A cell; the reason for an empty one goes to the end of the page.
    pub(super) fn cell(&mut self, what: &str, figure: &Figure) -> String {
        match figure {
            Figure::Measured(value) => cost(value),
            Figure::Unavailable { why } => {
                if !self.missing.iter().any(|(w, y)| w == what && y == why) {
                    self.missing.push((what.to_owned(), why.clone()));
                }
                NA.to_owned()
            }
        }
    }

    /// Columns as wide as their contents: words on the left, figures on the right.
    pub(super) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let own = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> =
            header.iter().enumerate().map(|(i, name)| own(i).unwrap_or(0).max(name.chars().count())).collect();
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&header).chain(rows) {
            let mut line = String::from(" ");
            for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ = if i == 0 { write!(line, " {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
            }
            let line = line.trim_end().to_owned();
            self.line(&line);
        }
    }

    /// `lead`, and `text` in as many lines as it takes, below one another.
    pub(super) fn wrapped(&mut self, lead: &str, text: &str) {
        // A long lead must leave room for words beside it.
        let hang = lead.chars().count().min(WIDTH / 2);
        let mut line = lead.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(line.trim_end());
                (line, empty) = (" ".repeat(hang), true);
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(line.trim_end());
    }

    /// The page, with the reasons for what is missing at its end.
    pub(super) fn finish(mut self) -> String {
        let missing = std::mem::take(&mut self.missing);
        if !missing.is_empty() {
            self.title("n/a, and why");
            // One reason often stands for many figures.
            let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
            for (what, why) in missing {
                match reasons.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, whats)) => whats.push(what),
                    None => reasons.push((why, vec![what])),
                }
            }
            for (why, whats) in reasons {
                self.wrapped("  ", &format!("{}: {why}", whats.join(", ")));
            }
        }
        self.out
    }
}
