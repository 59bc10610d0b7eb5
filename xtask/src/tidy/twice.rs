//! No sentence stands in two outputs: `words` has it, and both ask for it.

use std::collections::BTreeMap;

use super::finding::{Finding, Severity};
use super::place::{Place, SourceFile};
use super::rules::{PART_WORDS, Rule, SENTENCE_WORDS};
use super::source::Source;

/// The rooms that show what others found.
const OUTPUTS: [&str; 5] = ["report", "export", "tui", "pipeline", "cli"];
/// The room that both of them ask.
const WORDS: &str = "words";

/// A text of one output that another one, or `words`, has as well: as a whole, or a long part of
/// it.
pub(super) fn check(sources: &[SourceFile]) -> Vec<Finding> {
    let mut texts = Vec::new();
    for file in sources {
        let place = Place::new(&file.path);
        let is_read = |room: &str| room == WORDS || OUTPUTS.contains(&room);
        let Some(room) = place.room.filter(|room| is_read(room) && !place.is_test) else { continue };
        let Ok(source) = Source::parse(&file.text) else { continue };
        let lines: Vec<&str> = file.text.lines().map(str::trim_start).collect();
        for (text, line) in source.literals.iter().filter(|(_, line)| !lines[line - 1].starts_with("//")) {
            texts.push((room.clone(), file, *line, pieces(text)));
        }
    }
    // What `words` has counts as said first.
    texts.sort_by_key(|(room, ..)| room != WORDS);
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut findings: Vec<Finding> = Vec::new();
    for (room, file, line, pieces) in &texts {
        for part in parts(pieces) {
            let first = *seen.entry(part).or_insert(room.as_str());
            let is_said = findings.last().is_some_and(|last| last.file == file.path && last.line == *line);
            if first != room.as_str() && !is_said {
                findings.push(Finding {
                    rule: Rule::Sentences,
                    severity: Severity::Error,
                    file: file.path.clone(),
                    line: *line,
                    message: format!(
                        "{first} says the same: let {} ask `{WORDS}`",
                        if first == WORDS { room.as_str() } else { "both" }
                    ),
                });
            }
        }
    }
    findings
}

/// The words of a text, in the pieces that its figures and marks leave.
fn pieces(literal: &str) -> Vec<Vec<String>> {
    let Some(text) = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return Vec::new() };
    let mut pieces = vec![Vec::new()];
    for word in text.split_whitespace() {
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric() && !"{}<>\\".contains(c)).to_lowercase();
        if plain.contains(['{', '}', '<', '>', '\\']) {
            pieces.push(Vec::new());
        } else if let Some(last) = pieces.last_mut().filter(|_| plain.chars().any(char::is_alphabetic)) {
            last.push(plain);
        }
    }
    pieces
}

/// The phrases of a text that no other output may have: the whole text, and each piece that is
/// long.
fn parts(pieces: &[Vec<String>]) -> Vec<String> {
    let words = pieces.concat();
    let whole = (words.len() >= SENTENCE_WORDS).then(|| words.join(" "));
    let long = pieces.iter().flat_map(|words| words.windows(PART_WORDS)).map(|part| part.join(" "));
    whole.into_iter().chain(long).collect()
}
