//! `cargo xtask documents`: README and docs against what is kept. Figures that name a kept result
//! agree with it ([`figures`], [`kept`]), links lead somewhere ([`links`]), and the [`pictures`] of
//! the article are those of the kept results; [`fleet`] simulates what one of them shows, and
//! [`summary`] counts rows.
//!
//! What the documents show of reports is compared by profiler/tests/documents.rs.

mod figures;
mod fleet;
mod kept;
mod links;
mod pictures;
mod summary;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{host::file::write_json, say::say};
use fleet::Fleet;
use kept::Kept;
use summary::Summary;

/// Folder of the article's pictures, and what was worked out for it.
const FOLDER: &str = "docs/article";
const FLEET: &str = "fleet.json";
const SUMMARY: &str = "summary.json";
/// Documents in which each figure with a unit names its source.
const STRICT: [&str; 3] = ["README.md", "docs/article.md", "docs/tutorial.md"];
/// Figures that are compared, at least: fewer means that they are not found.
const COMPARED: usize = 60;

/// Draw the pictures of docs/article from kept results, and hold the figures and links of README
/// and docs against what is kept.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Draw nothing
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if !options.check {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| format!("making {FOLDER}"))?;
        for path in draw(root, &folder)? {
            say(&format!("written: {}", path.display()))?;
        }
    }
    let (wrong, compared) = check(root)?;
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    say(&format!("documents: {compared} figures agree with kept results, and all links lead somewhere"))
}

/// Draws the pictures, and writes what the simulation found.
fn draw(root: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let kept = Kept::new(root);
    let fleet = Fleet::simulate(&kept)?;
    let mut written = pictures::draw(&kept, &fleet, folder)?;
    let (path, summary) = (folder.join(FLEET), folder.join(SUMMARY));
    write_json(&fleet, &path)?;
    write_json(&Summary::new(&kept)?, &summary)?;
    written.extend([path, summary]);
    Ok(written)
}

/// What is wrong in all documents, and how many figures were compared.
fn check(root: &Path) -> Result<(Vec<String>, usize)> {
    let kept = Kept::new(root);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for name in documents(root)? {
        let text = fs::read_to_string(root.join(&name)).with_context(|| format!("reading {name}"))?;
        wrong.extend(links::broken(root, &name, &text));
        let (found, right) = figures::check(&name, &text, STRICT.contains(&name.as_str()), &kept);
        wrong.extend(found);
        compared += right;
    }
    if compared < COMPARED {
        wrong.push(format!("only {compared} figures name a kept result: are the others not found?"));
    }
    Ok((wrong, compared))
}

/// What follows a beginning in the lines of a document's code, without comments; one command of a
/// table's cell too.
#[cfg(test)]
pub(crate) fn typed<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code && let Some(rest) = line.strip_prefix(begin) {
            found.push(rest.split('#').next().unwrap_or(rest).trim_end());
        } else if !is_code {
            let quoted = line.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix(begin));
            // An ellipsis or a bare word of a table stands for many commands.
            found.extend(quoted.filter(|code| !code.contains('…') && !code.contains("OLD")));
        }
    }
    found
}

/// The documents: those at the top, those of docs and of its folders.
pub(crate) fn documents(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in ["", "docs", "docs/lab", "docs/pairs"] {
        let read = fs::read_dir(root.join(folder)).with_context(|| format!("reading {folder}"))?;
        for entry in read {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") {
                names.push(Path::new(folder).join(name).to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::file::Scratch;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    #[test]
    fn figures_and_links_of_the_documents_hold() {
        let (wrong, _) = check(&root()).unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_pictures_are_those_of_the_kept_results() {
        let folder = Scratch::new("article").unwrap();
        let written = draw(&root(), &folder).unwrap();
        for path in &written {
            let name = path.file_name().unwrap();
            let kept = fs::read_to_string(root().join(FOLDER).join(name)).unwrap_or_default();
            let same = kept == fs::read_to_string(path).unwrap();
            assert!(same, "{} is not what `cargo xtask documents` draws", name.display());
        }
    }
}
