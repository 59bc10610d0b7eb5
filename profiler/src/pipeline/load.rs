//! The machine's load average while a target is measured: its ends, and how often the kernel
//! updated it in between.

use crate::{answer::LoadAverages, process, quantity::Nanos};

/// The kernel updates the averages this often (`LOAD_FREQ`, include/linux/sched/loadavg.h; a tick
/// more than five seconds).
const UPDATE: Nanos = Nanos::from_millis(5_010);

/// Reads the averages now and then. An update shows as a change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoadWatch {
    begun: Option<(Nanos, [f64; 3])>,
    now: Option<[f64; 3]>,
    changes: u32,
    last: Nanos,
}

impl LoadWatch {
    /// Looks once more; at least once in five seconds, or an update is missed.
    pub(super) fn look(&mut self, at: Nanos) {
        self.see(at, process::load_averages());
    }

    fn see(&mut self, at: Nanos, found: Option<[f64; 3]>) {
        let Some(found) = found else { return };
        if self.begun.is_none() {
            self.begun = Some((at, found));
        } else if self.now != Some(found) {
            self.changes += 1;
        }
        (self.now, self.last) = (Some(found), at);
    }

    pub(super) fn averages(&self) -> LoadAverages {
        let (Some((begun, [before, ..])), Some([after, ..])) = (self.begun, self.now) else {
            return LoadAverages::default();
        };
        // Where the load is steady an update changes nothing; how many there were does not matter
        // much then.
        let due = self.last.saturating_sub(begun).as_nanos() / UPDATE.as_nanos();
        let updates = self.changes.max(u32::try_from(due).unwrap_or(u32::MAX));
        LoadAverages { minute: Some((before, after)), updates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(looks: &[(u64, f64)]) -> LoadAverages {
        let mut watch = LoadWatch::default();
        for &(ms, minute) in looks {
            watch.see(Nanos::from_millis(ms), Some([minute, 1.0, 1.0]));
        }
        watch.averages()
    }

    #[test]
    fn updates_are_counted_where_they_can_be_seen() {
        let averages = seen(&[(0, 1.0), (250, 1.0), (500, 1.5), (5_400, 1.5), (5_500, 2.0), (6_000, 2.0)]);
        assert_eq!(averages, LoadAverages { minute: Some((1.0, 2.0)), updates: 2 });
        let steady = seen(&[(0, 1.0), (12_000, 1.0)]);
        assert_eq!(steady, LoadAverages { minute: Some((1.0, 1.0)), updates: 2 });
        let mut none = LoadWatch::default();
        none.see(Nanos::from_millis(1), None);
        assert_eq!(none.averages(), LoadAverages::default());
    }
}
