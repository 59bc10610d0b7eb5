//! Who blocks the loop, as it goes on: one page, written anew with each look.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use ratatui::crossterm::event::KeyEvent;

use super::{
    app::Scroll,
    draw,
    keymap::{Action, Place, find, strokes},
    page::Page,
    pen::Pen,
    terminal::{Input, Screen},
    theme::{Ink, Theme},
    view::{draw_text, help},
};
use crate::{
    answer::{Cause, EventLoop, Stall, Stalls},
    feed::StallFeed,
    quantity::Nanos,
    text::{
        clean::clean,
        fit::cut,
        numbers::{count, maybe, per_second, percent, span},
    },
    words,
};

/// The worst stalls that are on the page.
const WORST: usize = 10;
/// Loops and causes that are on it.
const ROWS: usize = 10;
/// Frames of a stack.
const FRAMES: usize = 20;
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

    pub(super) fn key(&mut self, key: KeyEvent) {
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

    pub(super) fn draw(&self, frame: &mut ratatui::Frame<'_>) {
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
}

/// Everything on one page.
fn write(page: &mut Page, stalls: &Stalls) {
    page.wrapped(1, &stalls.sentence(), Ink::Bold);
    for line in stalls.losses_words() {
        page.wrapped(1, &line, Ink::Bold);
    }
    if !stalls.loops.is_empty() {
        page.title("LOOPS");
        let head = ["thread", "tid", "stood still", "away", "turns/s", "half", "99 %", "longest", "stalls"];
        page.table(&with_head(&head, stalls.loops.iter().take(ROWS).map(loop_cells)));
    }
    if !stalls.causes.is_empty() {
        page.title("INSTEAD");
        page.wrapped(1, words::INSTEAD, Ink::Dim);
        let head = ["what", "time", "of stalls", "stalls", "others", "in"];
        let stood = stalls.stood();
        page.table(&with_head(&head, stalls.causes.iter().take(ROWS).map(|cause| cause_cells(cause, stood))));
    }
    if !stalls.stalls.is_empty() {
        page.title("WORST");
        stalls.stalls.iter().take(WORST).for_each(|stall| worst(page, stalls, stall));
    }
    page.title("COST");
    page.wrapped(1, &stalls.overhead_words(), Ink::Plain);
}

fn with_head(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    std::iter::once(head.iter().map(|&name| name.to_owned()).collect()).chain(rows).collect()
}

fn loop_cells(of: &EventLoop) -> Vec<String> {
    vec![
        of.title(),
        of.tid.to_string(),
        percent(of.stood_still()),
        percent(of.busy()),
        per_second(of.turns as f64 / of.watched.as_secs_f64().max(1e-9)),
        maybe(of.quantile(0.5)),
        maybe(of.quantile(0.99)),
        span(of.longest.as_nanos() as f64),
        count(of.stalls),
    ]
}

fn cause_cells(cause: &Cause, stood: Nanos) -> Vec<String> {
    vec![
        cause.what.name().to_owned(),
        span(cause.time.as_nanos() as f64),
        percent(cause.time.ratio_to(stood)),
        count(cause.stalls),
        cause.others_words(),
        cause.place_words(),
    ]
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
    let mut screen = Screen::open()?;
    let mut watch = Watch::new(Theme::from_env());
    let mut changed = true;
    while !watch.quit && !stop.load(Relaxed) && !feed.is_over() {
        if changed && screen.draw(|frame| watch.draw(frame))? {
            changed = false;
        }
        match screen.input(changed)? {
            Some(Input::Key(key)) => {
                changed = true;
                strokes(key).for_each(|key| watch.key(key));
            }
            Some(Input::Resized) => changed = true,
            None => {}
        }
        if let Some(stalls) = feed.newest() {
            watch.update(stalls);
            changed = true;
        }
    }
    Ok(())
}
