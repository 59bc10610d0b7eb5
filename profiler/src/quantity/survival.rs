//! quantity/survival: quantiles of durations that were watched for a while only. What takes long is
//! seen to its end more rarely, so each one that was stands for as many as began with no less time
//! left: weighting by the inverse probability of censoring (Robins and Rotnitzky, *Recovery of
//! information and adjustment for dependent censoring using surrogate markers*, 1992).

use super::{Estimate, Z90};

/// The quantiles that are shown, as shares.
pub const SHOWN: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// Below so many durations beyond it, a quantile is the luck of a few.
const BEYOND: f64 = 10.0;

/// Quantiles of durations, ns, in the order of [`SHOWN`]; `None` where too few were seen to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quantiles(pub [Option<Estimate>; 4]);

impl Quantiles {
    /// Of durations with their weights, of so many that began: those that no weight stands for are
    /// longer than all that were seen.
    pub fn new(weighted: &[(f64, f64)], began: f64) -> Self {
        let curve = Curve::new(weighted, began);
        Self(SHOWN.map(|share| curve.quantile(share)))
    }

    /// The median.
    pub fn median(&self) -> Option<Estimate> {
        self.0[0]
    }
}

/// How many began for each that was seen to the end: `took` is how long each of these needed to be
/// seen, `left` how long everything that began was watched.
pub(crate) fn weights(took: impl IntoIterator<Item = f64>, left: &[f64]) -> Vec<f64> {
    let mut left = left.to_vec();
    left.sort_by(f64::total_cmp);
    let all = left.len() as f64;
    let stands_for = |took: f64| all / (left.len() - left.partition_point(|&left| left < took)).max(1) as f64;
    took.into_iter().map(stands_for).collect()
}

/// Which share of the durations is over after how long.
struct Curve {
    /// Durations with the share that is over then; both grow.
    steps: Vec<(f64, f64)>,
    /// As many of equal weight would be as sure.
    count: f64,
}

impl Curve {
    fn new(weighted: &[(f64, f64)], began: f64) -> Self {
        let mut steps = weighted.to_vec();
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sum: f64 = steps.iter().map(|step| step.1).sum();
        let squares: f64 = steps.iter().map(|step| step.1 * step.1).sum();
        let mut so_far = 0.0;
        for step in &mut steps {
            so_far += step.1;
            step.1 = so_far / sum.max(began);
        }
        Self { steps, count: if squares > 0.0 { sum * sum / squares } else { 0.0 } }
    }

    fn at(&self, share: f64) -> Option<f64> {
        // A sum of many shares falls short of them by its rounding.
        self.steps.get(self.steps.partition_point(|step| step.1 < share - 1e-9)).map(|step| step.0)
    }

    /// The quantile, with the 90 % interval of its rank.
    fn quantile(&self, share: f64) -> Option<Estimate> {
        if (1.0 - share) * self.count < BEYOND - 1e-6 {
            return None;
        }
        let half = Z90 * (share * (1.0 - share) / self.count).sqrt();
        let (value, last) = (self.at(share)?, self.steps.last()?.0);
        Some(Estimate { low: self.at(share - half)?, value, high: self.at(share + half).unwrap_or(last) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(durations: impl Iterator<Item = f64>) -> Quantiles {
        let weighted: Vec<(f64, f64)> = durations.map(|ns| (ns, 1.0)).collect();
        Quantiles::new(&weighted, weighted.len() as f64)
    }

    #[test]
    fn with_equal_weights_they_are_order_statistics() {
        let Quantiles([p50, p90, p99, p999]) = of((1..=20_000).map(f64::from));
        assert_eq!([p50, p90, p99, p999].map(|q| q.unwrap().value), [10_000.0, 18_000.0, 19_800.0, 19_980.0]);
        let p50 = p50.unwrap();
        assert!((9_850.0..9_900.0).contains(&p50.low) && (10_100.0..10_150.0).contains(&p50.high), "{p50:?}");
        // Of 100 the last hundredth is one: no 99th percentile.
        assert_eq!(of((1..=100).map(f64::from)).0.map(|q| q.is_some()), [true, true, false, false]);
        assert_eq!(Quantiles::new(&[], 0.0).0, [None; 4]);
        assert_eq!(Quantiles::new(&[(1.0, 0.0)], 1.0).0, [None; 4]);
    }

    /// A quarter of all are longer than anything that was seen to its end.
    #[test]
    fn quantiles_that_reach_what_was_never_seen_are_none() {
        let seen: Vec<(f64, f64)> = (1..=3_000).map(|ms| (f64::from(ms), 1.0)).collect();
        let Quantiles([p50, p90, p99, _]) = Quantiles::new(&seen, 4_000.0);
        assert_eq!((p50.unwrap().value, p90, p99), (2_000.0, None, None));
    }

    /// Watched for 250 ms at a time, requests of 200 ms are cut off in four of five cases, and
    /// those of 1 ms hardly ever.
    #[test]
    fn what_is_cut_off_more_often_weighs_more() {
        let (mut ended, mut all) = (Vec::new(), Vec::new());
        for i in 0..10_000 {
            // As many of each kind begin at any moment of the watch.
            let left = f64::from(i) / 10_000.0 * 250.0;
            for takes in [1.0, 200.0] {
                all.push(left);
                if takes <= left {
                    ended.push(takes);
                }
            }
        }
        let naive = ended.iter().filter(|&&ms| ms > 100.0).count() as f64 / ended.len() as f64;
        assert!(naive < 0.2, "{naive}");
        let weights = weights(ended.iter().copied(), &all);
        let sum: f64 = weights.iter().sum();
        let long: f64 = ended.iter().zip(&weights).filter(|(ms, _)| **ms > 100.0).map(|(_, weight)| weight).sum();
        assert!((long / sum - 0.5).abs() < 0.01, "{}", long / sum);
        assert!((sum / all.len() as f64 - 1.0).abs() < 0.01, "{sum}");
        let weighted: Vec<_> = ended.into_iter().zip(weights).collect();
        assert_eq!(Quantiles::new(&weighted, 0.0).0[1].unwrap().value, 200.0);
    }
}
