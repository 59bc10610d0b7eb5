//! Reading log2 histograms: quantiles, with the width of the answer.

use crate::{event::BUCKETS, quantity::Nanos};

/// A log2 histogram of durations, as the programs count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram<'a>(pub &'a [u32; BUCKETS]);

impl Histogram<'_> {
    /// Number of durations in it, over all buckets.
    pub fn count(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// A quantile, interpolated inside its bucket: exact to the bucket, a factor of two. `None`
    /// without durations.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * count as f64).max(f64::MIN_POSITIVE);
        let mut below = 0.0;
        for (i, &n) in self.0.iter().enumerate() {
            let n = f64::from(n);
            if n > 0.0 && below + n >= rank {
                let low = if i == 0 { 0.0 } else { (1u64 << i) as f64 };
                let high = (1u64 << (i + 1)) as f64;
                return Some(Nanos::from_nanos((low + (high - low) * (rank - below) / n) as u64));
            }
            below += n;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_in_the_bucket_that_holds_it() {
        let mut buckets = [0; BUCKETS];
        buckets[10] = 99;
        buckets[20] = 1;
        let p50 = Histogram(&buckets).quantile(0.5).map(Nanos::as_nanos);
        assert!(p50.is_some_and(|ns| (1 << 10..1 << 11).contains(&ns)), "{p50:?}");
        let p999 = Histogram(&buckets).quantile(0.999).map(Nanos::as_nanos);
        assert!(p999.is_some_and(|ns| (1 << 20..=1 << 21).contains(&ns)), "{p999:?}");
        assert_eq!(Histogram(&[0; BUCKETS]).quantile(0.5), None);
    }
}
