//! What keys do: each row of the keymap, by what comes of it.

use std::collections::HashSet;

use super::{
    super::{
        app::Scope,
        keymap::{Action, KEYMAP, Place},
        other_loops::Found,
    },
    *,
};
use crate::{
    answer::Weight,
    feed::{Command, Inquiry, Reply},
    machine::{Language, Way},
    predict::{Question, replay::Assignment},
};

/// The order for a file, weighted as the flame graph is at first.
fn export(path: &str) -> Command {
    Command::Export { path: path.into(), weight: Weight::Cost }
}

/// An app in which a place's keys hold.
fn in_place(place: Place) -> App {
    let mut app = match place {
        Place::Recording => recording(),
        _ => server(),
    };
    match place {
        Place::Tables => show(&mut app, View::Threads),
        Place::WhatIf => show(&mut app, View::WhatIf),
        Place::Flame => show(&mut app, View::Flame),
        Place::Help => drop(type_in(&mut app, "?")),
        Place::Typing => drop(type_in(&mut app, "/")),
        Place::Moving => show(&mut app, View::Log),
        Place::Everywhere | Place::Recording | Place::Processes | Place::Machine | Place::Stalls => {}
    }
    app
}

fn event(key: super::super::keymap::Key) -> KeyEvent {
    let modifiers = if key.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
    KeyEvent::new(key.code, modifiers)
}

#[test]
fn every_key_of_every_row_reaches_its_action_and_every_row_is_in_the_help() {
    let mut app = server();
    type_in(&mut app, "?");
    let help = screen(&app, 200, 120);
    for row in KEYMAP {
        assert!(!row.words.is_empty());
        if !row.place.is_a_list() {
            let line = |l: &str| l.contains(row.words) && l.contains(&row.names());
            assert!(help.lines().any(line), "{} {} is not in\n{help}", row.names(), row.words);
            let app = in_place(row.place);
            for &key in row.keys {
                assert_eq!(app.resolve(event(key)), Some((row.place, row.action)), "{}", key.name());
            }
        }
    }
}

/// What can be seen of an app, as text.
fn seen(app: &App) -> String {
    let cursor = {
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        let styles: Vec<_> = terminal.backend().buffer().content().iter().map(|c| (c.modifier, c.fg)).collect();
        format!("{styles:?}")
    };
    format!("{}{cursor}{}{:?}", screen(app, 100, 30), app.quit, app.prompt)
}

#[test]
fn every_row_changes_something_that_is_seen_or_ordered() {
    for row in KEYMAP.iter().filter(|r| !r.place.is_a_list()) {
        for &key in row.keys {
            let mut app = in_place(row.place);
            screen(&app, 100, 30);
            // To where there is something in every direction.
            prepare(&mut app, row.place, row.action);
            screen(&app, 100, 30);
            let before = seen(&app);
            let orders = app.key(event(key));
            let changed = seen(&app) != before || !orders.is_empty();
            // The first of the views is the one that is shown.
            let stays = row.action == Action::Show && key.code == KeyCode::Char('1');
            assert!(changed || stays, "{} ({}) in {:?}", key.name(), row.words, row.place);
        }
    }
}

