//! Holds "Where a change goes" in CONTRIBUTING.md against the tree: each file that it names is
//! there, and has in it the names that stand beside it.

use std::path::{Path, PathBuf};

use super::finding::Finding;

/// The document, and the heading of its section.
pub(super) const DOCUMENT: &str = "CONTRIBUTING.md";
const HEADING: &str = "\n## Where a change goes\n";
/// What stands between the steps of a change.
const BETWEEN: &str = " · ";
/// Paths begin here where they do not begin at the repository's top.
const SOURCES: &str = "profiler/src";
const ENDINGS: [&str; 6] = ["rs", "md", "css", "py", "java", "toml"];

/// Checks the document; `read` gives a file's text, an empty one for a folder.
pub(super) fn check(document: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Finding> {
    let Some((_, section)) = document.split_once(HEADING) else {
        return vec![Finding::of_tables(format!("{DOCUMENT}: no section `{}`", HEADING.trim()))];
    };
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter(|line| line.starts_with('|')).flat_map(|row| row.split(" | "));
    cells.flat_map(|cell| of_cell(cell, read)).collect()
}

fn of_cell(cell: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Finding> {
    let mut beside = PathBuf::new();
    let mut messages = Vec::new();
    for step in cell.split(BETWEEN) {
        let code = step.split('`').skip(1).step_by(2);
        let (paths, others): (Vec<&str>, Vec<&str>) = code.partition(|word| is_path(word));
        let mut texts = Vec::new();
        for path in paths {
            let places = [beside.join(path), PathBuf::from(path), Path::new(SOURCES).join(path)];
            match places.into_iter().find_map(|place| Some((read(&place)?, place))) {
                Some((text, place)) => {
                    let folder = if path.ends_with('/') { Some(&*place) } else { place.parent() };
                    beside = folder.map(Path::to_path_buf).unwrap_or_default();
                    texts.push(text);
                }
                None => messages.push(format!("no `{path}`")),
            }
        }
        let is_there = |name: &&str| texts.iter().any(|text| text.is_empty() || text.contains(*name));
        let lost = others.into_iter().filter(|word| is_name(word) && !texts.is_empty() && !is_there(word));
        messages.extend(lost.map(|name| format!("no `{name}` in the files of “{}”", step.trim())));
    }
    messages.into_iter().map(|message| Finding::of_tables(format!("{DOCUMENT}: {message}"))).collect()
}

fn is_path(word: &str) -> bool {
    let ends = Path::new(word).extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known));
    !word.contains(char::is_whitespace) && (ends || word.contains('/'))
}

fn is_name(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
