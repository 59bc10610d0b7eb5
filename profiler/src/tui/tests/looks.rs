//! tui/tests/looks: what the screen draws.

use proptest::prelude::*;

use super::{
    super::{
        choose::{ProcessRow, chooser},
        list::List,
        machine,
        show::Shown as _,
    },
    *,
};

const SIZES: [(u16, u16); 3] = [(40, 10), (80, 24), (120, 40)];

#[test]
fn every_view_looks_as_reviewed_at_every_size() {
    let mut app = server();
    for view in View::ALL {
        show(&mut app, view);
        for (width, height) in SIZES {
            insta::assert_snapshot!(format!("{}_{width}x{height}", view.name()), screen(&app, width, height));
        }
        screen(&app, 300, 100);
    }
}

#[test]
fn what_opens_looks_as_reviewed() {
    let mut app = server();
    show(&mut app, View::Sites);
    press(&mut app, KeyCode::Enter);
    insta::assert_snapshot!("detail_80x24", screen(&app, 80, 24));
    insta::assert_snapshot!("detail_120x40", screen(&app, 120, 40));
    type_in(&mut app, "?");
    insta::assert_snapshot!("help_80x80", screen(&app, 80, 80));
    insta::assert_snapshot!("help_40x10", screen(&app, 40, 10));
    let files = made::files().report();
    let mut app = with(snapshot_of(files.clone(), files, 1, State::Measuring));
    show(&mut app, View::Devices);
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("disk_{width}x{height}"), screen(&app, width, height));
    }
    let mut app = recording();
    press(&mut app, KeyCode::Char(']'));
    insta::assert_snapshot!("recording_80x24", screen(&app, 80, 24));
}

