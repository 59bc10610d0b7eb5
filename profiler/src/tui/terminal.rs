//! The terminal: taken, and given back as it was found, however this ends; keys as they come; a
//! screen that is drawn when something changed and no more than ten times a second.

use std::{
    io::{self, IsTerminal as _, Stdout, stdout},
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossterm::{
    cursor::Show,
    event::{self, Event, KeyEvent, KeyEventKind},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

use crate::words;

/// Between two drawings at least.
const REDRAW: Duration = Duration::from_millis(100);
/// The longest wait for a key. The feed is asked this often, and so is whether to stop.
const WAIT: Duration = Duration::from_millis(50);
/// Keys that wait to be handled; the terminal keeps the rest.
const KEYS: usize = 64;

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Gives the terminal back, once. Errors are dropped: the terminal is gone then.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// What came from the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    Key(KeyEvent),
    Resized,
}

/// The terminal while it is ours.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    inputs: Receiver<io::Result<Input>>,
    done: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    drawn: Option<Instant>,
}

impl Screen {
    /// Takes the terminal over; dropping gives it back.
    pub(super) fn open() -> io::Result<Self> {
        if !stdout().is_terminal() {
            return Err(io::Error::other(words::NO_TERMINAL));
        }
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            // The terminal is given back first, so that the user sees the message afterwards.
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                previous(panic);
            }));
        });
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // From here on every way out is through `drop`, or through this.
        let opened = Self::opened();
        if opened.is_err() {
            give_back();
        }
        opened
    }

    fn opened() -> io::Result<Self> {
        execute!(stdout(), EnterAlternateScreen)?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let done = Arc::new(AtomicBool::new(false));
        let (sender, inputs) = sync_channel(KEYS);
        let stop = Arc::clone(&done);
        // A thread of its own, because crossterm reads without end from a terminal that hung up,
        // and nothing else must wait for that.
        let reader = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let input = match next_input() {
                    Ok(None) => continue,
                    Ok(Some(input)) => Ok(input),
                    Err(error) => Err(error),
                };
                let failed = input.is_err();
                if sender.send(input).is_err() || failed {
                    break;
                }
            }
        })?;
        Ok(Self { terminal, inputs, done, reader: Some(reader), drawn: None })
    }

    /// The next input, waited for a moment, or shorter where something is to be drawn.
    pub(super) fn input(&mut self, changed: bool) -> io::Result<Option<Input>> {
        if !TAKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("a thread of the profiler panicked; its message is above"));
        }
        let due = self.drawn.map_or(Duration::ZERO, |at| REDRAW.saturating_sub(at.elapsed()));
        match self.inputs.recv_timeout(if changed { WAIT.min(due) } else { WAIT }) {
            Ok(input) => input.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the terminal is gone")),
        }
    }

    /// Draws if the last time is long enough ago, and returns whether it did.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<bool> {
        if self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return Ok(false);
        }
        self.terminal.draw(render)?;
        self.drawn = Some(Instant::now());
        Ok(true)
    }
}

/// What the terminal says next, waited for a moment.
fn next_input() -> io::Result<Option<Input>> {
    if !event::poll(WAIT)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(key)),
        Event::Resize(_, _) => Some(Input::Resized),
        _ => None,
    })
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        give_back();
        let Some(reader) = self.reader.take() else { return };
        // The thread may be about to hand over a key, which nobody takes any more.
        while self.inputs.try_recv().is_ok() {}
        let until = Instant::now() + 4 * WAIT;
        while !reader.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        // A thread that does not end reads a terminal that hung up; it ends with the process.
        if reader.is_finished() {
            let _ = reader.join();
        }
    }
}
