//! The keymap: one table that key handling and the help screen both read.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::quantity::listed;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Help,
    NextView,
    PreviousView,
    /// The view that the digit names.
    Show,
    Freeze,
    Longer,
    Shorter,
    Reset,
    Export,
    Scope,
    Search,
    NextMatch,
    PreviousMatch,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    SortLeft,
    SortRight,
    Reverse,
    By,
    Queues,
    UsualLoops,
    Weight,
    PartBack,
    PartOn,
    FirstPart,
    LastPart,
    Accept,
    Cancel,
    Erase,
    EraseWord,
    EraseAll,
    CursorLeft,
    CursorRight,
    CursorHome,
    CursorEnd,
}

listed! {
    /// Where a row of the table holds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(super) enum Place {
        /// Wherever nothing is being typed and no help is shown.
        Everywhere,
        /// Also in the help.
        Moving,
        /// Threads, sites, devices, the list of processes.
        Tables,
        WhatIf,
        Flame,
        Recording,
        /// While something is typed.
        Typing,
        Help,
        /// The list of processes.
        Processes,
        /// The machine at a glance.
        Machine,
        /// Stalls of event loops.
        Stalls,
    }
}

impl Place {
    /// Whether it is a screen of its own, in front of the others.
    pub(super) const fn is_a_list(self) -> bool {
        matches!(self, Self::Processes | Self::Machine | Self::Stalls)
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Moving => "Moving",
            Self::Tables => "Threads, sites, devices",
            Self::WhatIf => "What-if",
            Self::Flame => "Flame graph",
            Self::Recording => "Recordings",
            Self::Help => "In this help",
            Self::Typing => "While typing",
            Self::Processes => "Choosing a process",
            Self::Machine => "The machine",
            Self::Stalls => "Stalls",
        }
    }
}

/// A key. Shift counts only by the character that it makes of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) code: KeyCode,
    pub(super) ctrl: bool,
}

const fn key(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: false }
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

const fn code(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

impl Key {
    pub(super) fn is(self, event: KeyEvent) -> bool {
        self.code == event.code && self.ctrl == event.modifiers.contains(KeyModifiers::CONTROL)
    }

    pub(super) fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(c) if self.ctrl => c.to_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::F(n) => format!("F{n}"),
            other => format!("{other:?}"),
        };
        if self.ctrl { format!("Ctrl-{name}") } else { name }
    }
}

/// A row of the table.
pub(super) struct Binding {
    pub(super) place: Place,
    pub(super) keys: &'static [Key],
    pub(super) action: Action,
    /// What it does, for the help.
    pub(super) words: &'static str,
}

impl Binding {
    /// Its keys as the help prints them: `j ↓`.
    pub(super) fn names(&self) -> String {
        match self.action {
            Action::Show => "1–9".to_owned(),
            _ => self.keys.iter().map(|k| k.name()).collect::<Vec<_>>().join(" "),
        }
    }
}

const fn row(place: Place, keys: &'static [Key], action: Action, words: &'static str) -> Binding {
    Binding { place, keys, action, words }
}

