//! Names as the target chose them, made safe for files that other programs read.

/// Characters that turn the direction of writing or have no width: a name with them can look like another one.
const fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// On one line, without control characters, and without what XML does not allow. Runs of white space become one space.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().map(|c| match c {
            // Not characters at all: XML parsers stop there.
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c if c.is_control() || invisible(c) => '\u{fffd}',
            c => c,
        }));
    }
    out
}

/// A name for a folded stack. Its line is `frame;frame count`, or with two counts for a difference, and `# ` begins a
/// comment: no name may look like a separator, a count or a comment.
pub(super) fn folded(name: &str) -> String {
    let mut name = line(name).replace(';', ":");
    if name.is_empty() {
        return "[unnamed]".to_owned();
    }
    if let Some(at) = name.rfind(' ')
        && name[at + 1..].chars().all(|c| c.is_ascii_digit() || c == '.')
    {
        name.replace_range(at..=at, "_");
    }
    if name.starts_with("# ") {
        name.replace_range(1..2, "_");
    } else if name == "#" {
        // Alone on its line, the count's space follows.
        name.push('_');
    }
    name
}

/// At most so many characters; what is cut off leaves an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}
