//! IPC after returns, from hardware counters: instructions and cycles that follow a block, a call
//! without a block, and a preemption.
//!
//! [`fit`] finds what a block costs at a site: cycles = a + b·instructions over whole windows, a of
//! the windows after blocks less a of those after none. [`curve`] shows how that comes about: the
//! IPC over the instructions since the return.

mod before;
mod comparison;
mod curve;
mod fit;
#[cfg(test)]
pub(crate) mod made;
mod note;
mod sums;
#[cfg(test)]
mod tests;

pub use before::Before;
pub use comparison::Comparison;
pub use curve::{Curve, MIN_SAMPLES as MIN_CURVE_SAMPLES, Point, RECOVERED};
pub use fit::{BlockCycles, KindFit, Line, MIN_WINDOWS, SiteFit};
pub use note::{Coverage, Note};
use std::collections::HashMap;

use super::effect::Effect;
use crate::event::{IpcCounts, IpcRecord, Windows, ipc_layout};
use crate::{
    aggregate::Window,
    event::{BlockClass, Family, Place, SiteRecord},
    quantity::{Estimate, Figure},
};
use sums::Centred;

/// Counters beside cycles and instructions.
pub const EXTRA_NAMES: [&str; ipc_layout::extra::EXTRAS] = ["LLC misses", "dTLB misses", "branch misses"];

/// All windows of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KindIpc {
    /// What came before them.
    pub before: Before,
    /// Windows after returns of this kind.
    pub windows: u64,
    /// Mean instructions of a window, user mode.
    pub instructions: f64,
    /// Instructions per cycle in user mode; none for a single window.
    pub user: Option<Estimate>,
    /// Instructions per cycle with the kernel's, from the return's tracepoint to the window's end.
    pub all: Option<f64>,
    /// Misses per 1000 instructions, by [`EXTRA_NAMES`]; none where they were not counted.
    pub misses: [Option<f64>; ipc_layout::extra::EXTRAS],
}

impl KindIpc {
    fn new(before: Before, windows: &Windows, extras: [bool; ipc_layout::extra::EXTRAS]) -> Option<Self> {
        let c = Centred::from_pairs(&windows.user)?;
        let instructions = windows.user.instructions as f64;
        let per_thousand = |(&n, on): (&u64, bool)| (on && instructions > 0.0).then(|| n as f64 / instructions * 1e3);
        let mut misses = [None; ipc_layout::extra::EXTRAS];
        misses.iter_mut().zip(windows.extras.iter().zip(extras).map(per_thousand)).for_each(|(to, from)| *to = from);
        Some(Self {
            before,
            windows: windows.user.count,
            instructions: c.x,
            user: c.ipc(),
            all: (windows.all_cycles > 0).then(|| windows.all_instructions as f64 / windows.all_cycles as f64),
            misses,
        })
    }
}

/// Everything that hardware counters told.
#[derive(Clone, Debug, PartialEq)]
pub struct Ipc {
    /// By what came before; kinds without windows left out.
    pub kinds: Vec<KindIpc>,
    /// By site, the one with the most windows after blocks first.
    pub sites: Vec<SiteFit>,
    /// Curves, by what came before; kinds without samples left out.
    pub curves: Vec<Curve>,
    /// Clock rate in the windows after blocks, cycles per ns.
    pub clock: Figure<f64, Note>,
    /// Indirect cost of a blocking-IO block in user mode, cycles.
    pub cycles: Figure<Estimate, Note>,
    /// The same in ns, and over all blocking-IO blocks of the measurement.
    pub cost: Figure<Effect, Note>,
    /// What counted and what was left out.
    pub counts: IpcCounts,
    /// Overflow samples that the kernel's perf events lost or throttled.
    pub samples_lost: u64,
    /// One in so many returns was followed, at the end.
    pub every: u64,
    /// Instructions from one overflow sample to the next, at the end; 0: no samples.
    pub period: u64,
}

impl Ipc {
    /// What the window's record says; unavailable where there is none, for the reason that the
    /// outside knows, if any.
    pub(crate) fn new(window: &Window, reason: Option<&str>) -> Figure<Self, Note> {
        match &window.ipc {
            None => Figure::unavailable(
                reason.map_or(Note::NoCounters, |why| Note::NoCountersBecause { said: why.to_owned() }),
            ),
            Some(record) if !record.instructions => Figure::unavailable(Note::CyclesOnly),
            Some(record) if record.counts.windows == 0 && record.counts.samples == 0 => {
                let c = &record.counts;
                let left = c.switched + c.multiplexed + c.failed + c.too_long;
                Figure::unavailable(Note::NoWindow(left))
            }
            Some(record) => Figure::measured(Self::from_record(record, &window.sites)),
        }
    }