/// The table. If two rows hold at the same moment, the one of the more special place wins.
pub(super) const KEYMAP: &[Binding] = &[
    row(Place::Everywhere, &[key('q'), ctrl('c')], Action::Quit, "quit"),
    row(Place::Everywhere, &[key('?'), code(KeyCode::F(1))], Action::Help, "this help"),
    row(
        Place::Everywhere,
        &[key('1'), key('2'), key('3'), key('4'), key('5'), key('6'), key('7'), key('8'), key('9')],
        Action::Show,
        "go to a view",
    ),
    row(Place::Everywhere, &[code(KeyCode::Tab)], Action::NextView, "next view"),
    row(Place::Everywhere, &[code(KeyCode::BackTab)], Action::PreviousView, "previous view"),
    row(Place::Everywhere, &[key(' '), key('p')], Action::Freeze, "freeze the screen; the measurement goes on"),
    row(
        Place::Everywhere,
        &[key('t')],
        Action::Scope,
        "figures of everything since the start, or of the last interval",
    ),
    row(Place::Everywhere, &[key('+'), key('=')], Action::Longer, "longer interval (up to 10 s)"),
    row(Place::Everywhere, &[key('-'), key('_'), key('−')], Action::Shorter, "shorter interval (down to 0.25 s)"),
    row(Place::Everywhere, &[key('r')], Action::Reset, "start over: everything counts from now"),
    row(Place::Everywhere, &[key('e')], Action::Export, "export to a file; its ending names the format"),
    row(Place::Everywhere, &[key('/')], Action::Search, "search: rows, frames, lines"),
    row(Place::Everywhere, &[key('n')], Action::NextMatch, "next match"),
    row(Place::Everywhere, &[key('N')], Action::PreviousMatch, "previous match"),
    row(Place::Everywhere, &[code(KeyCode::Enter)], Action::Open, "open what is selected (sites: stacks and costs)"),
    row(Place::Everywhere, &[code(KeyCode::Esc), code(KeyCode::Backspace)], Action::Back, "back; end a search"),
    row(Place::Moving, &[code(KeyCode::Up), key('k')], Action::Up, "up"),
    row(Place::Moving, &[code(KeyCode::Down), key('j')], Action::Down, "down"),
    row(Place::Moving, &[code(KeyCode::PageUp), ctrl('b')], Action::PageUp, "a page up"),
    row(Place::Moving, &[code(KeyCode::PageDown), ctrl('f')], Action::PageDown, "a page down"),
    row(Place::Moving, &[key('g'), code(KeyCode::Home)], Action::First, "to the top"),
    row(Place::Moving, &[key('G'), code(KeyCode::End)], Action::Last, "to the bottom"),
    row(Place::Tables, &[key('<')], Action::SortLeft, "sort by the column on the left"),
    row(Place::Tables, &[key('>')], Action::SortRight, "sort by the column on the right"),
    row(Place::Tables, &[key('R')], Action::Reverse, "turn the order round"),
    row(Place::Tables, &[code(KeyCode::Left), key('h')], Action::Left, "columns further left"),
    row(Place::Tables, &[code(KeyCode::Right), key('l')], Action::Right, "columns further right"),
    row(Place::WhatIf, &[code(KeyCode::Left), key('h')], Action::Left, "one event loop less"),
    row(Place::WhatIf, &[code(KeyCode::Right), key('l')], Action::Right, "one event loop more"),
    row(Place::WhatIf, &[key('m')], Action::UsualLoops, "as many loops as the report takes"),
    row(Place::WhatIf, &[key('o')], Action::Queues, "a queue for each loop, or stealing"),
    row(Place::Flame, &[key('w')], Action::Weight, "next weight: cost, blocked, run-queue delay, CPU"),
    row(Place::Flame, &[code(KeyCode::Left), key('h')], Action::Left, "frame on the left"),
    row(Place::Flame, &[code(KeyCode::Right), key('l')], Action::Right, "frame on the right"),
    row(Place::Flame, &[code(KeyCode::Up), key('k')], Action::Up, "the caller"),
    row(Place::Flame, &[code(KeyCode::Down), key('j')], Action::Down, "the heaviest callee"),
    row(Place::Flame, &[code(KeyCode::Enter)], Action::Open, "zoom into the frame"),
    row(Place::Flame, &[code(KeyCode::Esc), code(KeyCode::Backspace)], Action::Back, "zoom out"),
    row(Place::Recording, &[key('['), key(',')], Action::PartBack, "back in time by an interval"),
    row(Place::Recording, &[key(']'), key('.')], Action::PartOn, "on in time by an interval"),
    row(Place::Recording, &[code(KeyCode::Home)], Action::FirstPart, "to the start of the recording"),
    row(Place::Recording, &[code(KeyCode::End)], Action::LastPart, "to its end"),
    row(Place::Typing, &[code(KeyCode::Enter)], Action::Accept, "take it"),
    row(Place::Typing, &[code(KeyCode::Esc), ctrl('c')], Action::Cancel, "leave it"),
    row(Place::Typing, &[code(KeyCode::Backspace), ctrl('h')], Action::Erase, "erase a character"),
    row(Place::Typing, &[ctrl('w')], Action::EraseWord, "erase a word"),
    row(Place::Typing, &[ctrl('u')], Action::EraseAll, "erase everything"),
    row(Place::Typing, &[code(KeyCode::Left), ctrl('b')], Action::CursorLeft, "left"),
    row(Place::Typing, &[code(KeyCode::Right), ctrl('f')], Action::CursorRight, "right"),
    row(Place::Typing, &[code(KeyCode::Home), ctrl('a')], Action::CursorHome, "to the start"),
    row(Place::Typing, &[code(KeyCode::End), ctrl('e')], Action::CursorEnd, "to the end"),
    row(
        Place::Help,
        &[key('?'), key('q'), ctrl('c'), code(KeyCode::Esc), code(KeyCode::Enter)],
        Action::Back,
        "close it",
    ),
    row(Place::Processes, &[code(KeyCode::Enter)], Action::Open, "look at this process"),
    row(Place::Processes, &[key('q'), code(KeyCode::Esc), ctrl('c')], Action::Quit, "leave without choosing"),
    row(Place::Processes, &[key('/')], Action::Search, "show only processes whose line contains this"),
    row(Place::Machine, &[code(KeyCode::Enter)], Action::Open, "look at it: `live`, and q comes back here"),
    row(Place::Machine, &[key('b')], Action::By, "by process, by container, by control group"),
    row(Place::Machine, &[key('q'), code(KeyCode::Esc), ctrl('c')], Action::Quit, "quit"),
    row(Place::Machine, &[key('/')], Action::Search, "show only rows whose line contains this"),
    row(Place::Stalls, &[key(' '), key('p')], Action::Freeze, "freeze the screen; the measurement goes on"),
    row(Place::Stalls, &[key('?'), code(KeyCode::F(1))], Action::Help, "this help"),
    row(Place::Stalls, &[key('q'), code(KeyCode::Esc), ctrl('c')], Action::Quit, "quit"),
];

