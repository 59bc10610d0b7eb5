//! The verdict, its evidence and its advice, in sentences.

use super::{
    InWords, machine,
    predict::{base, whole},
};
use crate::{
    aggregate::Role,
    answer::{Advice, Evidence, HandOver, NoGain, Reason, SmallCalls, Verdict},
    machine::{Language, Runtime, Way},
    predict::Ground,
    quantity::Estimate,
    text::numbers::{self, count, percent, plural, span},
};

/// The ends of a saving in percent.
fn range(saving: &Estimate) -> String {
    let (low, high) = (saving.low * 100.0, saving.high * 100.0);
    if low < 0.0 { format!("{low:.0} to {high:.0} %") } else { format!("{low:.0}–{high:.0} %") }
}

impl Verdict {
    /// The answer as one sentence.
    pub fn sentence(&self) -> String {
        self.reason.in_words()
    }

    /// What it rests on, a line each.
    pub fn evidence_lines(&self) -> Vec<String> {
        self.evidence.iter().map(InWords::in_words).collect()
    }

    /// What is cheaper than a rewrite, a sentence each.
    pub fn advice_lines(&self) -> Vec<String> {
        self.advice.iter().map(InWords::in_words).collect()
    }
}

fn hand_over(kind: HandOver, waits: u64, calls: u64, cost: f64) -> String {
    let who = match kind {
        HandOver::Pool(workers) => format!("its pool ({}) is handed its work", Role::PoolWorker.threads(workers)),
        HandOver::SharedLock(threads) => {
            format!("{} that serve share a lock", plural(threads, "thread", "threads"))
        }
        HandOver::Unknown => "its threads hand work to each other or share a lock".to_owned(),
    };
    format!(
        "Not known: {who}; threads waited for each other {} times beside {} calls on descriptors. These waits and the wake-ups \
         that end them take {} of its CPU in the kernel. One thread that waits for all of its IO needs none of them; how much \
         would come back is not predicted.",
        count(waits),
        count(calls),
        percent(cost)
    )
}

impl InWords for Reason {
    fn in_words(&self) -> String {
        match self {
            Self::TooLittle { seconds, cpu, blocks } => format!(
                "Not enough happened in {seconds:.1} s ({cpu} of CPU, {} blocks): measure under load, or longer with -d.",
                count(*blocks)
            ),
            Self::OnlyEventWaits(events) => format!(
                "No: it is already async. Its {} event waits are its way to sleep; no thread blocked on a descriptor.",
                count(*events)
            ),
            Self::MostlyEventWaits { events, io } => format!(
                "No: it is mostly async already ({} event waits against {} blocking-IO blocks).",
                count(*events),
                count(*io)
            ),
            Self::NoBlockingIo => "No: it does no blocking IO. Its CPU goes into its own work.".to_owned(),
            Self::Locks { locks, io } => format!(
                "No: it waits on locks more often ({} blocks) than on IO ({}); async would not remove them.",
                count(*locks),
                count(*io)
            ),
            Self::HandOver { kind, waits, calls, cost } => hand_over(*kind, *waits, *calls, *cost),
            Self::NoPrediction { direct, why } => format!(
                "Blocking costs {} of its CPU directly; what async would give back cannot be told: {}.",
                percent(*direct),
                why.in_words()
            ),
            Self::NothingKnown { io, why } => format!("It blocked on IO {} times, but {}.", count(*io), why.in_words()),
            Self::FilesByCompletion(saving) => format!(
                "Only with io_uring: its blocks are on files, where epoll gains nothing; completion would give back {} of its CPU.",
                range(saving)
            ),
            Self::FilesCostLittle(direct) => format!(
                "No: its blocks are on files, where epoll gains nothing, and they cost {} of its CPU; the time goes into the \
                 device.",
                percent(*direct)
            ),
            Self::Unsure { way, saving, worse } => format!(
                "Perhaps: {} would give back {} of its CPU ({}); the interval includes zero{}.",
                way.in_a_sentence(),
                percent(saving.value),
                range(saving),
                takes_more(*worse)
            ),
            Self::EventLoop { way, saving, completion, worse } => {
                let more = completion.as_ref().map_or_else(String::new, |more| format!(", io_uring {}", range(more)));
                let way = way.in_a_sentence();
                format!("Yes: {way} would give back {} of its CPU{more}{}.", range(saving), takes_more(*worse))
            }
            Self::OnlyCompletion(saving) => format!(
                "Only with io_uring: batched completion would give back {} of its CPU, an event loop over epoll next to nothing.",
                range(saving)
            ),
            Self::NoGain(why) => why.in_words(),
        }
    }
}

/// What its runtime is, where that has no ways of its own to choose from.
fn runs_in(runtime: &Runtime) -> String {
    let title = machine::runtime(runtime);
    match runtime.language {
        Language::Node => format!(
            "it runs in {title}, whose sockets are async already; what blocks are the threads of its file pool, and priced is \
             what machine code would do"
        ),
        Language::Go => format!(
            "it is written in {title}, whose sockets are async already; what blocks are files, cgo and calls of its own, and \
             priced is what machine code would do"
        ),
        Language::Native | Language::CPython | Language::Jvm => {
            format!("it runs in {title}, whose prices are not known: priced is what machine code would do, as a bound")
        }
    }
}

