//! Holds one file, or the repository's top, against the [`rules`](super::rules).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Severity};
use super::place::Place;
use super::rooms::{self, May, Room};
use super::rules::{self, Rule};
use super::source::{Mention, Source};

/// The profiler's own name in the paths of its binary.
const LIBRARY: &str = "should_i_async";

/// Checks the names at the repository's top, each with whether it is a folder.
pub(super) fn top_level(names: &[(String, bool)]) -> Vec<Finding> {
    let stray = |(name, is_dir): &&(String, bool)| {
        *is_dir && !name.starts_with('.') && !rules::TOP_LEVEL.contains(&name.as_str())
    };
    let finding = |(name, _): &(String, bool)| Finding {
        rule: Rule::House,
        severity: Severity::Error,
        file: PathBuf::from(name),
        line: 0,
        message: format!("not a folder of this repository ({})", rules::TOP_LEVEL.join(", ")),
    };
    names.iter().filter(stray).map(finding).collect()
}

/// Which of the allowed things the files use, tests left out.
#[derive(Default)]
pub(super) struct Uses {
    /// Who imports which room.
    pub(super) rooms: BTreeSet<(String, String)>,
    /// Which crate stands in which room.
    pub(super) crates: BTreeSet<(String, String)>,
}

impl Uses {
    /// Adds those of one file. If it cannot be read, [`file`] says so.
    pub(super) fn add(&mut self, path: &Path, text: &str) {
        let place = Place::new(path);
        let (Some(room), Ok(source)) = (&place.room, Source::parse(text)) else { return };
        for mention in source.paths.iter().filter(|mention| !mention.test && !place.is_test) {
            if let Some(other) = inner_path(&place.module, mention).and_then(|inner| inner.into_iter().next()) {
                self.rooms.insert((room.clone(), other));
            }
            self.crates.insert((mention.segments[0].clone(), room.clone()));
        }
    }

    /// The allowances that nobody uses.
    pub(super) fn unused(&self, rooms: &[Room], homes: &[rooms::Home]) -> Vec<Finding> {
        let is_used = |uses: &BTreeSet<(String, String)>, a: &str, b: &str| uses.contains(&(a.into(), b.into()));
        let mut unused = Vec::new();
        for room in rooms {
            let May::Only(others) = room.may else { continue };
            for other in others.iter().filter(|other| !is_used(&self.rooms, room.name, other)) {
                unused.push(format!("{} may import {other}, and does not", room.name));
            }
        }
        for home in homes {
            // A room that composes the others may need it tomorrow.
            let composes = |name: &str| rooms.iter().any(|room| room.name == name && matches!(room.may, May::All));
            for room in home.rooms.iter().filter(|room| !composes(room) && !is_used(&self.crates, home.krate, room)) {
                unused.push(format!("{room} may use {}, and does not", home.krate));
            }
        }
        unused.into_iter().map(Finding::of_tables).collect()
    }
}

/// Checks one file; `path` is relative to the repository.
pub(super) fn file(path: &Path, text: &str) -> Vec<Finding> {
    let place = Place::new(path);
    let mut report = Report { path, findings: Vec::new() };
    let source = match Source::parse(text) {
        Ok(source) => source,
        Err(error) => {
            report.error(0, error.to_string());
            return report.findings;
        }
    };
    if !text.starts_with("//!") {
        report.error(1, "a file opens with a `//!` line that says what it is for".into());
    }
    length(&mut report, &place, &source, text);
    put_off(&mut report, &source, text);
    if place.is_profiler {
        safety(&mut report, &source, text);
    }
    if let Some(room) = &place.room {
        for mention in &source.paths {
            let test = mention.test || place.is_test;
            imports(&mut report, room, &place.module, mention, test);
            homes(&mut report, room, mention, test);
            purity(&mut report, room, mention, test);
        }
    }
    if !place.is_test {
        let written = Written::new(&source, text);
        numbers(&mut report, place.room.as_deref(), &written);
        if let Some(room) = &place.room {
            phrases(&mut report, room, &written);
        }
    }
    report.findings
}

