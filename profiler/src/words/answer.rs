//! Notes of the ledgers and what two recordings say of each other, in words.

use super::{in_words::InWords, missing};
use crate::{
    answer::{
        Answer, Ended, Impossible, Measure, NoPrediction, NoUnits, NotSameWork, Note, Per, SiteView, Weight, Which,
        Whose, Why,
    },
    cost::Basis,
    quantity::Provenance,
    text::numbers::{NA, bytes, count, decimal, maybe, per_second, plural, span, span_range, whole},
};

impl SiteView {
    /// What it waits on: the descriptor of the last call, else where the call is.
    pub fn what(&self) -> String {
        if self.descriptor.is_empty() { format!("at {}", self.ip) } else { self.descriptor.clone() }
    }

    /// Why its blocks have no direct cost.
    pub const fn without_cost(&self) -> &'static str {
        match self.blocked_calls {
            0 => missing::NO_CALL_BLOCKED,
            _ => "nothing to compare with: no call that did not block, and no reference",
        }
    }
}

impl SiteView {
    /// What a block costs here, and what that was compared with.
    pub fn cost_words(&self) -> String {
        let Some(direct) = self.direct else { return format!("{NA}: {}", self.without_cost()) };
        let total = direct.total;
        format!(
            "{} per call that blocked, {} in all ({}, 90 %); {}, against: {}",
            span(direct.per_call),
            span(total.value),
            span_range(total),
            if direct.basis == Basis::SameSite { Provenance::Measured.name() } else { Provenance::Modelled.name() },
            direct.basis.name()
        )
    }

    /// How long the program ran in user mode after a call.
    pub fn user_windows(&self) -> String {
        format!(
            "{} after a call that blocked, {} after one that did not; {} left out (preempted)",
            maybe(self.user_after_blocked),
            maybe(self.user_after_direct),
            count(self.windows_preempted)
        )
    }
}

impl InWords for Impossible {
    fn in_words(&self) -> String {
        let Self { whose, found, room } = self;
        let whose = match whose {
            Whose::Cpu => "the target's CPU".to_owned(),
            Whose::ThreadCpu(tid) => format!("the CPU of thread {tid}"),
            Whose::ThreadWaits(tid) => format!("what thread {tid} waited"),
            Whose::ThreadTime(tid) => format!("all that thread {tid} did and waited"),
            Whose::Uncharged => "the CPU that the kernel did not charge".to_owned(),
        };
        format!(
            "what was measured cannot be: {whose} comes to {found}, and there was {room}. There is no report. Look with \
             `should-i-async doctor` whether something is wrong here, and please report it with that output"
        )
    }
}

impl Answer {
    /// In a few words. They begin with what the answer comes down to.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::YesTuned => "yes: only with io_uring",
            Self::Unsure => "perhaps",
            Self::NotEnoughData => "not known: not enough data",
            Self::UnknownProgram => "not known: unknown kind of program",
            Self::Blocking => "not known: no prediction",
            Self::HandOver => "not known: threads hand work over",
            Self::Files => "no: files",
            Self::AlreadyAsync => "no: already async",
            Self::NoBlockingIo => "no: no blocking IO",
            Self::ParkedTasks => "no: its runtime parks its tasks",
            Self::CpuBound => "no: CPU-bound",
            Self::CostsLittle => "no: it costs little",
            Self::LowConcurrency => "no: low concurrency",
            Self::ChildrenWork => "not known: other processes do its work",
            Self::Locks => "no: it waits on locks",
        }
    }
}

impl Measure {
    /// Its name, as outputs print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Cost => "direct cost of blocking IO",
            Self::Blocks => "blocking-IO blocks",
            Self::Blocked => "blocked on IO",
            Self::RunDelay => "run-queue delay",
            Self::Voluntary => "voluntary switches",
            Self::Involuntary => "involuntary switches",
            Self::Calls => "calls",
        }
    }
}

impl Weight {
    /// Its name as a title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cost => "Blocking cost (CPU)",
            Self::Blocked => "Blocked time",
            Self::RunDelay => "Run-queue delay",
            Self::Cpu => "CPU",
        }
    }
}

impl InWords for Ended {
    fn in_words(&self) -> String {
        match self {
            Self::Unknown => "",
            Self::DurationOver => "duration over",
            Self::TargetExited => "target exited",
            Self::Measuring => "measuring",
            Self::Interrupted => "interrupted",
        }
        .to_owned()
    }
}