/// What follows where another way of its language would take more.
fn takes_more(worse: Option<(Way, f64)>) -> String {
    worse.map_or_else(String::new, |(way, more)| {
        format!("; {} would take {} more than its threads do", way.in_a_sentence(), percent(more))
    })
}

impl InWords for NoGain {
    fn in_words(&self) -> String {
        match self {
            Self::CpuBound { own, direct } => format!(
                "No: it is CPU-bound. {} of its CPU is its own code, blocking costs {}.",
                percent(*own),
                percent(*direct)
            ),
            Self::CostsLittle(direct) => format!(
                "No: the direct cost of blocking is {} of its CPU; a rewrite has nothing to win there.",
                percent(*direct)
            ),
            Self::LowConcurrency { direct, sleeps_per_block } => format!(
                "No: low concurrency. Blocking costs {} of its CPU, but one thing at a time is ready: a loop would sleep at {:.0} \
                 of 100 blocks all the same.",
                percent(*direct),
                sleeps_per_block * 100.0
            ),
            Self::CostsMore { way, more, direct } => format!(
                "No: {} would take {} more than its threads do, whose blocking costs {}.",
                way.in_a_sentence(),
                percent(*more),
                percent(*direct)
            ),
            Self::CostsAsMuch(direct) => format!(
                "No: blocking costs {} of its CPU, and waiting in another way would cost as much.",
                percent(*direct)
            ),
        }
    }
}

impl InWords for Evidence {
    fn in_words(&self) -> String {
        match self {
            Self::Blocks { io, seconds, cpu } => format!(
                "{} blocking-IO blocks in {seconds:.1} s ({} a second) on {cpu} of CPU",
                count(*io),
                whole(*io as f64 / seconds.max(1e-9))
            ),
            Self::BlockCost { each, basis, share } => format!(
                "a block costs {} of CPU ({}), {} of the target's CPU in all",
                span(*each),
                base(*basis),
                percent(*share)
            ),
            Self::Loops { loops, sleeps_per_block, events_per_wait, ground } => {
                let ground = match ground {
                    Ground::Replay { events, .. } => format!("replay of {} recorded blocks", count(*events as u64)),
                    Ground::Histogram => "coarse: from how many threads could run at each wake-up".to_owned(),
                };
                let loops = if *loops == 1 { "one loop".to_owned() } else { format!("{loops} loops") };
                format!(
                    "{loops} would sleep {sleeps_per_block:.2} times per block and find {events_per_wait:.1} events per wait \
                     ({ground})"
                )
            }
            Self::EventTaxes { taxes, runtime } => {
                let taxes: Vec<String> =
                    taxes.iter().map(|(way, ns)| format!("{} {}", way.name(), span(*ns))).collect();
                let from = match runtime {
                    None => "calibrated here".to_owned(),
                    Some((runtime, source)) => format!("in {} ({})", machine::runtime(runtime), source.words()),
                };
                format!("waiting in another way costs per event, {from}: {}", taxes.join(", "))
            }
            Self::RunsIn(runtime) => runs_in(runtime),
            Self::Roles(lines) => {
                let lines: Vec<String> = lines.iter().map(InWords::in_words).collect();
                format!("roles: {}", lines.join(", "))
            }
            Self::OtherWaits(blocks) => {
                let blocks = count(*blocks);
                format!("{blocks} blocks are not IO: locks, timers, event waits; async does not remove them")
            }
        }
    }
}

impl InWords for Advice {
    fn in_words(&self) -> String {
        match self {
            Self::FewerThreads { threads, preemptions } => format!(
                "Fewer threads: {threads} of them preempted each other {} times a second; a pool as large as the CPUs would not.",
                whole(*preemptions)
            ),
            Self::PinThreads { own_wakes, over_idle } => format!(
                "Pin threads that hand work to each other to one CPU: {:.0} of 100 blocks end with a wake-up by a thread of its \
                 own, and {:.0} of 100 come back over an idle CPU.",
                100.0 * own_wakes,
                100.0 * over_idle
            ),
            Self::LargerBuffers(SmallCalls { syscall, bytes, per_second, .. }) => format!(
                "Larger buffers: {syscall} on files moves {} a call, {} times a second; 64 KiB a call costs little more.",
                numbers::bytes(bytes.round() as u64),
                whole(*per_second)
            ),
            Self::GatherWrites(SmallCalls { syscall, class, bytes, per_second }) => format!(
                "Gather writes: {syscall} on {} sends {} a call, {} times a second; writev or a buffer would send several at \
                 once, where more than one is due.",
                class.name(),
                numbers::bytes(bytes.round() as u64),
                whole(*per_second)
            ),
        }
    }
}
