//! What runs in a guest, and what is left out there, with the reason.

use std::path::Path;
use std::time::Duration;

use super::cell::Cell;
use crate::host::arch::Arch;

/// Answers that rest on who uses how much CPU.
const EMULATED: &str = "shares of CPU time on one emulated CPU are the emulator's";
const NO_DISK: &str = "its clock leaps while a disk works, and the driver's time is up";

/// The tests of the profiler that attach to the kernel and make sense on one emulated CPU. Programs
/// that are not here: kernel_faults and kernel_live need what a guest does not have (setcap,
/// prlimit, tmux).
pub(super) const TEST_PROGRAMS: &[TestProgram] = &[
    TestProgram {
        name: "kernel_exact",
        skip: &[
            Skip { test: "file_direct", on: Guests::Aarch64, why: NO_DISK },
            Skip {
                test: "pingpong_at_100_000",
                on: Guests::All,
                why: "an emulated CPU switches 16,000 times a second",
            },
            Skip { test: "cpu_of_burners", on: Guests::X86_64, why: "reading the clock may be a system call there" },
            Skip {
                test: "blocked_time_of_sleeps",
                on: Guests::X86_64,
                why: "a timer may be over before its sleep begins",
            },
            Skip { test: "blocked_time_of", on: Guests::Brief, why: "several measurements each" },
            Skip { test: "turnover", on: Guests::Brief, why: "thirteen measurements" },
            Skip { test: "select_that_times", on: Guests::Brief, why: "the same code as for poll" },
            Skip { test: "epoll_that_times", on: Guests::Brief, why: "the same code as for poll" },
            Skip { test: "poll_of_nothing", on: Guests::Brief, why: "the same code everywhere" },
        ],
    },
    TestProgram {
        name: "kernel_asleep",
        skip: &[
            Skip { test: "already_blocked_at_attach", on: Guests::Before5_15, why: "no bpf_task_pt_regs" },
            Skip { test: "the_open_wait_has", on: Guests::Before5_15, why: "no bpf_task_pt_regs" },
            Skip { test: "already_blocked_at_attach", on: Guests::Brief, why: "twelve measurements" },
            Skip { test: "a_target_that_does_nothing", on: Guests::Brief, why: "twelve measurements" },
        ],
    },
    TestProgram {
        name: "kernel_lives",
        skip: &[Skip { test: "by_the_thousand", on: Guests::Brief, why: "thousands of threads" }],
    },
    TestProgram {
        name: "kernel_limits",
        skip: &[
            Skip { test: "ten_thousand_threads", on: Guests::All, why: "starting them takes minutes" },
            Skip { test: "too_little_room", on: Guests::Brief, why: "the same code everywhere" },
            Skip { test: "sampled", on: Guests::Brief, why: "real time" },
        ],
    },
    TestProgram {
        name: "kernel_stream",
        skip: &[
            Skip { test: "a_prediction_is", on: Guests::All, why: "calibrating takes longer than the workload" },
            Skip {
                test: "cpu_clock_samples_hit",
                on: Guests::X86_64,
                why: "the emulator is late with the timer's interrupt",
            },
            Skip { test: "every_block_end", on: Guests::Before5_15, why: "first ends are of class unknown" },
        ],
    },
    TestProgram {
        name: "kernel_record",
        skip: &[
            Skip { test: "the_demo_has_names", on: Guests::From7, why: "too many stacks are lost" },
            Skip { test: "a_packaged_server", on: Guests::All, why: "a guest has no redis-server" },
            Skip { test: "every_format", on: Guests::Brief, why: "the same code everywhere" },
            Skip { test: "the_same_twice", on: Guests::Brief, why: "the same code everywhere" },
            Skip { test: "a_recording_gives", on: Guests::Brief, why: "the same code everywhere" },
        ],
    },
    TestProgram {
        name: "kernel_waits",
        skip: &[
            Skip { test: "roles", on: Guests::All, why: EMULATED },
            Skip { test: "a_master_whose_children_work", on: Guests::All, why: EMULATED },
            Skip { test: "a_loop_beside_helpers", on: Guests::All, why: EMULATED },
            Skip { test: "faults_that_a_supervisor", on: Guests::Before5_15, why: "no bpf_task_pt_regs" },
            Skip { test: "waits_for_the", on: Guests::Aarch64, why: NO_DISK },
            Skip { test: "waits_for_the_disk", on: Guests::Brief, why: "six measurements" },
        ],
    },
    TestProgram {
        name: "kernel_load",
        skip: &[
            Skip { test: "readers_of_a_disk", on: Guests::Aarch64, why: NO_DISK },
            Skip { test: "sleepers_and_runners", on: Guests::Brief, why: "four measurements" },
        ],
    },
    TestProgram {
        name: "kernel_command",
        skip: &[Skip { test: "a_command_in_a_job", on: Guests::All, why: "a guest has no script for CI jobs" }],
    },
    TestProgram {
        name: "kernel_quota",
        skip: &[
            Skip { test: "check_tells_of", on: Guests::All, why: "the same sums as a user of the tool sees them" },
            Skip { test: "a_quota_that_changes", on: Guests::Brief, why: "real time" },
        ],
    },
    TestProgram {
        name: "kernel_named",
        skip: &[Skip { test: "a_program_is_named", on: Guests::All, why: "the same code everywhere" }],
    },
    TestProgram {
        name: "kernel_stalls",
        skip: &[
            Skip { test: "the_workers_of_one_loop", on: Guests::Brief, why: "real time" },
            Skip { test: "a_loop_that_reads", on: Guests::Brief, why: "three measurements" },
            Skip {
                test: "what_a_loop_computes",
                on: Guests::All,
                why: "the emulator is late with the timer's interrupt",
            },
        ],
    },
    TestProgram { name: "kernel_ipc", skip: &[] },
];

