//! The state behind the screen: takes updates and keys, gives orders. It draws nothing, reads no
//! clock and does no IO.

use std::{cell::Cell, collections::VecDeque, sync::Arc};

use super::{
    flame::Flame,
    history::History,
    keymap::{Action, Place},
    other_loops::OtherLoops,
    prompt::Line,
    sheets::{devices, sites, threads},
    table::Table,
    tabs::View,
    theme::Theme,
};
use crate::text::clean::clean;
use crate::{
    answer::{Ended, Profile, Report, SiteView},
    feed::{Command, Snapshot, State, Update},
    quantity::Nanos,
};

/// What the screen is about.
#[derive(Clone, Debug, Default)]
pub struct Title {
    /// The target: `echo-server (4242)`, or the recording's file name.
    pub name: String,
    /// Its PID, for the default name of exports.
    pub pid: Option<u32>,
    /// How often snapshots come at first.
    pub interval: Nanos,
    /// Why there is no curve of IPC over time; shown verbatim.
    pub ipc_reason: Option<String>,
}

/// Which figures tables and ledgers show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Figures since the start.
    Whole,
    /// Of the last interval.
    Last,
}

/// What is typed, and what for.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub(super) purpose: Purpose,
    pub(super) line: Line,
}

/// What a line is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Search,
    Export,
}

/// A line for the user, which the log keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// When it came, since the start.
    pub(super) at: Nanos,
    pub(super) bad: bool,
    pub(super) text: String,
}

/// Where a text is scrolled to, and how far it can be.
#[derive(Clone, Debug, Default)]
pub(super) struct Scroll {
    pub(super) offset: Cell<usize>,
    pub(super) page: Cell<usize>,
    pub(super) lines: Cell<usize>,
}

impl Scroll {
    /// Moves by lines, `usize::MAX` and back for the ends.
    pub(super) fn by(&self, lines: isize) {
        let most = self.lines.get().saturating_sub(self.page.get());
        self.offset.set(self.offset.get().saturating_add_signed(lines).min(most));
    }

    /// What a key asks for, if it is about moving.
    pub(super) fn act(&self, action: Action) {
        let page = isize::try_from(self.page.get().max(1)).unwrap_or(1);
        match action {
            Action::Up => self.by(-1),
            Action::Down => self.by(1),
            Action::PageUp => self.by(-page),
            Action::PageDown => self.by(page),
            Action::First => self.by(isize::MIN),
            Action::Last => self.by(isize::MAX),
            _ => {}
        }
    }
}

/// Finds a site in another report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SiteKey {
    syscall: String,
    class: crate::event::BlockClass,
    ip: crate::quantity::Addr,
    tgid: crate::quantity::Tgid,
}

impl SiteKey {
    pub(super) fn new(site: &SiteView) -> Self {
        Self { syscall: site.syscall.clone(), class: site.class, ip: site.ip, tgid: site.tgid }
    }

    /// Index of the site in a report.
    pub(super) fn find(&self, report: &Report) -> Option<usize> {
        let place = |s: &SiteView| s.ip == self.ip && s.class == self.class && s.syscall == self.syscall;
        let exactly = report.sites.iter().position(|s| place(s) && s.tgid == self.tgid);
        // Another process may have been the last to call there.
        exactly.or_else(|| report.sites.iter().position(place))
    }
}

/// Messages kept for the log.
const KEPT: usize = 200;

/// Everything that the screen shows.
pub(crate) struct App {
    pub(super) title: Title,
    pub(super) theme: Theme,
    /// The snapshot that is shown.
    pub(super) snapshot: Option<Box<Snapshot>>,
    /// What came while the screen was frozen.
    newer: Option<Box<Snapshot>>,
    pub(super) frozen: bool,
    pub(super) history: History,
    pub(super) view: View,
    pub(super) scope: Scope,
    pub(super) help: Option<Scroll>,
    pub(super) prompt: Option<Prompt>,
    pub(super) search: String,
    pub(super) status: Option<Message>,
    pub(super) messages: VecDeque<Message>,
    pub(super) interval: Nanos,
    pub(super) threads: Table,
    pub(super) sites: Table,
    pub(super) devices: Table,
    pub(super) detail: Option<(SiteKey, Scroll)>,
    pub(super) other_loops: OtherLoops,
    /// One for each view that is a text.
    pub(super) scrolls: [Scroll; View::ALL.len()],
    pub(super) flame: Flame,
    flame_of: Option<Arc<Profile>>,
    pub(super) seeking: Option<usize>,
    pub(super) quit: bool,
    /// The screen's size as it was drawn last.
    pub(super) size: Cell<(u16, u16)>,
    /// What is to be asked of the feed.
    orders: Vec<Command>,
}

impl App {
    pub(crate) fn new(title: &Title, theme: Theme) -> Self {
        let title = Title { name: clean(&title.name), ..title.clone() };
        Self {
            theme,
            snapshot: None,
            newer: None,
            frozen: false,
            history: History::default(),
            view: View::Overview,
            scope: Scope::Whole,
            help: None,
            prompt: None,
            search: String::new(),
            status: None,
            messages: VecDeque::new(),
            interval: title.interval,
            threads: Table::new(&threads::SHEET),
            sites: Table::new(&sites::SHEET),
            devices: Table::new(&devices::SHEET),
            detail: None,
            other_loops: OtherLoops::default(),
            scrolls: Default::default(),
            flame: Flame::default(),
            flame_of: None,
            seeking: None,
            quit: false,
            size: Cell::new((80, 24)),
            orders: Vec::new(),
            title,
        }
    }

