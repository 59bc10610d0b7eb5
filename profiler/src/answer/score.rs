//! The score: blocking-IO overhead as a share of the target's CPU, with its interval.

use std::{collections::HashMap, sync::Arc};

use super::{
    inputs::{Inputs, Slice},
    ledger::CpuLedger,
    note::Note,
};
use crate::{
    aggregate::Window,
    cost::{self, Bases, Indirect, Pools},
    event::{Family, Place},
    quantity::{Estimate, Figure, Nanos, bootstrap},
};

/// What blocking costs, as a share of the target's CPU.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Direct cost of blocking-IO blocks as a share of the target's CPU.
    pub direct: Figure<f64, Note>,
    /// 90 % interval of it.
    pub interval: Option<Estimate>,
    /// Indirect cost of blocks, as a share of the target's CPU.
    pub indirect: Figure<f64, cost::Note>,
}

/// Fewest slices whose spread says something.
const MIN_SLICES: usize = 5;

/// Direct cost and CPU between each two slices, ns.
fn slice_costs(window: &Window, pools: &Pools<'_>, slices: &[Arc<Slice>]) -> Vec<(f64, f64)> {
    // What a call would cost without its block, by place: the same for all slices, so that only
    // time varies.
    let base: HashMap<&Place, f64> = window
        .sites
        .iter()
        .filter(|s| s.place.class.family() == Family::BlockingIo)
        .filter_map(|s| {
            let blocked = s.site.cpu_blocked();
            Some((&s.place, blocked.sum as f64 / blocked.count as f64 - pools.direct(s)?.per_call))
        })
        .collect();
    let cost = |slice: &Slice| -> f64 {
        let at_site = |(place, calls, cpu): &(Place, u64, Nanos)| {
            base.get(place).map_or(0.0, |base| cpu.as_nanos() as f64 - base * *calls as f64)
        };
        slice.blocked.iter().map(at_site).sum()
    };
    let costs: Vec<f64> = slices.iter().map(|slice| cost(slice)).collect();
    slices
        .windows(2)
        .zip(costs.windows(2))
        .filter_map(|(pair, costs)| {
            let cpu = pair[1].cpu.saturating_sub(pair[0].cpu).as_nanos() as f64;
            (cpu > 0.0).then(|| (costs[1] - costs[0], cpu))
        })
        .collect()
}

/// An interval around the value, as wide as the bootstrap over parts of the measurement says.
fn around(value: f64, windows: &[(f64, f64)]) -> Option<Estimate> {
    Some(Estimate::with_half_width(value, bootstrap::ratio(windows)?.half_width()))
}

/// Direct cost of the blocking-IO blocks of a window as a share of its CPU, based on its own calls
/// alone; `None` where that gives no figure.
pub fn direct_share(window: &Window) -> Option<f64> {
    let sums = window.sums();
    let pools = Pools::new(&window.sites, Bases::new(window, &sums, None, None));
    let cpu = CpuLedger::new(window, &sums, &pools);
    let total = cpu.total.as_nanos() as f64;
    cpu.blocking_io.value().filter(|_| total > 0.0).map(|ns| ns / total)
}

impl Score {
    pub(crate) fn new(
        window: &Window,
        cpu: &CpuLedger,
        pools: &Pools<'_>,
        inputs: &Inputs,
        indirect: &Indirect,
    ) -> Self {
        let total = cpu.total.as_nanos() as f64;
        let indirect = indirect.total().map(|e| e.total.value / total.max(1.0));
        if cpu.total == Nanos::ZERO {
            let direct = Figure::unavailable(Note::NoCpu);
            return Score { direct, interval: None, indirect };
        }
        let direct = cpu.blocking_io.map(|ns| ns / total);
        let slices = slice_costs(window, pools, &inputs.slices);
        let interval = if inputs.shares.len() > 1 {
            // Sampled: the spread of the windows says how well they stand for the whole.
            {
                let windows: Vec<_> = inputs.shares.iter().map(|&share| (share, 1.0)).collect();
                direct.value().and_then(|&d| around(d, &windows))
            }
        } else {
            let half: f64 = window
                .sites
                .iter()
                .filter(|s| s.place.class.family() == Family::BlockingIo)
                .filter_map(|s| pools.direct(s))
                .map(|c| c.total.half_width().powi(2))
                .sum::<f64>()
                .sqrt();
            let means = direct.value().map(|&d| Estimate::with_half_width(d, half / total));
            // The spread over time shows that machine and load change, which the errors of the
            // means do not.
            let over_time = direct.value().filter(|_| slices.len() >= MIN_SLICES).and_then(|&d| around(d, &slices));
            means.zip(over_time).map(|(a, b)| if b.half_width() > a.half_width() { b } else { a }).or(means)
        };
        Score { direct, interval, indirect }
    }
}
