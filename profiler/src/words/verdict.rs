//! The verdict, its evidence and its advice, in sentences.

use super::{
    in_words::{InWords, title},
    machine,
    predict::{COARSE, base, replay},
};
use crate::{
    aggregate::Role,
    answer::{
        Advice, Blockers, ChildrenFacts, Decision, Evidence, Gain, HandOver, NoGain, Reason, SmallCalls, Verdict, Work,
    },
    event::BlockClass,
    machine::{Language, Runtime, Source, Way},
    predict::{Assumption, Ground},
    quantity::{Estimate, Nanos},
    text::numbers::{
        self, count, cpus, decimal, of_hundred, per_second, percent, plural, span, whole, whole_percent, whole_range,
    },
};

/// The ends of a saving in percent.
fn range(saving: &Estimate) -> String {
    whole_range(saving.low, saving.high)
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

/// What to ask next of a program that is async already.
const SEE_STALLS: &str = "What its loops do while others wait for them is shown by `should-i-async stalls`.";

impl InWords for Reason {
    fn in_words(&self) -> String {
        match self {
            Self::TooLittle { seconds, cpu, blocks } => format!(
                "Not enough happened in {} ({cpu} of CPU, {} blocks): measure under load, or longer with -d.",
                span(seconds * 1e9),
                count(*blocks)
            ),
            Self::ChildrenWork { seconds, cpu, children } => children_work(*seconds, *cpu, children),
            Self::OnlyEventWaits(events) => format!(
                "No: it is already async. Its {} event waits are its way to sleep; no thread blocked on a descriptor. {SEE_STALLS}",
                count(*events)
            ),
            Self::MostlyEventWaits { events, io } => format!(
                "No: it is mostly async already ({} event waits against {} blocking-IO blocks). {SEE_STALLS}",
                count(*events),
                count(*io)
            ),
            Self::NoBlockingIo(work) => format!("No: it does no blocking IO. {}", work.in_words()),
            Self::ParkedTasks { language, waits, io } => {
                let io = if *io == 0 {
                    "it does no blocking IO".to_owned()
                } else {
                    format!("it blocked on IO {} only", plural(*io, "time", "times"))
                };
                format!(
                    "No: {io}. {}; what they wait for, a lock, each other or the time, cannot be seen from the kernel. \
                     Its {} waits on locks are threads of that scheduler with nothing to run.",
                    parks(*language),
                    count(*waits)
                )
            }
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
            Self::NothingKnown { io, why } => {
                format!("It blocked on IO {}, but {}.", plural(*io, "time", "times"), why.in_words())
            }
            Self::UnknownProgram { covered, gain } => format!(
                "Not known: the threads of {} of its CPU have a known role, and the rest may be anything. By what blocks, {}.{}",
                whole_percent(*covered),
                back(gain),
                turned(gain)
            ),
            Self::Gain(gain) => gain.in_words(),
            Self::NoGain { gain: Some(gain), why } => {
                format!("No: {}. {}{}", back(gain), title(&why.in_words()), turned(gain))
            }
            Self::NoGain { gain: None, why } => format!("No: {}", why.in_words()),
        }
    }
}

impl InWords for Work {
    fn in_words(&self) -> String {
        match *self {
            Self::Own => "Its CPU goes into its own work.".to_owned(),
            Self::Refused { calls, most } => title(&format!("{}.", refused(calls, most))),
            Self::Rings { polling, working } => {
                let polling =
                    (polling > 0.0).then(|| format!("{} CPUs go to its ring's polling thread", cpus(polling)));
                let working = (working > 0.0).then(|| format!("{} CPUs go to the workers of its ring", cpus(working)));
                let parts: Vec<String> = polling.into_iter().chain(working).collect();
                format!("{}: threads of the kernel's, not its own work.", parts.join(", and "))
            }
        }
    }
}

/// Calls that a filter answered before they began.
fn refused(calls: u64, most: f64) -> String {
    format!(
        "{} of its calls were answered by a seccomp filter, or by a tracer, before they began; with the code before them, \
         they take up to {} of its CPU",
        count(calls),
        percent(most)
    )
}

/// The processes that a target has started, and those that they have.
fn below(children: &ChildrenFacts) -> String {
    match children.count {
        0 => "processes that it started and that have ended".to_owned(),
        count => plural(count, "process below it", "processes below it"),
    }
}

fn children_work(seconds: f64, cpu: Nanos, children: &ChildrenFacts) -> String {
    format!(
        "Not known: the work is done by {}, which used {} of CPU in {}; it used {cpu} itself. Measure them with it: add \
         --tree.",
        below(children),
        children.cpu,
        span(seconds * 1e9)
    )
}

fn beside(children: &ChildrenFacts) -> String {
    format!("{} used {} of CPU meanwhile, not measured here; --tree measures that too", below(children), children.cpu)
}

/// What a runtime does with the tasks that wait.
const fn parks(language: Language) -> &'static str {
    match language {
        Language::Go => "Go parks goroutines in user space",
        Language::Beam => "Erlang's BEAM parks its processes in user space",
        _ => "Its runtime parks its tasks in user space",
    }
}

