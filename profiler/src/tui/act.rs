//! What keys do: each action of the keymap, on the view shown.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    app::{App, Prompt, Purpose, Scope, Scroll, SiteKey},
    keymap::{Action, find},
    prompt::Line,
    sheets::{devices, sites, threads},
    table::{Sheet, Table},
    tabs::View,
    view,
};
use crate::words::{self, InWords};
use crate::{
    feed::{Command, State},
    quantity::Nanos,
};

/// The intervals that + and − step through, ms.
const INTERVALS: [u64; 6] = [250, 500, 1_000, 2_000, 5_000, 10_000];

/// Does to a table what a key asks for.
pub(super) fn in_table<R>(table: &mut Table, sheet: &Sheet<R>, rows: &[R], action: Action) {
    match action {
        Action::Up => table.step(sheet, rows, -1),
        Action::Down => table.step(sheet, rows, 1),
        Action::PageUp => table.page(sheet, rows, -1),
        Action::PageDown => table.page(sheet, rows, 1),
        Action::First => table.first(sheet, rows),
        Action::Last => table.last(sheet, rows),
        Action::Left => table.move_columns(-1),
        Action::Right => table.move_columns(1),
        Action::SortLeft => table.sort_by_next(sheet, rows, -1),
        Action::SortRight => table.sort_by_next(sheet, rows, 1),
        Action::Reverse => table.reverse(sheet, rows),
        _ => {}
    }
}

/// A search: from here or from the next place on, forwards or back.
#[derive(Clone, Copy)]
struct Search {
    back: bool,
    skip: bool,
}

