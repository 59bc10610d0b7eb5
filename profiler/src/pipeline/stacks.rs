//! Stacks while a measurement runs: how many are taken. One thread reads them and another one
//! unwinds and names them, so that the measurement waits for neither.

mod reader;
mod table;
mod worker;

use std::sync::Arc;

use crate::{
    aggregate::{OpenEnd, Window},
    answer::Sampled,
    kernel::{self, Session},
    quantity::Nanos,
    words,
};

use reader::Reader;
use table::Sleeper;
use worker::Worker;

/// The number of stacks of blocked calls to take each second.
const WANTED: f64 = 200.0;
/// Where less memory than this is left, stacks become fewer, and none waits to be unwound.
const SHORT_BYTES: u64 = 16 << 20;
/// Stacks become fewer by this factor then.
const SHORT_FEWER: f64 = 16.0;
/// One in so many blocked calls has its stack taken until the target's rate is known.
const FIRST_EVERY: u32 = 64;
/// A step makes stacks more frequent by this factor at most.
const SOONEST: u32 = 4;
/// The stack of a call that blocked at least so long is always taken, unless [`MANY_LONG`] is
/// exceeded.
const LONG: Nanos = Nanos::from_millis(20);
/// If more than so many long calls come each second, only longer ones are taken.
const MANY_LONG: f64 = 200.0;
/// How often the stacks of a live screen are named anew. A thousand stacks take a few milliseconds.
const NAMES_EVERY: Nanos = Nanos::from_millis(3_000);
/// Threads asleep at the end whose stacks are read from `/proc`.
const SLEEPERS: usize = 512;

/// Stacks of a measurement under way.
pub(super) struct Stacks {
    reader: Reader,
    worker: Worker,
    every: u32,
    long: Nanos,
    /// When the rate was last set, and the blocked calls at that time. Nothing blocks in a
    /// measurement that has not begun: until the first reading there is no rate.
    tuned: Option<(Nanos, u64)>,
    /// When names were last asked for.
    asked: Option<Nanos>,
}

/// What there is where stacks were asked for and had no room.
pub(super) fn without_room() -> Arc<Sampled> {
    Arc::new(Sampled { unavailable: Some(words::NO_ROOM_FOR_STACKS.into()), ..Sampled::default() })
}

impl Stacks {
    /// Starts taking stacks. `None` where the session's stacks are already taken.
    pub(super) fn begin(session: &mut Session) -> Option<Self> {
        let ring = session.take_stacks()?;
        session.set_stacks(FIRST_EVERY, LONG);
        let worker = Worker::start();
        let reader = Reader::start(ring, worker.inbox(), LONG);
        Some(Self { reader, worker, every: FIRST_EVERY, long: LONG, tuned: None, asked: None })
    }

    /// Sets the rate by how many calls have blocked so far.
    pub(super) fn tune(&mut self, session: &Session, blocked_calls: u64) {
        let now = kernel::now();
        let (since, calls) = *self.tuned.get_or_insert((now, blocked_calls));
        let seconds = now.saturating_sub(since).as_secs_f64();
        if seconds < 0.1 {
            return;
        }
        let rate = blocked_calls.saturating_sub(calls) as f64 / seconds;
        // Stacks become more frequent step by step. On a busy machine it may take long until this
        // is called again, and the ring would overflow until then.
        let short = kernel::memory::room().is_some_and(|room| room.bytes < SHORT_BYTES);
        self.worker.set_short(short);
        let wanted = if short { WANTED / SHORT_FEWER } else { WANTED };
        self.every = ((rate / wanted).ceil() as u32).max(self.every / SOONEST).max(1);
        let long_rate = self.reader.take_long() as f64 / seconds;
        if long_rate > MANY_LONG {
            self.long = Nanos::from_nanos(self.long.as_nanos().saturating_mul(4));
        } else if long_rate < MANY_LONG / 16.0 {
            self.long = Nanos::from_nanos((self.long.as_nanos() / 2).max(LONG.as_nanos()));
        }
        session.set_stacks(self.every, self.long);
        self.reader.set_long(self.long);
        self.tuned = Some((now, blocked_calls));
    }

    /// The stacks as of a few seconds ago. Asks for newer ones now and then, and never waits.
    pub(super) fn latest(&mut self) -> Option<Arc<Sampled>> {
        let now = kernel::now();
        if self.asked.is_none_or(|at| now.saturating_sub(at) >= NAMES_EVERY) {
            self.asked = Some(now);
            self.worker.ask();
        }
        self.worker.latest()
    }

    /// To be called once the programs are detached. Takes what is left and waits for the names.
    pub(super) fn finish(self, window: &Window) -> Arc<Sampled> {
        drop(self.reader);
        let asleep = window.threads.iter().filter_map(|t| match t.open_end {
            OpenEnd::Blocked(class) => Some(Sleeper {
                tgid: t.tgid,
                tid: t.tid,
                class,
                blocked: Nanos::from_nanos(t.sums.classes[class as usize].blocked),
            }),
            _ => None,
        });
        let mut asleep: Vec<Sleeper> = asleep.collect();
        asleep.sort_by_key(|s| std::cmp::Reverse(s.blocked));
        asleep.truncate(SLEEPERS);
        self.worker.finish(asleep, window.quality.stacks_lost)
    }
}