#[test]
fn counted_curves_look_as_reviewed_with_what_was_left_out() {
    let report = made::counted().report();
    let mut app = with(snapshot_of(report.clone(), report, 1, State::Measuring));
    show(&mut app, View::Ipc);
    for (width, height) in [(40, 60), (80, 60), (120, 56)] {
        insta::assert_snapshot!(format!("IPC_counted_{width}x{height}"), screen(&app, width, height));
    }
    let text = screen(&app, 120, 56);
    for part in
        ["● after a block", "○ after a direct call", "95 % of it after", "310 windows cut by a switch", "LLC misses"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_recorded_window_is_shown_with_what_it_does_not_know() {
    let app = with(snapshot_of(demo(), demo(), 1, State::Ended(Ended::TargetExited)));
    let text = screen(&app, 120, 40);
    assert!(text.contains("target exited: everything stays"), "{text}");
    // Another recording has other figures, but these kinds of things are in each.
    for part in ["blocked: tcp", "# blocking IO, direct", "n/a"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_missing_is_a_word_with_its_reason_and_never_0() {
    let mut case = made::server();
    case.inputs.reference = None;
    case.inputs.calibration = None;
    case.window.programs.clear();
    case.window.sites.push(made::called(made::site(BlockClass::Pipe, "read", 4), 40, 40, 1_000_000));
    let report = case.report();
    let mut app = with(snapshot_of(report.clone(), report, 1, State::Measuring));
    let text = screen(&app, 120, 40);
    let line = text.lines().find(|l| l.contains("# blocking IO, direct")).unwrap();
    assert!(line.contains("n/a") && !line.contains('%'), "{line}");
    assert!(text.contains("overhead n/a: 54 calls that blocked have no base"), "{text}");
    assert!(text.contains("self-cost n/a"), "{text}");
    show(&mut app, View::WhatIf);
    assert!(screen(&app, 120, 40).contains("n/a: "));
    show(&mut app, View::Log);
    assert!(screen(&app, 120, 80).contains("n/a: the kernel's BPF statistics need CAP_SYS_ADMIN"));
}

#[test]
fn a_table_without_rows_says_why() {
    let mut report = busy(1.0);
    report.threads.clear();
    report.sites.clear();
    report.devices.clear();
    let mut app = with(snapshot_of(report.clone(), report, 1, State::Measuring));
    for view in [View::Threads, View::Sites, View::Devices] {
        show(&mut app, view);
        assert!(screen(&app, 80, 24).contains("n/a: no "), "{}", screen(&app, 80, 24));
    }
}

#[test]
fn what_windows_cost_stands_beside_the_mean_over_all_time() {
    let mut report = busy(1.0);
    report.self_cost.share = report.self_cost.share.map(|_| 0.13);
    report.window = WindowFacts {
        wall: Nanos::from_millis(10_000),
        measured: Nanos::from_millis(1_250),
        windows: 6,
        ended: Ended::Unknown,
    };
    let text = screen(&with(snapshot_of(report.clone(), report.clone(), 1, State::Measuring)), 120, 40);
    assert!(text.contains("self-cost ~13.0 % of its CPU in windows, ~1.6 % over all time"), "{text}");
    report.window.measured = report.window.wall;
    let text = screen(&with(snapshot_of(report.clone(), report, 1, State::Measuring)), 120, 40);
    assert!(text.contains("self-cost ~13.0 % of its CPU ·"), "{text}");
}

#[test]
fn without_stacks_the_views_say_why() {
    let mut snapshot = snapshot_of(busy(1.0), busy(1.0), 1, State::Measuring);
    let why = "stacks need CAP_SYSLOG";
    snapshot.profile = Arc::new(Profile { unavailable: Some(why.to_owned()), ..Profile::default() });
    let mut app = with(snapshot);
    show(&mut app, View::Flame);
    assert!(screen(&app, 80, 24).contains(why));
    show(&mut app, View::Log);
    assert!(screen(&app, 80, 60).contains(why));
    show(&mut app, View::Sites);
    press(&mut app, KeyCode::Enter);
    assert!(screen(&app, 80, 60).contains(why));
}

#[test]
fn below_the_least_size_it_says_so() {
    let app = server();
    assert_eq!(screen(&app, 39, 12).trim_end(), "terminal too small (39x12), need 40x10");
    assert!(screen(&app, 120, 9).starts_with("terminal too small (120x9), need 40x10"));
    for (width, height) in [(1, 1), (2, 30), (30, 2), (0, 0)] {
        screen(&app, width, height);
    }
}

#[test]
fn without_colour_no_cell_has_one_and_the_text_is_the_same() {
    let mut plain = server();
    plain.theme = Theme::new(false);
    let mut coloured = server();
    for view in View::ALL {
        show(&mut plain, view);
        show(&mut coloured, view);
        let (a, b) = (buffer(&plain, 120, 40), buffer(&coloured, 120, 40));
        assert_eq!(text_of(&a), text_of(&b));
        use ratatui::style::Color::Reset;
        assert!(a.content().iter().all(|c| c.fg == Reset && c.bg == Reset), "{}", view.name());
    }
    assert!(buffer(&coloured, 120, 40).content().iter().any(|c| c.modifier != buffer(&plain, 1, 1)[(0, 0)].modifier));
}

#[test]
fn names_of_the_target_cannot_write_on_the_screen() {
    let evil = "\x1b[2J\x1b]0;owned\x07\u{202e}漢字\n\t";
    let mut case = made::named(made::server(), &[(7, evil)], evil);
    case.inputs.facts.processes[0].command = evil.repeat(20);
    case.inputs.facts.notes = vec![evil.to_owned()];
    let report = case.report();
    let mut snapshot = snapshot_of(report.clone(), report, 1, State::Ended(Ended::TargetExited));
    let mut profile = profile();
    profile.frames.iter_mut().for_each(|f| f.name = format!("{evil}{}", f.name));
    snapshot.profile = Arc::new(profile);
    let mut app = App::new(&Title { name: evil.to_owned(), ..title() }, Theme::new(true));
    app.apply(Update::Snapshot(snapshot));
    app.apply(Update::Problem(evil.to_owned()));
    for view in View::ALL {
        show(&mut app, view);
        for (width, height) in [(40, 10), (83, 60), (120, 40)] {
            let buffer = buffer(&app, width, height);
            let bad = |c: char| c.is_control() || c == '\u{202e}';
            assert!(buffer.content().iter().all(|c| !c.symbol().contains(bad)), "{}", view.name());
        }
    }
}

#[test]
fn of_ten_thousand_threads_the_visible_ones_are_drawn() {
    let mut case = made::server();
    let class = BlockClass::Tcp;
    case.window.threads =
        (0..10_000).map(|i| made::thread(made::PID + i, 1_000 * u64::from(i), 1_000, class, 10)).collect();
    let report = case.report();
    let mut app = with(snapshot_of(report.clone(), report, 1, State::Measuring));
    show(&mut app, View::Threads);
    let text = screen(&app, 120, 40);
    assert!(text.contains("1 of 10,000") || text.contains("1 of 10000"), "{text}");
    assert!(text.contains(&(made::PID + 9_999).to_string()), "the busiest is on top: {text}");
    type_in(&mut app, "G");
    let text = screen(&app, 120, 40);
    assert!(text.contains("10000 of 10000") && text.contains(&format!(" {} ", made::PID)), "{text}");
}

fn processes() -> Vec<ProcessRow> {
    let row = |pid, user: &str, threads, cpu, switches, command: &str| ProcessRow {
        pid,
        user: user.to_owned(),
        threads,
        cpu,
        switches,
        command: command.to_owned(),
    };
    vec![
        row(1, "root", 1, Some(0.0), Some(0.2), "/sbin/init"),
        row(812, "postgres", 14, Some(0.31), Some(12_345.0), "postgres: checkpointer"),
        row(4242, "www", 9, Some(1.71), Some(41_000.0), "/usr/bin/echo-server --listen 0.0.0.0:7000"),
        row(4711, "me", 3, None, None, "ev\x1b[31mil 漢字"),
    ]
}

fn list_screen<R: Clone>(chooser: &List<R>, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| chooser.draw(frame)).unwrap();
    text_of(terminal.backend().buffer())
}

#[test]
fn the_chooser_filters_sorts_and_chooses() {
    let mut list = chooser(Theme::new(false));
    list.update(processes());
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("chooser_{width}x{height}"), list_screen(&list, width, height));
    }
    let mut keys = |keys: &str| keys.chars().for_each(|c| list.key(KeyEvent::from(KeyCode::Char(c))));
    keys("/postgres");
    list.key(KeyEvent::from(KeyCode::Enter));
    // A new list keeps the filter and the row.
    list.update(processes());
    let text = list_screen(&list, 80, 24);
    assert!(text.contains("checkpointer") && !text.contains("init") && text.contains("1 of 1"), "{text}");
    list.key(KeyEvent::from(KeyCode::Enter));
    assert_eq!(list.chosen.flatten().map(|row| row.pid), Some(812));
    let mut list = chooser(Theme::new(false));
    list.update(Vec::new());
    list.key(KeyEvent::from(KeyCode::Enter));
    assert!(list.chosen.is_none(), "there is nothing to choose");
    list.key(KeyEvent::from(KeyCode::Esc));
    assert!(matches!(list.chosen, Some(None)));
}

#[test]
fn the_machine_looks_as_reviewed_and_gives_the_row_under_the_cursor() {
    let mut list = machine::list(Theme::new(false));
    insta::assert_snapshot!("machine_waits_80x24", list_screen(&list, 80, 24));
    machine::show(&mut list, made::machine());
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("machine_{width}x{height}"), list_screen(&list, width, height));
    }
    list.key(KeyEvent::from(KeyCode::Char('b')));
    assert!(list.asked.take().is_some() && list.chosen.is_none());
    list.key(KeyEvent::from(KeyCode::Enter));
    let costliest = made::machine().rows.remove(0);
    assert_eq!(list.chosen.flatten(), Some(costliest));
}

