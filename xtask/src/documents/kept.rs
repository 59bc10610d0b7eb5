//! What a reference to a kept result names: a number in a file of JSON, or in a table of a document
//! that a command writes.
//!
//! `docs/pairs/results.json#/runs/0/cells/mhd-c64-epoll/truth/saving/value` goes down from the
//! root. In a list, a step is the `id` or the `name` of an element, its place, or `*`: the median
//! of what the rest finds in each. `docs/performance.md#check/against none` is a cell of a table,
//! by its row's first cell and its column's head; a third step counts the numbers in it. A heading
//! and `//` may stand before the row. `~1` stands for a slash within a step. Code marks of a
//! table's row are left out.
//!
//! `pairs:ROW` and `lab:CELL` stand for a cell of these suites' newest run, and a last step `saved`
//! or `said` for the measured and the predicted saving.

use std::{cell::RefCell, collections::HashMap, fs, path::PathBuf, rc::Rc};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::harness::statistics::median;

/// Beginnings and last steps that stand for longer ones.
const BEGINNINGS: [(&str, &str); 2] =
    [("pairs:", "docs/pairs/results.json#/runs/0/cells/"), ("lab:", "docs/lab/results.json#/cells/")];
const LAST_STEPS: [(&str, &str); 2] = [("/saved", "/truth/saving/value"), ("/said", "/prediction/saving/value")];

/// A number, and whether it has the unit that a reader sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found {
    /// Of JSON: shares are ratios, times are nanoseconds.
    Raw(f64),
    /// Of a table: as it is shown.
    Shown(f64),
}

/// The kept results below a folder, each read once.
pub(super) struct Kept {
    root: PathBuf,
    texts: RefCell<HashMap<String, Rc<Value>>>,
}

impl Kept {
    pub(super) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), texts: RefCell::default() }
    }

    /// The number that a reference names.
    pub(super) fn find(&self, reference: &str) -> Result<Found> {
        let reference = written_out(reference);
        let (file, steps) = reference.split_once('#').with_context(|| format!("no # in `{reference}`"))?;
        let (heading, steps) = steps.split_once("//").unwrap_or(("", steps));
        let steps: Vec<String> = steps.trim_start_matches('/').split('/').map(|step| step.replace("~1", "/")).collect();
        let found = if file.ends_with(".json") {
            self.json(file).and_then(|value| number_at(&value, &steps)).map(Found::Raw)
        } else {
            self.text(file).and_then(|text| cell_at(below(&text, heading)?, &steps)).map(Found::Shown)
        };
        found.with_context(|| format!("`{reference}`"))
    }

    /// A number of a file of JSON.
    pub(super) fn number(&self, reference: &str) -> Result<f64> {
        match self.find(reference)? {
            Found::Raw(number) | Found::Shown(number) => Ok(number),
        }
    }

    /// A file of JSON.
    pub(super) fn json(&self, file: &str) -> Result<Rc<Value>> {
        if let Some(known) = self.texts.borrow().get(file) {
            return Ok(Rc::clone(known));
        }
        let value: Value = serde_json::from_str(&self.text(file)?).with_context(|| format!("reading {file}"))?;
        let value = Rc::new(value);
        self.texts.borrow_mut().insert(file.to_owned(), Rc::clone(&value));
        Ok(value)
    }

    fn text(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| format!("reading {file}"))
    }
}

/// A reference with what its beginning and its last step stand for.
fn written_out(reference: &str) -> String {
    let mut text = reference.to_owned();
    for (short, long) in BEGINNINGS {
        text = text.strip_prefix(short).map_or(text.clone(), |rest| format!("{long}{rest}"));
    }
    for (short, long) in LAST_STEPS {
        text = text.strip_suffix(short).map_or(text.clone(), |rest| format!("{rest}{long}"));
    }
    text
}

/// The number at the end of some steps.
fn number_at(value: &Value, steps: &[String]) -> Result<f64> {
    let Some((step, rest)) = steps.split_first() else {
        return value.as_f64().context("no number");
    };
    let next = match value {
        Value::Array(elements) if step == "*" => {
            let all = elements.iter().map(|element| number_at(element, rest)).collect::<Result<Vec<_>>>()?;
            return median(&all).context("an empty list");
        }
        Value::Array(elements) => {
            let named = elements.iter().find(|element| ["id", "name"].iter().any(|key| element[*key] == **step));
            named.or_else(|| elements.get(step.parse::<usize>().ok()?))
        }
        other => other.get(step),
    };
    number_at(next.with_context(|| format!("no {step}"))?, rest)
}

