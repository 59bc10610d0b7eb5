//! The programs of the lab, as the harness runs them: their command lines, and the protocol that
//! `lab` speaks on stdin and stdout (xtask/workloads/lab/main.rs).

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

use super::cells::{Load, Program, Setup, Twin};
use crate::{
    harness::{
        row::{self, Group, Row},
        stage::WARM_UP,
        workload::{END_WITHIN, READY_WITHIN, Role, Workload, answer, number},
    },
    host::{child::Running, file, numbers::decimal},
};

/// The target has a core to itself; load and backend have the other one.
const TARGET_CPU: &str = "0";
const LOAD_CPU: &str = "1";
const BYTES: &str = "64";
const FILE_BYTES: usize = 128 << 20;

/// What every run needs to know.
#[derive(Debug)]
pub(super) struct Lab {
    /// The binary of the workloads.
    binary: PathBuf,
    /// Read by the file cells.
    file: PathBuf,
    /// Iterations of the work loop per µs.
    pub(super) iterations_per_us: f64,
    /// Operations per second at which the blocking echo server is busy all the time.
    pub(super) capacity: Option<f64>,
    /// Seed of the load's random arrivals.
    seed: u64,
}

impl Lab {
    pub(super) fn new(binary: PathBuf, file: PathBuf, seed: u64) -> Self {
        Self { binary, file, iterations_per_us: 0.0, capacity: None, seed }
    }

    /// How many iterations of the work loop are one µs on the target's CPU.
    pub(super) fn calibrate(&mut self) -> Result<()> {
        let mut spin = Running::start(Command::new(&self.binary).args(["spin-rate", "--cpu", TARGET_CPU]))?;
        let rate = number(&answer(&mut spin, "iterations_per_us", READY_WITHIN)?, "iterations_per_us")?;
        ensure!(rate > 0.0, "a work loop of {rate} iterations per µs");
        self.iterations_per_us = rate;
        spin.close(END_WITHIN)?;
        Ok(())
    }

    /// Creates the file for the file cells, unless it is there.
    pub(super) fn create_file(&self) -> Result<()> {
        file::create_random(&self.file, FILE_BYTES, self.seed)
    }

    /// Command line of the target, without the binary.
    fn arguments(&self, setup: &Setup, mode: &str) -> Vec<String> {
        let work = |us: u32| ["--work".to_owned(), decimal(f64::from(us) * self.iterations_per_us, 0)];
        let mut line: Vec<String> = Vec::new();
        let mut push = |words: &[&str]| line.extend(words.iter().map(|word| (*word).to_owned()));
        match setup.program {
            Program::Echo { pool, work_us } => {
                push(&["echo", "--mode", mode, "--bytes", BYTES]);
                if let Some(threads) = pool.filter(|_| mode == "pool") {
                    push(&["--pool", &threads.to_string()]);
                }
                line.extend(work(work_us));
            }
            Program::Fanout { workers, fan, work_us } => {
                push(&["fanout", "--mode", mode, "--bytes", BYTES]);
                push(&["--workers", &workers.to_string(), "--fan", &fan.to_string()]);
                line.extend(work(work_us));
            }
            Program::Brigade { stages, in_flight, work_us } => {
                push(&["brigade", "--mode", mode, "--stages", &stages.to_string()]);
                push(&["--messages-in-flight", &in_flight.to_string()]);
                line.extend(work(work_us));
            }
            Program::Files { direct, depth, work_us } => {
                push(&["files", "--mode", mode, "--block", "4096", "--depth", &depth.to_string()]);
                if direct {
                    push(&["--direct"]);
                }
                line.extend(work(work_us));
            }
            Program::Control => push(&["control", "--mode", mode]),
        }
        line.extend(["--cpu".to_owned(), TARGET_CPU.to_owned()]);
        line
    }