fn prepare(app: &mut App, place: Place, action: Action) {
    match (place, action) {
        (Place::Typing, Action::CursorRight | Action::CursorEnd) => {
            type_in(app, "xy");
            press(app, KeyCode::Home);
        }
        (Place::Typing, _) => drop(type_in(app, "xy")),
        (Place::Moving, Action::Up | Action::PageUp | Action::First) => drop(type_in(app, "G")),
        (Place::Tables, Action::SortLeft) => drop(type_in(app, ">>")),
        (Place::Tables, Action::Left) => drop(type_in(app, "l")),
        (Place::WhatIf, Action::UsualLoops) => {
            let key = if asked(app).loops > 1 { "h" } else { "l" };
            type_in(app, key);
        }
        (Place::WhatIf, Action::Left) => drop(type_in(app, "ll")),
        (Place::WhatIf, Action::Right) => drop(type_in(app, "hh")),
        (Place::Flame, Action::Down | Action::Open) => drop(type_in(app, "jj")),
        (Place::Flame, Action::Up) => drop(type_in(app, "jj")),
        (Place::Flame, Action::Right) => drop(type_in(app, "j")),
        (Place::Flame, Action::Left) => drop(type_in(app, "jl")),
        (Place::Flame, Action::Back) => {
            type_in(app, "jj");
            press(app, KeyCode::Enter);
        }
        (Place::Everywhere, Action::NextMatch | Action::PreviousMatch) => {
            show(app, View::Threads);
            type_in(app, "/conn");
            press(app, KeyCode::Enter);
        }
        (Place::Everywhere, Action::Open) => show(app, View::Sites),
        (Place::Everywhere, Action::Back) => {
            show(app, View::Sites);
            press(app, KeyCode::Enter);
        }
        _ => {}
    }
}

#[test]
fn quitting_is_one_key_away_but_not_while_typing() {
    let mut app = server();
    type_in(&mut app, "/q");
    assert!(!app.quit);
    app.key(ctrl('c'));
    assert!(!app.quit && app.prompt.is_none(), "Ctrl-C leaves the line first");
    type_in(&mut app, "?q");
    assert!(!app.quit && app.help.is_none(), "q closes the help first");
    app.key(ctrl('c'));
    assert!(app.quit);
}

#[test]
fn the_interval_goes_from_a_quarter_of_a_second_to_ten() {
    let mut app = server();
    let ms = |orders: Vec<Command>| match orders[..] {
        [Command::Interval(ns)] => Some(ns.as_nanos() / 1_000_000),
        _ => None,
    };
    let down: Vec<_> = std::iter::from_fn(|| ms(type_in(&mut app, "-"))).collect();
    assert_eq!(down, [500, 250]);
    let up: Vec<_> = std::iter::from_fn(|| ms(type_in(&mut app, "+"))).collect();
    assert_eq!(up, [500, 1_000, 2_000, 5_000, 10_000]);
}

#[test]
fn export_asks_for_a_name_and_tells_what_came_of_it() {
    let mut app = server();
    show(&mut app, View::Flame);
    type_in(&mut app, "e");
    assert!(screen(&app, 80, 24).contains("export to: should-i-async-4242.svg"));
    assert_eq!(press(&mut app, KeyCode::Enter), [export("should-i-async-4242.svg")]);
    app.apply(Update::Note("wrote should-i-async-4242.svg (120 KiB)".to_owned()));
    assert!(screen(&app, 80, 24).contains("wrote should-i-async-4242.svg (120 KiB)"));
    type_in(&mut app, "e");
    app.key(ctrl('u'));
    assert_eq!(type_in(&mut app, "/tmp/q 1.json"), []);
    assert_eq!(press(&mut app, KeyCode::Enter), [export("/tmp/q 1.json")]);
    app.apply(Update::Problem("cannot write: no space left".to_owned()));
    type_in(&mut app, "e");
    assert_eq!(press(&mut app, KeyCode::Esc), []);
    show(&mut app, View::Log);
    type_in(&mut app, "G");
    let text = screen(&app, 80, 100);
    assert!(text.contains("wrote should-i-async-4242.svg") && text.contains("no space left"), "{text}");
}

#[test]
fn frozen_the_screen_stands_still_and_then_catches_up() {
    let mut app = server();
    let before = screen(&app, 120, 40);
    type_in(&mut app, " ");
    app.apply(Update::Snapshot(snapshot_of(busy(3.0), busy(3.0), 60, State::Measuring)));
    let frozen = screen(&app, 120, 40);
    assert!(frozen.contains("FROZEN"));
    assert!(frozen.lines().skip(1).eq(before.lines().skip(1)), "{frozen}");
    app.apply(Update::Snapshot(snapshot_of(busy(3.0), busy(3.0), 61, State::Ended(Ended::TargetExited))));
    assert!(screen(&app, 120, 40).contains("target exited"), "that is told also while frozen");
    type_in(&mut app, "p");
    let on = screen(&app, 120, 40);
    assert!(!on.contains("FROZEN") && on.contains("10:10"), "{on}");
}

