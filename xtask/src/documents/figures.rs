//! Figures of documents against what is kept. Behind a figure stands a comment that names its
//! source: `29 %<!-- docs/pairs/results.json#/runs/0/… -->`. The figure is the source's, rounded as
//! shown.
//!
//! Two sources may be put together: `A less B`, `A by B` (the quotient), and `minus A` turns the
//! sign. `<!-- given: … -->` says why a figure is no result. In some documents every figure with a
//! unit needs a comment.

use anyhow::{Context as _, Result, bail, ensure};

use super::kept::{Found, Kept, parse};

/// Units of figures that are results.
const UNITS: [&str; 5] = ["%", "points", "ns", "µs", "ms"];
const OPEN: &str = "<!-- ";
const CLOSE: &str = " -->";
/// What begins a comment that is no reference to a kept result.
const GIVEN: &str = "given: ";
/// How far a figure may be from its source beyond rounding.
const SLACK: f64 = 1e-9;

/// A figure of a document.
#[derive(Debug, PartialEq)]
struct Figure<'a> {
    /// As it is shown: `29`, `−0.5`, `1,234`.
    number: &'a str,
    unit: &'a str,
    /// The comment behind it.
    source: Option<&'a str>,
}

/// What is wrong with a document's figures, a line each; and how many have a source that agrees.
pub(super) fn check(name: &str, text: &str, is_strict: bool, kept: &Kept) -> (Vec<String>, usize) {
    let (mut wrong, mut right) = (Vec::new(), 0);
    for (line, figure) in prose(text).flat_map(|(n, line)| figures(line).into_iter().map(move |f| (n, f))) {
        let Figure { number, unit, source } = figure;
        match source {
            None if is_strict => wrong.push(format!("{name}:{line}: {number} {unit} names no kept result")),
            None => {}
            Some(source) if source.starts_with(GIVEN) => {}
            Some(source) => match agrees(number, unit, source, kept) {
                Ok(()) => right += 1,
                Err(error) => wrong.push(format!("{name}:{line}: {number} {unit}: {error:#}")),
            },
        }
    }
    (wrong, right)
}

/// The lines of a document that people read as text, with their numbers: no code, and nothing that
/// a command writes.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut is_code, mut is_written) = (false, false);
    text.lines().enumerate().filter_map(move |(n, line)| {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            return None;
        }
        if line.starts_with("<!-- written by") {
            is_written = line.ends_with("begin -->");
        }
        (!is_code && !is_written).then_some((n + 1, line))
    })
}

/// The figures of a line: those with a unit, and those with a source.
fn figures(line: &str) -> Vec<Figure<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = line[at..].find(|c: char| c.is_ascii_digit()).map(|place| at + place) {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
        let rest = &line[start..];
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let digits = rest[..length].trim_end_matches(['.', ',']);
        at = start + length;
        let before = &line[..start];
        // Inside of a comment, a word, an address or a range of code there is no figure.
        if is_commented(before) || before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.')) {
            continue;
        }
        let sign = ["−", "-", "+"].into_iter().find(|sign| before.ends_with(sign) && !is_range(before, sign));
        let number = &line[start - sign.map_or(0, str::len)..start + digits.len()];
        let behind = &line[start + digits.len()..];
        let bare = behind.trim_start_matches([' ', '\u{a0}']);
        let is_unit = |unit: &&&str| bare.starts_with(**unit) && !continues(&bare[unit.len()..]);
        let unit = UNITS.iter().find(is_unit).copied().unwrap_or("");
        let tail = if unit.is_empty() { behind } else { &bare[unit.len()..] };
        let source = tail.trim_start_matches('*').strip_prefix(OPEN).and_then(|rest| Some(rest.split_once(CLOSE)?.0));
        if source.is_some() || !unit.is_empty() {
            found.push(Figure { number, unit, source });
        }
    }
    found
}

/// Whether a unit goes on as another word.
fn continues(rest: &str) -> bool {
    rest.starts_with(char::is_alphanumeric)
}

/// Whether a place stands in a comment.
fn is_commented(before: &str) -> bool {
    before.rfind("<!--").is_some_and(|open| !before[open..].contains("-->"))
}

/// Whether what looks like a sign stands between two numbers, or in a word.
fn is_range(before: &str, sign: &str) -> bool {
    before.strip_suffix(sign).is_some_and(|rest| rest.ends_with(char::is_alphanumeric))
}

/// Whether a figure is what its source says.
fn agrees(number: &str, unit: &str, source: &str, kept: &Kept) -> Result<()> {
    let shown = parse(number).context("no number")?;
    let value = value(source, kept)?;
    let value = match value {
        Found::Shown(value) => value,
        Found::Raw(value) => match unit {
            "%" | "points" => value * 100.0,
            "µs" => value / 1e3,
            "ms" => value / 1e6,
            "" | "ns" => value,
            _ => bail!("not a unit"),
        },
    };
    let digits = number.split_once('.').map_or(0, |(_, behind)| behind.len());
    let step = 10_f64.powi(-i32::try_from(digits)?);
    ensure!(
        (value - shown).abs() <= step * 0.5 + SLACK,
        "kept is {}",
        crate::host::numbers::decimal(value, digits + 1)
    );
    Ok(())
}

