//! Whether what was measured can be: figures that no machine has never leave as a report.

use crate::{
    aggregate::{ThreadTotals, Window},
    quantity::{Nanos, Tid},
};

/// A sum may be beyond its bound by this share, and by this much, before it cannot be: clocks of
/// CPUs differ, and a window's ends are seen at slightly different moments.
const NOISE: f64 = 0.05;
const LITTLE: Nanos = Nanos::from_millis(50);

/// More time than there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible {
    pub whose: Whose,
    /// How much was found.
    pub found: Nanos,
    /// How much there was.
    pub room: Nanos,
}

/// Which time cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// CPU of the whole target.
    Cpu,
    /// CPU of one thread.
    ThreadCpu(Tid),
    /// What one thread waited.
    ThreadWaits(Tid),
    /// All that one thread did and waited.
    ThreadTime(Tid),
    /// CPU that the kernel did not charge, of all that the tracepoints saw: what is left is
    /// negative.
    Uncharged,
}

/// Fails where the target's CPU, or a thread's time, is more than there was, or less than nothing.
///
/// # Errors
///
/// The first figure that cannot be.
pub fn possible(window: &Window, cpus: u32) -> Result<(), Impossible> {
    let bound = |whose, found: Nanos, room: Nanos| {
        let most = Nanos::from_nanos((room.as_nanos() as f64 * (1.0 + NOISE)) as u64) + LITTLE;
        if found > most { Err(Impossible { whose, found, room }) } else { Ok(()) }
    };
    if cpus > 0 {
        let cpu = window.threads.iter().map(|thread| thread.cpu()).sum();
        bound(Whose::Cpu, cpu, Nanos::from_nanos(window.measured.as_nanos().saturating_mul(u64::from(cpus))))?;
    }
    for thread in &window.threads {
        bound(Whose::ThreadCpu(thread.tid), thread.cpu(), window.measured)?;
        bound(Whose::ThreadWaits(thread.tid), thread.blocked(), window.measured)?;
        bound(Whose::ThreadTime(thread.tid), thread.wall + thread.excess, thread.wall)?;
    }
    let sums = window.sums();
    let seen = window.threads.iter().map(ThreadTotals::cpu).sum::<Nanos>()
        + Nanos::from_nanos(window.pooled.user + window.pooled.kernel);
    let uncharged = u64::try_from(sums.charge().saturating_neg()).unwrap_or(0);
    bound(Whose::Uncharged, Nanos::from_nanos(uncharged), seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::ThreadTotals, event::Sums};

    fn window(cpu: u64) -> Window {
        let thread = ThreadTotals::running(7, 7, Nanos::from_millis(600), Sums { user: cpu, ..Sums::ZERO });
        Window { measured: Nanos::from_millis(600), threads: vec![thread.clone(), thread], ..Window::default() }
    }

    #[test]
    fn more_time_than_there_was_cannot_be() {
        assert_eq!(possible(&window(590_000_000), 2), Ok(()));
        assert_eq!(possible(&window(620_000_000), 2), Ok(()), "clocks differ a little");
        let found = possible(&window(590_000_000), 1).unwrap_err();
        assert_eq!((found.whose, found.room), (Whose::Cpu, Nanos::from_millis(600)));
        let found = possible(&window(200_001_000_000_000), 0).unwrap_err();
        assert!(matches!(found.whose, Whose::ThreadCpu(_)), "{found:?}");
    }

    #[test]
    fn less_than_nothing_cannot_be() {
        let charged = |charge_other: i64| {
            let mut window = window(100_000_000);
            window.threads[0].sums.charge_other = charge_other;
            possible(&window, 2)
        };
        assert_eq!(charged(5_000_000), Ok(()));
        assert_eq!(charged(-190_000_000), Ok(()), "nearly all of it was stolen");
        assert_eq!(charged(-240_000_000), Ok(()), "within the noise");
        assert_eq!(charged(-300_000_000).unwrap_err().whose, Whose::Uncharged);
        let mut stolen = window(100_000_000);
        stolen.threads[1].sums.uncharged = 900_000_000;
        assert_eq!(possible(&stolen, 2).unwrap_err().whose, Whose::Uncharged);
    }

    #[test]
    fn a_thread_does_not_wait_while_it_runs() {
        let counted = |ms: u64| {
            let mut window = window(100_000_000);
            window.threads[1].excess = Nanos::from_millis(ms);
            possible(&window, 2)
        };
        assert_eq!(counted(60), Ok(()), "a few moments of each end");
        let found = counted(400).unwrap_err();
        assert!(matches!(found.whose, Whose::ThreadTime(_)) && found.found == Nanos::from_millis(1_000), "{found:?}");
    }
}
