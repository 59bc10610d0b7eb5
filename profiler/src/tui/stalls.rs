//! Who blocks the loop, as it goes on: one page, written anew with each look.

use std::{io, sync::atomic::AtomicBool};

use ratatui::crossterm::event::KeyEvent;

use super::{
    app::Scroll,
    draw,
    keymap::{Action, Place, find},
    page::Page,
    pen::Pen,
    show::{News, Shown, show},
    theme::{Ink, Theme},
    view::{draw_text, help},
};
use crate::{
    answer::{EventLoop, Stall, Stalls},
    feed::StallFeed,
    text::{clean::clean, fit::cut},
    words,
};

/// The worst stalls that are on the page.
const WORST: usize = 10;
/// Loops and causes that are on it.
const ROWS: usize = 10;
/// Frames of a stack.
const FRAMES: usize = 20;
/// Columns by their place in the report's list: those that do not fit go, the last first.
const LOOPS: [usize; 9] = [0, 1, 8, 2, 3, 4, 5, 6, 7];
/// The same of causes.
const CAUSES: [usize; 6] = [0, 2, 3, 4, 5, 1];
const HINTS: &str = "↑ ↓ scroll  Space freeze  ? help  q quit";

/// The state of the screen.
pub(super) struct Watch {
    stalls: Option<Stalls>,
    scroll: Scroll,
    help: Option<Scroll>,
    pub(super) frozen: bool,
    pub(super) quit: bool,
    theme: Theme,
}

impl Watch {
    pub(super) fn new(theme: Theme) -> Self {
        Self { stalls: None, scroll: Scroll::default(), help: None, frozen: false, quit: false, theme }
    }

    /// Takes a newer look, unless the screen is frozen.
    pub(super) fn update(&mut self, stalls: Stalls) {
        if !self.frozen {
            self.stalls = Some(stalls);
        }
    }
}

impl Shown for Watch {
    fn key(&mut self, key: KeyEvent) {
        let places: &[Place] = match &self.help {
            Some(_) => &[Place::Help, Place::Moving],
            None => &[Place::Stalls, Place::Moving],
        };
        let action = find(places, key).map(|binding| binding.action);
        match (action, &self.help) {
            (Some(Action::Back), Some(_)) => self.help = None,
            (Some(action), Some(help)) => help.act(action),
            (Some(Action::Quit), None) => self.quit = true,
            (Some(Action::Help), None) => self.help = Some(Scroll::default()),
            (Some(Action::Freeze), None) => self.frozen = !self.frozen,
            (Some(action), None) => self.scroll.act(action),
            (None, _) => {}
        }
    }

    fn draw(&self, frame: &mut ratatui::Frame<'_>) {
        let area = frame.area();
        let mut pen = Pen::new(frame.buffer_mut(), area, self.theme);
        if draw::too_small(&mut pen) {
            return;
        }
        let (width, height) = (pen.width(), pen.height());
        pen.ink_row(0, Ink::Bar);
        let title = self.stalls.as_ref().map_or_else(|| "looking at its loops …".to_owned(), Stalls::title);
        let frozen = if self.frozen { "frozen  " } else { "" };
        pen.text(0, 1, &cut(&format!("should-i-async  {frozen}{title}"), usize::from(width) - 1), Ink::Bar);
        let mut page = Page::new(width);
        let scroll = match (&self.help, &self.stalls) {
            (Some(scroll), _) => {
                help::write(&mut page, &[Place::Stalls, Place::Moving, Place::Help]);
                scroll
            }
            (None, stalls) => {
                stalls.iter().for_each(|stalls| write(&mut page, stalls));
                &self.scroll
            }
        };
        draw_text(&mut pen.part(1, 0, height - 2, width), &page, scroll, "");
        pen.text(height - 1, 0, &cut(HINTS, usize::from(width)), Ink::Dim);
    }

    fn is_left(&self) -> bool {
        self.quit
    }
}

/// Everything on one page.
fn write(page: &mut Page, stalls: &Stalls) {
    page.wrapped(1, &stalls.sentence(), Ink::Bold);
    for line in stalls.losses_words() {
        page.wrapped(1, &line, Ink::Bold);
    }
    if !stalls.loops.is_empty() {
        page.title("LOOPS");
        page.table(&rows(LOOPS, words::LOOP_HEAD, stalls.loops.iter().take(ROWS).map(EventLoop::cells)));
    }
    if !stalls.causes.is_empty() {
        page.title("INSTEAD");
        page.wrapped(1, words::INSTEAD, Ink::Dim);
        let stood = stalls.stood();
        page.table(&rows(CAUSES, words::CAUSE_HEAD, stalls.causes.iter().take(ROWS).map(|cause| cause.cells(stood))));
    }
    if !stalls.stalls.is_empty() {
        page.title("WORST");
        stalls.stalls.iter().take(WORST).for_each(|stall| worst(page, stalls, stall));
    }
    page.title("COST");
    page.wrapped(1, &stalls.overhead_words(), Ink::Plain);
}

/// A table's rows, the heading first, with their columns in this order.
fn rows<const N: usize>(
    order: [usize; N],
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<Vec<String>> {
    let in_order = |row: [String; N]| order.iter().filter_map(|&column| row.get(column).cloned()).collect();
    std::iter::once(head.map(str::to_owned)).chain(rows).map(in_order).collect()
}

fn worst(page: &mut Page, stalls: &Stalls, stall: &Stall) {
    page.wrapped(1, &stall.heading(stalls), Ink::Plain);
    page.wrapped(3, &stall.parts_words(), Ink::Plain);
    let (frames, waker) = stalls.stack_of(stall);
    for name in frames.iter().take(FRAMES) {
        page.wrapped(5, &clean(name), Ink::Dim);
    }
    if let Some(by) = waker.last() {
        page.wrapped(5, &format!("woken by {}", clean(by)), Ink::Dim);
    }
}

/// Shows stalls until the user quits, or `stop` is set, or the measurement is over.
///
/// # Errors
/// Standard output is no terminal, or the terminal went away.
pub fn watch_stalls(feed: &mut dyn StallFeed, stop: &AtomicBool) -> io::Result<()> {
    show(&mut Watch::new(Theme::from_env()), stop, |watch| {
        let newest = feed.newest();
        let is_new = newest.is_some();
        newest.into_iter().for_each(|stalls| watch.update(stalls));
        match (feed.is_over(), is_new) {
            (true, _) => News::Over,
            (false, true) => News::Changed,
            (false, false) => News::Same,
        }
    })
}
