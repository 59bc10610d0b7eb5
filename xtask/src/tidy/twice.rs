//! No sentence stands in two outputs: `words` has it, and both ask for it.

use std::collections::BTreeMap;

use super::finding::{Finding, Severity};
use super::place::{Place, SourceFile};
use super::rules::{Rule, SENTENCE_WORDS};
use super::source::Source;

/// The rooms that show what others found.
const OUTPUTS: [&str; 5] = ["report", "export", "tui", "pipeline", "cli"];

/// A sentence of one output that another one has as well.
pub(super) fn check(sources: &[SourceFile]) -> Vec<Finding> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in sources {
        let place = Place::new(&file.path);
        let Some(room) = place.room.filter(|room| OUTPUTS.contains(&room.as_str()) && !place.is_test) else { continue };
        let Ok(source) = Source::parse(&file.text) else { continue };
        let lines: Vec<&str> = file.text.lines().map(str::trim_start).collect();
        for (text, line) in source.literals.iter().filter(|(_, line)| !lines[line - 1].starts_with("//")) {
            let Some(sentence) = sentence(text) else { continue };
            let first = seen.entry(sentence).or_insert_with(|| room.clone());
            if *first != room {
                findings.push(Finding {
                    rule: Rule::Sentences,
                    severity: Severity::Error,
                    file: file.path.clone(),
                    line: *line,
                    message: format!("{first} says the same: let both ask `words`"),
                });
            }
        }
    }
    findings
}

/// The words of a text without its figures, where they are as many as a sentence has.
fn sentence(literal: &str) -> Option<String> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    let is_word = |word: &&str| !word.contains(['{', '}', '<', '>', '\\']) && word.chars().any(char::is_alphabetic);
    let words: Vec<&str> = text.split_whitespace().filter(is_word).collect();
    (words.len() >= SENTENCE_WORDS).then(|| words.join(" ").trim_end_matches(['.', ';', ':']).to_lowercase())
}
