//! What a file is, and what is in it.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::syntax::Syntax;

/// One file of the repository.
pub(super) struct SourceFile {
    /// Relative to the repository.
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) syntax: Syntax,
}

impl SourceFile {
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        Ok(Self { path: path.to_owned(), text: text.to_owned(), syntax: Syntax::parse(text)? })
    }
}

/// What a file is, from its path.
pub(super) struct Place {
    /// Whether it belongs to the profiler package.
    pub(super) is_profiler: bool,
    /// Whether all of it is compiled for tests only.
    pub(super) is_test: bool,
    /// The room, for files of profiler/src.
    pub(super) room: Option<String>,
    /// The module path from the crate's root.
    pub(super) module: Vec<String>,
}

impl Place {
    /// Reads a path that is relative to the repository.
    pub(super) fn new(path: &Path) -> Self {
        let parts: Vec<String> = path
            .with_extension("")
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            })
            .collect();
        let is_profiler = parts.first().is_some_and(|part| part == "profiler");
        let in_src = is_profiler && parts.get(1).is_some_and(|part| part == "src");
        let mut module = if in_src { parts[2..].to_vec() } else { Vec::new() };
        if module.len() > 1 && module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        let name = parts.last().map_or("", String::as_str);
        let is_test = name == "tests" || name.ends_with("_tests") || parts.iter().any(|part| part == "tests");
        Self { is_profiler, is_test, room: module.first().cloned(), module }
    }
}
