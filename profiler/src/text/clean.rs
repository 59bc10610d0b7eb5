//! Names as the target chose them, made safe: as they are read, for a terminal, and for files that
//! other programs read.

use unicode_width::UnicodeWidthChar;

/// Stands where a character was taken out.
const REPLACED: char = '\u{fffd}';

/// What a character can do to the text around it.
enum Kind {
    /// It is drawn, and that is all.
    Drawn,
    /// It ends a line or moves the cursor along: tabs, newlines, Unicode's separators.
    Break,
    /// A space, of whatever width.
    Space,
    /// It is drawn onto the character before it: accents, and letters made of parts.
    Mark,
    /// It is not drawn, or turns the direction of writing: a name with it can look like another
    /// one, or rewrite the line that it stands in.
    Hidden,
    /// It begins an escape sequence, or is no character at all: XML parsers stop there.
    Control,
}

impl From<char> for Kind {
    fn from(c: char) -> Self {
        match c {
            '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => Self::Hidden,
            '\u{2028}' | '\u{2029}' => Self::Break,
            '\u{fffe}' | '\u{ffff}' => Self::Control,
            c if c.is_control() => {
                if c.is_whitespace() {
                    Self::Break
                } else {
                    Self::Control
                }
            }
            c if c.is_whitespace() => Self::Space,
            c => {
                if c.width() == Some(0) {
                    Self::Mark
                } else {
                    Self::Drawn
                }
            }
        }
    }
}

/// A name as it is kept when it is read from another process: one character for each, and none that
/// begins an escape sequence or ends a line. Each output cleans it again, by its own rule.
pub fn as_read(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A name for a terminal, in aligned columns: every character that is left has a width and stays on
/// its line. Marks are dropped, because terminals do not agree on where to draw them.
pub fn clean(name: &str) -> String {
    let shown = |c: char| match Kind::from(c) {
        Kind::Drawn | Kind::Space => Some(c),
        Kind::Break | Kind::Hidden | Kind::Control => Some(REPLACED),
        Kind::Mark => None,
    };
    name.chars().filter_map(shown).collect()
}

/// A name for a file: one line, in which runs of white space become one space. Marks stay: programs
/// that read files can draw them.
pub fn line(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().map(|c| match Kind::from(c) {
            Kind::Hidden | Kind::Control => REPLACED,
            Kind::Drawn | Kind::Mark | Kind::Break | Kind::Space => c,
        }));
    }
    out
}

/// A name that has to stay what it is, where two that differ must not become one: each character
/// that is not drawn, and the mark itself, is spelled out behind a mark.
pub fn spelled(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match Kind::from(c) {
            Kind::Drawn | Kind::Mark if c != REPLACED => out.push(c),
            _ if c == ' ' => out.push(c),
            _ => out.extend(format!("{REPLACED}{:06x}", u32::from(c)).chars()),
        }
    }
    out
}

/// Our own report as plain lines: without escape sequences and other control characters.
pub fn uncoloured(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        out.push_str(&rest[..at]);
        // A sequence of colours is `ESC [ … m`.
        rest = &rest[at + 1..];
        if let Some(end) = rest.strip_prefix('[').and_then(|_| rest.find(|c: char| c.is_ascii_alphabetic())) {
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
    out.chars().filter(|&c| c == '\n' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn names_that_differ_stay_apart() {
        let names = [
            "a",
            "a\u{301}",
            "a\u{200b}",
            "a\u{202e}",
            "a\x1b",
            "a\u{fffd}00001b",
            "a\n",
            "a\u{2028}",
            "a b",
            "a\u{a0}b",
        ];
        let spelled: Vec<String> = names.iter().map(|name| spelled(name)).collect();
        assert_eq!(spelled.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{spelled:?}");
        assert_eq!((&*spelled[0], &*spelled[1], &*spelled[8]), ("a", "a\u{301}", "a b"));
        assert!(spelled.iter().all(|name| !name.chars().any(|c| c.is_control() || c == '\u{202e}')));
    }

    use super::*;

    /// ESC and other controls, line ends, what turns or hides text, what is no character, marks,
    /// and wide characters.
    const HOSTILE: &str = "a\x1b[2Jb\nc\r\t\u{7}\u{9b}\u{85}\u{2028}\u{2029}\u{202e}d\u{2066}\u{200b}\u{200d}\
                           \u{61c}\u{ad}\u{feff}\u{ffff}漢e\u{301}";

    #[test]
    fn nothing_that_moves_the_cursor_survives_on_a_terminal() {
        let name = clean(HOSTILE);
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert!(!name.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{301}']), "{name:?}");
        assert!(name.starts_with("a\u{fffd}[2Jb") && name.ends_with("漢e"), "{name:?}");
        // One by one or together: no character joins with the one before it.
        assert_eq!(name.width(), name.chars().map(|c| c.width().unwrap()).sum::<usize>());
    }

    #[test]
    fn a_name_in_a_file_is_one_line_and_keeps_its_accents() {
        let name = line(HOSTILE);
        assert!(!name.chars().any(|c| c.is_control() || c == '\u{ffff}'), "{name:?}");
        assert!(!name.contains(['\u{2028}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{ad}', '\u{feff}']), "{name:?}");
        assert!(
            name.starts_with("a\u{fffd}[2Jb c \u{fffd}\u{fffd} \u{fffd}d") && name.ends_with("漢e\u{301}"),
            "{name:?}"
        );
        assert_eq!(line(" a \n\t b "), "a b");
        assert_eq!((line(""), line(" \n"), clean("")), (String::new(), String::new(), String::new()));
    }

    #[test]
    fn a_plain_name_is_left_alone() {
        for name in ["echo-server", "read tcp 10.0.0.1:80 ← 10.0.0.2:4711", "Übergröße 漢字 🦀"] {
            assert_eq!((clean(name), line(name)), (name.to_owned(), name.to_owned()));
        }
    }

    #[test]
    fn colours_go_and_lines_stay() {
        assert_eq!(uncoloured("\x1b[1mbold\x1b[0m\nplain\x07"), "bold\nplain");
        assert_eq!(uncoloured("\x1b"), "");
        assert_eq!(uncoloured("\x1b[12"), "[12");
    }
}
