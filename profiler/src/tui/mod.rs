//! tui: the live screen. The model's figures, drawn; what the user asks for goes back as orders,
//! and nothing else does.
//!
//! `App` is the state: it takes updates and keys and gives orders, and neither draws nor reads a
//! clock. `draw` makes a screen of it and changes nothing but where texts are scrolled to. `keymap`
//! is the one table of keys, which the help prints. `terminal` takes and gives back the terminal.
//! Of 10,000 threads the visible ones are formatted, and they are sorted when data or order change.

mod act;
mod app;
mod choose;
mod draw;
mod flame;
mod history;
mod keymap;
mod list;
mod machine;
mod other_loops;
mod page;
mod pen;
mod prompt;
mod sheets;
mod show;
mod stalls;
mod table;
mod tabs;
mod terminal;
mod text;
mod theme;
mod view;

#[cfg(test)]
pub(crate) mod tests;

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

pub use app::Title;
pub use choose::{ProcessRow, choose};
pub use machine::glance;
pub use stalls::watch_stalls;

use crate::feed::Feed;

/// Updates taken between two looks at the keys.
const AT_ONCE: usize = 32;

/// Shows what the feed brings until the user quits, or `stop` is set (looked at every 50 ms).
///
/// Colours as `NO_COLOR` has it. The terminal is left as it was found, also when a thread panics.
///
/// # Errors
/// Standard output is no terminal, or the terminal went away.
pub fn run(feed: &mut dyn Feed, title: &Title, stop: &AtomicBool) -> io::Result<()> {
    let mut screen = terminal::Screen::open()?;
    let mut app = app::App::new(title, theme::Theme::from_env());
    let mut changed = true;
    while !app.quit && !stop.load(Ordering::Relaxed) {
        if changed && screen.draw(|frame| draw::draw(frame, &app))? {
            changed = false;
        }
        match screen.input(changed)? {
            Some(terminal::Input::Key(key)) => {
                changed = true;
                keymap::strokes(key).flat_map(|key| app.key(key)).for_each(|command| feed.send(command));
            }
            Some(terminal::Input::Resized) => changed = true,
            None => {}
        }
        for _ in 0..AT_ONCE {
            let Some(update) = feed.next(Duration::ZERO) else { break };
            app.apply(update);
            app.orders().into_iter().for_each(|command| feed.send(command));
            changed = true;
        }
    }
    Ok(())
}
