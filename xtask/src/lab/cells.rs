//! The cells: each compares a blocking program under a load with its async twin, by a scenario of
//! `check`.

use crate::harness::{choice::is_match, row::Scenario};

/// A program of the lab without its way of doing IO (`--mode`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Program {
    /// A TCP echo server.
    Echo { pool: Option<u32>, work_us: u32 },
    /// A client that asks `fan` backends at a time, in `workers` concurrent requests.
    Fanout { workers: u32, fan: u32, work_us: u32 },
    /// A ring of stages joined by pipes.
    Brigade { stages: u32, in_flight: u32, work_us: u32 },
    /// Random reads of a file.
    Files { direct: bool, depth: u32, work_us: u32 },
    /// A program that async would not help.
    Control,
}

/// What keeps the program busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Load {
    /// The program loads itself, or nothing does.
    Alone,
    /// Connections that send the next request a think time after the reply.
    Closed { connections: u32, think_us: u32 },
    /// Poisson arrivals at a share, in percent, of what the blocking program can serve.
    Open { connections: u32, percent: u32 },
    /// A backend that the program asks.
    Backend { latency_us: u32 },
}

/// An async version of the blocking program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Twin {
    pub(super) mode: &'static str,
    pub(super) scenario: Scenario,
}

const EPOLL: Twin = Twin { mode: "epoll", scenario: Scenario::Naive };
const TOKIO: Twin = Twin { mode: "tokio", scenario: Scenario::Runtime };
const URING: Twin = Twin { mode: "uring", scenario: Scenario::Tuned };

/// A blocking program under a load, and its twins. Each twin is a cell. A control has no twin and
/// is a cell itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) id: String,
    pub(super) program: Program,
    pub(super) mode: &'static str,
    pub(super) load: Load,
    pub(super) twins: Vec<Twin>,
    /// For the plot of the echo server in a closed loop: connections, and work in µs.
    pub(super) grid: Option<(u32, u32)>,
    quick: bool,
}

impl Setup {
    pub(super) fn is_control(&self) -> bool {
        self.program == Program::Control
    }

    pub(super) fn cell_id(&self, twin: &Twin) -> String {
        format!("{}-{}", self.id, twin.mode)
    }

    /// Ids of its cells.
    pub(super) fn cell_ids(&self) -> Vec<String> {
        if self.is_control() {
            return vec![self.id.clone()];
        }
        self.twins.iter().map(|twin| self.cell_id(twin)).collect()
    }
}

const ECHO_TWINS: [Twin; 3] = [EPOLL, TOKIO, URING];
const CONNECTIONS: [u32; 5] = [1, 2, 8, 64, 512];
const WORK_US: [u32; 4] = [0, 10, 50, 500];
/// Connections of setups that do not vary them.
const MANY: u32 = 64;
/// Connections of `--quick`, all with light work.
const QUICK_CONNECTIONS: [u32; 3] = [1, 8, 64];

/// The echo server whose capacity sets the rates of the open loop.
pub(super) fn capacity() -> Setup {
    echo("capacity".into(), 10, Load::Closed { connections: MANY, think_us: 0 })
}

/// All setups, in the order in which they run.
pub(super) fn all() -> Vec<Setup> {
    [echoes(), clients(), brigades(), files(), controls()].concat()
}

fn echoes() -> Vec<Setup> {
    let mut setups = Vec::new();
    for work_us in WORK_US {
        for connections in CONNECTIONS {
            if work_us == 50 && connections != MANY {
                continue;
            }
            let id = format!("echo-closed-c{connections}-w{work_us}us");
            let mut setup = echo(id, work_us, Load::Closed { connections, think_us: 0 });
            setup.grid = Some((connections, work_us));
            setup.quick =
                (work_us == 10 && QUICK_CONNECTIONS.contains(&connections)) || (work_us, connections) == (500, MANY);
            setups.push(setup);
        }
    }
    for percent in [10, 50, 80] {
        let id = format!("echo-open-p{percent}-c{MANY}-w10us");
        let mut setup = echo(id, 10, Load::Open { connections: MANY, percent });
        setup.quick = percent == 50;
        setups.push(setup);
    }
    for think_us in [200, 2_000] {
        let id = format!("echo-think{think_us}us-c{MANY}-w10us");
        setups.push(echo(id, 10, Load::Closed { connections: MANY, think_us }));
    }
    let pool = Setup {
        program: Program::Echo { pool: Some(8), work_us: 10 },
        mode: "pool",
        twins: vec![EPOLL],
        quick: true,
        ..echo("pool8-c8-w10us".into(), 10, Load::Closed { connections: 8, think_us: 0 })
    };
    setups.push(pool);
    setups
}

