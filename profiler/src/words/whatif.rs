//! The prediction in words: its title, why there is none, and what its figures rest on.

use super::{
    in_words::InWords,
    machine::prices,
    predict::{missed, missed_on},
    quota::of_a_quota,
};
use crate::{
    predict::{Kind, Scenario, WhatIf},
    text::numbers::{NA, cpus, decimal, percent, plural, range},
};

/// What intervals of a kind rest on, and the machines that it was measured on.
pub fn intervals(kind: Kind) -> String {
    format!("{}, measured on {}", missed(kind), missed_on())
}

impl Scenario {
    /// The columns of [`Self::cells`]: the way, five figures, and what the way does.
    pub const COLUMNS: [&str; 7] = ["", "saving", "90 %", "CPU s/s", "sleeps/block", "events/wait", ""];

    /// Its line in a table.
    pub fn cells(&self) -> [String; 7] {
        [
            self.way.name().to_owned(),
            percent(self.saving.value),
            range(self.saving),
            cpus(self.cpu_per_second.value),
            decimal(self.sleeps_per_block, 2),
            decimal(self.events_per_wait, 1),
            self.way.words().to_owned(),
        ]
    }
}

impl WhatIf {
    /// What its figures are.
    pub const TITLE: &str = "what async would give back, in % of the target's CPU";
    /// The heading of advice that needs no rewrite.
    pub const CHEAPER: &str = "cheaper first";

    /// Why there is no figure; `None` where there are some.
    pub fn refusal(&self) -> Option<String> {
        self.refused.as_ref().map(|why| format!("{NA}: {}", why.in_words()))
    }

    /// What the figures for this many loops rest on.
    pub fn basis(&self, loops: u32) -> String {
        let source = self.priced.as_ref().map_or_else(|| "none were needed".to_owned(), |p| prices(&p.source));
        let intervals =
            self.scenarios.first().map_or_else(String::new, |s| format!("; intervals: {}", intervals(s.kind)));
        let quota = self.quota.filter(|&cpus| cpus < f64::from(self.allowed_cpus));
        format!(
            "modelled: {} on {}; {}; prices: {source}{intervals}",
            plural(loops.into(), "event loop", "event loops"),
            quota.map_or_else(|| plural(self.allowed_cpus.into(), "CPU", "CPUs"), of_a_quota),
            self.ground.sleeps(),
        )
    }
}
