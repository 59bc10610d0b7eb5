//! The screen of stalls.

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent},
};

use crate::{
    aggregate::Window,
    answer::{Caught, Inputs, Instead, Part, Stall, StallStack, Stalls},
    event::Turn,
    quantity::{Nanos, Tgid, Tid},
    symbol::Frame,
    tui::{show::Shown as _, stalls::Watch, theme::Theme},
};

fn stalls(ms: u64) -> Stalls {
    let length = Nanos::from_millis(ms);
    let turn = Turn {
        from: Nanos::ZERO,
        to: length,
        open: false,
        ended: false,
        user: length,
        kernel: Nanos::ZERO,
        delay: Nanos::ZERO,
        blocked: Vec::new(),
        blocks: 0,
        longest: None,
        ready: Some(3),
    };
    let parts = vec![Part { what: Instead::Ran, stack: Some(0), time: length }];
    let stall = Stall { tgid: Tgid::from_raw(7), tid: Tid::from_raw(7), turn, parts };
    let caught = Caught {
        over: Nanos::from_millis(10),
        stalls: vec![stall],
        frames: vec![Frame::mark("loop"), Frame::mark("ke\x1b[31mys")],
        stacks: vec![StallStack { frames: vec![0, 1], waker: Vec::new() }],
        ..Caught::default()
    };
    let measured = Nanos::from_millis(1_000);
    Stalls::new(caught, &Window { measured, end: measured, ..Window::default() }, &Inputs::default())
}

fn screen(watch: &Watch) -> String {
    let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
    terminal.draw(|frame| watch.draw(frame)).unwrap();
    terminal.backend().to_string()
}

fn press(watch: &mut Watch, key: KeyCode) {
    watch.key(KeyEvent::from(key));
}

#[test]
fn the_screen_shows_the_newest_look_unless_it_is_frozen() {
    let mut watch = Watch::new(Theme::from_env());
    assert!(screen(&watch).contains("looking at its loops"));
    watch.update(stalls(31));
    let first = screen(&watch);
    for words in ["stands still 3.1 % of the time", "LOOPS", "INSTEAD", "WORST", "3 events were ready after it", "COST"]
    {
        assert!(first.contains(words), "no {words} in\n{first}");
    }
    assert!(!first.contains('\x1b'), "{first}");
    press(&mut watch, KeyCode::Char(' '));
    watch.update(stalls(62));
    assert!(watch.frozen && screen(&watch).contains("3.1 %"));
    press(&mut watch, KeyCode::Char(' '));
    watch.update(stalls(62));
    assert!(screen(&watch).contains("6.2 %"));
}

#[test]
fn its_keys_scroll_help_and_quit() {
    let mut watch = Watch::new(Theme::from_env());
    watch.update(stalls(31));
    let top = screen(&watch);
    press(&mut watch, KeyCode::End);
    assert!(screen(&watch) != top || top.contains("COST"));
    press(&mut watch, KeyCode::Char('?'));
    assert!(screen(&watch).contains("freeze the screen"));
    press(&mut watch, KeyCode::Char('q'));
    assert!(!watch.quit && !screen(&watch).contains("freeze the screen"));
    press(&mut watch, KeyCode::Char('q'));
    assert!(watch.quit);
}
