//! Finds the files of a room that depend on each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::finding::{Finding, Severity};
use super::rules::Rule;
use super::syntax::Kind;
use super::tree::{Found, Tree};

/// How many names are printed for one arrow.
const MOST_NAMES: usize = 4;

/// Which file needs which, and by what names.
type Arrows = BTreeMap<(usize, usize), BTreeSet<String>>;

/// One finding for each set of files in which each one needs every other, directly or through the
/// rest.
pub(super) fn check(tree: &Tree<'_>) -> Vec<Finding> {
    let arrows = arrows(tree);
    let reach: Vec<BTreeSet<usize>> = (0..tree.files.len()).map(|file| reachable(&arrows, file)).collect();
    let mut findings = Vec::new();
    let mut done = BTreeSet::new();
    for file in 0..tree.files.len() {
        let circle: Vec<usize> = reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect();
        if circle.len() > 1 && done.insert(circle.clone()) {
            findings.push(Finding {
                rule: Rule::Circles,
                severity: Severity::Error,
                file: tree.files[circle[0]].source.path.clone(),
                line: 0,
                message: message(tree, &arrows, &circle),
            });
        }
    }
    findings
}

fn arrows(tree: &Tree<'_>) -> Arrows {
    let mut arrows = Arrows::new();
    for (file, member) in tree.files.iter().enumerate() {
        for module in &member.source.syntax.modules {
            for mention in &module.mentions {
                let Some(Found::File(other)) = tree.mentioned(file, &module.inside, mention) else { continue };
                let is_door = mention.kind == Kind::Reexport && tree.files[other].module.starts_with(&member.module);
                if other != file && tree.room(other) == tree.room(file) && !is_door {
                    arrows.entry((file, other)).or_default().insert(telling(&mention.path).to_owned());
                }
            }
        }
    }
    arrows
}

/// The name that says most about a path: its type, or its last.
fn telling(path: &[String]) -> &str {
    let is_type = |name: &&String| name.starts_with(char::is_uppercase);
    path.iter().find(is_type).or(path.last()).map_or("", String::as_str)
}

/// The files that `start` needs, and itself if one of them needs it.
fn reachable(arrows: &Arrows, start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for (_, next) in arrows.range((file, 0)..(file + 1, 0)).map(|(arrow, _)| *arrow) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached
}

fn message(tree: &Tree<'_>, arrows: &Arrows, circle: &[usize]) -> String {
    let name = |file: usize| {
        let path = &tree.files[file].source.path;
        path.strip_prefix(tree.krate.folder).unwrap_or(path).display().to_string()
    };
    let files: Vec<String> = circle.iter().map(|file| name(*file)).collect();
    let mut text = format!("a circle of {} files: {}", circle.len(), files.join(", "));
    let inner = arrows.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
    for ((from, to), names) in inner {
        let shown: Vec<&str> = names.iter().map(String::as_str).take(MOST_NAMES).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n    {} needs {}: {}", name(*from), name(*to), shown.join(", "));
        if names.len() > MOST_NAMES {
            let _ = write!(text, " and {} more", names.len() - MOST_NAMES);
        }
    }
    text
}