/// Programs that ask a backend.
fn clients() -> Vec<Setup> {
    let fanout = |latency_us| Setup {
        id: format!("fanout-w8-k4-l{latency_us}us"),
        program: Program::Fanout { workers: 8, fan: 4, work_us: 10 },
        mode: "threads",
        load: Load::Backend { latency_us },
        twins: vec![TOKIO],
        grid: None,
        quick: latency_us == 500,
    };
    [0, 500].map(fanout).to_vec()
}

fn brigades() -> Vec<Setup> {
    let brigade = |in_flight| Setup {
        id: format!("brigade-s500-m{in_flight}"),
        program: Program::Brigade { stages: 500, in_flight, work_us: 1 },
        mode: "threads",
        load: Load::Alone,
        twins: vec![TOKIO],
        grid: None,
        quick: in_flight == 64,
    };
    [8, 64].map(brigade).to_vec()
}

fn files() -> Vec<Setup> {
    let files = |direct| Setup {
        id: format!("files-{}-d8", if direct { "direct" } else { "cached" }),
        program: Program::Files { direct, depth: 8, work_us: 10 },
        mode: "pread",
        load: Load::Alone,
        twins: vec![URING],
        grid: None,
        quick: direct,
    };
    [false, true].map(files).to_vec()
}

fn controls() -> Vec<Setup> {
    let control = |mode| Setup {
        id: format!("control-{mode}"),
        program: Program::Control,
        mode,
        load: if mode == "async" { Load::Closed { connections: MANY, think_us: 0 } } else { Load::Alone },
        twins: Vec::new(),
        grid: None,
        quick: true,
    };
    ["lock", "timer", "cpu", "async", "idle"].map(control).to_vec()
}

fn echo(id: String, work_us: u32, load: Load) -> Setup {
    let program = Program::Echo { pool: None, work_us };
    Setup { id, program, mode: "threads", load, twins: ECHO_TWINS.to_vec(), grid: None, quick: false }
}

/// The setups of a run, each with those of its twins whose cell matches.
pub(super) fn chosen(quick: bool, only: Option<&str>) -> Vec<Setup> {
    let matches = |id: &str| only.is_none_or(|pattern| is_match(pattern, id));
    let keep = |mut setup: Setup| {
        if quick && !setup.quick {
            return None;
        }
        let id = setup.id.clone();
        setup.twins.retain(|twin| matches(&format!("{id}-{}", twin.mode)));
        let some = if setup.is_control() { matches(&setup.id) } else { !setup.twins.is_empty() };
        some.then_some(setup)
    };
    all().into_iter().filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn measured(setups: &[Setup]) -> usize {
        setups.iter().map(|setup| setup.twins.len()).sum()
    }

    #[test]
    fn cells_are_enough_and_named_apart() {
        let ids: Vec<String> = all().iter().flat_map(Setup::cell_ids).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert!(ids.iter().any(|id| id == "echo-closed-c64-w10us-epoll"));
        assert!(measured(&all()) >= 24);
        assert!(measured(&chosen(true, None)) >= 12);
        assert_eq!(all().iter().filter(|setup| setup.is_control()).count(), 5);
    }

    #[test]
    fn only_chooses_single_twins() {
        let setups = chosen(false, Some("echo-closed-c64-w10us-*o*"));
        assert_eq!(setups.iter().flat_map(Setup::cell_ids).count(), 2);
        assert_eq!(chosen(false, Some("control-idle")).len(), 1);
        assert!(chosen(false, Some("nothing")).is_empty());
    }
}
