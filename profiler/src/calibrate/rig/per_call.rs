//! The cost of a short call, from many calls in a row.

use super::{
    clock::{self, Watch},
    pace::Pacer,
};
use crate::quantity::Repeats;

/// Calls per repeat, and repeats, of a call that takes some hundred ns.
const CALLS: u64 = 1_000;
const REPEATS: usize = 21;

/// CPU of a short call, ns, from repeats of `CALLS` calls each.
pub(crate) fn per_call(mut pacer: Pacer, mut call: impl FnMut()) -> Option<Repeats> {
    let watch = Watch::new();
    let mut repeats = Vec::with_capacity(REPEATS);
    pacer.mark();
    for repeat in 0..=REPEATS {
        let begun = clock::thread_cpu();
        for _ in 0..CALLS {
            call();
        }
        let spent = pacer.steady(watch.since(begun) as f64 / CALLS as f64);
        // The first warms up.
        if repeat > 0 {
            repeats.push(spent);
        }
    }
    Repeats::new(&repeats)
}
