//! Sampled stacks with their names, before the ledger's figures are shared out among them.

use crate::{
    event::{BlockClass, Place},
    symbol::Frame,
};

/// Why a stack was taken.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Taken {
    /// A call that blocked, at its return.
    Call(Place),
    /// A block outside of calls.
    Outside,
    /// The thread was still blocked when the measurement ended.
    Asleep,
    /// A tick of the CPU clock hit the thread.
    Clock,
}

/// A distinct stack and what its samples add up to.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SampledStack {
    /// Why the stack was taken.
    pub taken: Taken,
    /// What it waited for; nothing at a tick of the CPU clock.
    pub class: Option<BlockClass>,
    /// Indices into [`Sampled::frames`], the outermost first.
    pub frames: Vec<u32>,
    /// The waker's stack, the innermost first.
    pub waker: Vec<u32>,
    /// How often this stack was taken.
    pub samples: u64,
    /// Blocks, or ticks, that they stand for.
    pub weight: f64,
    /// Blocked time that they stand for, ns.
    pub blocked: f64,
    /// Run-queue delay that they stand for, ns.
    pub delay: f64,
}

/// How good the stacks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StackQuality {
    /// Stacks taken at blocks.
    pub samples: u64,
    /// Stacks taken at ticks of the CPU clock.
    pub clock_samples: u64,
    /// Stacks that found no room in the ring or in the queue to the unwinder.
    pub lost: u64,
    /// Stacks whose outer end could not be reached. [`Self::truncated()`] is what to print.
    pub truncated: u64,
    /// Block samples whose innermost application frame (the first outside of libc and the kernel)
    /// has a name.
    pub named: u64,
    /// Block samples with a waker's stack.
    pub with_waker: u64,
}

impl StackQuality {
    /// Stacks of both kinds.
    pub const fn all(&self) -> u64 {
        self.samples + self.clock_samples
    }

    /// Those whose outer end could not be reached: at most all of them. Older recordings count
    /// wakers' stacks too.
    pub fn truncated(&self) -> u64 {
        self.truncated.min(self.all())
    }
}

/// All stacks of a measurement.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sampled {
    /// Distinct frames, which stacks refer to by index.
    pub frames: Vec<Frame>,
    pub stacks: Vec<SampledStack>,
    /// How good the stacks are.
    pub quality: StackQuality,
    /// Why there are no stacks; `None` where there are some.
    pub unavailable: Option<String>,
}

/// Shares a figure out in proportion to weights: whole numbers whose sum is the figure, by largest
/// remainders. `None` where no weight is positive.
pub(crate) fn share_out(total: u64, weights: &[f64]) -> Option<Vec<u64>> {
    let sum: f64 = weights.iter().filter(|w| **w > 0.0).sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return None;
    }
    let exact: Vec<f64> = weights.iter().map(|w| total as f64 * (w.max(0.0) / sum)).collect();
    let mut parts: Vec<u64> = exact.iter().map(|e| (e.floor() as u64).min(total)).collect();
    let mut order: Vec<usize> = (0..parts.len()).filter(|&i| weights[i] > 0.0).collect();
    order.sort_by(|&a, &b| (exact[b] - exact[b].floor()).total_cmp(&(exact[a] - exact[a].floor())).then(a.cmp(&b)));
    let mut given: u64 = parts.iter().sum();
    let mut next = order.iter().cycle();
    // Rounding leaves less than one per part; numbers beyond 2^53 leave more.
    while given < total {
        let step = ((total - given) / order.len() as u64).max(1);
        let &i = next.next()?;
        parts[i] += step;
        given += step;
    }
    while given > total {
        let &i = next.next()?;
        let step = parts[i].min(given - total);
        parts[i] -= step;
        given -= step;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::share_out;

    #[test]
    fn nothing_is_shared_out_to_nobody() {
        assert_eq!(share_out(7, &[]), None);
        assert_eq!(share_out(7, &[0.0, -1.0]), None);
    }

    #[test]
    fn remainders_go_to_the_largest() {
        assert_eq!(share_out(10, &[1.0, 1.0, 1.0]), Some(vec![4, 3, 3]));
        assert_eq!(share_out(3, &[0.0, 2.0, -1.0]), Some(vec![0, 3, 0]));
    }

    proptest! {
        #[test]
        fn the_parts_always_make_the_whole(total in any::<u64>(), weights in prop::collection::vec(0.0..1e18f64, 1..50)) {
            if let Some(parts) = share_out(total, &weights) {
                prop_assert_eq!(parts.iter().map(|p| u128::from(*p)).sum::<u128>(), u128::from(total));
            }
        }
    }
}
