//! The page: no line is wider than it, whatever is put there.

use crate::text::fit::{cut, pieces, width};

/// Weight of a line. The words say the same without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// As the terminal has it.
    Plain,
    /// For titles, the verdict and whatever must not be missed.
    Bold,
    /// For what is secondary.
    Dim,
}

/// The text under construction.
pub(super) struct Page {
    out: String,
    width: usize,
    color: bool,
}

impl Page {
    pub(super) fn new(width: usize, color: bool) -> Self {
        Self { out: String::new(), width, color }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Begins a section, with an aside at the end of its line.
    pub(super) fn title(&mut self, title: &str, aside: &str) {
        self.out.push('\n');
        let title = cut(title, self.width);
        self.paint(Ink::Bold, &title);
        let room = self.width.saturating_sub(width(&title) + 2);
        if !aside.is_empty() && room > 1 {
            self.out.push_str("  ");
            self.paint(Ink::Dim, &cut(aside, room));
        }
        self.out.push('\n');
    }

    /// One line, cut where it is too long.
    pub(super) fn line(&mut self, ink: Ink, text: &str) {
        let text = cut(text.trim_end(), self.width);
        self.paint(ink, &text);
        self.out.push('\n');
    }

    /// A table's lines, the header's first.
    pub(super) fn table(&mut self, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            self.line(if i == 0 { Ink::Dim } else { Ink::Plain }, line);
        }
    }

    /// `lead`, then `text` in as many lines as it takes, all of them beginning in the column where
    /// `lead` ends.
    pub(super) fn wrapped(&mut self, ink: Ink, lead: &str, text: &str) {
        self.wrapped_at(ink, lead, width(lead), text);
    }

    /// The same with the column named.
    pub(super) fn wrapped_at(&mut self, ink: Ink, lead: &str, hang: usize, text: &str) {
        let mut line = lead.to_owned();
        let mut empty = true;
        for word in glued(text) {
            let gap = usize::from(!empty);
            if !empty && width(&line) + gap + width(&word) > self.width {
                self.line(ink, &line);
                line = " ".repeat(hang);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            // Only a word that is alone on its line can still be too long.
            let room = self.width.saturating_sub(width(&line)).max(1);
            let parts = pieces(&word, room);
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    self.line(ink, &line);
                    line = " ".repeat(hang);
                }
                line.push_str(part);
            }
            empty = false;
        }
        self.line(ink, &line);
    }

    fn paint(&mut self, ink: Ink, text: &str) {
        let code = match ink {
            Ink::Bold if self.color => "\x1b[1m",
            Ink::Dim if self.color => "\x1b[2m",
            _ => return self.out.push_str(text),
        };
        self.out.push_str(code);
        self.out.push_str(text);
        self.out.push_str("\x1b[0m");
    }
}

/// Words, with a unit kept beside its number.
fn glued(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let bare = word.trim_end_matches([',', '.', ';', ':', ')']);
        let unit = matches!(bare, "%" | "ns" | "µs" | "ms" | "s" | "B" | "KiB" | "MiB" | "GiB" | "·");
        match words.last_mut() {
            Some(last) if unit && (word == "·" || last.ends_with(|c: char| c.is_ascii_digit())) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_text_hangs_below_its_beginning_and_keeps_units_with_their_numbers() {
        let mut page = Page::new(20, false);
        page.wrapped(Ink::Plain, "  note: ", "one two 12.3 % three");
        assert_eq!(page.finish(), "  note: one two\n        12.3 % three\n");
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut_into_pieces() {
        let mut page = Page::new(10, false);
        page.wrapped(Ink::Plain, "    ", "abcdefghijklmno p");
        assert_eq!(page.finish(), "    abcdef\n    ghijkl\n    mno p\n");
    }

    #[test]
    fn ink_is_left_out_without_colour() {
        let mut page = Page::new(20, true);
        page.line(Ink::Bold, "x");
        assert_eq!(page.finish(), "\x1b[1mx\x1b[0m\n");
    }
}