#[test]
fn after_the_end_everything_stays_and_a_new_start_is_refused() {
    let mut app = server();
    app.apply(Update::Snapshot(snapshot_of(busy(1.0), busy(1.0), 41, State::Ended(Ended::TargetExited))));
    for view in View::ALL {
        show(&mut app, view);
        assert!(screen(&app, 80, 24).contains("target exited"), "{}", view.name());
    }
    assert_eq!(type_in(&mut app, "r"), []);
    type_in(&mut app, "e");
    assert_eq!(press(&mut app, KeyCode::Enter).len(), 1);
    assert_eq!(type_in(&mut server(), "r"), [Command::Reset]);
}

#[test]
fn a_new_start_empties_the_charts() {
    let mut app = server();
    assert_eq!(app.history.until(Nanos::from_nanos(u64::MAX), 100).len(), 40);
    app.apply(Update::Snapshot(snapshot_of(busy(1.0), busy(1.0), 1, State::Measuring)));
    assert_eq!(app.history.until(Nanos::from_nanos(u64::MAX), 100).len(), 1);
}

#[test]
fn a_recording_is_walked_from_where_one_is_going() {
    let mut app = recording();
    assert_eq!(type_in(&mut app, "]]."), [Command::Seek(9), Command::Seek(10), Command::Seek(11)]);
    app.apply(Update::Snapshot(snapshot_of(busy(1.0), busy(1.0), 10, State::Recorded { part: 9, parts: 24 })));
    assert_eq!(type_in(&mut app, "["), [Command::Seek(10)], "11 is still to come");
    app.apply(Update::Snapshot(snapshot_of(busy(1.0), busy(1.0), 11, State::Recorded { part: 10, parts: 24 })));
    assert_eq!(press(&mut app, KeyCode::End), [Command::Seek(23)]);
    assert_eq!(type_in(&mut app, "]"), [], "there is nothing behind the end");
    assert_eq!(press(&mut app, KeyCode::Home), [Command::Seek(0)]);
    assert_eq!(type_in(&mut app, ",+ r"), [], "a recording has no more to give");
}

#[test]
fn tables_sort_by_any_column_and_keep_the_row_selected() {
    let mut app = server();
    show(&mut app, View::Threads);
    screen(&app, 120, 40);
    type_in(&mut app, "jjj");
    let report = app.report().unwrap();
    let tid = |app: &App| app.threads.selected(&report.threads).unwrap().tid;
    let chosen = tid(&app);
    let mut orders = HashSet::new();
    for key in ["<", "<", "R", ">", ">", ">", ">", ">", "R", ">"] {
        type_in(&mut app, key);
        assert_eq!(tid(&app), chosen, "{key}");
        orders.insert(app.threads.order.clone());
    }
    assert!(orders.len() > 2);
    // Falling by tid.
    type_in(&mut app, "<<<<<<<<<<<<<<>");
    let tids: Vec<u32> = app.threads.order.iter().map(|&i| report.threads[i as usize].tid.as_raw()).collect();
    assert!(tids.is_sorted_by(|a, b| a > b), "{tids:?}");
    app.apply(Update::Snapshot(snapshot_of(busy(2.0), busy(2.0), 50, State::Measuring)));
    let report = app.report().unwrap();
    assert_eq!(app.threads.selected(&report.threads).unwrap().tid, chosen);
}

#[test]
fn t_turns_between_everything_and_the_last_interval() {
    let mut app = with(snapshot_of(busy(1.0), made::one_connection().report(), 5, State::Measuring));
    show(&mut app, View::Threads);
    assert!(screen(&app, 80, 24).contains("1 of 15"));
    type_in(&mut app, "t");
    assert_eq!(app.scope, Scope::Last);
    let text = screen(&app, 80, 24);
    assert!(text.contains("last interval") && text.contains("1 of 1"), "{text}");
}

