//! What a prediction rests on and why there is none, in words.

use super::{in_words::InWords, missing::WAYS_COST};
use crate::{
    cost,
    predict::{
        Assumption, Caveat, Drift, Ground, Kind, Missed, Note, Refusal, Term, TermBasis, TermKind, replay::Assignment,
    },
    quantity::Provenance,
    text::numbers::{count, decimal, plural, span, whole, whole_percent},
};

/// What intervals of a kind rest on: how far predictions were off, and for how many programs.
pub(super) fn missed(kind: Kind) -> String {
    let Missed { times, rows, programs } = kind.missed();
    let own = if kind.is_known() { "" } else { ", none of its kind among them" };
    format!(
        "{} times the model's own standard error: nine of ten predictions were off by no more ({rows} rows of {programs} \
         programs {}{own})",
        decimal(times, 2),
        kind.basis()
    )
}

/// The machines that the errors of predictions were measured on.
pub(super) fn missed_on() -> String {
    match Missed::machines() {
        [] => "nowhere yet".to_owned(),
        machines => machines.join("; "),
    }
}

impl Kind {
    /// The predictions that its error was found in.
    fn basis(self) -> String {
        match self.has_its_own() {
            true => format!("on {}", self.name()),
            false => "of all kinds".to_owned(),
        }
    }
}

impl Assumption {
    /// The condition, as a sentence begins: "if its peers slept deeper".
    pub const fn if_so(self) -> &'static str {
        match self {
            Self::MessagesComeOneByOne => "if what a thread reads in one go came as events of their own",
            Self::MessagesComeTogether => "if messages that take turns came together",
            Self::ArrivalsDoNotFollow => "if arrivals did not follow replies",
            Self::ArrivalsFollow => "if each request took as long as it did, whenever it was made",
            Self::RuntimeHandsFilesOver => "if its runtime handed every call on a file to a pool",
            Self::PeersSleepDeeper => "if its peers slept deeper",
            Self::PeersStayAwake => "if its peers stayed awake",
            Self::CodeRunsCold => "if code after blocks ran colder than could be told",
            Self::BirthsCostMore => "if births and ends of threads cost as much again in the runtime's own code",
            Self::QueuesCostMore => "if its pool's queue cost as much again in its own code",
            Self::PoolIsLean => "if its pool cost no more than what is seen of it in the kernel",
            Self::TasksCost => "if starting a task for each connection cost as much again",
            Self::WorkersSleep => "if every event woke another of its threads",
            Self::WorkersStayBusy => "if workers always found work, and none had to be woken",
            Self::CallsOverlap => "if it asked for what it needs next, and its device were kept busy",
            Self::RequestsAreShared => "if calls through the page cache cost no more one by one",
            Self::RuntimeTakesIt => "if what it runs in took all that machine code would give back",
            Self::CarriersPinned => "if its threads blocked inside synchronized, which keeps the carrier before JDK 24",
            Self::RepliesLeaveTogether => "if replies left together",
        }
    }
}

impl InWords for Note {
    fn in_words(&self) -> String {
        let plain = match self {
            Self::LessCrowd { measured, colder } => {
                return format!(
                    "{} measured, less the {} that many threads make of a switch",
                    span(*measured),
                    span(*colder)
                );
            }
            Self::WakingCalls(calls) => {
                return format!(
                    "in place: {} calls that woke somebody against those at the same sites that did not",
                    count(*calls)
                );
            }
            Self::HandedOn(threads) => {
                return format!(
                    "what is left of a message that {} threads hand on to each other, calibrated",
                    decimal(*threads, 0)
                );
            }
            Self::CalibratedSleep => "calibrated: too few blocks of the target left the CPU idle",
            Self::SwitchForSleep => "taken as a switch between threads: too few blocks of the target left the CPU idle",
            Self::Calibrated => "calibrated",
            Self::OwnPipe => "on a pipe of the profiler's own: a write that wakes against one that does not",
            Self::NoWakePrice => "there is neither calibration nor reference",
            Self::NoBlockPrice => NO_BLOCK_PRICE,
        };
        plain.to_owned()
    }
}

/// Why a block has no price.
const NO_BLOCK_PRICE: &str = "the cost of a block is not known: the target made no call that did not block, and there is \
                              neither calibration nor reference";

impl InWords for Assignment {
    /// Which loop a connection is on.
    fn in_words(&self) -> String {
        let words = match self {
            Self::Fixed => "each connection stays on one",
            Self::Stealing => "whichever is free takes an event",
        };
        words.to_owned()
    }
}

