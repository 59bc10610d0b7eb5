//! The verdict of the direct part: what the ledgers alone allow to be said.
//!
//! What async would give back needs the indirect cost and the replay; until they are measured the verdict names an upper
//! bound for the direct part and never promises it.

use super::{CpuLedger, Family, Figure, WallLedger};
use crate::units::Nanos;

/// The kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Too little happened to say anything.
    NotEnoughData,
    /// No, it waits for events already.
    AlreadyAsync,
    /// No, it does no blocking IO.
    NoBlockingIo,
    /// No, blocking costs it next to nothing.
    CostsLittle,
    /// It waits on locks more than on IO.
    Locks,
    /// Blocking on files costs this much at most; readiness (epoll) would not help there.
    Files,
    /// Blocking costs this much at most.
    Blocking,
}

/// The answer in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The kind.
    pub answer: Answer,
    /// One sentence.
    pub sentence: String,
}

/// Blocks below which nothing is said.
const MIN_BLOCKS: u64 = 30;
/// CPU below which nothing is said.
const MIN_CPU: Nanos = Nanos::from_millis(1);
/// A direct share of the CPU below which it is called little.
const LITTLE: f64 = 0.03;

impl Verdict {
    pub(super) fn of(cpu: &CpuLedger, wall: &WallLedger, score: &Figure<f64>, seconds: f64) -> Self {
        let io = wall.blocks_in(Family::BlockingIo);
        let events = wall.blocks_in(Family::EventWait);
        let locks = wall.blocks_in(Family::Lock);
        let all: u64 = wall.classes.iter().map(|l| l.blocks).sum();
        let files: u64 = wall.classes.iter().filter(|l| l.class.is_file()).map(|l| l.blocks).sum();
        let share = score.value().copied();
        let percent = |ratio: f64| format!("{:.1} %", ratio * 100.0);
        let (answer, sentence) = if cpu.total < MIN_CPU && all < MIN_BLOCKS {
            (
                Answer::NotEnoughData,
                format!(
                    "Not enough happened in {seconds:.1} s ({} of CPU, {all} blocks): measure under load, or longer with -d.",
                    cpu.total
                ),
            )
        } else if io == 0 && events > 0 && events * 2 >= all {
            (
                Answer::AlreadyAsync,
                format!(
                    "No: it is already async. Its {events} event waits are its way to sleep; no thread blocked on a descriptor."
                ),
            )
        } else if io == 0 && locks == 0 {
            (Answer::NoBlockingIo, "No: it does no blocking IO. Its CPU goes into its own work.".to_owned())
        } else if events > 10 * io.max(1) && events * 2 >= all {
            (
                Answer::AlreadyAsync,
                format!("No: it is mostly async already ({events} event waits against {io} blocking-IO blocks)."),
            )
        } else if locks > io {
            (
                Answer::Locks,
                format!(
                    "No: it waits on locks more often ({locks} blocks) than on IO ({io}); async would not remove them."
                ),
            )
        } else {
            match share {
                Some(ratio) if ratio < LITTLE => (
                    Answer::CostsLittle,
                    format!(
                        "No: the direct cost of blocking is {} of its CPU; a rewrite has nothing to win there.",
                        percent(ratio.max(0.0))
                    ),
                ),
                Some(ratio) if files * 2 > io => (
                    Answer::Files,
                    format!(
                        "Blocking costs {} of its CPU directly, most of it on files: epoll would not help, io_uring might.",
                        percent(ratio)
                    ),
                ),
                Some(ratio) => (
                    Answer::Blocking,
                    format!(
                        "Blocking costs {} of its CPU directly. Async can give back a part of that, never more; how much depends on how many requests are in flight.",
                        percent(ratio)
                    ),
                ),
                None => (
                    Answer::NotEnoughData,
                    format!(
                        "It blocked on IO {io} times, but what a block costs could not be estimated: {}.",
                        score.note()
                    ),
                ),
            }
        };
        Self { answer, sentence }
    }
}
