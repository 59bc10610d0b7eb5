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
    /// How long it was watched; 0 in recordings that do not tell.
    #[serde(default)]
    pub wall: Nanos,
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
    /// CPUs it kept busy before the programs were attached, where that is known.
    pub(super) busy: Option<f64>,
}

/// CPUs that are not full, as a share: what `/proc` tells in a quarter of a second is no more exact.
const FREE: f64 = 0.93;

impl Alone {
    /// What the hooks did to the target beyond their own run time, without which it took `own`, ns: as far as that is more than parts
    /// of the baseline differ by. A machine is not as fast in one half second as in the next, and costs are of the measured
    /// interval.
    pub(super) fn excess(&self, own: f64) -> f64 {
        (own - self.cpu * (1.0 + self.unsteady)).max(0.0)
    }

    /// Whether the hooks took most of what the target left free without them: then its requests queue as they do not when
    /// nobody looks.
    pub(super) fn was_filled(&self, cpu: &CpuLedger, seconds: f64, cpus: u32) -> bool {
        let with = cpu.total.as_nanos() as f64 / 1e9 / seconds.max(1e-9);
        // As many CPUs as it fills now: a target of one thread fills one, however many it may use.
        let most = with.round().clamp(1.0, f64::from(cpus.max(1)));
        self.busy.is_some_and(|busy| busy <= FREE * most && with - busy > (most - busy) / 2.0)
    }

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
        // Only before the programs came: what had queued up under them is still worked off after them.
        let before = &parts[..parts.len() / 2];
        let wall: Nanos = before.iter().map(|b| b.wall).sum();
        let used: Nanos = before.iter().map(|b| b.cpu).sum();
        let busy = (wall > Nanos::ZERO).then(|| used.as_nanos() as f64 / wall.as_nanos() as f64);
        Some(Self { cpu: alone, unsteady: 1.645 * variance.sqrt() / mean, busy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hooks_did_counts_beyond_what_the_machine_does_by_itself() {
        let alone = Alone { cpu: 1_000.0, unsteady: 0.1, busy: None };
        assert_eq!([1_050.0, 1_100.0, 1_300.0].map(|own| alone.excess(own).round()), [0.0, 0.0, 200.0]);
    }
}
