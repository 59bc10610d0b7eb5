//! The loop around a screen that stands alone: draws it, hands it keys, and asks for news.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use ratatui::{Frame, crossterm::event::KeyEvent};

use super::{
    keymap::strokes,
    terminal::{Input, Screen},
};

/// A screen that stands alone.
pub(super) trait Shown {
    fn draw(&self, frame: &mut Frame<'_>);
    fn key(&mut self, key: KeyEvent);
    /// Whether the user has left it.
    fn is_left(&self) -> bool;
}

/// What there is between two looks at the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Same,
    /// The screen has changed.
    Changed,
    /// Nothing will come any more.
    Over,
}

/// Shows a screen until the user leaves it, or `stop` is set, or `news` says that it is over.
///
/// # Errors
/// Standard output is no terminal, or the terminal went away.
pub(super) fn show<S: Shown>(shown: &mut S, stop: &AtomicBool, mut news: impl FnMut(&mut S) -> News) -> io::Result<()> {
    let mut screen = Screen::open()?;
    let mut changed = true;
    while !shown.is_left() && !stop.load(Relaxed) {
        if changed && screen.draw(|frame| shown.draw(frame))? {
            changed = false;
        }
        match screen.input(changed)? {
            Some(Input::Key(key)) => {
                changed = true;
                strokes(key).for_each(|key| shown.key(key));
            }
            Some(Input::Resized) => changed = true,
            None => {}
        }
        match news(shown) {
            News::Same => {}
            News::Changed => changed = true,
            News::Over => break,
        }
    }
    Ok(())
}