/// What a comment says.
fn value(source: &str, kept: &Kept) -> Result<Found> {
    let two = |by: &str, put: fn(f64, f64) -> f64| {
        let (left, right) = source.split_once(by)?;
        let both = || match (kept.find(left.trim())?, kept.find(right.trim())?) {
            (Found::Raw(left), Found::Raw(right)) => Ok(Found::Raw(put(left, right))),
            (Found::Shown(left), Found::Shown(right)) => Ok(Found::Shown(put(left, right))),
            _ => bail!("{left} and {right} have different units"),
        };
        Some(both())
    };
    if let Some(found) = two(" less ", |left, right| left - right).or_else(|| two(" by ", |left, right| left / right)) {
        return found;
    }
    match source.strip_prefix("minus ") {
        Some(rest) => Ok(match kept.find(rest)? {
            Found::Raw(value) => Found::Raw(-value),
            Found::Shown(value) => Found::Shown(-value),
        }),
        None => kept.find(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::file::Scratch;

    fn one(line: &str) -> (&str, &str, Option<&str>) {
        let found = figures(line);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        (found[0].number, found[0].unit, found[0].source)
    }

    #[test]
    fn a_figure_has_its_unit_and_its_source() {
        assert_eq!(one("It saves 29 %<!-- a.json#/x -->."), ("29", "%", Some("a.json#/x")));
        assert_eq!(one("It saves **−0.5 %**<!-- a#b -->"), ("−0.5", "%", Some("a#b")));
        assert_eq!(one("1,234<!-- a#b --> requests"), ("1,234", "", Some("a#b")));
        assert_eq!(one("from 3 to 4.5 µs."), ("4.5", "µs", None));
        assert!(figures("64 connections, 6.18, c64, 2026-11-30, §3 %x, 12 nsec").is_empty());
        assert_eq!(figures("4 %<!-- a#1 --> to 59 %<!-- a#2 -->").len(), 2);
        assert_eq!(one("between 4–59 %"), ("59", "%", None));
    }

    #[test]
    fn code_and_what_commands_write_have_no_figures() {
        let text = "a 1 %\n```\n2 %\n```\n<!-- written by `x`: begin -->\n3 %\n<!-- written by `x`: end -->\n4 %\n";
        let (wrong, right) = check("a.md", text, true, &Kept::new("/nowhere"));
        assert_eq!((wrong.len(), right), (2, 0), "{wrong:?}");
        assert!(wrong[1].starts_with("a.md:8: 4 %"), "{wrong:?}");
        assert!(check("a.md", text, false, &Kept::new("/nowhere")).0.is_empty());
    }

    #[test]
    fn a_wrong_figure_is_found() {
        let folder = Scratch::new("figures").unwrap();
        std::fs::write(folder.join("a.json"), r#"{"share": 0.2934, "took_ns": 18432, "less": -0.703}"#).unwrap();
        std::fs::write(folder.join("a.md"), "| a | b |\n|---|---|\n| x | 3.6 % |\n").unwrap();
        let kept = Kept::new(&*folder);
        let says = |line: &str| check("d.md", line, true, &kept);
        for right in [
            "29 %<!-- a.json#/share -->",
            "29.3 %<!-- a.json#/share -->",
            "29.34 points<!-- a.json#/share -->",
            "18.4 µs<!-- a.json#/took_ns -->",
            "18,432 ns<!-- a.json#/took_ns -->",
            "−70 %<!-- a.json#/less -->",
            "70 %<!-- minus a.json#/less -->",
            "100 %<!-- a.json#/share less a.json#/less -->",
            "1.0<!-- a.json#/share by a.json#/share -->",
            "3.6 %<!-- a.md#x/b -->",
        ] {
            assert_eq!(says(right), (vec![], 1), "{right}");
        }
        for wrong in [
            "30 %<!-- a.json#/share -->",
            "29.4 %<!-- a.json#/share -->",
            "70 %<!-- a.json#/less -->",
            "29 %<!-- a.json#/nothing -->",
            "29 %<!-- b.json#/share -->",
            "4 %<!-- a.md#x/c -->",
            "29 %<!-- somewhere -->",
            "0.29 %<!-- a.json#/share less a.md#x/b -->",
            "29 %",
        ] {
            assert_eq!(says(wrong).0.len(), 1, "{wrong}");
        }
        assert_eq!(says("60 %<!-- given: an assumption -->"), (vec![], 0));
    }
}
