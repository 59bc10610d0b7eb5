//! Statistics kept in the kernel: count, sum, sum of squares and a log2 histogram of durations.

/// Buckets of a histogram: bucket `i` holds durations of `[2^i, 2^(i+1))` ns (bucket 0 also holds
/// 0); the last one is open. 36 buckets reach 68 s.
pub const BUCKETS: usize = 36;

/// Count, sum, sum of squares and histogram of a duration in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Number of durations counted.
    pub count: u64,
    /// Sum of the durations, ns.
    pub sum: u64,
    /// Sum of squares, ns², low half. A duration above 4.29 s counts as 4.29 s here (its square
    /// must fit).
    pub squares_low: u64,
    /// Sum of squares, ns², high half.
    pub squares_high: u64,
    /// Durations per bucket, see [`BUCKETS`].
    pub buckets: [u32; BUCKETS],
}

impl Stat {
    /// Before the first duration.
    pub const ZERO: Self = Self { count: 0, sum: 0, squares_low: 0, squares_high: 0, buckets: [0; BUCKETS] };

    /// Counts one duration, in ns.
    #[inline(always)]
    pub fn add(&mut self, ns: u64) {
        self.count += 1;
        self.sum += ns;
        let clamped = if ns > u64::from(u32::MAX) { u64::from(u32::MAX) } else { ns };
        let square = clamped * clamped;
        let low = self.squares_low.wrapping_add(square);
        if low < square {
            self.squares_high += 1;
        }
        self.squares_low = low;
        count(&mut self.buckets, ns);
    }

    /// Adds what another shard of the same statistic counted.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        let (low, carry) = self.squares_low.overflowing_add(other.squares_low);
        self.squares_low = low;
        self.squares_high += other.squares_high + u64::from(carry);
        let mut i = 0;
        while i < BUCKETS {
            self.buckets[i] = self.buckets[i].wrapping_add(other.buckets[i]);
            i += 1;
        }
    }
}

/// Counts one duration in a histogram alone.
#[inline(always)]
pub fn count(buckets: &mut [u32; BUCKETS], ns: u64) {
    let i = bucket(ns);
    // The verifier needs to see the bound; `bucket` already guarantees it.
    if i < BUCKETS {
        buckets[i] = buckets[i].wrapping_add(1);
    }
}

/// The histogram bucket of a duration: the place of its highest bit.
///
/// BPF has no such instruction. There are no branches, because the verifier would walk what follows
/// once for each way through them. All bits below the highest are set, and then counted by twos, by
/// fours and by eights (Warren, Hacker's Delight, chapters 3 and 5).
#[inline(always)]
pub const fn bucket(ns: u64) -> usize {
    let mut v = ns | 1;
    v |= v >> 1;
    v |= v >> 2;
    v |= v >> 4;
    v |= v >> 8;
    v |= v >> 16;
    v |= v >> 32;
    v -= (v >> 1) & 0x5555_5555_5555_5555;
    v = (v & 0x3333_3333_3333_3333) + ((v >> 2) & 0x3333_3333_3333_3333);
    v = (v + (v >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    let i = (v.wrapping_mul(0x0101_0101_0101_0101) >> 56) as usize - 1;
    if i < BUCKETS { i } else { BUCKETS - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_the_highest_bit_and_the_last_is_open() {
        assert_eq!(bucket(0), 0);
        for shift in 0..64 {
            let expected = if shift < BUCKETS { shift } else { BUCKETS - 1 };
            assert_eq!(bucket(1 << shift), expected);
            assert_eq!(bucket((1 << shift) + ((1 << shift) - 1)), expected);
        }
    }

    #[test]
    fn squares_carry_into_the_high_half() {
        let mut stat = Stat::ZERO;
        for _ in 0..3 {
            stat.add(u64::from(u32::MAX));
        }
        let square = u128::from(u32::MAX) * u128::from(u32::MAX);
        assert_eq!((u128::from(stat.squares_high) << 64) + u128::from(stat.squares_low), 3 * square);
        let mut doubled = stat;
        doubled.merge(&stat);
        assert_eq!((u128::from(doubled.squares_high) << 64) + u128::from(doubled.squares_low), 6 * square);
    }
}