impl App {
    /// Does what a key asks for, and returns the orders that follow from it.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Vec<Command> {
        let action = find(&self.places(), key).map(|binding| binding.action);
        if self.prompt.is_some() {
            return self.typed(key, action);
        }
        let Some(action) = action else { return Vec::new() };
        self.status = None;
        let mut orders = self.act(action, key);
        self.settle();
        orders.append(&mut self.orders());
        orders
    }

    /// A key while a line is typed.
    fn typed(&mut self, key: KeyEvent, action: Option<Action>) -> Vec<Command> {
        let Some(prompt) = &mut self.prompt else { return Vec::new() };
        match (action, key.code) {
            (Some(Action::Cancel), _) => {
                self.prompt = None;
                self.mark_search();
                return Vec::new();
            }
            (Some(Action::Accept), _) => {
                let (purpose, text) = (prompt.purpose, prompt.line.text());
                self.prompt = None;
                return self.accept(purpose, text);
            }
            (Some(action), _) => prompt.line.act(action),
            (None, KeyCode::Char(c)) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                prompt.line.insert(c);
            }
            _ => {}
        }
        if prompt.purpose == Purpose::Search {
            self.mark_search();
            self.find_match(Search { back: false, skip: false });
        }
        Vec::new()
    }

    fn accept(&mut self, purpose: Purpose, text: String) -> Vec<Command> {
        match purpose {
            Purpose::Search => {
                self.search = text;
                self.mark_search();
                if !self.search.is_empty() && !self.find_match(Search { back: false, skip: false }) {
                    self.not_found();
                }
                Vec::new()
            }
            Purpose::Export if text.trim().is_empty() => Vec::new(),
            Purpose::Export => {
                self.tell(false, &format!("writing {} …", text.trim()));
                vec![Command::Export { path: text.trim().into(), weight: self.flame.weight }]
            }
        }
    }

    /// Tells the flame graph what is searched for.
    fn mark_search(&mut self) {
        let text = self.searched();
        self.flame.search(&text);
    }

    fn not_found(&mut self) {
        self.tell(true, &format!("nothing here contains `{}`", self.search));
    }

    /// Goes to the next match in the view that is shown, and returns whether there is one.
    fn find_match(&mut self, search: Search) -> bool {
        let text = self.searched();
        let Some(report) = self.report() else { return false };
        let Search { back, skip } = search;
        match self.view {
            View::Threads => self.threads.find(&threads::SHEET, &report.threads, &text, back, skip),
            View::Sites if self.detail.is_none() => self.sites.find(&sites::SHEET, &report.sites, &text, back, skip),
            View::Devices => self.devices.find(&devices::SHEET, &report.devices, &text, back, skip),
            View::Flame => self.flame.find(back, skip),
            _ => view::find_line(self, &text, back, skip),
        }
    }

    fn next_match(&mut self, back: bool) {
        if self.search.is_empty() {
            self.tell(true, "nothing was searched for yet: press /");
        } else if !self.find_match(Search { back, skip: true }) {
            self.not_found();
        }
    }

    /// Does an action; all keys but those that are typed into a line.
    fn act(&mut self, action: Action, key: KeyEvent) -> Vec<Command> {
        if let Some(help) = &self.help {
            match action {
                Action::Back => self.help = None,
                moving => help.act(moving),
            }
            return Vec::new();
        }
        match action {
            Action::Quit => self.quit = true,
            Action::Help => self.help = Some(Scroll::default()),
            Action::NextView => self.view = self.view.step(1),
            Action::PreviousView => self.view = self.view.step(View::ALL.len() - 1),
            Action::Show => {
                if let KeyCode::Char(c) = key.code
                    && let Some(view) = View::numbered(c)
                {
                    self.view = view;
                }
            }
            Action::Freeze if self.part().is_some() => self.tell(false, "a recording stands still"),
            Action::Freeze => self.freeze(),
            Action::Scope => {
                self.scope = match self.scope {
                    Scope::Whole => Scope::Last,
                    Scope::Last => Scope::Whole,
                };
                self.arrange();
            }
            Action::Longer => return self.change_interval(true),
            Action::Shorter => return self.change_interval(false),
            Action::Reset => return self.reset(),
            Action::Export => {
                let line = Line::new(&self.export_name());
                self.prompt = Some(Prompt { purpose: Purpose::Export, line });
            }
            Action::Search => {
                self.prompt = Some(Prompt { purpose: Purpose::Search, line: Line::default() });
                self.mark_search();
            }
            Action::NextMatch => self.next_match(false),
            Action::PreviousMatch => self.next_match(true),
            Action::PartBack => return self.seek(|part, _| part.saturating_sub(1)),
            Action::PartOn => return self.seek(|part, _| part + 1),
            Action::FirstPart => return self.seek(|_, _| 0),
            Action::LastPart => return self.seek(|_, parts| parts),
            Action::Back => self.back(),
            _ => self.act_in_view(action),
        }
        Vec::new()
    }

    /// What depends on the view.
    fn act_in_view(&mut self, action: Action) {
        let Some(report) = self.report() else { return };
        match self.view {
            View::Threads => in_table(&mut self.threads, &threads::SHEET, &report.threads, action),
            View::Devices => in_table(&mut self.devices, &devices::SHEET, &report.devices, action),
            View::Sites => match (&self.detail, action) {
                (Some((_, scroll)), _) => scroll.act(action),
                (None, Action::Open) => {
                    let site = self.sites.selected(&report.sites);
                    self.detail = site.map(|site| (SiteKey::new(site), Scroll::default()));
                }
                (None, _) => in_table(&mut self.sites, &sites::SHEET, &report.sites, action),
            },
            View::WhatIf => match action {
                Action::Left => self.change_loops(-1),
                Action::Right => self.change_loops(1),
                Action::UsualLoops => self.other_loops.usual(),
                Action::Queues => self.other_loops.turn_assignment(),
                _ => self.scroll().act(action),
            },
            View::Flame => self.act_in_flame(action),
            View::Overview | View::Ipc | View::Log | View::Latency => self.scroll().act(action),
        }
    }

    fn change_loops(&mut self, by: i32) {
        if let Some(snapshot) = &self.snapshot {
            self.other_loops.change(snapshot, by);
        }
    }

    fn act_in_flame(&mut self, action: Action) {
        match action {
            Action::Left => self.flame.sideways(-1),
            Action::Right => self.flame.sideways(1),
            Action::Up => self.flame.up(),
            Action::Down => self.flame.down(),
            Action::PageUp => (0..10).for_each(|_| self.flame.up()),
            Action::PageDown => (0..10).for_each(|_| self.flame.down()),
            Action::First => self.flame.first(),
            Action::Last => self.flame.last(),
            Action::Open => self.flame.zoom_in(),
            Action::Weight => {
                self.flame.next_weight();
                self.reweigh();
            }
            _ => {}
        }
    }

    /// Leaves what is open: a detail, a zoom, a search.
    fn back(&mut self) {
        match self.view {
            View::Sites if self.detail.is_some() => self.detail = None,
            View::Flame if self.flame.zoom_out() => {}
            _ => {
                self.search.clear();
                self.mark_search();
            }
        }
    }

    fn change_interval(&mut self, longer: bool) -> Vec<Command> {
        if self.part().is_some() {
            self.tell(false, words::NO_OTHER_INTERVAL);
            return Vec::new();
        }
        let now = self.interval.as_nanos() / 1_000_000;
        let next = if longer {
            INTERVALS.into_iter().find(|&ms| ms > now)
        } else {
            INTERVALS.into_iter().rev().find(|&ms| ms < now)
        };
        let Some(ms) = next else {
            self.tell(false, if longer { "10 s is the longest interval" } else { "0.25 s is the shortest interval" });
            return Vec::new();
        };
        self.interval = Nanos::from_millis(ms);
        self.tell(false, &format!("an interval of {}", self.interval));
        vec![Command::Interval(self.interval)]
    }

    fn reset(&mut self) -> Vec<Command> {
        match self.snapshot.as_ref().map(|s| &s.state) {
            Some(State::Recorded { .. }) => self.tell(false, words::NO_RESET),
            Some(State::Ended(why)) => {
                let text = format!("{}: nothing is left to measure", why.in_words());
                self.tell(true, &text);
            }
            _ => {
                self.history.clear();
                self.tell(false, "everything counts from now");
                return vec![Command::Reset];
            }
        }
        Vec::new()
    }

    fn seek(&mut self, to: impl Fn(usize, usize) -> usize) -> Vec<Command> {
        let Some((part, parts)) = self.part() else { return Vec::new() };
        // The key was pressed again before the answer came: count from the part that was asked for.
        let from = self.seeking.unwrap_or(part);
        let to = to(from, parts).min(parts.saturating_sub(1));
        if to == from {
            self.tell(false, if to == 0 { "this is the start" } else { "this is the end" });
            return Vec::new();
        }
        self.seeking = Some(to);
        vec![Command::Seek(to)]
    }

    /// The file name for what is shown: a picture of the flame graph, a page of everything else.
    fn export_name(&self) -> String {
        let ending = if self.view == View::Flame { "svg" } else { "html" };
        match self.title.pid {
            Some(pid) => format!("should-i-async-{pid}.{ending}"),
            None => format!("should-i-async.{ending}"),
        }
    }

    /// Whether a key means something here.
    #[cfg(test)]
    pub(super) fn resolve(&self, key: KeyEvent) -> Option<(super::keymap::Place, Action)> {
        find(&self.places(), key).map(|b| (b.place, b.action))
    }
}
