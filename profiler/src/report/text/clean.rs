//! Names as the target chose them, made safe for a terminal and for aligned columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Replaces control characters (escape sequences included), and drops what has no width of its own: characters that
/// turn the direction of writing would let a name rewrite the line it stands in.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c.width() {
            None => Some('\u{fffd}'),
            Some(0) => None,
            // The soft hyphen counts as a column and is not drawn; the separators end lines.
            Some(_) if matches!(c, '\u{ad}' | '\u{2028}' | '\u{2029}') => Some('\u{fffd}'),
            Some(_) => Some(c),
        })
        .collect()
}

/// As many leading characters as fit.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// As many trailing characters as fit.
fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

/// Cuts at the end.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    format!("{}…", head(text, columns.saturating_sub(1)))
}

/// Cuts in the middle: of a path or an address the ends say most.
pub(super) fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    format!("{}…{}", head(text, room / 2), tail(text, room - room / 2))
}

/// Cuts into pieces that fit; at least one character each.
pub(super) fn pieces(mut text: &str, columns: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while width(text) > columns {
        let first = text.chars().next().map_or(0, char::len_utf8);
        let at = head(text, columns).len().max(first);
        pieces.push(&text[..at]);
        text = &text[at..];
    }
    pieces.push(text);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_survives() {
        let name = clean("a\x1b[2Jb\nc\r\t\u{7}\u{9b}\u{202e}d\u{200b}\u{2028}e\u{301}");
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert!(!name.contains(['\u{202e}', '\u{200b}', '\u{2028}', '\u{301}']), "{name:?}");
        assert!(name.starts_with('a') && name.ends_with('e'));
    }

    #[test]
    fn cuts_count_columns_and_not_characters() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut_middle("/var/lib/postgresql/data/base", 13), "/var/l…a/base");
        for columns in 1..12 {
            assert!(width(&cut("漢a字b漢c字", columns)) <= columns);
            assert!(width(&cut_middle("漢a字b漢c字", columns)) <= columns);
        }
        assert_eq!(pieces("漢字漢", 4), ["漢字", "漢"]);
        assert_eq!(pieces("漢", 1), ["漢", ""]);
    }
}