    fn from_record(record: &IpcRecord, known: &[SiteRecord]) -> Self {
        let mut all = [Windows::ZERO; ipc_layout::before::KINDS];
        for site in &record.sites {
            all.iter_mut().zip(&site.windows.kinds).for_each(|(sum, kind)| sum.merge(kind));
        }
        let kinds = Before::ALL.iter().filter_map(|&b| KindIpc::new(b, &all[b.index()], record.extras)).collect();
        let sites = fit::sites(&record.sites);
        let curves = Before::ALL
            .iter()
            .filter_map(|&b| Some(Curve::new(b, record.curves.get(b.index())?)))
            .filter(|c| c.samples > 0)
            .collect();
        let after = &all[Before::Blocked.index()];
        let clock = match after.user_ns {
            0 => Figure::unavailable(Note::NoUserTime),
            ns => Figure::measured(after.user.cycles as f64 / ns as f64),
        };
        let cycles = cycles(&sites, known);
        let cost = Self::cost(&cycles, &clock);
        Self {
            kinds,
            sites,
            curves,
            clock,
            cycles: cycles.map(|(_, c)| *c),
            cost,
            counts: record.counts,
            samples_lost: record.samples_lost,
            every: record.every,
            period: record.period,
        }
    }

    fn cost(cycles: &Figure<(u64, Estimate), Note>, clock: &Figure<f64, Note>) -> Figure<Effect, Note> {
        let Some(&rate) = clock.value().filter(|rate| **rate > 0.0) else {
            let why = if cycles.value().is_some() { clock.note() } else { cycles.note() };
            return Figure::unavailable(why.cloned().unwrap_or(Note::NoUserTime));
        };
        cycles.map(|&(blocks, cycles)| {
            let n = blocks as f64 / rate;
            Effect { per_block: cycles.value / rate, total: cycles.scaled(n), matched: blocks }
        })
    }

    /// The windows of a kind.
    pub fn kind(&self, before: Before) -> Option<&KindIpc> {
        self.kinds.iter().find(|k| k.before == before)
    }

    /// The curve of a kind.
    pub fn curve(&self, before: Before) -> Option<&Curve> {
        self.curves.iter().find(|c| c.before == before)
    }

    /// What was left out and why, with how often; what never happened is in it too.
    pub fn left_out(&self) -> [(LeftOut, u64); 7] {
        let c = &self.counts;
        [
            (LeftOut::Switched, c.switched),
            (LeftOut::Multiplexed, c.multiplexed),
            (LeftOut::Unreadable, c.failed),
            (LeftOut::TooLong, c.too_long),
            (LeftOut::SamplesOutside, c.samples_outside),
            (LeftOut::SamplesUnreadable, c.samples_failed),
            (LeftOut::SamplesLost, self.samples_lost),
        ]
    }
}

/// Why a window or a sample counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A window cut by a switch.
    Switched,
    /// A window whose counters shared the hardware with others.
    Multiplexed,
    /// A window with a counter that could not be read.
    Unreadable,
    /// A window of 2^32 cycles or instructions and more.
    TooLong,
    /// A sample outside of any window that was followed.
    SamplesOutside,
    /// A sample with a counter that could not be read.
    SamplesUnreadable,
    /// A sample that the kernel lost or throttled.
    SamplesLost,
}

/// Cycles of a blocking-IO block, with the blocks that it stands for: from sites that can be
/// compared with themselves where these have half of the blocks, else from all that can be
/// compared.
fn cycles(sites: &[SiteFit], known: &[SiteRecord]) -> Figure<(u64, Estimate), Note> {
    let io = |p: &Place| p.class.family() == Family::BlockingIo && p.class != BlockClass::BadFd;
    let blocks: HashMap<&Place, u64> =
        known.iter().filter(|s| io(&s.place)).map(|s| (&s.place, s.site.blocked_calls)).collect();
    let all: u64 = blocks.values().sum();
    let priced = |same_only: bool| {
        let known = |s: &SiteFit| s.place.as_ref().and_then(|p| blocks.get(p)).copied();
        let fits = sites.iter().filter(move |s| !same_only || s.cost.value().is_some_and(|c| c.by.same_site()));
        fit::Total::new(fits.filter_map(|s| Some((s, known(s)?))))
    };
    let (same, any) = (priced(true), priced(false));
    let mean = |total: &fit::Total| (total.blocks, total.per_block());
    let coverage = |total: &fit::Total| Coverage {
        windows: total.windows,
        sites: total.sites,
        blocks: total.blocks,
        of_blocks: all,
    };
    if same.blocks > 0 && 2 * same.blocks >= any.blocks {
        return Figure::measured(mean(&same)).noted(Note::Counted(coverage(&same)));
    }
    if any.blocks == 0 {
        let why = sites.iter().filter(|s| s.windows(Before::Blocked) > 0).find_map(|s| s.cost.note());
        return Figure::unavailable(why.cloned().unwrap_or(Note::NoBlockWindows));
    }
    let others = any.sites - same.sites;
    Figure::modelled(mean(&any), Note::Borrowed(coverage(&any), others))
}
