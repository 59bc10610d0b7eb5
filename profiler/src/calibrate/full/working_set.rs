//! The indirect cost of a block: both sides touch a working set between blocks. What touching costs
//! more after a block than in a thread that never leaves is the cost of cold caches.

use crate::{
    calibrate::{
        result::{Figure, SHORT_IDLE, WorkingSetRow},
        rig::{
            block::{Plan, one_block},
            clock::{self, Watch},
        },
    },
    machine::Medium,
};

use super::budget::{Budget, Cell};

/// Bytes of the working set on each side.
const BYTES: [usize; 5] = [0, 32 << 10, 256 << 10, 2 << 20, 8 << 20];

pub(super) fn measure(first: usize, second: Option<usize>) -> Vec<WorkingSetRow> {
    let watch = Watch::new();
    let mut rows = Vec::new();
    for via_idle in [false, true] {
        for bytes in BYTES {
            let reader = if via_idle { second } else { Some(first) };
            let Some(reader) = reader else {
                rows.extend(Medium::ALL.map(|medium| {
                    let why = "this process may use one CPU only";
                    let block = Figure::unavailable(why);
                    let latency = (bytes == 0).then(|| Figure::unavailable(why));
                    WorkingSetRow { medium, via_idle, bytes: bytes as u64, block, latency }
                }));
                continue;
            };
            let idle = if via_idle { SHORT_IDLE } else { 0 };
            let messages = if bytes >= 2 << 20 { 8 } else { 40 };
            let plan = |medium| Plan { medium, cpus: (first, reader), messages, idle, touch: bytes };
            let mut blocks = Medium::ALL.map(|_| Cell::default());
            let mut latencies = Medium::ALL.map(|_| Cell::default());
            let mut budget = Budget::new(7, 31, 1_200);
            // No repeat warms up, because each series does that by itself.
            while let Some(repeat) = budget.next() {
                for (i, medium) in Medium::ALL.into_iter().enumerate() {
                    let block = one_block(plan(medium), watch).map(|b| b.cost).map_err(|e| e.to_string());
                    blocks[i].take(repeat + 1, block);
                    if bytes == 0 {
                        let latency = plan(medium).latency(watch).map_err(|e| e.to_string());
                        latencies[i].take(repeat + 1, latency);
                    }
                }
            }
            for ((medium, block), latency) in Medium::ALL.into_iter().zip(&blocks).zip(&latencies) {
                rows.push(WorkingSetRow {
                    medium,
                    via_idle,
                    bytes: bytes as u64,
                    block: block.figure(),
                    latency: (bytes == 0).then(|| latency.figure()),
                });
            }
        }
    }
    // The last series may have pinned this thread to another CPU.
    let _ = clock::pin(&[first]);
    rows
}
