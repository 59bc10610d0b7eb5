//! The pace of the target's CPUs while it is measured: a thread on each of them takes the yardstick
//! now and then, so that prices that were measured at another pace can be brought to this one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    calibrate::pace::{reachable, settle_on, yardstick},
    process::{self, Target},
};

/// How often the yardstick is taken on a CPU: 16 µs of work each time, less than two thousandths of
/// the CPU.
const EVERY: Duration = Duration::from_millis(10);
/// CPUs that are watched at most; of more, as many at equal distances.
const MOST_CPUS: usize = 16;
/// Fewest yardsticks that a pace is the mean of.
const MIN_YARDSTICKS: f64 = 5.0;

/// The yardsticks so far: how many, and the sum of the logarithms of their ns. The difference of
/// two such values is what came between them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    count: f64,
    logs: f64,
}

impl Taken {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, logs: self.logs + other.logs }
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self { count: self.count - other.count, logs: self.logs - other.logs }
    }

    /// The mean pace, ns a yardstick. It is the geometric mean, which lies between the mean over
    /// time and the mean over work.
    pub(super) fn pace(self) -> Option<f64> {
        (self.count >= MIN_YARDSTICKS).then(|| (self.logs / self.count).exp())
    }
}

/// Takes yardsticks until it is dropped.
pub(super) struct PaceWatch {
    stop: Arc<AtomicBool>,
    taken: Arc<Mutex<Taken>>,
}

impl PaceWatch {
    /// Starts a thread on each of the CPUs that the target may use.
    pub(super) fn begin(target: &Target) -> Self {
        let watch = Self { stop: Arc::default(), taken: Arc::default() };
        let reachable = reachable();
        let mut cpus = process::cpus(target);
        // A mask may name CPUs that are not there, or not ours.
        cpus.retain(|cpu| reachable.contains(cpu));
        for &cpu in cpus.iter().step_by(cpus.len().div_ceil(MOST_CPUS).max(1)) {
            let (stop, taken) = (Arc::clone(&watch.stop), Arc::clone(&watch.taken));
            let thread = std::thread::Builder::new().name("sia-pace".into()).spawn(move || {
                // A CPU that has gone meanwhile has no pace.
                if settle_on(cpu).is_ok() {
                    take(&stop, &taken);
                }
            });
            if let Err(error) = thread {
                log::warn!("the pace of CPU {cpu} is not known: {error}");
            }
        }
        watch
    }

    /// All yardsticks so far.
    pub(super) fn so_far(&self) -> Taken {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The yardsticks since `then`.
    pub(super) fn since(&self, then: Taken) -> Taken {
        self.so_far().less(then)
    }
}

impl Drop for PaceWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn take(stop: &AtomicBool, taken: &Mutex<Taken>) {
    while !stop.load(Ordering::Relaxed) {
        let log = yardstick().ln();
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.plus(Taken { count: 1.0, logs: log });
        drop(taken);
        std::thread::sleep(EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_that_of_the_time_between_two_readings() {
        let [fast, slow] = [8.0_f64, 32.0].map(|ns| Taken { count: 10.0, logs: 10.0 * ns.ln() });
        assert!((fast.plus(slow).pace().unwrap() - 16.0).abs() < 1e-9);
        assert_eq!(Taken { count: 4.0, logs: 9.0 }.pace(), None);
    }
}
