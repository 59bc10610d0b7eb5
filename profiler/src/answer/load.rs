//! answer/load: how much of the machine's load average the target makes. The kernel counts threads
//! that run, that could run, and that sleep uninterruptibly (`calc_load_fold_active`,
//! kernel/sched/loadavg.c); the last of these use no CPU.

use super::{
    inputs::{Inputs, LoadAverages},
    note::Note,
};
use crate::{
    aggregate::{LoadTimes, Window},
    quantity::{Estimate, Figure, Nanos, bootstrap},
};

/// The average of one minute keeps this share of itself at each update (`EXP_1` of `FIXED_1`,
/// include/linux/sched/loadavg.h).
const KEPT: f64 = 1884.0 / 2048.0;
/// A load of so many threads or more, most of it asleep, is worth a line of the evidence.
const NOTABLE: f64 = 1.0;

/// Mean numbers of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// On a CPU.
    pub on_cpu: Estimate,
    /// Waiting for a CPU.
    pub runnable: Estimate,
    /// Asleep for a disk.
    pub disk: Estimate,
    /// In another uninterruptible sleep.
    pub other: Estimate,
    /// All of them.
    pub total: Estimate,
    /// What the kernel said of the whole machine meanwhile.
    pub machine: Option<MachineLoad>,
}

/// The load average of one minute of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineLoad {
    /// When the measurement began, and when it ended.
    pub before: f64,
    pub after: f64,
    /// The mean number of threads that moved it from the one to the other; `None` where it was not
    /// updated meanwhile.
    pub mean: Option<f64>,
}

impl Load {
    pub(crate) fn new(window: &Window, inputs: &Inputs) -> Figure<Self, Note> {
        let times = LoadTimes::new(window);
        // Recordings from before it was counted have no averages.
        match inputs.load_averages.filter(|_| times.measured > Nanos::ZERO) {
            Some(averages) => Figure::measured(Self::from_times(times, &inputs.loads, averages)),
            None => Figure::unavailable(Note::NotCounted),
        }
    }

    fn from_times(times: LoadTimes, windows: &[LoadTimes], averages: LoadAverages) -> Self {
        let mean = |of: &dyn Fn(&LoadTimes) -> Nanos| {
            let value = of(&times).ratio_to(times.measured);
            let each: Vec<(f64, f64)> =
                windows.iter().map(|w| (of(w).as_nanos() as f64, w.measured.as_nanos() as f64)).collect();
            // Windows stand for all of the time: their spread says how well.
            match bootstrap::ratio(&each) {
                Some(spread) => Estimate::with_half_width(value, spread.half_width()),
                None => Estimate::exact(value),
            }
        };
        Self {
            on_cpu: mean(&|t| t.on_cpu),
            runnable: mean(&|t| t.runnable),
            disk: mean(&|t| t.disk),
            other: mean(&|t| t.other),
            total: mean(&|t| t.on_cpu + t.runnable + t.disk + t.other),
            machine: MachineLoad::new(averages),
        }
    }

    /// Those that use no CPU.
    pub fn asleep(&self) -> f64 {
        self.disk.value + self.other.value
    }

    /// Whether most of it uses no CPU, and it is enough to be asked about.
    pub fn is_mostly_asleep(&self) -> bool {
        self.total.value >= NOTABLE && self.asleep() > 0.5 * self.total.value
    }
}

impl MachineLoad {
    fn new(averages: LoadAverages) -> Option<Self> {
        let (before, after) = averages.minute?;
        // Each update: load = load × KEPT + threads × (1 − KEPT).
        let kept = KEPT.powf(f64::from(averages.updates));
        let mean = (averages.updates > 0).then(|| ((after - before * kept) / (1.0 - kept)).max(0.0));
        Some(Self { before, after, mean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averages(before: f64, after: f64, updates: u32) -> LoadAverages {
        LoadAverages { minute: Some((before, after)), updates }
    }

    #[test]
    fn the_machines_mean_is_what_moved_its_average() {
        let mut load = 2.0;
        for _ in 0..12 {
            load = load * KEPT + 40.0 * (1.0 - KEPT);
        }
        let found = MachineLoad::new(averages(2.0, load, 12)).unwrap();
        assert!((found.mean.unwrap() - 40.0).abs() < 1e-9, "{found:?}");
        assert_eq!(MachineLoad::new(averages(2.0, 2.0, 0)).unwrap().mean, None, "no update says nothing");
        assert_eq!(MachineLoad::new(LoadAverages::default()), None);
    }

    #[test]
    fn times_are_mean_numbers_of_threads() {
        let ms = Nanos::from_millis;
        let times = LoadTimes { measured: ms(100), on_cpu: ms(50), runnable: ms(25), disk: ms(3_800), other: ms(200) };
        let load = Load::from_times(times, &[], averages(1.0, 2.0, 1));
        assert_eq!(load.total, Estimate::exact(40.75));
        assert_eq!((load.asleep(), load.is_mostly_asleep()), (40.0, true));
        let busy = Load::from_times(LoadTimes { disk: ms(0), other: ms(0), ..times }, &[], averages(1.0, 2.0, 1));
        assert!(!busy.is_mostly_asleep());
        // Three windows of which one had no sleeper.
        let window = |disk| LoadTimes { measured: ms(10), disk: ms(disk), ..LoadTimes::default() };
        let sampled = Load::from_times(window(20), &[window(20), window(0), window(30)], averages(1.0, 2.0, 1));
        assert!(sampled.disk.half_width() > 0.5, "{sampled:?}");
    }
}
