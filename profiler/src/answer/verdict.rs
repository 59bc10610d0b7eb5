//! The verdict: one sentence, five lines of evidence, and what is cheaper than a rewrite.

use super::ledger::{CpuLedger, WallLedger};
use crate::quantity::Nanos;
use crate::{
    cost::Basis,
    event::Family,
    machine::Way,
    predict::{Ground, Scenario, WhatIf},
};

/// The kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Too little happened to say anything.
    NotEnoughData,
    /// No, it waits for events already.
    AlreadyAsync,
    /// No, it does no blocking IO.
    NoBlockingIo,
    /// No, its CPU goes into its own work.
    CpuBound,
    /// No, blocking costs it next to nothing.
    CostsLittle,
    /// No, too little is in flight: a loop would sleep as often.
    LowConcurrency,
    /// It waits on locks more than on IO.
    Locks,
    /// It blocks on files: readiness (epoll) would not help there, completion (`io_uring`) might.
    Files,
    /// Yes, but only with completion (`io_uring`), batched.
    YesTuned,
    /// Yes, with readiness already.
    Yes,
    /// The middle says yes, and the interval holds no as well.
    Unsure,
    /// Blocking costs this much; what async would give back could not be told.
    Blocking,
}

/// The answer in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The kind.
    pub answer: Answer,
    /// One sentence.
    pub sentence: String,
    /// What it rests on, a line each.
    pub evidence: Vec<String>,
    /// What is cheaper than a rewrite, a sentence each.
    pub advice: Vec<String>,
}

/// Blocks below which nothing is said.
const MIN_BLOCKS: u64 = 30;
/// CPU below which nothing is said.
const MIN_CPU: Nanos = Nanos::from_millis(1);
/// A share of the CPU below which it is called little.
const LITTLE: f64 = 0.03;
/// Sleeps per block from which a loop is said to sleep as often as threads block.
const AS_OFTEN: f64 = 0.6;

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// A saving in words.
fn range(scenario: &Scenario) -> String {
    let (low, high) = (scenario.saving.low * 100.0, scenario.saving.high * 100.0);
    if low < 0.0 { format!("{low:.0} to {high:.0} %") } else { format!("{low:.0}–{high:.0} %") }
}

/// What an answer is made from.
pub(crate) struct Answerable<'a> {
    pub(crate) cpu: &'a CpuLedger,
    pub(crate) wall: &'a WallLedger,
    pub(crate) what_if: &'a WhatIf,
    /// Direct cost as a share of the CPU.
    pub(crate) direct: Option<f64>,
    pub(crate) seconds: f64,
}

impl Verdict {
    pub(crate) fn of(seen: &Answerable<'_>, advice: Vec<String>) -> Self {
        let (answer, sentence) = seen.answer();
        Self { answer, sentence, evidence: seen.evidence(), advice }
    }
}

