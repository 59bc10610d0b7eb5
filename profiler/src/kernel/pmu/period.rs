//! kernel/pmu/period: how many instructions lie between two samples.

use crate::quantity::Nanos;

/// The period at the start: 250 to 3,000 samples a second on a busy CPU.
pub(super) const FIRST: u64 = 1_000_003;

/// Samples a second of the busiest CPU, between which nothing is changed …
const FEWEST: f64 = 200.0;
const MOST: f64 = 1_000.0;
/// … and which are aimed at, where something is.
const AIM: f64 = 500.0;
/// A shorter one would be samples of idling.
const SHORTEST: u64 = 20_011;
/// Instructions below which nothing can be said of the rate.
const TOO_FEW: u64 = 100_000;

/// A better period, if the busiest CPU executed `instructions` in the time `elapsed`.
pub(super) fn adapted(period: u64, instructions: u64, elapsed: Nanos) -> Option<u64> {
    if instructions < TOO_FEW || elapsed == Nanos::ZERO {
        return None;
    }
    let rate = instructions as f64 / (elapsed.as_nanos() as f64 / 1e9);
    let samples = rate / period as f64;
    if (FEWEST..=MOST).contains(&samples) {
        return None;
    }
    let better = prime_from(((rate / AIM) as u64).clamp(SHORTEST, 1 << 31));
    (better != period).then_some(better)
}

/// The first prime from a number on: a period that shares no factor with a loop of the program.
fn prime_from(n: u64) -> u64 {
    let prime = |n: u64| n % 2 == 1 && (3..).step_by(2).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
    (n.max(3)..).find(|&n| prime(n)).unwrap_or(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = Nanos::from_millis(1_000);

    #[test]
    fn the_period_is_a_prime_that_gives_some_hundred_samples_a_second() {
        assert_eq!(adapted(FIRST, 500_000_000, SECOND), None);
        for instructions in [20_000_000, 3_000_000_000, 12_000_000_000] {
            let period = adapted(FIRST, instructions, SECOND).unwrap();
            assert!((450..=500).contains(&(instructions / period)), "{period}");
            assert_eq!(prime_from(period), period);
            // And stays.
            assert_eq!(adapted(period, instructions, SECOND), None);
        }
    }

    #[test]
    fn idling_changes_nothing() {
        assert_eq!(adapted(FIRST, 50_000, SECOND), None);
        assert_eq!(adapted(FIRST, 50_000_000, Nanos::ZERO), None);
        assert_eq!(adapted(FIRST, 200_000, SECOND), Some(SHORTEST));
    }

    #[test]
    fn primes() {
        assert_eq!(
            [prime_from(1), prime_from(4), prime_from(1_000_000), prime_from(20_011)],
            [3, 5, 1_000_003, 20_011]
        );
    }
}
