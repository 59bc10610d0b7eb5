//! host/markdown: Markdown, made as text.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

/// A table whose columns line up in the source too.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut all = vec![head.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()];
    all.extend(rows);
    let widths: Vec<usize> = (0..head.len())
        .map(|i| all.iter().filter_map(|row| Some(row.get(i)?.chars().count())).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (n, row) in all.iter().enumerate() {
        for (i, width) in widths.iter().enumerate() {
            let cell = row.get(i).map_or("", String::as_str);
            // Writing to a String cannot fail.
            let _ = write!(text, "| {cell}{} ", " ".repeat(width - cell.chars().count()));
        }
        text.push_str("|\n");
        if n == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

/// Writes a document, its paragraphs broken anew.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, reflow(text)).with_context(|| format!("writing {}", path.display()))
}

/// Columns of a paragraph.
const WIDTH: usize = 120;

/// The same document with the lines of its paragraphs broken anew: text and figures that are put
/// together leave lines of any length. Everything else (tables, headings, lists, code) stays.
pub(crate) fn reflow(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut paragraph, mut code) = (Vec::new(), false);
    for line in text.lines() {
        code ^= line.starts_with("```");
        if !code && line.starts_with(|c: char| c.is_alphanumeric() || "*`\"".contains(c)) && !line.starts_with("```") {
            paragraph.extend(line.split(' ').filter(|word| !word.is_empty()));
            continue;
        }
        flush(&mut paragraph, &mut out);
        out.push_str(line);
        out.push('\n');
    }
    flush(&mut paragraph, &mut out);
    out
}

/// Writes the words of a paragraph in lines, and leaves none.
fn flush(words: &mut Vec<&str>, out: &mut String) {
    let mut column = 0;
    for word in words.drain(..) {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= WIDTH;
            out.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        out.push_str(word);
        column += width;
    }
    if column > 0 {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_anew_and_nothing_else() {
        let long = "word ".repeat(30);
        let text = format!("# Head\n\na\nb\n{long}\n| a | b |\n\n- item\n\n```sh\nx\ny\n```\n");
        let shown = reflow(&text);
        assert!(shown.starts_with("# Head\n\na b word"), "{shown}");
        assert!(shown.lines().all(|line| line.len() <= WIDTH), "{shown}");
        assert!(shown.ends_with("word\n| a | b |\n\n- item\n\n```sh\nx\ny\n```\n"), "{shown}");
    }

    #[test]
    fn columns_line_up_and_short_rows_are_filled() {
        let text = table(&["a", "b"], vec![vec!["ä long".into(), "1".into()], vec!["x".into()]]);
        assert_eq!(text, "| a      | b |\n|--------|---|\n| ä long | 1 |\n| x      |   |\n");
    }
}
