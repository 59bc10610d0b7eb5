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
    }
}

impl Format {
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

    /// What such a file holds, for the help.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Text => "the report, as check prints it",
            Self::Json => "the report, for programs",
            Self::Html => "a page for a browser, with everything",
            Self::Svg => "flame graph",
            Self::Ipc => "IPC after returns",
            Self::Folded => "one line per stack",
            Self::Pprof => "profile for pprof",
            Self::Speedscope => "profile for speedscope",
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

    /// The endings, for messages: `.txt, .json, …`.
    pub fn endings() -> String {
        Self::ALL.map(Self::ending).join(", ")
    }
}