    /// Takes what the feed brought.
    pub(crate) fn apply(&mut self, update: Update) {
        match update {
            Update::Note(text) => self.tell(false, &text),
            Update::Problem(text) => self.tell(true, &text),
            Update::Reply(reply) => {
                self.other_loops.take(reply);
                self.settle();
            }
            Update::Snapshot(snapshot) => {
                self.history.push(&snapshot);
                if let State::Recorded { part, .. } = snapshot.state
                    && self.seeking == Some(part)
                {
                    self.seeking = None;
                }
                if self.frozen {
                    self.newer = Some(snapshot);
                } else {
                    self.show(snapshot);
                }
            }
        }
    }

    fn show(&mut self, snapshot: Box<Snapshot>) {
        self.snapshot = Some(snapshot);
        self.arrange();
        self.settle();
    }

    /// Puts the rows of all tables in order again.
    pub(super) fn arrange(&mut self) {
        let Some(report) = self.report() else { return };
        self.threads.arrange(&threads::SHEET, &report.threads);
        self.sites.arrange(&sites::SHEET, &report.sites);
        self.devices.arrange(&devices::SHEET, &report.devices);
    }

    /// Works out what the view shown needs, unless it is there: a tree. Asks for other scenarios.
    pub(super) fn settle(&mut self) {
        let Some(snapshot) = &self.snapshot else { return };
        match self.view {
            View::Flame if self.flame_of.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &snapshot.profile)) => {
                self.flame_of = Some(Arc::clone(&snapshot.profile));
                self.flame.rebuild(&snapshot.profile, &self.search);
            }
            View::WhatIf => self.orders.extend(self.other_loops.settle(snapshot)),
            _ => {}
        }
    }

    /// What is to be asked of the feed.
    pub(crate) fn orders(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.orders)
    }

    /// The weight of the flame graph has changed.
    pub(super) fn reweigh(&mut self) {
        self.flame_of = None;
        self.settle();
    }

    /// Shows a message in the last line, and keeps it in the log.
    pub(super) fn tell(&mut self, bad: bool, text: &str) {
        let at = self.snapshot.as_ref().map_or(Nanos::ZERO, |s| s.at);
        let message = Message { at, bad, text: clean(text) };
        self.status = Some(message.clone());
        self.messages.push_back(message);
        if self.messages.len() > KEPT {
            self.messages.pop_front();
        }
    }

    /// Holds the screen still, or lets it go on with what came meanwhile.
    pub(super) fn freeze(&mut self) {
        self.frozen = !self.frozen;
        if let Some(newer) = self.newer.take() {
            self.show(newer);
        }
    }

    /// The report in scope.
    pub(super) fn report(&self) -> Option<Arc<Report>> {
        let snapshot = self.snapshot.as_ref()?;
        Some(Arc::clone(match self.scope {
            Scope::Whole => &snapshot.whole,
            Scope::Last => &snapshot.last,
        }))
    }

    /// The part of a recording that is shown, and how many there are.
    pub(super) fn part(&self) -> Option<(usize, usize)> {
        match self.snapshot.as_ref()?.state {
            State::Recorded { part, parts } => Some((part, parts)),
            _ => None,
        }
    }

    /// Why the measurement is over, where it is.
    pub(super) fn ended(&self) -> Option<Ended> {
        // Also while the screen is frozen: the user should know that the target is gone.
        match &self.newer.as_ref().or(self.snapshot.as_ref())?.state {
            State::Ended(why) => Some(*why),
            _ => None,
        }
    }

    /// Scroll of the view shown.
    pub(super) fn scroll(&self) -> &Scroll {
        let [first, ..] = &self.scrolls;
        self.scrolls.get(self.view as usize).unwrap_or(first)
    }

    /// Scroll of the text shown, a site's detail included.
    pub(super) fn scroll_shown(&self) -> &Scroll {
        match (&self.detail, self.view) {
            (Some((_, scroll)), View::Sites) => scroll,
            _ => self.scroll(),
        }
    }

    /// The places of the keymap that hold now, the most special first.
    pub(super) fn places(&self) -> Vec<Place> {
        if self.prompt.is_some() {
            return vec![Place::Typing];
        }
        if self.help.is_some() {
            return vec![Place::Help, Place::Moving];
        }
        let mut places = Vec::new();
        if self.part().is_some() {
            places.push(Place::Recording);
        }
        match self.view {
            View::Sites if self.detail.is_some() => {}
            View::Threads | View::Sites | View::Devices => places.push(Place::Tables),
            View::WhatIf => places.push(Place::WhatIf),
            View::Flame => places.push(Place::Flame),
            View::Overview | View::Ipc | View::Log | View::Latency => {}
        }
        places.extend([Place::Moving, Place::Everywhere]);
        places
    }

    /// What is searched for, as far as it is typed.
    pub(super) fn searched(&self) -> String {
        match &self.prompt {
            Some(Prompt { purpose: Purpose::Search, line }) => line.text(),
            _ => self.search.clone(),
        }
    }
}