/// The keys behind what a terminal sent in one go: Esc and a key right after it look like that key
/// with Alt, which nothing here asks for.
pub(super) fn strokes(event: KeyEvent) -> impl Iterator<Item = KeyEvent> {
    let both = event.modifiers.contains(KeyModifiers::ALT);
    let plain = KeyEvent::new(event.code, event.modifiers.difference(KeyModifiers::ALT));
    both.then(|| KeyEvent::from(KeyCode::Esc)).into_iter().chain([plain])
}

/// The row for a key in the places that hold now, the most special first.
pub(super) fn find(places: &[Place], event: KeyEvent) -> Option<&'static Binding> {
    let in_place = |place: &Place| KEYMAP.iter().find(|b| b.place == *place && b.keys.iter().any(|k| k.is(event)));
    places.iter().find_map(in_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_gives_a_key_two_meanings() {
        for (i, a) in KEYMAP.iter().enumerate() {
            for b in &KEYMAP[i + 1..] {
                let clash = a.place == b.place && a.keys.iter().any(|k| b.keys.contains(k));
                assert!(!clash, "{:?} and {:?} in {:?}", a.action, b.action, a.place);
            }
        }
        assert!(KEYMAP.iter().all(|b| Place::ALL.contains(&b.place)));
    }

    #[test]
    fn escape_and_a_key_right_after_it_are_two_keys() {
        let alt = KeyEvent::new(KeyCode::Char('1'), KeyModifiers::ALT);
        let codes: Vec<KeyCode> = strokes(alt).map(|k| k.code).collect();
        assert_eq!(codes, [KeyCode::Esc, KeyCode::Char('1')]);
        assert!(strokes(alt).all(|k| k.modifiers.is_empty()));
        assert_eq!(strokes(KeyEvent::from(KeyCode::Enter)).count(), 1);
    }

    #[test]
    fn the_special_place_wins_and_shift_does_not_count() {
        let home = KeyEvent::from(KeyCode::Home);
        let action = |places: &[Place]| find(places, home).map(|b| b.action);
        assert_eq!(action(&[Place::Recording, Place::Moving]), Some(Action::FirstPart));
        assert_eq!(action(&[Place::Moving]), Some(Action::First));
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(find(&[Place::Moving], shifted).map(|b| b.action), Some(Action::Last));
        let ctrl_q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL);
        assert!(find(&[Place::Everywhere], ctrl_q).is_none());
    }
}
