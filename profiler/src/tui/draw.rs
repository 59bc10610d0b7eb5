//! The whole screen:
//!
//! ```text
//!  should-i-async  echo-server (4242)              whole · every 1.00 s · 12.0 s
//! 1 overview  2 threads  3 sites  4 what-if  5 devices  6 IPC  7 flame  8 log
//! [ target exited: everything stays on the screen; e exports, q quits ]
//! … the view …
//! ├────────●───────────────┤ part 9 of 24
//! q quit  ? help  / search  Tab next view                             3 of 15
//! ```

use ratatui::{Frame, layout::Position};

use super::{
    app::{App, Prompt, Purpose, Scope},
    keymap::Place,
    page::Page,
    pen::Pen,
    tabs::View,
    theme::Ink,
    view::{self, help},
};
use crate::feed::{Snapshot, State};
use crate::text::{
    clean::clean,
    fit::{cut, cut_middle, width, wrap},
    numbers::clock,
};
use crate::words::InWords;

/// On a smaller screen only a line is drawn that says so.
pub(super) const LEAST: (u16, u16) = (40, 10);

/// Draws the state as it is.
pub(crate) fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    app.size.set((area.width, area.height));
    let cursor = {
        let mut pen = Pen::new(frame.buffer_mut(), area, app.theme);
        screen(&mut pen, app)
    };
    if let Some((row, column)) = cursor {
        frame.set_cursor_position(Position { x: area.x + column, y: area.y + row });
    }
}

/// Writes that the screen is too small, and returns true, if it is.
pub(super) fn too_small(pen: &mut Pen<'_>) -> bool {
    let (width, height) = (pen.width(), pen.height());
    let small = width < LEAST.0 || height < LEAST.1;
    if small {
        let text = format!("terminal too small ({width}x{height}), need {}x{}", LEAST.0, LEAST.1);
        for (row, line) in wrap(&text, width.into()).iter().enumerate() {
            pen.text(row as u16, 0, line, Ink::Plain);
        }
    }
    small
}

/// Draws all rows. Returns where the cursor belongs.
fn screen(pen: &mut Pen<'_>, app: &App) -> Option<(u16, u16)> {
    if too_small(pen) {
        return None;
    }
    let (width, height) = (pen.width(), pen.height());
    header(pen, app);
    tabs(pen, app);
    let mut top = 2;
    if let Some(why) = app.ended() {
        banner(&mut pen.part(top, 0, 1, width), &why.in_words());
        top += 1;
    }
    let mut bottom = height - 1;
    if let Some((part, parts)) = app.part() {
        bottom -= 1;
        position(&mut pen.part(bottom, 0, 1, width), app, part, parts);
    }
    let mut body = pen.part(top, 0, bottom - top, width);
    match (&app.help, &app.snapshot) {
        (Some(scroll), _) => {
            let mut page = Page::new(width);
            let everything: Vec<Place> = Place::ALL.into_iter().filter(|p| !p.is_a_list()).collect();
            help::write(&mut page, &everything);
            view::draw_text(&mut body, &page, scroll, "");
        }
        (None, Some(snapshot)) => view::draw(&mut body, app, snapshot),
        (None, None) => {
            let wrong = app.messages.iter().rfind(|m| m.bad).map(|m| (m.text.as_str(), Ink::Bad));
            let (text, ink) = wrong.unwrap_or(("waiting for the first figures …", Ink::Dim));
            for (row, line) in wrap(text, width.into()).iter().enumerate() {
                body.text(row as u16, 0, line, ink);
            }
        }
    }
    footer(&mut pen.below(height - 1), app).map(|column| (height - 1, column))
}

/// Scope, time and state of what is shown, the most important first.
fn state_words(app: &App, snapshot: &Snapshot) -> Vec<String> {
    let scope = match app.scope {
        Scope::Whole => "whole",
        Scope::Last => "last interval",
    };
    let mut words = Vec::new();
    if app.frozen {
        words.push("FROZEN".to_owned());
    }
    words.push(scope.to_owned());
    words.push(clock(snapshot.at));
    match snapshot.state {
        State::Recorded { .. } => words.push("recording".to_owned()),
        State::Ended(_) => words.push("ended".to_owned()),
        State::Measuring => words.push(format!("every {}", app.interval)),
    }
    words
}

fn header(pen: &mut Pen<'_>, app: &App) {
    pen.ink_row(0, Ink::Bar);
    let room = usize::from(pen.width()) - 1;
    let mut words = app.snapshot.as_ref().map_or_else(Vec::new, |s| state_words(app, s));
    // What matters least stands last, and goes first.
    while words.len() > 2 && width(&words.join(" · ")) > room / 2 {
        words.pop();
    }
    let right = words.join(" · ") + " ";
    pen.right(0, &right, Ink::Bar);
    let left = room.saturating_sub(width(&right) + 1);
    let name = if left > 50 { format!("should-i-async  {}", app.title.name) } else { app.title.name.clone() };
    pen.text(0, 1, &cut_middle(&name, left), Ink::Bar);
}

