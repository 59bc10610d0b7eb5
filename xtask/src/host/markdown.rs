//! host/markdown: Markdown, made as text.

use std::fmt::Write as _;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_short_rows_are_filled() {
        let text = table(&["a", "b"], vec![vec!["ä long".into(), "1".into()], vec!["x".into()]]);
        assert_eq!(text, "| a      | b |\n|--------|---|\n| ä long | 1 |\n| x      |   |\n");
    }
}