impl InWords for Refusal {
    fn in_words(&self) -> String {
        let plain = match self {
            Self::CalibrationFailed { said } => said,
            Self::NotCalibrated => {
                return format!("{} is not known yet: run `should-i-async calibrate`", WAYS_COST);
            }
            Self::HandsOver { waits, blocks } => {
                return format!(
                    "its pool waits for work {} times and for IO {} times: something else waits for its IO",
                    whole(*waits),
                    whole(*blocks)
                );
            }
            Self::MoreThanThereIs { saving, most } => {
                return format!(
                    "the prices that were found do not fit it: {} of its CPU would come back, and no more than {} can; \
                     measure for longer, or calibrate again while the machine is idle",
                    whole_percent(*saving),
                    whole_percent(*most)
                );
            }
            Self::FewBlocks { blocks, seconds } => {
                return format!(
                    "too few blocks ({}) in this interval: measure for about {}",
                    whole(*blocks),
                    span(seconds * 1e9)
                );
            }
            Self::NoWayForFiles => "its blocks are on files, and none of the ways that were priced waits for files",
            Self::NoCpu => "the target used next to no CPU: there is nothing to save",
            Self::NoBlockPrice => NO_BLOCK_PRICE,
        };
        plain.to_owned()
    }
}

impl InWords for Caveat {
    fn in_words(&self) -> String {
        match self {
            Self::FilesBlock(blocks) => format!(
                "{} of its blocks are on files: readiness (epoll) gains nothing there, and runtimes send file IO to a pool of \
                 threads that block just the same.",
                count(*blocks as u64)
            ),
            Self::Drifted(Drift { before, after }) => format!(
                "The CPU that it takes for a switch went from {} early in the measurement to {} late in it: it warms up (a \
                 compiler, a cache), was given other work, or the machine around it changed. Measure again when it has settled.",
                span(*before),
                span(*after)
            ),
            Self::HeldBack => "A quota held it back, so it has more work than CPU: what came back would go into that \
                 work, until none is left."
                .to_owned(),
            Self::HooksFilledCpu => "Measuring filled the CPU that the target leaves free otherwise, so its load was \
                 higher than usual. The figures do not count on replies that leave together."
                .to_owned(),
            Self::IncredibleCrowd { each, threads } => format!(
                "By the calibration, code after a block costs {} more where {} threads take turns. This target cannot lose that \
                 much there, so it is not counted: run `should-i-async calibrate` when the machine is quiet.",
                span(*each),
                decimal(*threads, 0)
            ),
            Self::NotCovered(share) => format!(
                "What {} of the blocks cost is not known; they are taken to cost what the others do.",
                whole_percent(*share)
            ),
            Self::MappedBuffer => "asyncio reads into 256 KiB. A program that never freed a block as large has it mapped anew \
                 for each read (glibc), and its events cost 20 to 50 µs more than is priced here. \
                 MALLOC_MMAP_THRESHOLD_=1048576 and MALLOC_TRIM_THRESHOLD_=4194304 in its environment prevent that; uvloop \
                 keeps one buffer."
                .to_owned(),
        }
    }
}

/// How sleeps are counted where there is nothing to replay.
pub(super) const COARSE: &str = "coarse, from how many threads could run at each wake-up";

/// What was replayed; `kind` stands before "blocks".
pub(super) fn replay(blocks: usize, kind: &str) -> String {
    format!("replay of {}", plural(blocks as u64, &format!("{kind}block"), &format!("{kind}blocks")))
}

impl Ground {
    /// How the sleeps that remain were counted, for the line below the scenarios.
    pub fn sleeps(&self) -> String {
        match self {
            Self::Replay { events, spans } => {
                let spans = plural(*spans as u64, "span", "spans");
                format!("sleeps from a {} in {spans}", replay(*events, ""))
            }
            Self::Histogram => format!("sleeps {COARSE}"),
            Self::OwnLoop => "events a wait as its own loop finds them today".to_owned(),
        }
    }
}

