//! Notes of the ledgers and what two recordings say of each other, in words.

use super::InWords;
use crate::{
    answer::{Ended, NoPrediction, NoUnits, Note, Per, Which},
    text::numbers::count,
};

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
            Self::SoftirqsNotHooked => "inside user and syscalls: softirqs are not hooked",
            Self::NoCpu => "the target used no CPU",
            Self::NoStatistics => "the kernel's BPF statistics need CAP_SYS_ADMIN",
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
            Self::Call { syscall } => format!("{syscall} call"),
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
            Self::NoPrice(way) => format!("no price for {} on that machine", way.name()),
        }
    }
}
