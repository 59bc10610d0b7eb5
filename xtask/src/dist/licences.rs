//! dist/licences: who wrote what is linked into the program, and the texts that their licences want
//! shipped with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::files::{NAME, sorted};
use crate::{exec, host::arch::Arch};

/// The beginnings of the names of licence files, in capitals.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// What `cargo metadata` says, as far as we need it.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    manifest_path: PathBuf,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None`: an ordinary dependency, neither for tests nor for build scripts.
    kind: Option<String>,
}

/// The crates that are linked into the program, with their licences: a list, then each text once.
pub(super) fn third_party(root: &Path) -> Result<String> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["metadata", "--locked", "--format-version", "1"]);
    for arch in Arch::ALL {
        cargo.args(["--filter-platform", &arch.target()]);
    }
    let metadata: Metadata = serde_json::from_str(&exec::output(&mut cargo)?).context("reading cargo's metadata")?;
    let linked = linked(&metadata);
    ensure!(!linked.is_empty(), "cargo names no dependency of {NAME}");
    let mut texts = Vec::new();
    for package in linked {
        let folder = package.manifest_path.parent().context("a manifest without a folder")?;
        let mut own = BTreeSet::new();
        for file in sorted(folder)?.into_iter().filter(|file| is_licence(file) && file.is_file()) {
            let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            own.insert(String::from_utf8_lossy(&bytes).trim().replace("\r\n", "\n"));
        }
        texts.push((package, own));
    }
    Ok(render(&texts))
}

fn is_licence(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    FILES.iter().any(|start| name.starts_with(start))
}

/// The packages of others that ours is linked with, by name.
fn linked(metadata: &Metadata) -> Vec<&Package> {
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let mut open: Vec<&str> = metadata.packages.iter().filter(|p| p.name == NAME).map(|p| p.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let deps = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        open.extend(deps.filter(|d| d.dep_kinds.iter().any(|k| k.kind.is_none())).map(|d| d.pkg.as_str()));
    }
    let mut found: Vec<&Package> =
        metadata.packages.iter().filter(|p| seen.contains(p.id.as_str()) && p.source.is_some()).collect();
    found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    found
}

fn render(texts: &[(&Package, BTreeSet<String>)]) -> String {
    let mut out =
        format!("What {NAME} is linked with, beside Rust's standard library (MIT or Apache-2.0) and the GNU C\n");
    out.push_str("library (LGPL-2.1 or later; to link with another one, build from the sources).\n\n");
    let mut by_text: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (package, own) in texts {
        let name = format!("{} {}", package.name, package.version);
        let authors = if own.is_empty() { format!(", by {}", package.authors.join(", ")) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name}: {}{authors}", package.license.as_deref().unwrap_or("see its text"));
        for text in own {
            by_text.entry(text).or_default().push(name.clone());
        }
    }
    let mut ordered: Vec<_> = by_text.into_iter().collect();
    ordered.sort_by(|a, b| a.1.cmp(&b.1));
    for (text, names) in ordered {
        let _ = write!(out, "\n{}\n{}\n\n{text}\n", "=".repeat(100), names.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "packages": [
            {"id": "us", "name": "should-i-async", "version": "1", "license": "MIT", "manifest_path": "/us", "source": null},
            {"id": "b", "name": "b", "version": "2", "license": "MIT", "manifest_path": "/b", "source": "registry"},
            {"id": "a", "name": "a", "version": "1", "license": "ISC", "authors": ["Ann"], "manifest_path": "/a", "source": "registry"},
            {"id": "t", "name": "t", "version": "1", "license": "MIT", "manifest_path": "/t", "source": "registry"}
        ],
        "resolve": {"nodes": [
            {"id": "us", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "t", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b", "deps": [{"pkg": "a", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
            {"id": "a", "deps": []},
            {"id": "t", "deps": []}
        ]}
    }"#;

    #[test]
    fn what_is_linked_is_found_and_what_only_tests_use_is_not() {
        let metadata: Metadata = serde_json::from_str(METADATA).unwrap();
        assert_eq!(linked(&metadata).iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_text_that_several_have_is_there_once() {
        let metadata: Metadata = serde_json::from_str(METADATA).unwrap();
        let texts: Vec<_> = linked(&metadata).into_iter().map(|p| (p, BTreeSet::from(["Do.".to_owned()]))).collect();
        let text = render(&texts);
        assert_eq!(text.matches("Do.").count(), 1, "{text}");
        assert!(text.contains("a 1, b 2\n\nDo.\n"), "{text}");
    }

    #[test]
    fn who_ships_no_text_is_named() {
        let metadata: Metadata = serde_json::from_str(METADATA).unwrap();
        let texts: Vec<_> = linked(&metadata).into_iter().map(|p| (p, BTreeSet::new())).collect();
        assert!(render(&texts).contains("a 1: ISC, by Ann\n"));
    }
}
