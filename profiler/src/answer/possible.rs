//! Whether what was measured can be: figures that no machine has never leave as a report.

use crate::{
    aggregate::Window,
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
}

/// Fails where the target's CPU, or a thread's time, is more than there was.
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
    }
    Ok(())
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
}
