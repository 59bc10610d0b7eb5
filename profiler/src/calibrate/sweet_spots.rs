//! Sweet spots: which interface is cheapest, by how much over the next, and where that is within
//! the noise. Pure.

use serde::{Deserialize, Serialize};

use super::result::{Figure, FileInterface, Full, ReadyInterface};
use crate::{machine::Medium, quantity::Repeats};

/// The cheapest of several, and whether it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice<T> {
    /// The one with the least median.
    pub best: T,
    /// The one with the next median. `None` if there is no other.
    pub next: Option<T>,
    /// How much cheaper the best is than the next, as a share of the next's median, 0 to 1.
    pub by: f64,
    /// All whose median may be that of the best, the best included. More than one means that there
    /// is no difference beyond the noise.
    pub level: Vec<T>,
}

impl<T: Copy + PartialEq> Choice<T> {
    /// The choice among costs. `None` if there are none.
    pub fn among(costs: &[(T, Repeats)]) -> Option<Self> {
        let mut sorted = costs.to_vec();
        sorted.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
        let &(best, cost) = sorted.first()?;
        let next = sorted.get(1);
        let by = next.map_or(0.0, |(_, next)| if next.median > 0.0 { 1.0 - cost.median / next.median } else { 0.0 });
        let level = sorted.iter().filter(|(_, other)| other.overlaps(cost)).map(|&(name, _)| name).collect();
        Some(Self { best, next: next.map(|&(name, _)| name), by, level })
    }

    /// Whether the best is cheaper than all others by more than the noise.
    pub fn clear(&self) -> bool {
        self.level.len() == 1 && self.next.is_some()
    }
}

/// The sweet spots of a calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweetSpots {
    /// Reading files: cached or direct, and depth.
    pub files: Vec<FileSpot>,
    /// Waiting for descriptors: medium, and how many are ready at once.
    pub descriptors: Vec<ReadySpot>,
}

/// The best way to read files in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileSpot {
    /// Whether with `O_DIRECT`, past the page cache.
    pub direct: bool,
    /// Reads that are in flight at once.
    pub depth: u32,
    /// The interface that takes least CPU there.
    pub choice: Choice<FileInterface>,
}

/// The best way to wait for descriptors in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadySpot {
    /// What the descriptors are.
    pub medium: Medium,
    /// Descriptors that have a message at once.
    pub ready: u32,
    /// The interface that takes least CPU there.
    pub choice: Choice<ReadyInterface>,
}

impl SweetSpots {
    /// Compares the interfaces of a full calibration, place by place.
    pub fn new(full: &Full) -> Self {
        let cost = |figure: &Figure| figure.cost().copied();
        let mut places: Vec<(bool, u32)> = full.disk.iter().map(|row| (row.direct, row.depth)).collect();
        places.dedup();
        let files = places.into_iter().filter_map(|(direct, depth)| {
            let here = full.disk.iter().filter(|row| (row.direct, row.depth) == (direct, depth));
            let costs: Vec<_> = here.filter_map(|row| Some((row.interface, cost(&row.cpu)?))).collect();
            Some(FileSpot { direct, depth, choice: Choice::among(&costs)? })
        });
        let mut places: Vec<(Medium, u32)> = full.descriptors.iter().map(|row| (row.medium, row.ready)).collect();
        places.dedup();
        let descriptors = places.into_iter().filter_map(|(medium, ready)| {
            let here = full.descriptors.iter().filter(|row| (row.medium, row.ready) == (medium, ready));
            let costs: Vec<_> = here.filter_map(|row| Some((row.interface, cost(&row.cpu)?))).collect();
            Some(ReadySpot { medium, ready, choice: Choice::among(&costs)? })
        });
        Self { files: files.collect(), descriptors: descriptors.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(low: f64, median: f64, high: f64) -> Repeats {
        Repeats { median, low, high, repeats: 9 }
    }

    #[test]
    fn the_cheapest_wins_by_its_distance_to_the_next() {
        let choice =
            Choice::among(&[("a", cost(9.0, 10.0, 11.0)), ("b", cost(4.0, 5.0, 6.0)), ("c", cost(19.0, 20.0, 21.0))]);
        let choice = choice.unwrap();
        assert_eq!((choice.best, choice.next, choice.by), ("b", Some("a"), 0.5));
        assert!(choice.clear() && choice.level == ["b"]);
    }

    #[test]
    fn medians_that_may_be_the_same_are_no_difference() {
        let choice =
            Choice::among(&[("a", cost(4.0, 6.0, 8.0)), ("b", cost(4.5, 5.0, 5.5)), ("c", cost(7.0, 8.0, 9.0))]);
        let choice = choice.unwrap();
        assert_eq!((choice.best, choice.level.as_slice()), ("b", ["b", "a"].as_slice()));
        assert!(!choice.clear());
    }

    #[test]
    fn one_alone_is_no_choice_and_none_is_nothing() {
        let alone = Choice::among(&[("a", cost(1.0, 1.0, 1.0))]).unwrap();
        assert!(!alone.clear() && alone.next.is_none() && alone.by == 0.0);
        assert_eq!(Choice::<&str>::among(&[]), None);
    }
}