fn tabs(pen: &mut Pen<'_>, app: &App) {
    // A digit and a space before each name, and as much space behind it as there is room for.
    let all: usize = View::ALL.iter().map(|v| width(v.name()) + 2).sum();
    let room = usize::from(pen.width());
    let fits = |gap: usize| all + gap * (View::ALL.len() - 1) <= room;
    let in_full = fits(1);
    let gap = if in_full && !fits(2) { 1 } else { 2 };
    let mut column = 0;
    for (i, view) in View::ALL.into_iter().enumerate() {
        let shown = view == app.view;
        let text = if in_full || shown { format!("{} {}", i + 1, view.name()) } else { (i + 1).to_string() };
        let ink = if shown { Ink::Bar } else { Ink::Plain };
        column = pen.text(1, column, &text, ink) + gap;
    }
}

fn banner(pen: &mut Pen<'_>, why: &str) {
    pen.ink_row(0, Ink::Bad);
    let text = format!(" {}: everything stays on the screen; e exports, q quits", clean(why));
    pen.text(0, 0, &cut(&text, pen.width().into()), Ink::Bad);
}

/// Where in the recording this is.
fn position(pen: &mut Pen<'_>, app: &App, part: usize, parts: usize) {
    let target = app.seeking.map_or_else(String::new, |to| format!(" → {}", to + 1));
    let text = format!(" part {}{target} of {parts}  [ ]", part + 1);
    let room = usize::from(pen.width()).saturating_sub(width(&text));
    let last = parts.saturating_sub(1).max(1);
    let at = (part.min(last) * room.saturating_sub(1) + last / 2) / last;
    let bar: String = (0..room).map(|x| if x == at { '●' } else { '─' }).collect();
    let column = pen.text(0, 0, &bar, Ink::Plain);
    pen.text(0, column, &text, Ink::Plain);
}

/// What is typed, or a message, or a few keys. Returns the column of the cursor.
fn footer(pen: &mut Pen<'_>, app: &App) -> Option<u16> {
    if let Some(Prompt { purpose, line }) = &app.prompt {
        let name = match purpose {
            Purpose::Search => "/",
            Purpose::Export => "export to: ",
        };
        return Some(prompt(pen, name, line));
    }
    let right = match app.view {
        _ if app.help.is_some() || app.snapshot.is_none() => String::new(),
        View::Threads => place(app.threads.place()),
        View::Sites if app.detail.is_none() => place(app.sites.place()),
        View::Devices => place(app.devices.place()),
        View::Flame => String::new(),
        _ => {
            let scroll = app.scroll_shown();
            let (from, all) = (scroll.offset.get(), scroll.lines.get());
            let to = (from + scroll.page.get()).min(all);
            if all > scroll.page.get() { format!("lines {}–{to} of {all}", from + 1) } else { String::new() }
        }
    };
    let end = pen.right(0, &right, Ink::Dim);
    let room = usize::from(end).saturating_sub(1);
    if let Some(message) = &app.status {
        pen.text(0, 0, &cut(&message.text, room), if message.bad { Ink::Bad } else { Ink::Plain });
    } else {
        pen.text(0, 0, &hints(app, room), Ink::Dim);
    }
    None
}

/// A line being typed; the column of its cursor.
pub(super) fn prompt(pen: &mut Pen<'_>, name: &str, line: &super::prompt::Line) -> u16 {
    let (before, behind) = line.halves();
    let room = usize::from(pen.width()).saturating_sub(width(name) + 1);
    // If the line is too long, the part before the cursor is shown.
    let mut before = before.as_str();
    while width(before) > room {
        let mut chars = before.chars();
        chars.next();
        before = chars.as_str();
    }
    let column = pen.text(0, 0, name, Ink::Bold);
    let cursor = pen.text(0, column, before, Ink::Plain);
    pen.text(0, cursor, &behind, Ink::Plain);
    cursor
}

fn place((at, of): (usize, usize)) -> String {
    format!("{at} of {of}")
}

/// The keys that matter most here, as many as fit.
fn hints(app: &App, room: usize) -> String {
    let special: &[&str] = match app.view {
        _ if app.help.is_some() => &["Esc close", "↑↓ scroll"],
        View::Sites if app.detail.is_some() => &["Esc back", "↑↓ scroll"],
        View::Sites => &["Enter open", "< > sort"],
        View::Threads | View::Devices => &["< > sort", "R reverse"],
        View::WhatIf => &["← → loops", "o queues"],
        View::Flame => &["Enter zoom", "Esc out", "w weight"],
        View::Overview | View::Ipc | View::Log | View::Latency => &["Tab next view"],
    };
    let general = ["/ search", "t last/whole", "Space freeze", "e export", "r reset", "+ - interval"];
    let mut text = "q quit  ? help".to_owned();
    for hint in special.iter().chain(&general) {
        if width(&text) + width(hint) + 2 > room {
            break;
        }
        text.push_str("  ");
        text.push_str(hint);
    }
    cut(&text, room)
}
