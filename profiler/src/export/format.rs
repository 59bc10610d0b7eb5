//! Formats, by the ending of a file's name.

use std::path::Path;

use crate::quantity::listed;

listed! {
    /// What a report can be written as, in the order of messages.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Format {
        /// The report for a terminal.
        Text,
        /// The report for programs.
        Json,
        /// The report for a browser, all in one file.
        Html,
        Svg,
        /// The recovery curve of the IPC.
        Ipc,
        /// One line per stack.
        Folded,
        /// A profile for `pprof`.
        Pprof,
        /// A profile for speedscope.
        Speedscope,
        /// The report in short, for a comment on a pull request.
        Markdown,
    }
}

/// All that is asked of a format, but how it is written: `pipeline/outputs.rs` does that.
struct Row {
    ending: &'static str,
    what: &'static str,
    begins: &'static [u8],
}

const fn row(ending: &'static str, what: &'static str, begins: &'static [u8]) -> Row {
    Row { ending, what, begins }
}

impl Format {
    const fn row(self) -> Row {
        match self {
            Self::Text => row(".txt", "the report, as check prints it", b""),
            Self::Json => row(".json", "the report, for programs", b"{"),
            Self::Html => row(".html", "a page for a browser, with everything", b"<!doctype html>"),
            Self::Svg => row(".svg", "flame graph", b"<?xml"),
            Self::Ipc => row(".ipc.svg", "IPC after returns", b"<?xml"),
            Self::Folded => row(".folded", "one line per stack", b""),
            Self::Pprof => row(".pb.gz", "profile for pprof", b"\x1f\x8b"),
            Self::Speedscope => row(".speedscope.json", "profile for speedscope", b"{"),
            Self::Markdown => row(".md", "the report in short, as a comment in Markdown", b"**"),
        }
    }

    /// The ending, with its dot.
    pub const fn ending(self) -> &'static str {
        self.row().ending
    }

    /// What such a file holds, for the help.
    pub const fn what(self) -> &'static str {
        self.row().what
    }

    /// How such a file begins, in lower case; empty where that differs.
    pub const fn begins(self) -> &'static [u8] {
        self.row().begins
    }

    /// The format of a file of this name; `None` where its ending is none of the known ones. Case
    /// does not matter.
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let fits = |format: &Self| name.len() > format.ending().len() && name.ends_with(format.ending());
        // `.speedscope.json` ends in `.json` too: the longest ending is meant.
        Self::ALL.into_iter().filter(fits).max_by_key(|f| f.ending().len())
    }

    /// The endings, for messages: `.txt, .json, …`.
    pub fn endings() -> String {
        Self::ALL.map(Self::ending).join(", ")
    }
}