/// Names the runtime, where that has no ways of its own to choose from.
fn runs_in(runtime: &Runtime) -> String {
    let title = machine::runtime(runtime);
    match runtime.language {
        Language::Node | Language::Deno | Language::Bun => format!(
            "it runs in {title}, whose sockets are async already; what blocks are the threads of its file pool. The \
             prices are those of machine code"
        ),
        Language::Beam => format!(
            "it runs in {title}, whose sockets are async already; what blocks are files and native code. The prices are \
             those of machine code"
        ),
        Language::Go => format!(
            "it is written in {title}, whose sockets are async already; what blocks are files, cgo and calls of its own. The \
             prices are those of machine code"
        ),
        _ => {
            format!("it runs in {title}, whose prices are not known: those of machine code are taken, as a bound")
        }
    }
}

/// CPU below which its share alone would mislead.
const HARDLY_BUSY: f64 = 0.1;
/// Sleeps that remain are named from this share of the blocks on.
const FEW_SLEEPS: f64 = 0.005;

/// How much would come back, and how.
fn back(gain: &Gain) -> String {
    let Gain { way, saving, busy, .. } = gain;
    let whose = match *busy {
        busy if busy < HARDLY_BUSY => format!("of the {} of a CPU that it uses", percent(busy)),
        _ => "of its CPU".to_owned(),
    };
    let way = way.in_a_sentence();
    if (saving.value * 100.0).round() < 0.0 {
        let more = saving.scaled(-1.0);
        return format!("{way} would take about {} ({}) more {whose}", whole_percent(more.value), range(&more));
    }
    format!("about {} ({}) {whose} would come back with {way}", whole_percent(saving.value), range(saving))
}

impl InWords for Gain {
    fn in_words(&self) -> String {
        let answer = match self.decision() {
            Decision::Yes => "Yes",
            Decision::No => "No",
            Decision::Perhaps | Decision::Abstains => "Perhaps",
        };
        let mut reasons = Vec::new();
        reasons.extend(self.blockers.as_ref().map(Blockers::in_words));
        if self.sleeps_per_block >= FEW_SLEEPS {
            let who = if self.way == Way::Virtual { "a carrier would still park" } else { "a loop would still sleep" };
            reasons.push(format!("{who} at {} blocks", of_hundred(self.sleeps_per_block)));
        }
        reasons.extend(self.completion.map(|(way, more)| {
            format!("{} would bring {} ({})", way.in_a_sentence(), whole_percent(more.value), range(&more))
        }));
        reasons.extend(self.worse.map(takes_more));
        reasons.extend(self.turned.map(would_turn));
        if !self.is_known {
            reasons.push("no program of its kind is among those whose async form was measured".to_owned());
        }
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        format!("{answer}: {}{reasons}.", back(self))
    }
}

