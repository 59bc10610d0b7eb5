//! event/stat: count, sum, sum of squares and a log2 histogram of durations.

use profiler_common::stat;

/// Buckets of a histogram: bucket `i` holds durations of `[2^i, 2^(i+1))` ns (bucket 0 also holds
/// 0); the last one is open. 36 buckets reach 68 s.
pub const BUCKETS: usize = stat::BUCKETS;

/// Count, sum, sum of squares and histogram of a duration in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Stat {
    /// Number of durations counted.
    pub count: u64,
    pub sum: u64,
    /// Sum of their squares, ns². A duration above 4.29 s counts as 4.29 s here.
    pub squares: u128,
    /// Durations per bucket, see [`BUCKETS`].
    pub buckets: [u32; BUCKETS],
}

impl Stat {
    pub const ZERO: Self = Self { count: 0, sum: 0, squares: 0, buckets: [0; BUCKETS] };

    /// Counts one duration, in ns.
    pub fn add(&mut self, ns: u64) {
        self.count += 1;
        self.sum += ns;
        self.squares += u128::from(ns.min(u64::from(u32::MAX))).pow(2);
        stat::count(&mut self.buckets, ns);
    }

    /// Adds what was counted of the same kind elsewhere, or later.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, other)| *own = own.wrapping_add(*other));
    }

    /// Takes away what had been counted in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.count = self.count.saturating_sub(earlier.count);
        self.sum = self.sum.saturating_sub(earlier.sum);
        self.squares = self.squares.saturating_sub(earlier.squares);
        self.buckets.iter_mut().zip(&earlier.buckets).for_each(|(own, earlier)| *own = own.saturating_sub(*earlier));
    }
}

impl From<&stat::Stat> for Stat {
    fn from(raw: &stat::Stat) -> Self {
        let &stat::Stat { count, sum, squares_low, squares_high, buckets } = raw;
        Self { count, sum, squares: wide(squares_low, squares_high), buckets }
    }
}

/// One number of two halves, as sums of squares are on the wire and in recordings.
pub(super) const fn wide(low: u64, high: u64) -> u128 {
    (high as u128) << 64 | low as u128
}

/// How a recording holds it: the sum of squares in two halves, as the wire has it.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Stat")]
struct Kept {
    count: u64,
    sum: u64,
    squares_low: u64,
    squares_high: u64,
    #[serde(with = "serde_big_array::BigArray")]
    buckets: [u32; BUCKETS],
}

impl From<Kept> for Stat {
    fn from(kept: Kept) -> Self {
        let Kept { count, sum, squares_low, squares_high, buckets } = kept;
        Self { count, sum, squares: wide(squares_low, squares_high), buckets }
    }
}

impl From<Stat> for Kept {
    fn from(stat: Stat) -> Self {
        let Stat { count, sum, squares, buckets } = stat;
        Self { count, sum, squares_low: squares as u64, squares_high: (squares >> 64) as u64, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares that need more than 64 bits.
    fn long() -> (Stat, stat::Stat) {
        let (mut own, mut raw) = (Stat::ZERO, stat::Stat::ZERO);
        for ns in [u64::from(u32::MAX), 1 << 40, 7, u64::from(u32::MAX) - 1] {
            own.add(ns);
            raw.add(ns);
        }
        (own, raw)
    }

    #[test]
    fn it_counts_as_the_kernel_programs_do() {
        let (own, raw) = long();
        assert!(own.squares > u128::from(u64::MAX));
        assert_eq!(Stat::from(&raw), own);
    }

    #[test]
    fn a_recording_holds_squares_in_two_halves() {
        let (own, raw) = long();
        let kept = serde_json::to_value(own).unwrap();
        assert_eq!(kept["squares_low"], raw.squares_low);
        assert_eq!(kept["squares_high"], raw.squares_high);
        assert_eq!(serde_json::from_value::<Stat>(kept).unwrap(), own);
    }

    #[test]
    fn a_difference_and_what_came_before_make_the_whole() {
        let (mut whole, before) = (long().0, long().0);
        whole.merge(&before);
        whole.reduce(&before);
        assert_eq!(whole, before);
    }
}
