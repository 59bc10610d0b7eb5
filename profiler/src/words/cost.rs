//! What the costs of blocking rest on, in words.

use super::in_words::InWords;
use crate::{
    cost::{
        Basis, Disagreement, Note,
        ipc::{self, Comparison, Coverage},
    },
    text::numbers::{count, plural, whole_percent},
};

impl Basis {
    /// What blocks were compared with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameSite => "same site",
            Self::SameCall => "same syscall and class",
            Self::ReadyCall => "a read whose data is there, calibrated",
            Self::Calibrated => "calibrated",
            Self::Reference => "reference pipe",
        }
    }

    /// What blocks were compared with, for a narrow column.
    pub const fn short(self) -> &'static str {
        match self {
            Self::SameSite => "same site",
            Self::SameCall => "same call",
            Self::ReadyCall => "ready call",
            Self::Calibrated => "calibrated",
            Self::Reference => "reference",
        }
    }
}

impl InWords for Note {
    fn in_words(&self) -> String {
        let plain = match self {
            Self::PartOfBlocks(share) => {
                return format!(
                    "from the {} of the blocks whose call also returned without one",
                    whole_percent(*share)
                );
            }
            Self::FewSamples(n) => {
                return format!("only {} CPU-clock samples: measure longer, or under load", count(*n));
            }
            Self::Samples { schedule, all } => {
                return format!(
                    "{} of {} CPU-clock samples are below __schedule; over all switches, not only those of \
                     blocking IO",
                    count(*schedule),
                    count(*all)
                );
            }
            Self::Counters(note) => return note.in_words(),
            Self::CountersAndTime(note) => {
                return format!("user mode by {}; kernel: {}", note.in_words(), Self::SameSiteAndSize.in_words());
            }
            Self::NoComparableCall => "no call that blocked also returned often enough without blocking",
            Self::SmallWorkingSets => "two threads with small working sets, on this machine",
            Self::NoCalibration => "no calibration",
            Self::NoSamples => "no CPU-clock samples: `should-i-async doctor`, or the log with -v, says why",
            Self::SameSiteAndSize => {
                "same site and size, after a block against after none; the program may do other work then"
            }
            Self::NoUserWindows => "no site has enough windows both after blocks and after none",
            Self::NoKernelWindows => "no site has enough calls both right after a block and after none",
        };
        plain.to_owned()
    }
}

impl InWords for Disagreement {
    fn in_words(&self) -> String {
        match self {
            Self::ColdSwitchPath => {
                "in place is dearer than calibrated: the target's working set and its many threads leave the switch path cold, \
                 which two threads on an idle machine do not"
            }
            Self::DearDirectCalls => {
                "in place is cheaper than calibrated: calls that did not block do more work here (longer messages, a busy \
                 lock), so that the difference is too small"
            }
            Self::InterruptsOff => {
                "samples see the switch path only where interrupts are on: what runs with them off is charged to the first \
                 instruction after it"
            }
        }
        .to_owned()
    }
}

/// Why the estimators disagree; `None` where they do not.
pub fn disagreement(why: &[Disagreement]) -> Option<String> {
    let reasons: Vec<String> = why.iter().map(InWords::in_words).collect();
    (!reasons.is_empty()).then(|| format!("they differ by more than a third: {}", reasons.join("; ")))
}

impl InWords for Coverage {
    fn in_words(&self) -> String {
        let windows = plural(self.windows, "window", "windows");
        let sites = plural(self.sites as u64, "site", "sites");
        let part = format!(", {} of {} blocks", count(self.blocks), count(self.of_blocks));
        format!("hardware counters: {windows} at {sites}{}", if self.blocks < self.of_blocks { &part } else { "" })
    }
}

impl InWords for Comparison {
    fn in_words(&self) -> String {
        match self {
            Self::CommonSlope => "same site, common slope".to_owned(),
            Self::OwnSlopes => "same site, slopes differ: at the blocked windows' mean instructions".to_owned(),
            Self::EqualInstructions => "same site, equal instructions: difference of the means".to_owned(),
            Self::OtherSites(1) => "no direct windows here: against one other site".to_owned(),
            Self::OtherSites(n) => format!("no direct windows here: against {} other sites", count(*n as u64)),
        }
    }
}

impl InWords for ipc::Note {
    fn in_words(&self) -> String {
        let plain = match self {
            Self::NoCountersBecause { said } => said,
            Self::NoWindow(left) => {
                let left = count(*left);
                return format!("no window after a return could be counted; {left} were left out");
            }
            Self::Counted(coverage) => return coverage.in_words(),
            Self::Borrowed(coverage, others) => {
                let counted = coverage.in_words();
                return format!("{counted}; {others} of them without direct calls, against other sites'");
            }
            Self::Compared(by) => return by.in_words(),
            Self::NoCounters => "no hardware counters ran: `should-i-async doctor` says why",
            Self::CyclesOnly => "the hardware counts cycles but no instructions",
            Self::NoUserTime => "no user-mode time in windows after blocks",
            Self::NoBlockWindows => "no windows after blocking-IO blocks",
            Self::FewBlockWindows => "fewer than 30 windows after blocks",
            Self::FewDirectWindows => "too few direct windows, here and at other sites",
            Self::KindsDiffer => {
                "instructions do not vary within a kind and differ between the kinds: a and b cannot be told apart"
            }
            Self::NothingVaries => {
                "no direct windows here, and the instructions do not vary: a and b cannot be told apart"
            }
            Self::FewSamples => super::ipc::FEW_SAMPLES,
            Self::NoRise => {
                "the cycles do not rise with the instructions at the curve's end: noise is larger than the curve"
            }
            Self::StillRising => {
                "the IPC still rises at the end of the curve: windows are too short for a steady state"
            }
            Self::NotRecovered => "not recovered by the end of the curve",
            Self::NoFall => "no fall seen: from the return on within 5 % of the steady IPC",
            Self::FallTooNoisy => "too noisy to tell from no fall at all",
            Self::RecoveryTooNoisy => "too noisy to tell where the steady IPC is reached",
        };
        plain.to_owned()
    }
}
