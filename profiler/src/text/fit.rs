//! Text that fits: cut, filled up, or broken into lines. All count columns of a terminal, but
//! [`cut_chars`].

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The longest beginning of at most so many columns.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns_of(c);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The longest end of at most so many columns.
fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += columns_of(c);
        if used > columns {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

/// Cuts at the end, with a mark, where the text does not fit.
pub fn cut(text: &str, columns: usize) -> String {
    match columns {
        _ if width(text) <= columns => text.to_owned(),
        0 => String::new(),
        _ => format!("{}…", head(text, columns - 1)),
    }
}

/// Cuts in the middle, because the ends of a path or an address say most.
pub fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns || columns < 3 {
        return cut(text, columns);
    }
    let behind = columns / 2;
    format!("{}…{}", head(text, columns - 1 - behind), tail(text, behind))
}

/// At most so many characters, not columns: for titles that a browser draws.
pub fn cut_chars(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) if most == 0 => String::new(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// Cut or filled up to exactly so many columns.
pub fn fit(text: &str, columns: usize, right: bool) -> String {
    let text = cut(text, columns);
    let pad = " ".repeat(columns.saturating_sub(width(&text)));
    if right { pad + &text } else { text + &pad }
}

/// Pieces that fit, of at least one character each.
pub fn pieces(mut text: &str, columns: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while width(text) > columns {
        let first = text.chars().next().map_or(0, char::len_utf8);
        let at = head(text, columns).len().max(first);
        pieces.push(&text[..at]);
        text = &text[at..];
    }
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(text);
    }
    pieces
}

/// Lines of at most so many columns, broken at spaces where that is possible; at least one line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= columns {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        // A word that is too long for any line is broken where it must be.
        let mut parts: Vec<String> = pieces(word, columns).into_iter().map(str::to_owned).collect();
        line = parts.pop().unwrap_or_default();
        lines.append(&mut parts);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 5] =
        ["漢a字b漢c字", "/var/lib/postgresql/data/base", "", "a b c d e f g h i j k l", "e\u{301}e\u{301}e\u{301}"];

    #[test]
    fn cuts_and_wraps_count_columns_and_not_characters() {
        for columns in 0..20 {
            for text in TEXTS {
                assert!(width(&cut(text, columns)) <= columns, "{text} {columns}");
                assert!(width(&cut_middle(text, columns)) <= columns, "{text} {columns}");
                assert_eq!(width(&fit(text, columns, true)), columns);
                assert_eq!(pieces(text, columns).concat(), text);
                if columns >= 2 {
                    let lines = wrap(text, columns);
                    assert!(lines.iter().all(|l| width(l) <= columns), "{lines:?}");
                    assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
                    assert!(pieces(text, columns).iter().all(|p| width(p) <= columns));
                }
            }
        }
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut_middle("/var/lib/postgresql/data/base", 13), "/var/l…a/base");
    }

    #[test]
    fn tiny_widths_are_kept_to() {
        for (columns, cut_, middle) in [(0, "", ""), (1, "…", "…"), (2, "a…", "a…"), (3, "ab…", "a…d")] {
            assert_eq!((cut("abcd", columns), cut_middle("abcd", columns)), (cut_.to_owned(), middle.to_owned()));
        }
        // There is no half of a wide character.
        assert_eq!((cut("漢字", 0), cut("漢字", 1), cut("漢字", 2)), (String::new(), "…".to_owned(), "…".to_owned()));
        assert_eq!(pieces("漢字漢", 4), ["漢字", "漢"]);
        assert_eq!((pieces("漢", 1), wrap("漢字", 1)), (vec!["漢"], vec!["漢".to_owned(), "字".to_owned()]));
    }

    #[test]
    fn titles_count_characters() {
        assert_eq!(cut_chars("漢字漢字", 4), "漢字漢字");
        assert_eq!(cut_chars("漢字漢字", 3), "漢字…");
        assert_eq!((cut_chars("漢字", 1), cut_chars("漢字", 0)), ("…".to_owned(), String::new()));
    }
}
