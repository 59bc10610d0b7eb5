//! The target when nobody looks: what shares are of, and how steady it is.

use super::CpuLedger;
use crate::units::Nanos;

/// The target while nothing is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Baseline {
    /// CPU of its processes.
    pub cpu: Nanos,
    /// Voluntary switches of its threads.
    pub voluntary: u64,
}

/// Voluntary switches below which baselines say nothing.
const MIN_SWITCHES: u64 = 200;

/// What the baselines say of the measured interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Alone {
    /// CPU for as many voluntary switches without the programs, ns.
    pub(super) cpu: f64,
    /// Half the 90 % interval of the CPU per switch of a part, as a share: no difference of two runs is known better.
    pub(super) unsteady: f64,
}

impl Alone {
    /// `None` where no baseline is good enough, or where the target did something else meanwhile.
    pub(super) fn of(parts: &[Baseline], cpu: &CpuLedger, voluntary: u64) -> Option<Self> {
        let switches: u64 = parts.iter().map(|b| b.voluntary).sum();
        let used: Nanos = parts.iter().map(|b| b.cpu).sum();
        let total = cpu.total.as_nanos() as f64;
        let mean = used.as_nanos() as f64 / switches.max(1) as f64;
        let alone = mean * voluntary as f64;
        if switches < MIN_SWITCHES || !(0.5 * total..=total).contains(&alone) {
            return None;
        }
        let each: Vec<f64> =
            parts.iter().filter(|b| b.voluntary > 0).map(|b| b.cpu.as_nanos() as f64 / b.voluntary as f64).collect();
        let variance = each.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (each.len().max(2) - 1) as f64;
        Some(Self { cpu: alone, unsteady: 1.645 * variance.sqrt() / mean })
    }
}
