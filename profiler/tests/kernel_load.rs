//! What a target adds to the load average, against workloads whose sleeps are known. Runs with
//! `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use common::check::{self, Outcome, ledger_closes, nothing_lost};
use common::{can_measure, figures};
use should_i_async::answer::Load;
use should_i_async::event::Sums;

/// What the rows' threads slept in a way that counts, ns: all of it, and for a disk.
fn loading(outcome: &Outcome) -> (u64, u64) {
    nothing_lost(&outcome.measurement);
    ledger_closes(&outcome.measurement);
    let sums = |tid| -> &Sums { &outcome.thread(tid).sums };
    let rows = &outcome.line.rows;
    let all = rows.iter().map(|row| sums(row.tid).loading).sum();
    let disk = rows.iter().map(|row| sums(row.tid).loading_disk).sum();
    figures!("{}: {all} ns, {disk} ns of them for a disk", outcome.line.value["kind"]);
    (all, disk)
}

fn load(outcome: &Outcome) -> Load {
    *outcome.measurement.clone().report().load.value().unwrap()
}

/// A parent in `vfork` is in state D, and no disk has anything to do with it.
#[test]
fn parents_of_vforked_children() {
    if !can_measure() {
        return;
    }
    for threads in ["1", "3"] {
        let outcome = check::run(&["vfork", "--n", "20", "--us", "10000", "--threads", threads]);
        let (all, disk) = loading(&outcome);
        let slept: (u64, u64) =
            outcome.line.rows.iter().fold((0, 0), |(min, max), row| (min + row.blocked_min, max + row.blocked_max));
        if outcome.runs_missed() {
            continue;
        }
        assert!(slept.0 <= all && all <= slept.1, "{all} is not within {slept:?}");
        assert_eq!(disk, 0);
        let load = load(&outcome);
        assert!(load.other.value > load.disk.value + load.on_cpu.value, "{load:?}");
    }
}

/// Whoever waits for a disk counts, and as such.
#[test]
fn readers_of_a_disk() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["file-direct", "--n", "300", "--threads", "2"]);
    let (all, disk) = loading(&outcome);
    let blocked: u64 = outcome.line.rows.iter().map(|row| file_waits(&outcome, row.tid)).sum();
    if outcome.runs_missed() || blocked == 0 {
        return;
    }
    assert_eq!(all, disk, "nothing else sleeps there");
    assert_eq!(disk, blocked, "each wait for the file was one for the disk");
}

fn file_waits(outcome: &Outcome, tid: u32) -> u64 {
    outcome.thread(tid).sums.classes[check::class_named("file") as usize].blocked
}

/// Interruptible sleeps do not count, however long; who runs or could run does.
#[test]
fn sleepers_and_runners() {
    if !can_measure() {
        return;
    }
    for kind in [&["sleep", "--n", "50", "--threads", "4"][..], &["pipe", "--n", "50"], &["futex", "--n", "50"]] {
        assert_eq!(loading(&check::run(kind)), (0, 0), "{kind:?}");
    }
    let outcome = check::run(&["burn", "--ms", "400", "--threads", "6"]);
    let load = load(&outcome);
    figures!("burn: {load:?}");
    let wall = outcome.measurement.window.measured.as_nanos() as f64;
    let run: u64 = outcome.line.rows.iter().map(|row| row.wall).sum();
    // Each burns from its release to its end, on a CPU or in a queue.
    assert!(load.total.value <= run as f64 / wall * 1.05 + 0.2, "{load:?} of {}", run as f64 / wall);
    assert!(load.on_cpu.value + load.runnable.value >= 0.9 * load.total.value, "{load:?}");
    assert!(load.asleep() < 0.2, "{load:?}");
}

/// The kernel's own average is predicted from what the target adds: 40 parents in state D for a
/// minute. By command, since it takes one: `cargo test --test kernel_load -- --ignored`, on a
/// machine that has nothing else to do.
#[test]
#[ignore = "a minute on a quiet machine"]
fn the_load_average_follows_by_its_own_recurrence() {
    let outcome = check::run(&["vfork", "--n", "1", "--us", "60000000", "--threads", "40", "--timeout-s", "120"]);
    let load = load(&outcome);
    let machine = load.machine.unwrap();
    figures!("{load:?}");
    let mean = machine.mean.unwrap();
    assert!((mean / load.total.value - 1.0).abs() <= 0.05, "{mean} of the machine, {} of the target", load.total.value);
}
