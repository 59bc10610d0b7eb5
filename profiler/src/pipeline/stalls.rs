//! Stalls while a measurement runs: a thread takes them and the stacks of them out of their rings,
//! and puts together what belongs together.

mod table;
mod watch;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::measurement::Catch;
use crate::{
    answer::Caught,
    event::{self, DecodeError, LoopRecord},
    kernel::{Session, StackRing, StallRing},
    quantity::Nanos,
};
use table::Table;
pub use watch::StallWatch;

/// How often the rings are emptied.
const EVERY: Duration = Duration::from_millis(20);
/// In a turn that is long already, one in so many blocked calls has its stack taken.
const STACK_EVERY: u32 = 2;
/// A call that is blocked for this part of what makes a stall has its stack taken in any case.
const STACK_LONG: u64 = 4;

/// What the thread is told.
enum Message {
    /// A window is over: these threads waited for events in it.
    Window(Vec<LoopRecord>),
    /// Asks for everything so far.
    Snapshot,
}

/// Stalls of a measurement under way.
pub(super) struct Stalls {
    over: Nanos,
    messages: Sender<Message>,
    stop: Arc<AtomicBool>,
    latest: Arc<Mutex<Option<Arc<Caught>>>>,
    thread: Option<JoinHandle<Caught>>,
}

impl Stalls {
    /// Starts to look for such turns. `None` where the session's rings are already taken.
    pub(super) fn begin(session: &mut Session, Catch { over, stacks }: Catch) -> Option<Self> {
        let stalls = session.take_stalls()?;
        let stacks = if stacks {
            session.set_stacks(STACK_EVERY, Nanos::from_nanos(over.as_nanos() / STACK_LONG));
            Some(session.take_stacks()?)
        } else {
            None
        };
        session.set_stalls(over);
        let (messages, inbox) = channel();
        let (stop, latest) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let (theirs, slot) = (Arc::clone(&stop), Arc::clone(&latest));
        let thread = std::thread::Builder::new()
            .name("sia-stalls".into())
            .spawn(move || work((stalls, stacks), over, &inbox, &theirs, &slot))
            .inspect_err(|error| log::warn!("no thread for stalls: {error}"))
            .ok();
        Some(Self { over, messages, stop, latest, thread })
    }

    /// To be called once a window is over, before the session is read: what its threads had of
    /// their turns.
    pub(super) fn window_over(&self, session: &Session, end: Nanos) {
        let _ = self.messages.send(Message::Window(self.living(session, end).collect()));
    }

    /// What the living threads have had of their turns by `now`. A turn that goes on is with them
    /// where it is a stall already.
    fn living(&self, session: &Session, now: Nanos) -> impl Iterator<Item = LoopRecord> {
        let over = self.over;
        let records = session.turns().into_iter().filter_map(move |raw| sane(event::decode_living_turn(&raw, now)));
        records.map(move |record| LoopRecord { turn: record.turn.filter(|turn| turn.length() >= over), ..record })
    }

    /// What was caught as of a moment ago, with what the living threads have had of their turns by
    /// `now`. Asks for what has come since, and never waits.
    pub(super) fn so_far(&self, session: &Session, now: Nanos) -> Caught {
        let _ = self.messages.send(Message::Snapshot);
        let latest = self.latest.lock().ok().and_then(|latest| latest.clone());
        let mut caught = latest.map_or_else(Caught::default, |latest| latest.as_ref().clone());
        caught.over = self.over;
        self.living(session, now).for_each(|record| caught.add_living(record));
        caught
    }

    /// To be called once the programs are detached. Takes what is left and waits for the names.
    pub(super) fn finish(self) -> Caught {
        self.stop.store(true, Ordering::Release);
        let broken = || Caught { broken: true, ..Caught::default() };
        let Some(thread) = self.thread else { return broken() };
        thread.thread().unpark();
        thread.join().unwrap_or_else(|_| broken())
    }
}

fn work(
    (mut stalls, mut stacks): (StallRing, Option<StackRing>),
    over: Nanos,
    messages: &Receiver<Message>,
    stop: &AtomicBool,
    latest: &Mutex<Option<Arc<Caught>>>,
) -> Caught {
    let mut table = Table::new(over);
    loop {
        let last = stop.load(Ordering::Acquire);
        // What a window's end tells comes after all that was in the rings by then.
        let told: Vec<Message> = messages.try_iter().collect();
        // The stacks of a stall are in their ring before it is in its own.
        let turns = stalls.drain();
        let taken = stacks.as_mut().map(StackRing::drain).unwrap_or_default();
        taken.into_iter().filter_map(|raw| sane(event::decode_stack(raw))).for_each(|s| table.add_stack(s));
        turns.iter().filter_map(|raw| sane(event::decode_turn(raw))).for_each(|record| table.add_turn(record));
        let mut asked = false;
        for message in told {
            match message {
                Message::Window(loops) => loops.into_iter().for_each(|record| table.end_window(record)),
                Message::Snapshot => asked = true,
            }
        }
        if last {
            return table.named();
        }
        if asked {
            let named = Arc::new(table.named());
            if let Ok(mut slot) = latest.lock() {
                *slot = Some(named);
            }
        }
        std::thread::park_timeout(EVERY);
    }
}

/// A record that makes sense; others are logged.
fn sane<T>(decoded: Result<T, DecodeError>) -> Option<T> {
    decoded.inspect_err(|error| log::warn!("{error}")).ok()
}