/// A test program of `profiler/tests`.
pub(super) struct TestProgram {
    pub(super) name: &'static str,
    skip: &'static [Skip],
}

/// Tests that are not run in a guest.
struct Skip {
    /// The test's name contains this.
    test: &'static str,
    on: Guests,
    why: &'static str,
}

/// Some of the guests.
enum Guests {
    All,
    Before5_15,
    X86_64,
    Aarch64,
    From7,
    /// All of them, with `--brief`.
    Brief,
}

impl Skip {
    fn applies(&self, cell: Cell, brief: bool) -> bool {
        match self.on {
            Guests::All => true,
            Guests::Before5_15 => cell.series == "5.10",
            Guests::X86_64 => cell.arch == Arch::X86_64,
            Guests::Aarch64 => cell.arch == Arch::Aarch64,
            Guests::From7 => cell.series == "7",
            Guests::Brief => brief,
        }
    }
}

/// One column of the table: a command in a guest.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    /// By the guest's clock.
    pub(super) limit: Duration,
}

impl Case {
    pub(super) fn new(name: &str, seconds: u64, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self { name: name.to_owned(), command, limit: Duration::from_secs(seconds) }
    }
}

/// Where test programs lie in a guest.
pub(super) const TESTS_IN_GUEST: &str = "t/deps";
/// The folder above, where cargo puts programs and where the tests look for workloads.
pub(super) const WORKLOADS_IN_GUEST: &str = "t";

/// Everything that runs on a kernel, of what `root` has.
pub(super) fn all(root: &Path, cell: Cell, brief: bool) -> Vec<Case> {
    let workload = "{ sleep 0.2; echo; sleep 0.5; echo; } | truth pipe --n 2000";
    let mut cases = vec![
        Case::new("doctor", 60, &["should-i-async", "doctor"]),
        Case::new("check", 120, &["should-i-async", "check", "--", "sh", "-c", workload]),
    ];
    for program in programs(root) {
        let path = format!("/{TESTS_IN_GUEST}/{}", program.name);
        let mut command = vec![path.as_str(), "--test-threads=1", "-Zunstable-options", "--report-time"];
        for skip in program.skip.iter().filter(|skip| skip.applies(cell, brief)) {
            command.extend(["--skip", skip.test]);
        }
        cases.push(Case::new(program.name.trim_start_matches("kernel_"), 900, &command));
    }
    cases
}

/// What is not run, and why: the list of docs/kernels.md.
pub(super) fn left_out(cell: Cell, brief: bool) -> Vec<String> {
    let skipped_tests = |program: &'static TestProgram| {
        let skipped = program.skip.iter().filter(move |skip| skip.applies(cell, brief));
        skipped.map(|skip| format!("{}: {} ({})", program.name, skip.test, skip.why))
    };
    TEST_PROGRAMS.iter().flat_map(skipped_tests).collect()
}

/// The test programs that exist.
pub(super) fn programs(root: &Path) -> impl Iterator<Item = &'static TestProgram> {
    let tests = root.join("profiler").join("tests");
    TEST_PROGRAMS.iter().filter(move |program| tests.join(format!("{}.rs", program.name)).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_depends_on_the_kernel_and_on_the_time() {
        let count = |series, brief| left_out(Cell { arch: Arch::Aarch64, series }, brief).len();
        assert!(count("5.10", false) > count("6.1", false));
        assert!(count("6.1", true) > count("6.1", false));
    }
}
