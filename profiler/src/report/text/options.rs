//! How much of the report is printed, and how wide.

/// How the text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns that a line may use; less than [`TextOptions::MIN_WIDTH`] counts as that.
    pub width: usize,
    /// How many blocking sites are shown.
    pub top_sites: usize,
    /// How many threads are shown.
    pub top_threads: usize,
    /// Whether sites that never blocked are listed too, and what most readers skip.
    pub verbose: bool,
    /// Whether the figures are derived step by step.
    pub explain: bool,
    /// Whether bold and dim are used (ANSI).
    pub color: bool,
}

impl TextOptions {
    /// The narrowest page that the tables fit on.
    pub const MIN_WIDTH: usize = 80;
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { width: 100, top_sites: 10, top_threads: 10, verbose: false, explain: false, color: false }
    }
}
