//! Formats, by the ending of a file's name.

use std::path::Path;

/// What a report can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The report for a terminal.
    Text,
    /// The report for programs.
    Json,
    /// The report for a browser, all in one file.
    Html,
    /// A flame graph.
    Svg,
    /// The recovery curve of the IPC.
    Ipc,
    /// One line per stack.
    Folded,
    /// A profile for `pprof`.
    Pprof,
    /// A profile for speedscope.
    Speedscope,
}

impl Format {
    /// All of them, in the order of messages.
    pub const ALL: [Self; 8] =
        [Self::Text, Self::Json, Self::Html, Self::Svg, Self::Ipc, Self::Folded, Self::Pprof, Self::Speedscope];

    /// The ending, with its dot.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Text => ".txt",
            Self::Json => ".json",
            Self::Html => ".html",
            Self::Svg => ".svg",
            Self::Ipc => ".ipc.svg",
            Self::Folded => ".folded",
            Self::Pprof => ".pb.gz",
            Self::Speedscope => ".speedscope.json",
        }
    }

    /// The format of a file of this name; `None` where its ending is none of the known ones. Case
    /// does not matter.
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let fits = |format: &Self| name.len() > format.ending().len() && name.ends_with(format.ending());
        // `.speedscope.json` ends in `.json` too: the longest ending is meant.
        Self::ALL.into_iter().filter(fits).max_by_key(|f| f.ending().len())
    }

    /// Whether it is drawn by one weight, that somebody has to choose; the others hold all of them
    /// or none.
    pub const fn has_one_weight(self) -> bool {
        matches!(self, Self::Svg | Self::Folded)
    }

    /// The endings, for messages: `.txt, .json, …`.
    pub fn endings() -> String {
        Self::ALL.map(Self::ending).join(", ")
    }
}
