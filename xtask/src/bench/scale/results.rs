//! What was found: series over a size, kept as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    bench::figures::Spread,
    host::numbers::{bytes, hook_nanos, millis, percent},
};

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Axis {
    Threads,
    Processes,
    Sites,
    /// Seconds that a recording lasts.
    Recording,
}

impl Axis {
    pub(super) const ALL: [Self; 4] = [Self::Threads, Self::Processes, Self::Sites, Self::Recording];

    pub(super) fn sizes(self) -> &'static [u64] {
        match self {
            Self::Threads => &[10, 100, 1_000, 10_000, 50_000],
            Self::Processes => &[1, 100, 2_000],
            Self::Sites => &[10, 100, 1_000, 10_000, 100_000],
            Self::Recording => &[1, 4, 16, 48],
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Threads => "Threads",
            Self::Processes => "Processes",
            Self::Sites => "Sites",
            Self::Recording => "Seconds",
        }
    }
}

/// A figure of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// From exec until events count, seconds.
    Start,
    /// Mean run time of the kernel programs, ns.
    Event,
    /// CPU of `check` while it measures, of a core.
    Daemon,
    /// Largest resident size of `check`, bytes.
    Memory,
    /// From SIGINT until it is gone: harvest and report, seconds.
    End,
    /// CPU of `report` on a recording, seconds.
    Report,
    /// Size of a recording, bytes.
    File,
    /// Largest resident size of `record`, bytes.
    RecordMemory,
    /// CPU of `live`, of a core.
    Live,
    /// Largest resident size of `live`, bytes.
    LiveMemory,
}

impl Kind {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Event => "cost per event",
            Self::Daemon => "`check`, of a core",
            Self::Memory => "`check`, largest RSS",
            Self::End => "harvest and report",
            Self::Report => "CPU of `report`",
            Self::File => "recording",
            Self::RecordMemory => "`record`, largest RSS",
            Self::Live => "`live`, of a core",
            Self::LiveMemory => "`live`, largest RSS",
        }
    }

    pub(super) fn print(self, value: f64) -> String {
        match self {
            Self::Start | Self::End | Self::Report => millis(value),
            Self::Event => hook_nanos(value),
            Self::Daemon | Self::Live => percent(value),
            Self::Memory | Self::File | Self::RecordMemory | Self::LiveMemory => bytes(value),
        }
    }
}

/// One size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) size: u64,
    /// Why it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_run: Option<String>,
    /// Why it failed; it was not tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<String>,
    /// By figure, a value a round.
    pub(super) figures: BTreeMap<Kind, Vec<f64>>,
}

impl Row {
    /// Whether this machine can run it, and it has not failed yet.
    pub(super) fn runs(&self) -> bool {
        self.not_run.is_none() && self.failed.is_none()
    }

    pub(super) fn spread(&self, kind: Kind) -> Option<Spread> {
        Spread::from_values(self.figures.get(&kind)?.iter().copied())
    }
}

/// One axis, of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) axis: Axis,
    /// Date, commit, machine.
    pub(super) facts: Vec<(String, String)>,
    pub(super) rounds: u32,
    pub(super) rows: Vec<Row>,
}

impl Series {
    /// The figures that it has, in order.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.rows.iter().flat_map(|row| row.figures.keys().copied()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// A figure by size.
    pub(super) fn by_size(&self, kind: Kind) -> Vec<(u64, Option<Spread>)> {
        self.rows.iter().map(|row| (row.size, row.spread(kind))).collect()
    }
}

/// All axes that were measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) series: Vec<Series>,
}

impl Results {
    /// Puts a series in the place of the one before.
    pub(super) fn replace(&mut self, series: Series) {
        self.series.retain(|old| old.axis != series.axis);
        self.series.push(series);
        self.series.sort_by_key(|series| series.axis);
    }
}