impl InWords for Blockers {
    fn in_words(&self) -> String {
        let verb = if self.threads == 1 { "blocks" } else { "block" };
        let who = match self.role {
            // The class that follows says that it is files.
            Role::Files => plural(self.threads, "thread", "threads"),
            role => role.threads(self.threads),
        };
        match self.class {
            Some(class) => format!("{who} {verb} on {}", things(class)),
            None if self.role == Role::Connection => {
                format!("{who} {} a connection each", if self.threads == 1 { "serves" } else { "serve" })
            }
            None => format!("{who} {} handed work", if self.threads == 1 { "is" } else { "are" }),
        }
    }
}

/// What a thread blocks on, in the plural.
const fn things(class: BlockClass) -> &'static str {
    use BlockClass::*;
    match class {
        Tcp => "TCP sockets",
        Udp => "UDP sockets",
        Unix => "Unix sockets",
        SocketOther => "sockets",
        Pipe => "pipes",
        File => "files",
        BlockDevice => "block devices",
        Journal => "a file system's journal",
        Unknown | Tty | CharDevice | EventFd | TimerFd | SignalFd | Inotify | AnonFd | BadFd | Accept | Futex
        | Sleep | EventWait | IoUring | LinuxAio | ChildWait | Signal | FileLock | Ipc | PageFault | Stopped | Exit
        | Compat | Other | Kernel | Timeout | Frozen | Traced => class.name(),
    }
}

/// What would turn the answer, and to how much.
fn would_turn((what, share): (Assumption, f64)) -> String {
    format!("{}, it would be {}", what.if_so(), whole_percent(share))
}

/// What would turn the answer, as a sentence of its own.
fn turned(gain: &Gain) -> String {
    gain.turned.map_or_else(String::new, |turned| format!(" {}.", title(&would_turn(turned))))
}

/// Another way of its language that would take more CPU, and how much more.
fn takes_more((way, more): (Way, f64)) -> String {
    format!("{} would take {} more than its threads do", way.in_a_sentence(), whole_percent(more))
}

impl InWords for NoGain {
    fn in_words(&self) -> String {
        match self {
            Self::CpuBound { own, direct } => format!(
                "it is CPU-bound: {} of its CPU is its own code, blocking costs {}.",
                percent(*own),
                percent(*direct)
            ),
            Self::CostsLittle(direct) => format!(
                "the direct cost of blocking is {} of its CPU; a rewrite has nothing to win there.",
                percent(*direct)
            ),
            Self::HandsOver(cost) => format!(
                "a loop waits for its IO already; its pool's waits for work and the wake-ups that end them take {} of its CPU in \
                 the kernel.",
                percent(*cost)
            ),
            Self::LowConcurrency { direct, sleeps_per_block } => format!(
                "low concurrency: blocking costs {} of its CPU, but one thing at a time is ready, and a loop would sleep at {} \
                 blocks all the same.",
                percent(*direct),
                of_hundred(*sleeps_per_block)
            ),
            Self::Files(direct) => format!(
                "its blocks are on files, where epoll gains nothing, and they cost {} of its CPU; the time goes into the device.",
                percent(*direct)
            ),
            Self::CostsMore { way, more, direct } => {
                format!("blocking costs {} of its CPU; {}.", percent(*direct), takes_more((*way, *more)))
            }
            Self::BelowWorth(worth) => {
                format!("that is less than the {} that would be worth it.", whole_percent(*worth))
            }
            Self::CostsAsMuch(direct) => {
                format!(
                    "blocking costs {} of its CPU, and waiting in another way would cost as much.",
                    percent(*direct)
                )
            }
        }
    }
}

