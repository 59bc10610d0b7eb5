//! The views: one file each, one render function per region.

mod curve;
pub(super) mod devices;
pub(super) mod flame;
pub(super) mod help;
pub(super) mod ipc;
mod latency;
mod ledgers;
pub(super) mod log;
pub(super) mod overview;
pub(super) mod sites;
pub(super) mod threads;
pub(super) mod what_if;

use super::{
    app::{App, Scroll},
    page::Page,
    pen::Pen,
    tabs::View,
    text::contains,
    theme::Ink,
};
use crate::feed::Snapshot;

/// Draws the view shown.
pub(super) fn draw(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    match app.view {
        View::Overview => overview::draw(pen, app, snapshot),
        View::Threads => threads::draw(pen, app),
        View::Sites if app.detail.is_none() => sites::draw(pen, app),
        View::Devices => devices::draw(pen, app),
        View::Flame => flame::draw(pen, app, snapshot),
        View::Sites | View::WhatIf | View::Ipc | View::Log | View::Latency => {
            if let Some((page, scroll)) = text(app, snapshot, pen.width()) {
                draw_text(pen, &page, scroll, &app.searched());
            }
        }
    }
}

/// The text of the view that is shown, if it is one, and where it is scrolled to.
fn text<'a>(app: &'a App, snapshot: &Snapshot, width: u16) -> Option<(Page, &'a Scroll)> {
    let mut page = Page::new(width);
    let scroll = match (app.view, &app.detail) {
        (View::Sites, Some((key, scroll))) => {
            sites::detail(&mut page, key, app, snapshot);
            scroll
        }
        (View::WhatIf, _) => {
            what_if::write(&mut page, app, snapshot);
            app.scroll()
        }
        (View::Ipc, _) => {
            ipc::write(&mut page, app, snapshot);
            app.scroll()
        }
        (View::Latency, _) => {
            latency::write(&mut page, snapshot);
            app.scroll()
        }
        (View::Log, _) => {
            log::write(&mut page, app, snapshot);
            app.scroll()
        }
        _ => return None,
    };
    Some((page, scroll))
}

/// Draws the lines that are in sight.
pub(super) fn draw_text(pen: &mut Pen<'_>, page: &Page, scroll: &Scroll, search: &str) {
    let height = usize::from(pen.height());
    scroll.page.set(height);
    scroll.lines.set(page.lines().len());
    // What was scrolled to may be gone.
    scroll.by(0);
    for (row, line) in page.lines().iter().skip(scroll.offset.get()).take(height).enumerate() {
        let row = row as u16;
        let mut column = 0;
        for (text, ink) in line {
            column = pen.text(row, column, text, *ink);
        }
        if contains(&Page::plain(line), search) {
            pen.ink_row(row, Ink::Match);
        }
    }
}

/// Scrolls the text that is shown to the next line with `wanted` in it; returns whether there is
/// one.
pub(super) fn find_line(app: &App, wanted: &str, back: bool, skip: bool) -> bool {
    let Some(snapshot) = &app.snapshot else { return false };
    let Some((page, scroll)) = text(app, snapshot, app.size.get().0) else { return false };
    let lines = page.lines();
    let n = lines.len().max(1);
    let here = scroll.offset.get() % n;
    let steps = usize::from(skip)..n + usize::from(skip);
    let at = |step: usize| if back { (here + 2 * n - step) % n } else { (here + step) % n };
    let found = steps.map(at).find(|&i| lines.get(i).is_some_and(|line| contains(&Page::plain(line), wanted)));
    if let Some(line) = found {
        scroll.lines.set(lines.len());
        // Lines of the last page cannot be scrolled to the top, but they are in sight.
        scroll.offset.set(line);
        scroll.by(0);
    }
    found.is_some()
}
