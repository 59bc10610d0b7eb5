//! What a block costs, by medium: from thread to thread on one CPU, and through idle on another
//! CPU.

use crate::{
    calibrate::{
        error::CalibrateError,
        result::{BlockRow, LONG_IDLE, Missing, SHORT_IDLE},
        rig::{
            block::{Plan, one_block},
            clock::Watch,
            pace::Pacer,
        },
    },
    machine::Medium,
    quantity::{Nanos, Repeats},
};

use super::effort::{Effort, Schedule};

/// The schedule of a place at the least effort. Disturbed series count too: where other programs
/// keep the CPUs busy, series take longer.
const REPEATS: Schedule = Schedule { least: 5, length: 0, most: 25, longest: 400_000_000, fewest: 1 };
/// Idle times of the reader's CPU, each with the messages of a series and its schedule.
const PLACES: [Place; 3] = [
    Place { idle: 0, messages: 60, repeats: Schedule { length: 80_000_000, ..REPEATS } },
    Place { idle: SHORT_IDLE, messages: 30, repeats: Schedule { length: 150_000_000, ..REPEATS } },
    Place { idle: LONG_IDLE, messages: 3, repeats: Schedule { most: REPEATS.least, ..REPEATS } },
];

struct Place {
    idle: u64,
    messages: u64,
    repeats: Schedule,
}

/// Measures blocks on every medium, on `first` alone and between `first` and `second`.
pub(super) fn measure(
    first: usize,
    second: Option<usize>,
    effort: Effort,
    mut pacer: Pacer,
    missing: &mut Vec<Missing>,
) -> Result<Vec<BlockRow>, CalibrateError> {
    let watch = Watch::new();
    let mut blocks = Vec::new();
    for place in PLACES {
        let reader = match (place.idle, second) {
            (0, _) => first,
            (_, Some(second)) => second,
            (_, None) => {
                missing.push(Missing {
                    what: "blocks through idle".into(),
                    why: "this process may use one CPU only: the waker and the woken thread need one each".into(),
                });
                break;
            }
        };
        let mut costs = Medium::ALL.map(|_| (Vec::new(), Vec::new()));
        pacer.mark();
        // Through idle it is the pace of another CPU, and leaving idle depends on the hypervisor.
        let mut common = || if place.idle == 0 { pacer.factor() } else { 1.0 };
        let mut failure = None;
        // Long idles take long, and more repeats would not help.
        let plan = if place.idle == LONG_IDLE { place.repeats } else { place.repeats.at(effort) };
        for _ in plan.begin() {
            for (medium, (cost, wake)) in Medium::ALL.into_iter().zip(&mut costs) {
                let (cpus, messages) = ((first, reader), place.messages);
                // A repeat that was disturbed does not count.
                let block = one_block(Plan { medium, cpus, messages, idle: place.idle, touch: 0 }, watch);
                let common = common();
                match block {
                    Ok(block) => {
                        cost.push(block.cost * common);
                        wake.push(block.wake * common);
                    }
                    Err(error) => failure = Some(error),
                }
            }
        }
        for (medium, (cost, wake)) in Medium::ALL.into_iter().zip(&costs) {
            match (Repeats::new(cost), Repeats::new(wake)) {
                // Where most repeats were disturbed, the others were too.
                (Some(cost), Some(wake)) if cost.repeats >= 3 => {
                    blocks.push(BlockRow { medium, via_idle: place.idle > 0, idle: place.idle, cost, wake });
                }
                _ => missing.push(Missing {
                    what: format!("block through a {}, idle for {}", medium.name(), Nanos::from_nanos(place.idle)),
                    why: failure.as_ref().map_or_else(String::new, ToString::to_string),
                }),
            }
        }
    }
    Ok(blocks)
}
