//! The screen as it is seen: rendered buffers of made-up and recorded windows, and what keys make
//! of them.

mod feed;
mod keys;
mod looks;
#[path = "../report/tests/fixture.rs"]
#[allow(dead_code, clippy::duplicate_mod, reason = "the reports' tests use all of it")]
mod made;
mod stalls;

use std::sync::{Arc, OnceLock};

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

pub(crate) use feed::{counted, screens_of};

use super::{
    app::{App, Title},
    draw::draw,
    tabs::View,
    theme::Theme,
};
use crate::{
    aggregate::{Doing, Silent, Window},
    answer::{Ended, Facts, Inputs, Profile, Report, Stack, StackQuality, Weights, WindowFacts},
    event::{self, BlockClass, Loads},
    feed::{Snapshot, State, Update},
    kernel::Harvest,
    predict::Engine,
    quantity::Nanos,
    symbol::{Frame, Origin},
};

/// Ten seconds of a server, of which every interval is one.
const INTERVAL: Nanos = Nanos::from_millis(10_000);

fn title() -> Title {
    Title {
        name: "echo-server (4242)".to_owned(),
        pid: Some(4242),
        interval: Nanos::from_millis(1_000),
        ipc_reason: Some("perf_event_open: no hardware counters on this machine (ENOENT)".to_owned()),
    }
}

/// A server whose user code takes so many times what is usual.
fn busy(times: f64) -> Report {
    let mut case = made::server();
    for thread in &mut case.window.threads {
        thread.sums.user = (thread.sums.user as f64 * times) as u64;
    }
    case.report()
}

/// What the server's prediction can be asked again with.
fn engine() -> Arc<Engine> {
    let case = made::server();
    Arc::new(Report::with_engine(&case.window, case.inputs).1.expect("the server has a prediction"))
}

fn profile() -> Profile {
    let frame = |name: &str, module: &str, origin| Frame {
        module: module.to_owned(),
        origin,
        source: (origin == Origin::User).then(|| ("src/server.rs".to_owned(), 41)),
        ..Frame::mark(name)
    };
    let frames = vec![
        frame("main", "echo-server", Origin::User),
        frame("std::thread::spawn", "echo-server", Origin::User),
        frame("echo::serve", "echo-server", Origin::User),
        Frame { inlined: true, ..frame("echo::read_request", "echo-server", Origin::User) },
        frame("__libc_read", "libc.so.6", Origin::User),
        Frame::mark("read"),
        Frame { named: false, ..frame("[0x7f0012340007]", "echo-server", Origin::User) },
        frame("tcp_rcv_established", "[kernel]", Origin::Kernel),
        frame("sock_def_readable", "[kernel]", Origin::Kernel),
        frame("Server.handle", "perf map", Origin::Jit),
        Frame::mark("(no stack)"),
    ];
    let stack = |site, class, frames: &[u32], waker: &[u32], part: u64| Stack {
        site,
        class,
        frames: frames.to_vec(),
        waker: waker.to_vec(),
        samples: part / 10,
        weights: Weights { cost: part * 7_001, blocked: part * 91_003, run_delay: part * 500, cpu: part * 9_999 },
    };
    let tcp = Some(BlockClass::Tcp);
    Profile {
        frames,
        stacks: vec![
            stack(Some(0), tcp, &[0, 1, 2, 3, 4, 5], &[8, 7], 7_000),
            stack(Some(0), tcp, &[0, 1, 2, 4, 5], &[], 2_000),
            stack(Some(0), tcp, &[6, 5], &[], 400),
            stack(Some(1), Some(BlockClass::Accept), &[0, 9], &[], 100),
            stack(None, None, &[10], &[], 3),
        ],
        quality: StackQuality {
            samples: 9_000,
            clock_samples: 900,
            lost: 3,
            truncated: 120,
            named: 8_800,
            with_waker: 6_900,
        },
        unavailable: None,
    }
}

