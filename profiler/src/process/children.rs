//! process/children: what the processes below a target do while it is measured without them.

use std::collections::{HashMap, HashSet};

use super::proc::{self, Stat};
use super::thread::cpu_time;
use crate::quantity::{Nanos, Tgid};

/// CPU of the processes below a target up to one moment.
#[derive(Clone, Debug, Default)]
pub struct Children {
    /// By PID and start, which together name one process.
    by_process: HashMap<(u32, u64), Nanos>,
    /// CPU of those that had ended and that their parents had waited for.
    ended: Nanos,
}

impl Children {
    /// Looks for all processes below these.
    pub fn below(target: impl Iterator<Item = Tgid>) -> Self {
        let mut below: HashMap<u32, Vec<(u32, Stat)>> = HashMap::new();
        let mut found = Self::default();
        let mut parents: Vec<u32> = target.map(Tgid::as_raw).collect();
        for pid in proc::all_pids().unwrap_or_default() {
            if let Ok(stat) = Stat::read(pid) {
                below.entry(stat.ppid).or_default().push((pid, stat));
            }
        }
        let mut seen: HashSet<u32> = parents.iter().copied().collect();
        found.ended = parents.iter().filter_map(|&pid| Stat::read(pid).ok()).map(|stat| stat.waited_for()).sum();
        while let Some(parent) = parents.pop() {
            for (pid, stat) in below.remove(&parent).unwrap_or_default() {
                // This process may be a child of the shell that it measures.
                if pid == std::process::id() || !seen.insert(pid) || stat.is_kernel_thread() {
                    continue;
                }
                parents.push(pid);
                found.add(pid, &stat);
            }
        }
        found
    }

    /// Looks again at the processes that were there at an earlier moment: cheap enough for every
    /// second.
    pub fn again(&self, target: impl Iterator<Item = Tgid>) -> Self {
        let ended = target.filter_map(|tgid| Stat::read(tgid.as_raw()).ok()).map(|stat| stat.waited_for()).sum();
        let mut found = Self { ended, ..Self::default() };
        for &(pid, started) in self.by_process.keys() {
            if let Ok(stat) = Stat::read(pid)
                && stat.started == started
            {
                found.add(pid, &stat);
            }
        }
        found
    }

    fn add(&mut self, pid: u32, stat: &Stat) {
        self.ended += stat.waited_for();
        let cpu = cpu_time(Tgid::from_raw(pid)).unwrap_or(Nanos::ZERO);
        self.by_process.insert((pid, stat.started), cpu);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.by_process.len() as u64
    }

    /// CPU that was used since an earlier moment, by those that ended meanwhile too. (What a child
    /// had used by then moves to the account of its parent, who waits for it.)
    pub fn since(&self, earlier: &Self) -> Nanos {
        self.all().saturating_sub(earlier.all())
    }

    fn all(&self) -> Nanos {
        self.by_process.values().copied().sum::<Nanos>() + self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ended_stays_in_the_sum() {
        let cpu = |ms| Nanos::from_millis(ms);
        let alive = Children { by_process: [((7, 1), cpu(400)), ((8, 1), cpu(100))].into(), ended: cpu(50) };
        let later = Children { by_process: [((8, 1), cpu(300)), ((9, 5), cpu(10))].into(), ended: cpu(460) };
        assert_eq!((later.count(), later.since(&alive)), (2, cpu(220)));
        assert_eq!(alive.since(&later), Nanos::ZERO, "a child that nobody waits for takes its account with it");
    }
}
