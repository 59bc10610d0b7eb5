//! The hardware counters' figures in words, for every screen and every file.

use super::in_words::{InWords, note};
use crate::{
    cost::ipc::{Before, Curve, EXTRA_NAMES, Ipc, KindFit, KindIpc, LeftOut, RECOVERED, SiteFit},
    quantity::Estimate,
    text::numbers::{NA, count, count_in_range, decimal, decimal_in_range, plural, span, whole, whole_percent},
};

/// What curves of the IPC are over.
pub const SINCE_THE_RETURN: &str = "instructions since the return to user mode";

impl Estimate {
    /// The figure with this many digits, and its 90 % interval: `1.99 (1.97–2.01)`.
    pub fn words(&self, digits: usize) -> String {
        decimal_in_range(*self, digits)
    }

    /// A number of cycles or instructions.
    pub fn whole(&self) -> String {
        count_in_range(*self)
    }
}

impl LeftOut {
    /// What was left out, after how many.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Switched => "windows cut by a switch",
            Self::Multiplexed => "windows with counters multiplexed",
            Self::Unreadable => "windows with a counter that could not be read",
            Self::TooLong => "windows of 2^32 cycles or instructions and more",
            Self::SamplesOutside => "samples outside of any window followed",
            Self::SamplesUnreadable => "samples that could not be read",
            Self::SamplesLost => "samples that the kernel lost or throttled",
        }
    }
}

impl KindIpc {
    /// Cells of one row, in columns of [`Ipc::heading`].
    fn cells(&self, counted: &[usize]) -> Vec<String> {
        let mut cells = vec![
            self.before.name().to_owned(),
            count(self.windows),
            whole(self.instructions),
            self.user.map_or_else(|| NA.to_owned(), |ipc| ipc.words(3)),
            self.all.map_or_else(|| NA.to_owned(), |ipc| decimal(ipc, 3)),
        ];
        let misses = counted.iter().map(|&i| self.misses.get(i).copied().flatten());
        cells.extend(misses.map(|m| m.map_or_else(|| NA.to_owned(), |m| decimal(m, 2))));
        cells
    }
}

impl Ipc {
    fn counted_extras(&self) -> Vec<usize> {
        (0..EXTRA_NAMES.len()).filter(|&i| self.kinds.iter().any(|k| k.misses[i].is_some())).collect()
    }

    /// Heads of the columns of [`Ipc::rows`]; misses are per 1000 instructions, and only those that
    /// were counted.
    pub fn heading(&self) -> Vec<&'static str> {
        let mut heads = vec!["after a", "windows", "instructions", "IPC, user (90 %)", "with kernel"];
        heads.extend(self.counted_extras().into_iter().filter_map(|i| EXTRA_NAMES.get(i)));
        heads
    }

    /// A row per kind of return.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let extras = self.counted_extras();
        self.kinds.iter().map(|k| k.cells(&extras)).collect()
    }

    /// What was followed, what counted and what was left out.
    pub fn coverage(&self) -> String {
        let c = &self.counts;
        let mut text = format!(
            "1 of {} returns followed at the end ({} seen), {} counted",
            count(self.every.max(1)),
            count(c.returns),
            plural(c.windows, "window", "windows")
        );
        text += &match self.period {
            0 => format!("; {NO_SAMPLES}"),
            period => {
                format!(", {} one in {} instructions", plural(c.samples, "sample,", "samples,"), count(period))
            }
        };
        let left: Vec<String> = self
            .left_out()
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(what, n)| format!("{} {}", count(n), what.words()))
            .collect();
        text + "; left out: " + &if left.is_empty() { "none".to_owned() } else { left.join(", ") }
    }

    /// Why no curve can be drawn, where none can.
    pub const fn no_curve(&self) -> &'static str {
        if self.period == 0 { NO_SAMPLES } else { FEW_SAMPLES }
    }

    /// The indirect cost of a block, with where it comes from.
    pub fn cost_words(&self) -> String {
        match (self.cycles.value(), self.cost.value()) {
            (Some(cycles), Some(cost)) => {
                format!(
                    "{} cycles = {} each at {} GHz, {} blocks; {}: {}",
                    cycles.whole(),
                    span(cost.per_block),
                    decimal(self.clock.value().copied().unwrap_or(f64::NAN), 2),
                    count(cost.matched),
                    self.cost.provenance().name(),
                    note(&self.cost)
                )
            }
            _ => format!("{NA}: {}", note(&self.cost)),
        }
    }
}

impl SiteFit {
    /// `read TCP`, without the address.
    pub fn name(&self) -> String {
        self.place.as_ref().map_or_else(|| "no call".to_owned(), |p| format!("{} ({})", p.syscall, p.class.name()))
    }

    fn kind(&self, before: Before) -> Option<&KindFit> {
        self.kinds.iter().find(|k| k.before == before)
    }

    /// What a block costs at this site, and the lines that say so.
    pub fn words(&self) -> String {
        let mut text = match self.cost.value() {
            Some(cost) => format!("{} cycles per block, {}", cost.cycles.whole(), cost.by.in_words()),
            None => format!("{NA}: {}", note(&self.cost)),
        };
        for (before, of) in [(Before::Blocked, "after blocks"), (Before::Direct, "after none")] {
            let Some(kind) = self.kind(before) else { continue };
            text += &format!("; {of} {}", plural(kind.windows, "window", "windows"));
            if let Some(line) = kind.line {
                text += &format!(", a {}, b {}", line.a.whole(), line.b.words(3));
            }
        }
        text
    }
}

impl Curve {
    /// What the curve says.
    pub fn words(&self) -> String {
        let samples = plural(self.samples, "sample", "samples");
        let (Some(steady), Some(lost)) = (self.steady.value(), self.lost.value()) else {
            return format!("{samples}; {NA}: {}", note(&self.steady));
        };
        let recovered = match self.recovered.value() {
            Some(at) => {
                format!("{} of it after {} instructions", whole_percent(RECOVERED), at.whole())
            }
            None => note(&self.recovered),
        };
        format!("{samples}; steady IPC {}, {recovered}; {} cycles lost until then", steady.words(3), lost.whole())
    }
}

/// The title of the recovery curves.
pub const CURVES: &str = "IPC over the instructions since a return";

/// Why there is no curve, where counters count and cannot sample.
pub const NO_SAMPLES: &str = "no overflow samples, and so no curve: `should-i-async doctor` says why";

/// Why there is no curve, where counters sample.
pub(super) const FEW_SAMPLES: &str = "too few overflow samples for a curve: measure longer, or under load";

/// The curves' small print.
pub const SURVIVORS: &str = "A point rests on the windows that last that many instructions: far to the right these are the long \
                             ones alone.";