/// What the feed is asked.
fn inquiries(orders: Vec<Command>) -> Vec<Inquiry> {
    let asked = |order| match order {
        Command::Ask(inquiry) => Some(inquiry),
        _ => None,
    };
    orders.into_iter().filter_map(asked).collect()
}

/// Answers an inquiry, as the feed does; returns what is asked next.
fn answer(app: &mut App, inquiry: Inquiry) -> Vec<Inquiry> {
    let Question { assignment, loops } = inquiry.question;
    let scenarios =
        Way::in_language(Language::Native).filter_map(|way| inquiry.engine.scenario(way, loops, assignment)).collect();
    app.apply(Update::Reply(Reply { inquiry, scenarios }));
    inquiries(app.orders())
}

fn asked(app: &App) -> Question {
    app.other_loops.question(app.snapshot.as_ref().unwrap())
}

fn found(app: &App) -> Found<'_> {
    app.other_loops.found(app.snapshot.as_ref().unwrap())
}

#[test]
fn other_loops_are_asked_for_once_and_one_after_the_other() {
    let mut app = server();
    show(&mut app, View::WhatIf);
    let own = app.report().unwrap().what_if.scenarios.clone();
    let usual = asked(&app);
    assert_eq!(found(&app), Found::Now(&own));
    // The screen asks for the first change, and waits with the others.
    let mut orders = inquiries(type_in(&mut app, "lho"));
    let inquiry = orders.pop().unwrap();
    assert!(orders.is_empty());
    assert_eq!(asked(&app), Question { assignment: Assignment::Stealing, loops: 1 });
    assert_eq!(found(&app), Found::NotYet);
    let text = screen(&app, 100, 40);
    assert!(text.contains("On 1 event loop: whichever is free") && text.contains("n/a: being worked out"), "{text}");
    assert!(!text.contains("sleeps/block"), "no table under a title that is not its own: {text}");
    // Its answer is out of date by now: the newest question is asked next.
    let mut orders = answer(&mut app, inquiry);
    assert_eq!((found(&app), orders.len()), (Found::NotYet, 1));
    assert!(answer(&mut app, orders.remove(0)).is_empty());
    let Found::Now(scenarios) = found(&app) else { panic!("{:?}", found(&app)) };
    let priced = |way: &Way| engine().scenario(*way, 1, Assignment::Stealing).is_some();
    assert_eq!(scenarios.len(), Way::in_language(Language::Native).filter(priced).count());
    assert!(scenarios.iter().all(|s| (s.loops, s.assignment) == (1, Assignment::Stealing)));
    assert!(screen(&app, 100, 40).contains("sleeps/block"));
    assert!(inquiries(type_in(&mut app, "oo")).is_empty(), "known already");
    type_in(&mut app, "llllllll");
    assert_eq!(asked(&app).loops, 2, "no more than the target has CPUs");
    type_in(&mut app, "mo");
    assert_eq!((asked(&app), found(&app)), (usual, Found::Now(&own)));
}

#[test]
fn an_answer_counts_for_the_snapshot_that_it_was_asked_about() {
    let mut app = server();
    show(&mut app, View::WhatIf);
    let first = inquiries(type_in(&mut app, "o")).pop().unwrap();
    // A snapshot with another replay comes before the answer.
    let mut snapshot = app.snapshot.clone().unwrap();
    snapshot.engine = Some(engine());
    app.apply(Update::Snapshot(snapshot.clone()));
    assert!(inquiries(app.orders()).is_empty(), "one at a time");
    let second = answer(&mut app, first.clone()).pop().unwrap();
    assert!(Arc::ptr_eq(&second.engine, snapshot.engine.as_ref().unwrap()));
    assert!(matches!(found(&app), Found::Before(_)));
    assert!(screen(&app, 100, 40).contains("of the interval before"));
    assert!(answer(&mut app, second).is_empty());
    assert!(matches!(found(&app), Found::Now(_)));
    // While the screen holds still, what it asks is about what it shows.
    type_in(&mut app, "p");
    assert!(app.frozen);
    let mut newer = snapshot.clone();
    newer.engine = Some(engine());
    app.apply(Update::Snapshot(newer));
    let about = inquiries(type_in(&mut app, "l")).pop().unwrap();
    assert!(Arc::ptr_eq(&about.engine, snapshot.engine.as_ref().unwrap()));
}