impl InWords for Evidence {
    fn in_words(&self) -> String {
        match self {
            Self::Blocks { io, seconds, cpu } => format!(
                "{} in {} ({}) on {cpu} of CPU",
                plural(*io, "blocking-IO block", "blocking-IO blocks"),
                span(seconds * 1e9),
                per_second(*io as f64 / seconds.max(1e-9))
            ),
            Self::BlockCost { each, basis, share } => format!(
                "a block costs {} of CPU ({}), {} of the target's CPU in all",
                span(*each),
                base(*basis),
                percent(*share)
            ),
            Self::Loops { loops, sleeps_per_block, events_per_wait, ground } => {
                let ground = match ground {
                    Ground::Replay { events, .. } => replay(*events, "recorded "),
                    Ground::Histogram => COARSE.to_owned(),
                    Ground::OwnLoop => ground.sleeps(),
                };
                let loops =
                    if *loops == 1 { "one loop".to_owned() } else { plural(u64::from(*loops), "loop", "loops") };
                format!(
                    "{loops} would sleep {} times per block and find {} events per wait ({ground})",
                    decimal(*sleeps_per_block, 2),
                    decimal(*events_per_wait, 1)
                )
            }
            Self::EventTaxes { taxes, runtime } => {
                let from = match runtime {
                    None => ", calibrated here".to_owned(),
                    Some((runtime, source)) => there_in(runtime, source),
                };
                let taxes: Vec<String> =
                    taxes.iter().map(|(way, ns)| format!("{} {}", way.name(), span(*ns))).collect();
                format!("waiting in another way costs per event{from}: {}", taxes.join(", "))
            }
            Self::RunsIn(runtime) => runs_in(runtime),
            Self::Roles(lines) => {
                let lines: Vec<String> = lines.iter().map(InWords::in_words).collect();
                format!("roles: {}", lines.join(", "))
            }
            Self::Journal { blocks, files } => format!(
                "{} of its {} blocks on files are for the file system's journal (fsync and its kin), which a thread of the \
                 kernel writes",
                count(*blocks),
                count(*files)
            ),
            Self::Births { count, share } => births(*count, *share),
            Self::Refused { calls, most } => refused(*calls, *most),
            Self::HeldBack(quota) => quota.in_words(),
            Self::Children(children) => beside(children),
            Self::Load(load) => load.mostly_asleep(),
            Self::OtherWaits(blocks) => {
                let blocks = count(*blocks);
                format!("{blocks} blocks are not IO: locks, timers, event waits; async does not remove them")
            }
        }
    }
}

/// Prices of events of a runtime: those that are slept for cost more.
fn there_in(runtime: &Runtime, source: &Source) -> String {
    format!(" that is there, in {} ({})", machine::runtime(runtime), source.words())
}

fn births(count: f64, share: f64) -> String {
    format!(
        "{} threads were born for a connection each and ended with it; that takes {} of its CPU in the kernel",
        whole(count),
        percent(share)
    )
}

impl InWords for Advice {
    fn in_words(&self) -> String {
        match self {
            Self::FewerThreads { threads, preemptions } => format!(
                "Fewer threads: {} of them preempted each other at {}; a pool as large as the CPUs would not.",
                count(*threads as u64),
                per_second(*preemptions)
            ),
            Self::PinThreads { own_wakes, over_idle } => format!(
                "Pin threads that hand work to each other to one CPU: {} blocks end with a wake-up by a thread of its \
                 own, and {} come back over an idle CPU.",
                of_hundred(*own_wakes),
                of_hundred(*over_idle)
            ),
            Self::LargerBuffers(SmallCalls { syscall, bytes, per_second: rate, .. }) => format!(
                "Larger buffers: {syscall} on files moves {} a call, at {}; 64 KiB a call costs little more.",
                numbers::bytes(bytes.round() as u64),
                per_second(*rate)
            ),
            Self::GatherWrites(SmallCalls { syscall, class, bytes, per_second: rate }) => format!(
                "Gather writes: {syscall} on {} sends {} a call, at {}; writev or a buffer would send several at \
                 once, where more than one is due.",
                class.name(),
                numbers::bytes(bytes.round() as u64),
                per_second(*rate)
            ),
        }
    }
}
