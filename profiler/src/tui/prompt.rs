//! A line being typed: a search, a file name, a filter.

use super::keymap::Action;

/// A line and where its cursor is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    chars: Vec<char>,
    cursor: usize,
}

/// Longer than any path.
const LONGEST: usize = 4096;

impl Line {
    pub(super) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self { cursor: chars.len(), chars }
    }

    pub(super) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// What stands before the cursor, and from it on.
    pub(super) fn halves(&self) -> (String, String) {
        let (before, behind) = self.chars.split_at(self.cursor);
        (before.iter().collect(), behind.iter().collect())
    }

    pub(super) fn insert(&mut self, c: char) {
        if !c.is_control() && self.chars.len() < LONGEST {
            self.chars.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    /// Does what moves or erases.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Erase if self.cursor > 0 => {
                self.cursor -= 1;
                self.chars.remove(self.cursor);
            }
            Action::EraseWord => {
                let blank = |c: &char| c.is_whitespace() || *c == '/';
                let before = self.chars.get(..self.cursor).unwrap_or_default();
                let end = before.iter().rposition(|c| !blank(c)).map_or(0, |at| at + 1);
                let start = before.iter().take(end).rposition(blank).map_or(0, |at| at + 1);
                self.chars.drain(start..self.cursor);
                self.cursor = start;
            }
            Action::EraseAll => *self = Self::default(),
            Action::CursorLeft => self.cursor = self.cursor.saturating_sub(1),
            Action::CursorRight => self.cursor = (self.cursor + 1).min(self.chars.len()),
            Action::CursorHome => self.cursor = 0,
            Action::CursorEnd => self.cursor = self.chars.len(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_does_what_shells_do() {
        let mut line = Line::new("/var/tmp/漢字 name");
        line.act(Action::EraseWord);
        assert_eq!(line.text(), "/var/tmp/漢字 ");
        line.act(Action::EraseWord);
        assert_eq!(line.text(), "/var/tmp/");
        line.act(Action::Erase);
        line.act(Action::CursorHome);
        line.insert('x');
        line.insert('\x1b');
        assert_eq!(line.halves(), ("x".into(), "/var/tmp".into()));
        line.act(Action::CursorEnd);
        line.act(Action::CursorRight);
        line.act(Action::CursorLeft);
        assert_eq!(line.halves(), ("x/var/tm".into(), "p".into()));
        line.act(Action::EraseAll);
        for action in [Action::Erase, Action::EraseWord, Action::CursorLeft, Action::CursorRight] {
            line.act(action);
        }
        assert_eq!(line, Line::default());
    }
}