/// A document from a heading on.
fn below<'a>(text: &'a str, heading: &str) -> Result<&'a str> {
    if heading.is_empty() {
        return Ok(text);
    }
    let place = text.find(&format!("# {heading}\n")).with_context(|| format!("no heading {heading}"))?;
    Ok(&text[place..])
}

/// The number in a cell of a table.
fn cell_at(text: &str, steps: &[String]) -> Result<f64> {
    let [row, column, rest @ ..] = steps else { anyhow::bail!("a table's cell has a row and a column") };
    let nth = rest.first().map_or(Ok(1), |step| step.parse::<usize>()).context("the third step is a place")?;
    ensure!(nth > 0, "places begin at 1");
    let mut head: Vec<String> = Vec::new();
    for line in text.lines().chain([""]) {
        let Some(inner) = line.strip_prefix('|') else {
            head.clear();
            continue;
        };
        let cells: Vec<String> = inner.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        if head.is_empty() {
            head = cells;
        } else if let (true, Some(at)) = (cells[0] == *row, head.iter().position(|name| name == column)) {
            let cell = cells.get(at).context("a short row")?;
            return numbers(cell).nth(nth - 1).with_context(|| format!("no number {nth} in `{cell}`"));
        }
    }
    anyhow::bail!("no row {row} with a column {column}")
}

/// The numbers of a text, with their signs.
fn numbers(text: &str) -> impl Iterator<Item = f64> + '_ {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+' | '−');
    let words = text.split(move |c| !is_part(c)).filter(|word| word.contains(|c: char| c.is_ascii_digit()));
    words.filter_map(|word| parse(word.trim_end_matches(['.', ','])))
}

/// A number as people write it: thousands may be apart, and its sign may be a minus of print.
pub(super) fn parse(text: &str) -> Option<f64> {
    text.replace(',', "").replace('−', "-").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn steps(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn short_references_are_written_out() {
        assert_eq!(written_out("lab:a/said"), "docs/lab/results.json#/cells/a/prediction/saving/value");
        assert_eq!(written_out("pairs:a/saved"), "docs/pairs/results.json#/runs/0/cells/a/truth/saving/value");
        assert_eq!(written_out("a.json#/b"), "a.json#/b");
    }

    #[test]
    fn json_is_walked_by_keys_places_and_names() {
        let value = json!({"runs": [{"cells": [{"id": "a", "ns": [1.0, 5.0, 2.0]}, {"name": "b", "x": [{"y": 4}]}]}]});
        let at = |path: &str| number_at(&value, &steps(path));
        assert_eq!(at("runs/0/cells/a/ns/1").unwrap(), 5.0);
        assert_eq!(at("runs/0/cells/a/ns/*").unwrap(), 2.0);
        assert_eq!(at("runs/0/cells/b/x/*/y").unwrap(), 4.0);
        for wrong in ["runs/1", "runs/0/cells/c/ns/0", "runs/0/cells/a", "runs/0/cells/a/ns/3"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cell_of_a_table_is_found_by_its_row_and_column() {
        let text = "| a | b |\n|---|---|\n| x | 1 |\n\n| What | Cost |\n|---|---|\n| `x` | +15.4 % (11.2–20.7 %) |\n| y | 1,234 against 5 points |\n";
        let at = |path: &str| cell_at(text, &steps(path));
        assert_eq!([at("x/b").unwrap(), at("x/Cost").unwrap(), at("x/Cost/3").unwrap()], [1.0, 15.4, 20.7]);
        assert_eq!([at("y/Cost").unwrap(), at("y/Cost/2").unwrap()], [1_234.0, 5.0]);
        let below_a_heading = below("| x | b |\n# One\n| x | 2 |\n", "One").unwrap();
        assert_eq!(below_a_heading, "# One\n| x | 2 |\n");
        assert!(below(text, "One").is_err());
        for wrong in ["x", "x/c", "z/Cost", "y/Cost/3", "y/Cost/0"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
