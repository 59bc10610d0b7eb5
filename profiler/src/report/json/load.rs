//! The target's part of the load average in JSON.

use super::figure::Figure;
use crate::{
    answer::{self, MachineLoad, Note},
    quantity::{self, Estimate},
    words,
};
use schemars::JsonSchema;
use serde::Serialize;

/// What the target adds to the machine's load average, in mean numbers of threads. The kernel
/// counts threads that run, that could run, and that sleep uninterruptibly (state D); the last of
/// these use no CPU.
#[derive(Serialize, JsonSchema)]
pub(super) struct Load {
    /// Threads of the target that counted, in the mean.
    total_count: Figure<f64>,
    /// Lower end of the 90 % interval of `total_count`: the figure itself where all of the time was
    /// measured.
    total_low_count: Figure<f64>,
    /// Upper end of it.
    total_high_count: Figure<f64>,
    /// Of `total_count`: on a CPU.
    on_cpu_count: Figure<f64>,
    /// Of `total_count`: waiting for a CPU.
    runnable_count: Figure<f64>,
    /// Of `total_count`: asleep for a disk.
    disk_sleep_count: Figure<f64>,
    /// Of `total_count`: in another uninterruptible sleep.
    other_sleep_count: Figure<f64>,
    /// The machine's load average of one minute when the measurement began.
    machine_before_count: Figure<f64>,
    /// The same when it ended.
    machine_after_count: Figure<f64>,
    /// The mean number of threads of the machine that moved it from the one to the other.
    machine_mean_count: Figure<f64>,
}

impl Load {
    pub(super) fn new(load: &quantity::Figure<answer::Load, Note>) -> Self {
        let of = |pick: fn(&answer::Load) -> f64| Figure::derived(load, load.value().map(pick), words::NOT_A_NUMBER);
        let machine = |pick: fn(&MachineLoad) -> Option<f64>| {
            let value = load.value().and_then(|load| load.machine.as_ref()).and_then(pick);
            Figure::maybe(value.filter(|value| value.is_finite()), words::NO_LOAD_AVERAGE)
        };
        let end = |pick: fn(Estimate) -> f64| {
            Figure::derived(load, load.value().map(|load| pick(load.total)), words::NOT_A_NUMBER)
        };
        Self {
            total_count: of(|load| load.total.value),
            total_low_count: end(|total| total.low),
            total_high_count: end(|total| total.high),
            on_cpu_count: of(|load| load.on_cpu.value),
            runnable_count: of(|load| load.runnable.value),
            disk_sleep_count: of(|load| load.disk.value),
            other_sleep_count: of(|load| load.other.value),
            machine_before_count: machine(|machine| Some(machine.before)),
            machine_after_count: machine(|machine| Some(machine.after)),
            machine_mean_count: machine(|machine| machine.mean),
        }
    }
}