struct Report<'a> {
    path: &'a Path,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, rule: Rule, severity: Severity, line: usize, message: String) {
        self.findings.push(Finding { rule, severity, file: self.path.to_owned(), line, message });
    }

    fn error(&mut self, line: usize, message: String) {
        self.add(Rule::House, Severity::Error, line, message);
    }
}

fn length(report: &mut Report<'_>, place: &Place, source: &Source, text: &str) {
    let test: usize = source.test_lines.iter().map(|lines| lines.end() - lines.start() + 1).sum();
    let lines = text.lines().count().saturating_sub(test);
    if lines > rules::LINES_MOST && !place.is_test {
        report.error(0, format!("{lines} lines without tests: {} are the most, split it", rules::LINES_MOST));
    } else if lines > rules::LINES_WARN {
        report.add(
            Rule::House,
            Severity::Warning,
            0,
            format!("{lines} lines without tests: aim for {}", rules::LINES_WARN),
        );
    }
}

fn put_off(report: &mut Report<'_>, source: &Source, text: &str) {
    for (name, line) in &source.macros {
        if rules::STUB_MACROS.contains(&name.as_str()) {
            report.error(*line, format!("`{name}!` stands for work not done"));
        }
    }
    for (index, line) in text.lines().enumerate() {
        let is_word = |word: &&&str| line.split(|c: char| !c.is_alphanumeric()).any(|part| part == **word);
        if let Some(word) = rules::PUT_OFF.iter().find(is_word) {
            report.error(index + 1, format!("{word}: do it, or open an issue"));
        }
    }
}

/// Every unsafe block or impl needs a SAFETY comment on its line or right above its statement.
fn safety(report: &mut Report<'_>, source: &Source, text: &str) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in &source.unsafe_lines {
        let own = lines[line - 1];
        let mut above = lines[..line - 1].iter().rev().take_while(|above| {
            let is_note = above.starts_with("//") || above.starts_with("#[");
            // A line that ends a statement or opens a block belongs to something else.
            is_note || !(above.is_empty() || above.ends_with([';', '{', '}']))
        });
        if !own.contains("SAFETY:") && !above.any(|above| above.contains("SAFETY:")) {
            report.error(*line, "`unsafe` without a `// SAFETY:` comment right above".into());
        }
    }
}

/// The room and the rest of a path inside the crate, however it is written.
fn inner_path(module: &[String], mention: &Mention) -> Option<Vec<String>> {
    let first = mention.segments.first()?.as_str();
    match first {
        "crate" | LIBRARY => Some(mention.segments[1..].to_vec()),
        "self" | "super" => {
            // The binary's and the library's roots are not modules of their own name.
            let mut base: Vec<String> = match module {
                [root] if root == "main" || root == "lib" => Vec::new(),
                _ => module.to_vec(),
            };
            base.extend(mention.inside.iter().cloned());
            let mut rest = &mention.segments[..];
            while let Some((head, tail)) = rest.split_first() {
                match head.as_str() {
                    "self" => {}
                    "super" => {
                        base.pop()?;
                    }
                    _ => break,
                }
                rest = tail;
            }
            base.extend(rest.iter().cloned());
            Some(base)
        }
        _ => None,
    }
}

fn imports(report: &mut Report<'_>, room: &str, module: &[String], mention: &Mention, test: bool) {
    let Some(inner) = inner_path(module, mention) else { return };
    let Some(other) = inner.first().filter(|other| is_room(other)) else { return };
    if other == room {
        return;
    }
    let Some(rule) = find_room(room) else {
        report.error(mention.line, format!("`{room}` is not a room that `cargo xtask tidy --rules` knows"));
        return;
    };
    let allowed = match rule.may {
        May::All => other != "main",
        May::Only(rooms) => rooms.contains(&other.as_str()) || test && rests_on(room, other),
    };
    if !allowed {
        report.error(mention.line, format!("{room} may not import {other}: {}", rule.why));
    }
}

/// The texts of a file, without those of tests and comments.
struct Written<'a> {
    texts: Vec<(&'a str, usize)>,
}

impl<'a> Written<'a> {
    fn new(source: &'a Source, text: &str) -> Self {
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let is_code = |line: usize| !lines[line - 1].starts_with("//");
        let texts = source.literals.iter().filter(|(text, line)| text.starts_with('"') && is_code(*line));
        Self { texts: texts.map(|(text, line)| (text.as_str(), *line)).collect() }
    }
}