fn snapshot_of(whole: Report, last: Report, n: u64, state: State) -> Box<Snapshot> {
    Box::new(Snapshot {
        at: Nanos::from_nanos(INTERVAL.as_nanos() * n),
        interval: INTERVAL,
        whole: Arc::new(whole),
        last: Arc::new(last),
        engine: None,
        profile: Arc::new(profile()),
        state,
    })
}

/// The server over forty intervals, its load going up and down.
fn server() -> App {
    static LOOKS: OnceLock<Vec<Snapshot>> = OnceLock::new();
    let looks = LOOKS.get_or_init(|| {
        let whole = Arc::new(busy(1.0));
        let loads: Vec<Arc<Report>> = (0..8u8).map(|i| Arc::new(busy(1.0 + f64::from(i) / 8.0))).collect();
        let stacks = Arc::new(profile());
        let engine = engine();
        let look = |n: u64| Snapshot {
            whole: Arc::clone(&whole),
            last: Arc::clone(&loads[[n % 16, 15 - n % 16].into_iter().min().unwrap_or(0) as usize]),
            engine: Some(Arc::clone(&engine)),
            profile: Arc::clone(&stacks),
            at: Nanos::from_nanos(INTERVAL.as_nanos() * n),
            interval: INTERVAL,
            state: State::Measuring,
        };
        (1..=40).map(look).collect()
    });
    let mut app = App::new(&title(), Theme::new(true));
    looks.iter().for_each(|look| app.apply(Update::Snapshot(Box::new(look.clone()))));
    app
}

fn with(snapshot: Box<Snapshot>) -> App {
    let mut app = App::new(&title(), Theme::new(true));
    app.apply(Update::Snapshot(snapshot));
    app
}

fn recording() -> App {
    with(snapshot_of(busy(1.0), busy(1.0), 9, State::Recorded { part: 8, parts: 24 }))
}

/// Half a second of the demo, as the kernel side told it.
fn demo() -> Report {
    const DEMO: &[u8] = include_bytes!("../../tests/fixtures/demo.wire");
    let harvest = Harvest::from_bytes(DEMO).expect("the fixture is of another layout: record it again");
    let unseen = |t: &event::ThreadRecord| t.phase == event::Phase::Unseen;
    let batch = event::decode(harvest.clone()).unwrap();
    let silent: Vec<Silent> = batch
        .threads
        .iter()
        .filter(|t| unseen(t))
        .map(|t| {
            let doing = Doing::Asleep { on: BlockClass::Accept, loads: Loads::No };
            Silent { tid: t.tid, doing, ring: false }
        })
        .collect();
    let window = Window::close(event::decode(harvest).unwrap(), &silent);
    let (wall, measured) = (window.end.saturating_sub(window.start), window.measured);
    let inputs = Inputs {
        facts: Facts { cpus: 2, allowed_cpus: 2, ..Facts::default() },
        window: WindowFacts { wall, measured, windows: 1, ended: Ended::DurationOver },
        ..Inputs::default()
    };
    Report::new(&window, inputs)
}

fn buffer(app: &App, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    terminal.backend().buffer().clone()
}

fn text_of(buffer: &Buffer) -> String {
    let area = *buffer.area();
    let row = |y| {
        let mut line = String::new();
        let mut x = 0;
        while x < area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += unicode_width::UnicodeWidthStr::width(symbol).max(1) as u16;
        }
        line.trim_end().to_owned()
    };
    (0..area.height).map(row).collect::<Vec<_>>().join("\n")
}

fn screen(app: &App, width: u16, height: u16) -> String {
    text_of(&buffer(app, width, height))
}

fn press(app: &mut App, code: KeyCode) -> Vec<crate::feed::Command> {
    app.key(KeyEvent::from(code))
}

/// Characters, one key each.
fn type_in(app: &mut App, keys: &str) -> Vec<crate::feed::Command> {
    keys.chars().flat_map(|c| press(app, KeyCode::Char(c))).collect()
}

fn ctrl(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
}

fn show(app: &mut App, view: View) {
    let digit = char::from_digit(view as u32 + 1, 10).unwrap();
    press(app, KeyCode::Char(digit));
    assert_eq!(app.view, view);
}