    /// Command line of a client, without binary, port and duration.
    fn load_arguments(&self, load: Load) -> Result<Vec<String>> {
        let (connections, flag, value) = match load {
            Load::Alone | Load::Backend { .. } => bail!("{load:?} has no client"),
            Load::Closed { connections, think_us } => (connections, "--think-us", think_us.to_string()),
            Load::Open { connections, percent } => {
                let capacity = self.capacity.context("the capacity of the blocking server is not known")?;
                (connections, "--rate", decimal(capacity * f64::from(percent) / 100.0, 0))
            }
        };
        let line =
            ["load", "--connections", &connections.to_string(), "--bytes", BYTES, flag, &value, "--cpu", LOAD_CPU];
        Ok(line.map(str::to_owned).to_vec())
    }

    /// A setup as the harness compares it.
    pub(super) fn group(&self, setup: &Setup) -> Result<Group> {
        let row = |twin: &Twin| Row {
            id: setup.cell_id(twin),
            program: Box::new(self.target(setup, twin.mode)),
            scenario: twin.scenario,
        };
        let load = match setup.load {
            Load::Alone => row::Load::Alone,
            Load::Backend { latency_us } => {
                let line = ["backend", "--latency-us", &latency_us.to_string(), "--cpu", LOAD_CPU];
                row::Load::Backend(Box::new(self.program("backend", line.map(str::to_owned).to_vec(), Role::Backend)))
            }
            Load::Closed { .. } | Load::Open { .. } => {
                let line = self.load_arguments(setup.load)?;
                row::Load::Client(Box::new(self.program(
                    "load",
                    line,
                    Role::Client { seed: self.seed, warm_up: WARM_UP },
                )))
            }
        };
        Ok(Group {
            id: setup.id.clone(),
            program: matches!(setup.program, Program::Echo { .. }).then_some("echo"),
            blocking: Box::new(self.target(setup, setup.mode)),
            load,
            rows: setup.twins.iter().map(row).collect(),
            obstacle: self.obstacle(setup),
            grid: setup.grid,
            keeps_runs: false,
        })
    }

    /// One way of a setup's program.
    fn target(&self, setup: &Setup, mode: &'static str) -> Workload {
        let file = matches!(setup.program, Program::Files { .. }).then(|| self.file.clone());
        self.program(mode, self.arguments(setup, mode), Role::Target { file })
    }

    fn program(&self, name: &'static str, arguments: Vec<String>, role: Role) -> Workload {
        Workload { binary: self.binary.clone(), name, arguments, role }
    }

    /// Why a setup cannot run here; `None` where it can.
    fn obstacle(&self, setup: &Setup) -> Option<String> {
        let Program::Files { direct: true, .. } = setup.program else { return None };
        file::read_directly(&self.file).err().map(|error| format!("no direct reads: {error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::cells, *};

    fn lab() -> Lab {
        Lab { iterations_per_us: 2.5, ..Lab::new("lab".into(), "f".into(), 1) }
    }

    fn line(id: &str) -> String {
        let setup = cells::all().into_iter().find(|setup| setup.id == id).unwrap();
        lab().arguments(&setup, setup.mode).join(" ")
    }

    #[test]
    fn commands_follow_the_setup() {
        assert_eq!(line("echo-closed-c8-w10us"), "echo --mode threads --bytes 64 --work 25 --cpu 0");
        assert_eq!(line("pool8-c8-w10us"), "echo --mode pool --bytes 64 --pool 8 --work 25 --cpu 0");
        assert!(line("files-direct-d8").contains(" --direct "));
        assert_eq!(line("control-lock"), "control --mode lock --cpu 0");
    }

    #[test]
    fn an_open_loop_needs_the_capacity() {
        let open = Load::Open { connections: 64, percent: 50 };
        assert!(lab().load_arguments(open).is_err());
        let line = Lab { capacity: Some(30_000.4), ..lab() }.load_arguments(open).unwrap().join(" ");
        assert!(line.contains("--rate 15000 "), "{line}");
        assert!(lab().load_arguments(Load::Alone).is_err());
    }
}