/// A text of three words or more is a phrase, which belongs into the rooms that speak.
fn phrases(report: &mut Report<'_>, room: &str, written: &Written<'_>) {
    if !rooms::SILENT_ROOMS.contains(&room) {
        return;
    }
    let file = report.path.to_string_lossy().into_owned();
    if rooms::PHRASES.iter().any(|phrase| phrase.file == file) {
        return;
    }
    for (text, line) in &written.texts {
        if text.split_whitespace().count() >= rooms::PHRASE_WORDS {
            let message = format!("a phrase in {room}: it gives out facts, others put them into words");
            report.add(Rule::Sentences, Severity::Error, *line, message);
        }
    }
}

/// Numbers have one format: only the rooms of `NUMBERS_OF` choose the digits, and one file of the
/// automation.
fn numbers(report: &mut Report<'_>, room: Option<&str>, written: &Written<'_>) {
    let (folder, file) = rooms::NUMBERS_OF_AUTOMATION;
    let home = match room {
        Some(room) if rooms::NUMBERS_OF.contains(&room) => return,
        Some(_) => rooms::NUMBERS_OF.join(" and "),
        None if report.path.starts_with(folder) && report.path != Path::new(file) => file.to_owned(),
        None => return,
    };
    for (_, line) in written.texts.iter().filter(|(text, _)| has_precision(text)) {
        report.error(*line, format!("digits of a number are chosen in {home}, for all"));
    }
}

/// Whether a text has a place such as `{:.1}` or `{name:>6.2}`.
fn has_precision(text: &str) -> bool {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).any(|(place, _)| {
        let Some((name, format)) = place.split_once(':') else { return false };
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        // A rule of a style sheet has a space behind its colon.
        let has_digits = |(before, digits): (&str, &str)| {
            !before.contains(' ') && digits.starts_with(|c: char| c.is_alphanumeric() || c == '*')
        };
        is_name && format.split_once('.').is_some_and(has_digits)
    })
}

fn is_room(name: &str) -> bool {
    find_room(name).is_some()
}

fn find_room(name: &str) -> Option<&'static Room> {
    rooms::ROOMS.iter().find(|room| room.name == name)
}

/// Whether `room` may import `other` directly or through others. The table has no cycles among such
/// rooms.
fn rests_on(room: &str, other: &str) -> bool {
    match find_room(room).map(|rule| &rule.may) {
        Some(May::Only(rooms)) => rooms.iter().any(|next| *next == other || rests_on(next, other)),
        _ => false,
    }
}

fn homes(report: &mut Report<'_>, room: &str, mention: &Mention, test: bool) {
    // A leading `::` has no token of its own in the segments; a path from `crate` is never another
    // crate.
    let Some(home) = rooms::HOMES.iter().find(|home| mention.segments[0] == home.krate) else { return };
    if !(home.rooms.contains(&room) || home.tests_may && test) {
        let rooms = home.rooms.join(" and ");
        let rule = if home.krate == rooms::CONTEXT_CRATE { Rule::Context } else { Rule::House };
        let message = format!("{} is for {rooms} only, not for {room}: {}", home.krate, home.why);
        report.add(rule, Severity::Error, mention.line, message);
    }
}

fn purity(report: &mut Report<'_>, room: &str, mention: &Mention, test: bool) {
    if test || !rooms::PURE_ROOMS.contains(&room) {
        return;
    }
    let breaks = |path: &[&str]| match path {
        // A crate's name counts as the first segment only: elsewhere it is a field or a module.
        [one] if one.chars().all(char::is_lowercase) => mention.segments[0] == *one,
        _ => mention.segments.windows(path.len()).any(|run| run.iter().zip(path).all(|(a, b)| a == b)),
    };
    if let Some(impure) = rooms::IMPURE.iter().find(|impure| breaks(impure.path)) {
        let path = impure.path.join("::");
        report
            .error(mention.line, format!("{room} does no IO and reads no clock, but mentions {path}: {}", impure.why));
    }
}