impl Answerable<'_> {
    fn answer(&self) -> (Answer, String) {
        let wall = self.wall;
        let io = wall.blocks_in(Family::BlockingIo);
        let events = wall.blocks_in(Family::EventWait);
        let locks = wall.blocks_in(Family::Lock);
        let all: u64 = wall.classes.iter().map(|l| l.blocks).sum();
        let files: u64 = wall.classes.iter().filter(|l| l.class.is_file()).map(|l| l.blocks).sum();
        if self.cpu.total < MIN_CPU && all < MIN_BLOCKS {
            let text = format!(
                "Not enough happened in {:.1} s ({} of CPU, {all} blocks): measure under load, or longer with -d.",
                self.seconds, self.cpu.total
            );
            return (Answer::NotEnoughData, text);
        }
        if io == 0 && events > 0 && events * 2 >= all {
            let text = format!(
                "No: it is already async. Its {events} event waits are its way to sleep; no thread blocked on a descriptor."
            );
            return (Answer::AlreadyAsync, text);
        }
        if io == 0 && locks == 0 {
            return (Answer::NoBlockingIo, "No: it does no blocking IO. Its CPU goes into its own work.".to_owned());
        }
        if events > 10 * io.max(1) && events * 2 >= all {
            let text =
                format!("No: it is mostly async already ({events} event waits against {io} blocking-IO blocks).");
            return (Answer::AlreadyAsync, text);
        }
        if locks > io {
            let text = format!(
                "No: it waits on locks more often ({locks} blocks) than on IO ({io}); async would not remove them."
            );
            return (Answer::Locks, text);
        }
        if let Some(why) = &self.what_if.refused {
            return match self.direct {
                Some(ratio) => {
                    let text = format!(
                        "Blocking costs {} of its CPU directly; what async would give back cannot be told: {why}.",
                        percent(ratio)
                    );
                    (Answer::Blocking, text)
                }
                None => (Answer::NotEnoughData, format!("It blocked on IO {io} times, but {why}.")),
            };
        }
        self.by_saving(io, files)
    }

    fn by_saving(&self, io: u64, files: u64) -> (Answer, String) {
        let naive = self.what_if.scenario(Way::Naive);
        let tuned = self.what_if.scenario(Way::Tuned);
        let value = |s: Option<&Scenario>| s.map_or(0.0, |s| s.saving.value);
        let (low_way, high_way) = (value(naive), value(tuned));
        let direct = self.direct.unwrap_or(0.0);
        let on_files = files * 2 > io;
        if on_files {
            let text = match tuned {
                Some(t) if t.saving.value >= LITTLE => format!(
                    "Only with io_uring: its blocks are on files, where epoll gains nothing; completion would give back {} of its CPU.",
                    range(t)
                ),
                _ => format!(
                    "No: its blocks are on files, where epoll gains nothing, and they cost {} of its CPU; the time goes into the device.",
                    percent(direct.max(0.0))
                ),
            };
            return (Answer::Files, text);
        }
        if low_way >= LITTLE
            && let Some(naive) = naive
        {
            if naive.saving.low <= 0.0 {
                let text = format!(
                    "Perhaps: an event loop would give back {} of its CPU ({}); that is not told from nothing.",
                    percent(naive.saving.value),
                    range(naive)
                );
                return (Answer::Unsure, text);
            }
            let more = tuned.filter(|t| t.saving.value > naive.saving.value + 0.02);
            let more = more.map_or_else(String::new, |t| format!(", io_uring {}", range(t)));
            return (Answer::Yes, format!("Yes: an event loop would give back {} of its CPU{more}.", range(naive)));
        }
        if high_way >= LITTLE
            && let Some(tuned) = tuned
        {
            let text = format!(
                "Only with io_uring: batched completion would give back {} of its CPU, an event loop over epoll next to nothing.",
                range(tuned)
            );
            return (Answer::YesTuned, text);
        }
        let often = naive.or(tuned).map_or(1.0, |s| s.sleeps_per_block);
        if direct < LITTLE {
            let user = self.cpu.user.value().map_or(0.0, |&u| u.as_nanos() as f64);
            let busy = user / self.cpu.total.as_nanos().max(1) as f64;
            return if busy > 0.5 {
                let text = format!(
                    "No: it is CPU-bound. {} of its CPU is its own code, blocking costs {}.",
                    percent(busy),
                    percent(direct.max(0.0))
                );
                (Answer::CpuBound, text)
            } else {
                let text = format!(
                    "No: the direct cost of blocking is {} of its CPU; a rewrite has nothing to win there.",
                    percent(direct.max(0.0))
                );
                (Answer::CostsLittle, text)
            };
        }
        if often >= AS_OFTEN {
            let text = format!(
                "No: low concurrency. Blocking costs {} of its CPU, but one thing at a time is ready: a loop would sleep at {:.0} of \
                 100 blocks all the same.",
                percent(direct),
                often * 100.0
            );
            return (Answer::LowConcurrency, text);
        }
        let text = format!(
            "No: blocking costs {} of its CPU, and waiting in another way would cost as much.",
            percent(direct)
        );
        (Answer::CostsLittle, text)
    }

    /// Five lines at most.
    fn evidence(&self) -> Vec<String> {
        let io = self.wall.blocks_in(Family::BlockingIo);
        let mut lines = vec![format!(
            "{io} blocking-IO blocks in {:.1} s ({:.0} a second) on {} of CPU",
            self.seconds,
            io as f64 / self.seconds.max(1e-9),
            self.cpu.total
        )];
        if let Some(engine) = &self.what_if.engine {
            let prices = engine.prices();
            let all = prices.all();
            lines.push(format!(
                "a block costs {:.0} ns of CPU ({}), {} of the target's CPU in all",
                all.direct / all.count.max(1.0),
                prices.basis.map_or("no base", Basis::name),
                percent(all.direct / self.what_if.cpu.max(1.0))
            ));
            if let Some(scenario) = self.what_if.scenario(Way::Naive).or(self.what_if.scenarios.first()) {
                let ground = match self.what_if.ground {
                    Ground::Replay { events, .. } => format!("replay of {events} recorded blocks"),
                    Ground::Histogram => "coarse: from how many threads could run at each wake-up".to_owned(),
                };
                let loops =
                    if scenario.loops == 1 { "one loop".to_owned() } else { format!("{} loops", scenario.loops) };
                lines.push(format!(
                    "{loops} would sleep {:.2} times per block and find {:.1} events per wait ({ground})",
                    scenario.sleeps_per_block, scenario.events_per_wait
                ));
            }
            let price = |way| {
                let events = self.what_if.scenario(way)?.events_per_wait;
                Some(format!("{} {:.0} ns", way.name(), engine.calibration().tax(way, events)?.median))
            };
            let prices: Vec<String> = Way::ALL.into_iter().filter_map(price).collect();
            if !prices.is_empty() {
                lines.push(format!("waiting in another way costs per event, calibrated here: {}", prices.join(", ")));
            }
        }
        if self.other_waits() > io {
            lines.push(format!(
                "{} blocks are not IO: locks, timers, event waits; async does not remove them",
                self.other_waits()
            ));
        }
        lines
    }

    fn other_waits(&self) -> u64 {
        [Family::Lock, Family::Timer, Family::EventWait].into_iter().map(|f| self.wall.blocks_in(f)).sum()
    }
}
