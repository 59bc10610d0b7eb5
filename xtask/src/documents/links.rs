//! Links of documents: each leads to a file of this tree, and to a heading of it where it names
//! one.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The links of a document that lead nowhere.
pub(super) fn broken(root: &Path, name: &str, text: &str) -> Vec<String> {
    let folder = root.join(name).parent().map(Path::to_owned).unwrap_or_default();
    let is_here = |target: &&str| !target.contains("://") && !target.starts_with("mailto:");
    let leads = |target: &&str| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let path: PathBuf = if file.is_empty() { root.join(name) } else { folder.join(file) };
        path.exists() && (heading.is_empty() || headings(&fs::read_to_string(path).unwrap_or_default(), heading))
    };
    let targets = targets(text).into_iter().filter(is_here);
    targets.filter(|target| !leads(target)).map(|target| format!("{name}: {target} leads nowhere")).collect()
}

/// What the links of a document name. Code has no links.
fn targets(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        is_code ^= fence;
        !is_code && !fence
    });
    lines.flat_map(|line| line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))).collect()
}

/// Whether a document has a heading with this anchor, made as GitHub makes them.
fn headings(text: &str, anchor: &str) -> bool {
    text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line.trim_start_matches('#').trim()) == anchor)
}

fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::file::Scratch;

    #[test]
    fn links_to_files_and_headings_are_followed() {
        let folder = Scratch::new("links").unwrap();
        fs::create_dir_all(folder.join("docs")).unwrap();
        fs::write(folder.join("docs/a.md"), "# One: `two`, three\n").unwrap();
        let text = "[a](docs/a.md) [b](docs/a.md#one-two-three) [c](https://x.y/z) `[d](q)`\n```\n[e](f)\n```\n";
        assert_eq!(broken(&folder, "b.md", text), ["b.md: q leads nowhere"]);
        let text = "[a](a.md#two) ![b](c.svg) [self](#one-two-three)";
        assert_eq!(
            broken(&folder, "docs/a.md", text),
            ["docs/a.md: a.md#two leads nowhere", "docs/a.md: c.svg leads nowhere"]
        );
    }
}
