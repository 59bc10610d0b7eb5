//! symbol/printable: names of another process, made fit for a terminal.

/// Text of another process for a terminal: no control characters, because a name can carry an
/// escape sequence.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