#[test]
fn what_cannot_be_worked_out_says_so_and_is_not_asked_again() {
    let mut app = server();
    show(&mut app, View::WhatIf);
    let inquiry = inquiries(type_in(&mut app, "o")).pop().unwrap();
    app.apply(Update::Reply(Reply { inquiry, scenarios: Vec::new() }));
    assert!(inquiries(app.orders()).is_empty());
    assert!(screen(&app, 100, 40).contains("n/a: could not be worked out"));
    // Where there is nothing to ask, other loops cannot be chosen.
    let mut snapshot = app.snapshot.clone().unwrap();
    snapshot.engine = None;
    app.apply(Update::Snapshot(snapshot));
    type_in(&mut app, "lo");
    assert!(matches!(found(&app), Found::Now(_)) && inquiries(app.orders()).is_empty());
}

#[test]
fn a_site_opens_with_its_stacks_also_from_the_last_interval() {
    let mut app = server();
    show(&mut app, View::Sites);
    type_in(&mut app, "t");
    press(&mut app, KeyCode::Enter);
    let text = screen(&app, 100, 60);
    for part in
        ["10.0.0.1:7000 ← 10.0.0.2:41822", "-- woken by --", "echo::read_request  src/server.rs:41", "same site"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(text.contains("74.5 %"), "7,000 of 9,400: {text}");
    press(&mut app, KeyCode::Esc);
    assert!(app.detail.is_none());
}

#[test]
fn the_flame_graph_zooms_searches_and_weighs() {
    let mut app = server();
    show(&mut app, View::Flame);
    assert!(screen(&app, 120, 40).contains("Blocking cost (CPU)"));
    let total = |app: &App| app.flame.tree.total();
    for weight in [Weight::Blocked, Weight::RunDelay, Weight::Cpu, Weight::Cost] {
        type_in(&mut app, "w");
        assert_eq!((app.flame.weight, total(&app)), (weight, profile().total(weight)));
    }
    type_in(&mut app, "/tcp_rcv");
    press(&mut app, KeyCode::Enter);
    let text = screen(&app, 120, 40);
    assert!(text.contains("matched 73.7 %"), "{text}");
    assert!(text.contains("tcp_rcv_established_[k] [kernel]"), "{text}");
    press(&mut app, KeyCode::Enter);
    assert!(screen(&app, 120, 40).contains("100.0 % of the zoom"));
    (0..20).for_each(|_| drop(press(&mut app, KeyCode::Backspace)));
    assert!(app.flame.zoom == 0 && app.search.is_empty());
}

#[test]
fn a_search_finds_rows_and_lines_and_says_when_it_finds_none() {
    let mut app = server();
    show(&mut app, View::Threads);
    type_in(&mut app, "/4245");
    press(&mut app, KeyCode::Enter);
    let report = app.report().unwrap();
    assert_eq!(app.threads.selected(&report.threads).unwrap().tid.as_raw(), 4245);
    type_in(&mut app, "/nowhere");
    press(&mut app, KeyCode::Enter);
    assert!(screen(&app, 80, 24).contains("nothing here contains `nowhere`"));
    show(&mut app, View::Log);
    screen(&app, 80, 10);
    type_in(&mut app, "/reference");
    press(&mut app, KeyCode::Enter);
    assert!(screen(&app, 80, 10).contains("reference block"));
}