impl InWords for Note {
    fn in_words(&self) -> String {
        let plain = match self {
            Self::NoBase(calls) => return format!("{} calls that blocked have no base to compare with", count(*calls)),
            Self::AgainstOthers => {
                "kernel CPU of calls that blocked less that of calls that did not, pooled or against the reference"
            }
            Self::RestOfCalls => "what the direct cost leaves of the time in syscalls",
            Self::WithDirectCosts => "direct costs that could not be estimated are still in it",
            Self::SoftirqsNotHooked => "softirqs are not hooked: their time is in user mode and syscalls",
            Self::NoCpu => missing::NO_CPU,
            Self::NoStatistics => "the kernel's BPF statistics need CAP_SYS_ADMIN",
            Self::Toll => {
                "what calls and blocks of the profiler's own threads cost more with the programs, × the target's"
            }
            Self::NotCounted => missing::NOT_MEASURED,
            Self::NoStackSeen => {
                "no thread's stack could be told: none was seen asleep, or they lie in a heap of the program's"
            }
            Self::NoRequests => {
                "no request was seen: no thread of its waited for a client's connection by itself; where connections share \
                 a loop, or wait for a pool, what is done for whom cannot be told"
            }
            Self::LongRequests(n) => {
                return format!(
                    "{} and none was seen to its end: they take longer than the stretches in which blocks are streamed \
                     (50 to 250 ms), or their connections end with them",
                    plural(*n, "request began,", "requests began,")
                );
            }
            Self::FewRequests(n) => {
                return format!("only {} seen; measure longer", plural(*n, "request was", "requests were"));
            }
            Self::OthersToll => {
                "what calls and blocks of the profiler's own threads cost while nobody is measured, × those of all others"
            }
            Self::OthersSwitches => {
                "what blocks of the profiler's own threads cost while nobody is measured, × those of all others; \
                 to count their calls needs CAP_SYS_ADMIN"
            }
            Self::NotSeenAlone => "the target was not seen often enough without the programs",
            Self::MeanRunTime => "mean run time of a program and of the kernel's way into it, × the target's events",
        };
        plain.to_owned()
    }
}

impl Per {
    /// The unit, in the singular.
    pub fn unit(&self) -> String {
        match self {
            Self::CpuSecond => "CPU-second".to_owned(),
            Self::Second => "second".to_owned(),
            Self::Message(class) => format!("message sent on {}", class.name()),
            Self::KiB(class) => format!("KiB moved on {}", class.name()),
            Self::Call { syscall } => format!("{syscall} call"),
        }
    }
}

impl InWords for Why {
    fn in_words(&self) -> String {
        match self {
            Self::Given => "as --per says".to_owned(),
            Self::MostMessages(first, second) => {
                format!("what both have most of: {} and {} were sent", whole(*first), whole(*second))
            }
            Self::MessagesDiffer(first, second) => format!(
                "what both have most of, counted by their bytes: a message carries {} in the one and {} in the other",
                bytes(first.round() as u64),
                bytes(second.round() as u64)
            ),
            Self::MostBytes(first, second) => {
                format!("what both have most of: {} and {}", bytes(first.round() as u64), bytes(second.round() as u64))
            }
            Self::NothingInCommon => "their calls have nothing else in common".to_owned(),
        }
    }
}

impl InWords for NotSameWork {
    fn in_words(&self) -> String {
        match self {
            Self::Rates { per, first, second } => format!(
                "the two did not do the same work: {} and {}, per {}, so that a difference per second is no saving; leave \
                 --per out, or give --per with the name of a call that each request makes once",
                per_second(*first),
                per_second(*second),
                per.unit()
            ),
            Self::Sizes { class, first, second } => format!(
                "the two did not do the same work: for each byte that it sent on {} the one received {} and the other \
                 {}; give --per with the name of a call that each request makes once, if the work was the same",
                class.name(),
                decimal(*first, 2),
                decimal(*second, 2)
            ),
            Self::Unseen => "whether the two did the same work cannot be told: their calls have nothing in common; give --per with \
                             the name of a call that each request makes once, two names where they differ, or --per second if \
                             both had the same load"
                .to_owned(),
        }
    }
}

impl InWords for NoUnits {
    fn in_words(&self) -> String {
        let which = match self.recording {
            Which::First => "first",
            Which::Second => "second",
        };
        format!("there is no {} in the {which} recording to divide by", self.per.unit())
    }
}

impl InWords for NoPrediction {
    fn in_words(&self) -> String {
        match self {
            Self::Refused(why) => why.in_words(),
            Self::NoPrice(way) => super::no_price(*way),
        }
    }
}
