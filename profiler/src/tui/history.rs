//! What the charts over time are drawn from: a line per interval, as many as a wide screen shows.

use std::collections::VecDeque;

use crate::{
    answer::CpuLedger,
    feed::{Snapshot, State},
    quantity::Nanos,
};

/// Lines of the CPU ledger: names, names for narrow screens, glyphs. The glyphs tell them apart
/// where there is no colour.
pub(super) const PARTS: [(&str, &str, &str); 8] = {
    let [user, calls, io, other, stolen, softirq, rings, rest] = CpuLedger::LINES;
    [
        (user, "user", "█"),
        (calls, "calls", "▒"),
        (io, "block", "#"),
        (other, "other", "+"),
        (stolen, "stolen", "-"),
        (softirq, "softirq", "~"),
        (rings, "rings", "o"),
        (rest, "rest", "·"),
    ]
};

/// The figures of one interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Its end, since the start.
    pub(super) at: Nanos,
    /// CPUs used, by part.
    pub(super) cpus: [Option<f64>; 8],
    /// Direct cost as a share of the CPU.
    pub(super) score: Option<f64>,
}

/// More than the widest screen has columns.
const MOST: usize = 512;

/// The intervals so far, in order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
}

impl History {
    /// Takes an interval, in place of one at the same time. If time goes back that is a new start,
    /// except in recordings, where the user may go in both directions.
    pub(super) fn push(&mut self, snapshot: &Snapshot) {
        let seconds = snapshot.interval.as_secs_f64().max(1e-9);
        let cpus = snapshot.last.cpu.parts().map(|part| part.value().map(|&ns| ns.max(0.0) / 1e9 / seconds));
        let entry = Entry { at: snapshot.at, cpus, score: snapshot.last.score.direct.value().copied() };
        let recorded = matches!(snapshot.state, State::Recorded { .. });
        if !recorded && self.entries.back().is_some_and(|last| entry.at < last.at) {
            self.entries.clear();
        }
        match self.entries.binary_search_by_key(&entry.at, |e| e.at) {
            Ok(at) => {
                if let Some(known) = self.entries.get_mut(at) {
                    *known = entry;
                }
            }
            Err(at) => self.entries.insert(at, entry),
        }
        if self.entries.len() > MOST {
            self.entries.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The last so many, up to a moment.
    pub(super) fn until(&self, at: Nanos, most: usize) -> Vec<&Entry> {
        let end = self.entries.partition_point(|e| e.at <= at);
        self.entries.iter().take(end).skip(end.saturating_sub(most)).collect()
    }
}

/// A stacked column: for each of `rows` cells, from the bottom up, the part that fills it. Parts
/// are rounded where they meet, so that no error adds up.
pub(super) fn column(parts: &[Option<f64>; 8], most: f64, rows: usize) -> Vec<Option<usize>> {
    let mut cells = vec![None; rows];
    if most <= 0.0 {
        return cells;
    }
    let mut sum = 0.0;
    let mut from = 0;
    for (i, part) in parts.iter().enumerate() {
        sum += part.unwrap_or(0.0).max(0.0);
        let to = ((sum / most * rows as f64).round() as usize).min(rows);
        for cell in cells.iter_mut().take(to).skip(from) {
            *cell = Some(i);
        }
        from = to.max(from);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_filled_in_proportion_and_never_beyond_its_top() {
        let parts = [Some(0.5), Some(0.25), Some(0.25), None, Some(-0.1), None, None, Some(0.0)];
        let cells = column(&parts, 1.0, 8);
        let cells_of = |i| cells.iter().filter(|c| **c == Some(i)).count();
        assert_eq!((cells_of(0), cells_of(1), cells_of(2), cells_of(4)), (4, 2, 2, 0));
        assert_eq!(column(&parts, 2.0, 8).iter().flatten().count(), 4);
        assert_eq!(column(&parts, 0.1, 3).iter().flatten().count(), 3);
        assert!(column(&parts, 0.0, 3).iter().all(Option::is_none));
        assert!(column(&parts, 1.0, 0).is_empty());
    }
}