impl Term {
    /// What goes, comes or stays, and how often.
    pub fn what(&self) -> String {
        let n = whole(self.count);
        match self.kind {
            TermKind::BlocksGo => format!("{n} blocks go"),
            TermKind::WaitingCallsGo => format!("{n} calls that only wait for one descriptor go"),
            TermKind::HandOversGo => format!("{n} waits for work that a pool is handed go, and what ends them"),
            TermKind::PoolGoes => format!("{n} messages are handed to no pool"),
            TermKind::OwnWakeupsGo => format!("{n} wake-ups among its own threads go"),
            TermKind::OtherWakeupsGo => format!("{n} wake-ups of others go, several replies leave at once"),
            TermKind::RunsWarm => "user and kernel code after blocks runs warm".to_owned(),
            TermKind::RunsWarmCalibrated => "code after blocks runs warm".to_owned(),
            TermKind::AcceptsWaited => format!("{n} connections that are accepted are events too"),
            TermKind::HandOversCome => format!("{n} events wake a worker each"),
            TermKind::MadeByWorkers => {
                format!("{n} buffered writes and syncs that io_uring hands to workers of the kernel: they block there")
            }
            TermKind::CallsHandedOver => format!("{n} calls on files are handed to a worker that sleeps"),
            TermKind::AnswersHandedBack => format!("{n} answers wake who waits for them"),
            TermKind::RequestsAlone => format!("{n} requests find their device idle: no other is made meanwhile"),
            TermKind::PreemptionsGo => format!("{n} preemptions of its threads by each other go"),
            TermKind::BirthsGo => format!("{n} births and ends of threads that serve a connection each go"),
            TermKind::LocksGo => format!("{n} waits for locks that these threads share go, and what ends them"),
            TermKind::SleepsRemain => format!("{n} sleeps remain"),
            TermKind::SleepsInRuntime => format!("{n} events are slept for in its runtime"),
            TermKind::EventsWaited => format!("{n} events are waited for in another way"),
            TermKind::TurnsWaited => format!("{n} messages that were read without a block are waited for too"),
            TermKind::DirectReadsGo => format!("{n} calls past the page cache: the rest of their calls goes"),
            TermKind::DirectReadsCome => format!("{n} calls past the page cache become requests"),
            TermKind::FileReadsCome => format!("{n} file reads through io_uring"),
            TermKind::FewBlocks => format!("{n} blocking-IO blocks"),
        }
    }

    /// What each costs, and where that price comes from.
    pub fn how(&self) -> String {
        let each = format!("{} each", span(self.each));
        match self.basis {
            TermBasis::Against(Some(basis)) => format!("{each}, against: {}", basis.name()),
            TermBasis::Against(None) => format!("{each}, without a base"),
            TermBasis::Priced(note) => format!("{each}, {}", note.in_words()),
            TermBasis::PricedBeside { note, stay, idle } => format!(
                "{each}, {}; the {} that stay find the peer's CPU idle: {} each",
                note.in_words(),
                whole(stay),
                span(idle)
            ),
            TermBasis::SameSites { counters: true } => {
                "same sites and sizes, after a block against after none; user mode by hardware counters".to_owned()
            }
            TermBasis::SameSites { counters: false } => {
                "same sites and sizes, after a block against after none".to_owned()
            }
            TermBasis::Crowd(threads) => format!("{each} where {} threads take turns, calibrated", decimal(threads, 0)),
            TermBasis::HandOver => {
                format!("{each}: a block between threads as here, and what a calibrated hand-over has beyond one")
            }
            TermBasis::ThreadSwitch => format!("{each}, as a block between threads"),
            TermBasis::Sleeps(per_block, note) => {
                let measured = || Provenance::Measured.name().to_owned();
                format!("{} per block, {each}, {}", decimal(per_block, 2), note.map_or_else(measured, |n| n.in_words()))
            }
            TermBasis::Waits(events, way) => {
                format!("{each} where a wait returns {}, calibrated: {}", decimal(events, 1), way.words())
            }
            TermBasis::SleptFor => format!("{each} beyond a block and an event that is there"),
            TermBasis::LikeEvents => format!("{each}, as an event of a connection"),
            TermBasis::OneByOne => format!("{each}: a loop that takes turns finds them one by one"),
            TermBasis::ReadyRead => format!("{each}, as a read whose data is there, calibrated"),
            TermBasis::InPlace => format!("{each}, in place"),
            TermBasis::InFlight(queue, requests) => {
                format!("{each} through {} with {} in flight, calibrated", queue.name(), decimal(requests, 1))
            }
            TermBasis::OneAgainst(requests) => {
                format!("{each}: one alone against one of {} at once, calibrated", decimal(requests, 1))
            }
            TermBasis::BeyondPread => format!("{each} beyond pread, calibrated"),
            TermBasis::NotEvenAt(ns) => {
                format!("not even at {} each would they be 1 % of its CPU", span(ns))
            }
        }
    }
}

/// What most calls that blocked were compared with.
pub fn base(basis: Option<cost::Basis>) -> &'static str {
    basis.map_or("no base", cost::Basis::name)
}