fn any_key() -> impl Strategy<Value = KeyEvent> {
    let chars = "qe?/nNjkhlgGpt+-r<>Rwom12345678[],. abz漢";
    let char_key = (0..chars.chars().count())
        .prop_map(move |i| KeyEvent::from(KeyCode::Char(chars.chars().nth(i).unwrap_or('q'))));
    let codes = [
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Delete,
    ];
    prop_oneof![
        4 => char_key,
        3 => prop::sample::select(codes.to_vec()).prop_map(KeyEvent::from),
        1 => prop::sample::select(vec!['c', 'u', 'w', 'a', 'e', 'x']).prop_map(ctrl),
    ]
}

/// What may come between keys.
#[derive(Clone, Debug)]
enum Step {
    Key(KeyEvent),
    Size(u16, u16),
    Look(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_key().prop_map(Step::Key),
        2 => (0..140u16, 0..50u16).prop_map(|(w, h)| Step::Size(w, h)),
        2 => (0..5usize).prop_map(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_keys_sizes_and_figures_make_it_panic(steps in prop::collection::vec(any_step(), 1..60)) {
        let looks = [
            (made::server().report(), State::Measuring),
            (made::files().report(), State::Recorded { part: 3, parts: 7 }),
            (made::empty("gone").report(), State::Recorded { part: 0, parts: 0 }),
            (made::event_loop().report(), State::Ended(Ended::TargetExited)),
            (made::one_connection().report(), State::Measuring),
        ];
        let mut app = App::new(&title(), Theme::new(true));
        let (mut width, mut height) = (80, 24);
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Key(key) => { app.key(key); }
                Step::Size(w, h) => (width, height) = (w, h),
                Step::Look(which) => {
                    let (report, state) = &looks[which];
                    let mut look = snapshot_of(report.clone(), report.clone(), n as u64 % 7, state.clone());
                    if which == 2 {
                        look.profile = Arc::new(Profile::default());
                    }
                    app.apply(Update::Snapshot(look));
                }
            }
            screen(&app, width, height);
        }
    }
}
