//! The rules on one file that need its syntax: how wide comments are, how long functions, and where
//! sentences are made.

use super::finding::{Finding, Severity};
use super::place::{Place, SourceFile};
use super::rooms::TargetName;
use super::rules::{self, Long, Rule};

/// Comment lines that are too wide.
pub(super) fn columns(source: &SourceFile) -> Vec<Finding> {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate().filter(|(_, line)| is_comment(line)) {
        let width = line.chars().count();
        if width > rules::COMMENT_COLUMNS {
            let message = format!("a comment of {width} columns: {} are the most", rules::COMMENT_COLUMNS);
            findings.push(finding(source, Rule::Columns, index + 1, message));
        }
    }
    findings
}

/// Reports functions that are too long, and exceptions that no function needs.
pub(super) fn functions(sources: &[SourceFile], exceptions: &[Long]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut needed = vec![false; exceptions.len()];
    for source in sources.iter().filter(|source| !Place::new(&source.path).is_test) {
        for function in source.syntax.functions.iter().filter(|function| function.lines > rules::FUNCTION_LINES) {
            let is_it = |long: &Long| source.path.ends_with(long.file) && long.function == function.name;
            if let Some(at) = exceptions.iter().position(is_it) {
                needed[at] = true;
                continue;
            }
            let message = format!(
                "`{}` has {} lines: {} are the most, divide it",
                function.name,
                function.lines,
                rules::FUNCTION_LINES
            );
            findings.push(finding(source, Rule::Functions, function.line, message));
        }
    }
    for (long, _) in exceptions.iter().zip(needed).filter(|(_, needed)| !needed) {
        let message = format!("no function `{}` in {} is too long: take it off the list", long.function, long.file);
        findings.push(Finding::of_tables(message));
    }
    if exceptions.len() > rules::MOST_LONG {
        let message = format!("{} long functions are excepted: {} are the most", exceptions.len(), rules::MOST_LONG);
        findings.push(Finding::of_tables(message));
    }
    findings
}

/// Sentences in rooms that give out facts, and names excepted there that no longer exist. In the
/// room of the quantities `Display` may format: it prints a number with its unit.
pub(super) fn sentences(
    sources: &[SourceFile],
    rooms: &[&str],
    numbers_in: &str,
    names: &[TargetName],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut needed = vec![false; names.len()];
    for source in sources {
        let place = Place::new(&source.path);
        let Some(room) = place.room.filter(|room| rooms.contains(&room.as_str()) && !place.is_test) else { continue };
        let is_number = |at: usize| {
            room == numbers_in && source.syntax.displays.iter().any(|&(from, to)| (from..=to).contains(&at))
        };
        for (name, line) in &source.syntax.macros {
            if rules::SENTENCE_MACROS.contains(&name.as_str()) && !is_number(*line) {
                let message = format!("`{name}!` in {room}: it gives out facts, others put them into words");
                findings.push(finding(source, Rule::Sentences, *line, message));
            }
        }
        for exposed in source.syntax.surface.iter().filter(|exposed| exposed.owns_text) {
            let full = format!("{}::{}", exposed.item, exposed.name);
            let is_it = |name: &TargetName| name.name == exposed.name || name.name == full;
            if let Some(at) = names.iter().position(is_it) {
                needed[at] = true;
                continue;
            }
            let message = format!("`{full}` of {room} shows text that is no name from the target: show a fact");
            findings.push(finding(source, Rule::Sentences, exposed.line, message));
        }
    }
    for (name, _) in names.iter().zip(needed).filter(|(_, needed)| !needed) {
        findings.push(Finding::of_tables(format!("no `{}` shows text: take it off the list of names", name.name)));
    }
    findings
}

fn finding(source: &SourceFile, rule: Rule, line: usize, message: String) -> Finding {
    Finding { rule, severity: Severity::Error, file: source.path.clone(), line, message }
}
