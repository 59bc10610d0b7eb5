//! What `lab ipc` found: curves of the IPC after returns, for each working set, rate of calls and
//! rate of blocks. `ipc.json` holds it.

use serde::{Deserialize, Serialize};

/// A cache of the CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cache {
    pub(super) level: u32,
    pub(super) bytes: u64,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    /// Instructions since the return.
    pub(super) at: f64,
    pub(super) ipc: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What `check` said about one working set, rate of calls and rate of blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) working_set: u64,
    pub(super) touches: u64,
    pub(super) one_blocks_in: u32,
    pub(super) blocked: Vec<Point>,
    pub(super) direct: Vec<Point>,
    /// Cycles that a block costs in user mode: value, low, high.
    pub(super) cycles: Option<[f64; 3]>,
    /// Why there are no cycles.
    pub(super) reason: Option<String>,
}

/// A sweep over all cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Vec<(String, String)>,
    pub(super) caches: Vec<Cache>,
    pub(super) cells: Vec<Cell>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run over a small sweep.
    pub(in crate::lab) fn results() -> Results {
        let caches = vec![Cache { level: 1, bytes: 32 << 10 }, Cache { level: 2, bytes: 1 << 20 }];
        let curve = |fall: f64| -> Vec<Point> {
            let at = |i: i32| 10f64.powf(1.0 + f64::from(i) / 4.0);
            let ipc = |x: f64| 2.0 - fall * (-x / 3_000.0).exp();
            (0..16)
                .map(|i| Point { at: at(i), ipc: ipc(at(i)), low: ipc(at(i)) - 0.1, high: ipc(at(i)) + 0.1 })
                .collect()
        };
        let mut cells = Vec::new();
        for touches in [100, 1_000] {
            for one_blocks_in in [2, 8] {
                for (i, working_set) in [16 << 10, 512 << 10, 2 << 20, 4 << 20].into_iter().enumerate() {
                    cells.push(Cell {
                        working_set,
                        touches,
                        one_blocks_in,
                        blocked: curve(0.4 * i as f64 + 0.2),
                        direct: curve(0.1),
                        cycles: Some([900.0, 800.0, 1_000.0]),
                        reason: None,
                    });
                }
            }
        }
        Results { machine: vec![("CPU".to_owned(), "made up".to_owned())], caches, cells }
    }
}
