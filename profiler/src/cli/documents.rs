//! Commands that the documents show: each is one that this build takes.

use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::Flags;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The README and every page of docs.
fn documents() -> Vec<PathBuf> {
    let pages = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = pages.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    all.extend(["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    all.sort();
    all
}

/// The lines of a page that are typed: those of its blocks of code.
fn typed(page: &str) -> Vec<String> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            lines.push(line.trim_start().trim_start_matches("$ ").trim_start_matches("sudo ").to_owned());
        }
    }
    lines
}

/// The words of a command as a shell has them, up to a comment or to another command.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        let in_word = words.last().is_some_and(|word| !word.is_empty());
        match (quote, c) {
            (None, '#') if !in_word => break,
            (None, '|' | '>' | ';' | '&') => break,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, ' ') if in_word => words.push(String::new()),
            (None, ' ') => {}
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    // What stands for a number is one.
    let number = |word: String| if matches!(&*word, "PID" | "TID" | "N") { "1".to_owned() } else { word };
    words.into_iter().map(number).collect()
}

#[test]
fn every_command_of_the_documents_is_taken() {
    let mut seen = 0;
    for document in documents() {
        let page = std::fs::read_to_string(&document).unwrap();
        for line in typed(&page).iter().filter(|line| line.starts_with("should-i-async ")) {
            let words = words(line);
            seen += 1;
            if let Err(error) = Flags::try_parse_from(&words) {
                assert!(!error.use_stderr(), "{}: {line}\n{error}", document.display());
            }
        }
    }
    assert!(seen > 40, "{seen} commands");
}

#[test]
fn words_are_split_as_a_shell_does() {
    assert_eq!(words("should-i-async check -p PID   # a comment"), ["should-i-async", "check", "-p", "1"]);
    assert_eq!(words("a 'b c' \"d e\" f#g | h"), ["a", "b c", "d e", "f#g"]);
}
