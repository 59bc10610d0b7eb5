//! Threads and processes that are born, become another program and end while they are measured, on
//! the real kernel. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use common::check::{
    self, agrees, all_blocks, blocks, by_class, ledger_closes, no_event_lost, nothing_lost, runs_missed, thread,
};
use common::measuring::{Measuring, raw_request, request, request_for};
use common::procfs;
use common::truth::{self, Truth};
use common::{can_measure, figures};
use should_i_async::answer::Ended;
use should_i_async::event::BlockClass;
use should_i_async::kernel::{Harvest, Options, Session};
use should_i_async::pipeline::Request;
use should_i_async::process::{self, TargetSpec};
use should_i_async::quantity::Tgid;

/// Killed in the middle of its work: the measurement ends by itself, with all it saw.
#[test]
fn killed_in_the_middle() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--threads", "4", "--n", "1000000"]);
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    procfs::await_switches(truth.pid(), 300);
    truth.kill();
    let measurement = measuring.join();
    assert_eq!(measurement.inputs.window.ended, Ended::TargetExited);
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    assert_eq!(measurement.window.threads.len(), 5);
    let sums = measurement.window.sums();
    figures!("{:?}, exits {}", by_class(&sums), measurement.window.quality.exits);
    assert!(blocks(&sums, BlockClass::Pipe) > 100, "{:?}", by_class(&sums));
    let dead = measurement.window.threads.iter().filter(|t| t.dead).count() as u64;
    assert_eq!((dead, blocks(&sums, BlockClass::Exit)), (measurement.window.quality.exits, dead));
    let report = measurement.report();
    assert!(!report.sites.is_empty() && report.cpu.total.as_nanos() > 0);
}

/// A process that comes to its end: the last block of each of its threads is the exit.
#[test]
fn exits_normally() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["pipe", "--threads", "3", "--n", "50"]);
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    let line = truth.line();
    truth.end();
    let measurement = measuring.join();
    assert_eq!(measurement.inputs.window.ended, Ended::TargetExited);
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    for row in &line.rows {
        let t = thread(&measurement, row.tid);
        assert!(t.dead, "{t:?}");
        assert_eq!(t.sums.voluntary, row.voluntary + 2, "{:?}", by_class(&t.sums));
        assert_eq!(all_blocks(&t.sums), t.sums.voluntary, "{:?}", by_class(&t.sums));
        // A call that the kernel did not tell of leaves its block without a class of its own.
        if runs_missed(&measurement) {
            continue;
        }
        assert_eq!(blocks(&t.sums, BlockClass::Pipe), row.expected("pipe"), "{:?}", by_class(&t.sums));
        assert_eq!(blocks(&t.sums, BlockClass::Exit), 1);
    }
}

/// Threads that start, block once and die, by the thousand: every block is counted. A name may be
/// lost for want of room in the ring, a sum never.
#[test]
fn threads_that_start_and_die_by_the_thousand() {
    if !can_measure() {
        return;
    }
    for (threads, max_threads) in [("3000", None), ("3000", Some(64))] {
        let outcome = check::run_as(&["churn", "--n", threads], |pid| vec![Request { max_threads, ..request(pid) }]);
        let outcome = &outcome[0];
        let window = &outcome.measurement.window;
        let quality = &window.quality;
        figures!("{quality:?}");
        assert_eq!(quality.threads_lost, 0, "{quality:?}");
        no_event_lost(&outcome.measurement);
        ledger_closes(&outcome.measurement);
        agrees(&outcome.measurement);
        let count = outcome.line.rows.len() as u64;
        assert_eq!((quality.forks, quality.exits), (count, count));
        let main = thread(&outcome.measurement, outcome.pid);
        let mut sums = window.sums().classes[BlockClass::Pipe as usize].blocks;
        sums -= blocks(&main.sums, BlockClass::Pipe);
        let truth: u64 = outcome.line.rows.iter().map(|row| row.blocks).sum();
        if outcome.runs_missed() {
            continue;
        }
        assert_eq!(sums, truth, "blocks of all that lived");
        let born: Vec<_> = window.threads.iter().filter(|t| t.born_inside).collect();
        assert_eq!(born.len() as u64 + quality.threads_pooled, count);
        for t in &born {
            assert!(t.dead && t.sums.voluntary == t.sums.kernel_voluntary, "{t:?}");
            assert_eq!(blocks(&t.sums, BlockClass::Pipe), 1, "{:?}", by_class(&t.sums));
            assert_eq!(blocks(&t.sums, BlockClass::Exit), 1, "{:?}", by_class(&t.sums));
        }
        if quality.threads_pooled == 0 {
            let named: BTreeSet<u32> = born.iter().map(|t| t.tid.as_raw()).collect();
            assert!(outcome.line.rows.iter().all(|row| named.contains(&row.tid)));
        }
        // A newborn's counters begin at zero, and so do ours: the blocks of its row, and its exit.
        for row in &outcome.line.rows {
            let mut own = born.iter().filter(|t| t.tid.as_raw() == row.tid);
            if let (Some(t), None) = (own.next(), own.next()) {
                assert!(t.sums.voluntary > row.voluntary, "{:?} of {row:?}", by_class(&t.sums));
            }
        }
    }
}

/// A window that ends among threads that are born and end: each of its newborns has a record,
/// whether it ended in the window, while that was being read, or not at all, and who is born then
/// has none.
#[test]
fn ends_while_the_window_is_being_read() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["churn", "--n", "1000000"]);
    truth.go();
    let (mut of_windows, mut forks) = (Vec::new(), 0);
    while forks < 100 && of_windows.len() < 6 {
        let measuring = Measuring::start(request(truth.pid()));
        std::thread::sleep(Duration::from_millis(50));
        let measurement = measuring.stop();
        nothing_lost(&measurement);
        let window = &measurement.window;
        let born = window.threads.iter().filter(|t| t.born_inside).count() as u64;
        // None of them lives as long as a window.
        let strangers = window.threads.iter().filter(|t| t.silent && t.tid.as_raw() != truth.pid()).count();
        assert_eq!(strangers, 0, "{:?}", window.threads);
        of_windows.push((window.quality.forks, born + window.quality.threads_pooled, runs_missed(&measurement)));
        forks += window.quality.forks;
    }
    truth.kill();
    figures!("births, and records of them: {of_windows:?}");
    assert!(forks > 5 && of_windows.iter().all(|&(forks, records, missed)| missed || forks == records));
}

/// A thread of this process that lives until it is told to end.
struct Guest {
    tid: u32,
    thread: JoinHandle<()>,
    end: Sender<()>,
}

impl Guest {
    fn start() -> Self {
        let ((tell, told), (end, wait)) = (channel(), channel::<()>());
        let thread = std::thread::spawn(move || {
            tell.send(process::own_tid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        Self { tid: told.recv().unwrap(), thread, end }
    }

    fn end(self) {
        drop(self.end);
        self.thread.join().unwrap();
    }
}

/// Between a window's end and its reading: a thread that is born then is of the next window, and
/// one that ends then is of this one, once.
#[test]
fn born_and_ended_between_a_windows_end_and_its_reading() {
    if !can_measure() {
        return;
    }
    let mut session = Session::open(&Options::for_threads(8)).unwrap();
    session.attach().unwrap();
    session.add_process(Tgid::from_raw(std::process::id())).unwrap();
    session.begin();
    let old = Guest::start();
    session.finish();
    let (ended, born) = (old.tid, Guest::start());
    old.end();
    let first = session.harvest().unwrap();
    let records = |harvest: &Harvest, tid| {
        let all = harvest.alive.iter().chain(harvest.departed.iter());
        all.filter(|thread| thread.tid == tid)
            .map(|thread| thread.first >= harvest.start.as_nanos())
            .collect::<Vec<_>>()
    };
    assert_eq!((records(&first, ended), records(&first, born.tid)), (vec![true], vec![]));
    let tid = born.tid;
    session.begin();
    born.end();
    session.finish();
    let second = session.harvest().unwrap();
    assert_eq!((records(&second, ended), records(&second, tid)), (vec![], vec![true]));
    // Its last switch may come after the window: then it is among the living.
    assert_eq!(second.counters.exits_pooled, 0);
}

/// A fork, and an exec in the child, in the middle: with `follow` the child belongs to the target,
/// without it does not.
#[test]
fn fork_and_exec_in_the_middle() {
    if !can_measure() {
        return;
    }
    for follow in [true, false] {
        let outcome =
            check::run_as(&["forkexec", "--n", "20"], |pid| vec![Request { follow, ..request(pid) }]).remove(0);
        outcome.threads_hold();
        let window = &outcome.measurement.window;
        // The child waits at its gate by the same call of the same code.
        let row = &outcome.line.rows[0];
        let site = outcome.sites("read", "pipe");
        let all = row.calls + u64::from(follow);
        if outcome.runs_missed() {
            outcome.has_calls(site.calls, all);
            continue;
        }
        assert_eq!((site.calls, site.blocks, site.bytes), (all, all, all), "follow {follow}");
        let child: Vec<_> = window.threads.iter().filter(|t| t.tgid.as_raw() != outcome.pid).collect();
        figures!("follow {follow}: {:?}", child.iter().map(|t| by_class(&t.sums)).collect::<Vec<_>>());
        if !follow {
            assert!(child.is_empty());
            assert_eq!((window.quality.forks, window.quality.execs), (0, 0));
            continue;
        }
        assert_eq!((child.len(), window.quality.forks, window.quality.execs, window.quality.exits), (1, 1, 1, 1));
        let child = child[0];
        assert!(child.born_inside && child.dead);
        assert_eq!(blocks(&child.sums, BlockClass::Pipe), 1, "the gate: {:?}", by_class(&child.sums));
        assert_eq!(blocks(&child.sums, BlockClass::Exit), 1, "{:?}", by_class(&child.sums));
        assert_eq!(child.sums.voluntary, child.sums.kernel_voluntary);
        // What runs after the exec is other code, even at equal addresses.
        let spaces: BTreeSet<u32> = window.sites.iter().map(|s| s.place.space).collect();
        assert_eq!(spaces.len(), 2, "{spaces:?}");
    }
}

/// A thread that is not the leader execs: it takes the leader's tid, and its counts are conserved.
#[test]
fn exec_from_a_thread_that_is_not_the_leader() {
    if !can_measure() {
        return;
    }
    for raw in [false, true] {
        let mut truth = Truth::start(&["exec-nonleader", "--n", "40"]);
        let pid = truth.pid();
        let worker = *procfs::tids(pid).iter().find(|&&tid| tid != pid).unwrap();
        let before = procfs::Counters::read(pid, worker).unwrap();
        let measuring = Measuring::start(if raw { raw_request(pid) } else { request(pid) });
        truth.go();
        let line = truth.line();
        let after = procfs::Counters::read(pid, pid).unwrap().since(before);
        let measurement = measuring.stop();
        truth.end();
        nothing_lost(&measurement);
        ledger_closes(&measurement);
        agrees(&measurement);
        // The run at the exec may be among those that the kernel left out. Then nobody knew the
        // worker's new number in time.
        if runs_missed(&measurement) {
            continue;
        }
        let row = &line.rows[0];
        assert_eq!(line.value["exec"]["tid_before"].as_u64(), Some(u64::from(worker)));
        let of_leader = measurement.window.threads.iter().filter(|t| t.tid.as_raw() == pid);
        let (dead, alive): (Vec<_>, Vec<_>) = of_leader.partition(|t| t.dead);
        let all: Vec<_> =
            measurement.window.threads.iter().map(|t| (t.tid.as_raw(), t.dead, by_class(&t.sums))).collect();
        figures!("{all:?}");
        assert_eq!(alive.len(), 1, "the worker, under the leader's tid: {all:?}");
        assert_eq!(dead.len() + measurement.window.threads.iter().filter(|t| t.tid.as_raw() == worker).count(), 1);
        let t = alive[0];
        // The reads, and the one of stdin that it is parked in now.
        assert_eq!(blocks(&t.sums, BlockClass::Pipe), row.expected("pipe") + 1, "{all:?}");
        assert_eq!(t.sums.voluntary, row.voluntary + 1);
        assert_eq!((t.sums.voluntary, t.sums.involuntary), (after.voluntary, after.involuntary));
        assert_eq!(measurement.window.quality.execs, 1);
    }
}

/// A number of the target's is given again to a stranger that starts threads: none of these is
/// measured, whoever had the number before.
#[test]
fn a_pid_that_is_given_again() {
    if !can_measure() {
        return;
    }
    // Born in the measurement; there before it; with threads of its own.
    let late = "read go; sleep 0 & echo $!; wait; read end";
    let early = "sleep 60 & echo $!; read go; kill $!; wait; echo $!; read end";
    let threads = format!(
        "read go; {} burn --ms 1 --threads 2 </dev/null >/dev/null & echo $!; wait; read end",
        truth::program().display()
    );
    for (variant, script) in [("late", late), ("early", early), ("threads", &threads)] {
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(shell.stdout.take().unwrap()).lines();
        if variant == "early" {
            said.next();
        }
        let spec = TargetSpec { pids: vec![shell.id()], tree: true, ..TargetSpec::default() };
        let measuring = Measuring::start(Request { follow: true, ..request_for(&spec) });
        let mut input = shell.stdin.take().unwrap();
        input.write_all(b"go\n").unwrap();
        let pid: u32 = said.next().unwrap().unwrap().parse().unwrap();
        while Path::new(&format!("/proc/{pid}")).exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let stranger = with_pid(pid, || Truth::start(&["sleep", "--threads", "4", "--n", "20"]));
        if let Some(mut stranger) = stranger {
            let theirs = procfs::tids(pid);
            assert_eq!(theirs.len(), 5);
            stranger.go();
            stranger.line();
            stranger.end();
            let measurement = measuring.stop();
            let threads = &measurement.window.threads;
            // Numbers of threads are given again too; only the stranger's sleep.
            let is_theirs = |tid: u32, sums| tid != pid && theirs.contains(&tid) && blocks(sums, BlockClass::Sleep) > 0;
            let found: Vec<u32> = threads.iter().map(|t| t.tid.as_raw()).collect();
            let measured: Vec<_> = threads.iter().filter(|t| is_theirs(t.tid.as_raw(), &t.sums)).collect();
            assert!(measured.is_empty(), "{variant}: of the stranger {pid} {measured:?}");
            assert!(found.contains(&shell.id()), "{variant}: the target itself in {found:?}");
        }
        drop(input);
        shell.wait().unwrap();
    }
}

/// Starts a process until it has this number. `None` where others took it, or where the kernel does
/// not let anybody choose.
fn with_pid(pid: u32, start: impl Fn() -> Truth) -> Option<Truth> {
    for _ in 0..50 {
        if std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).is_err() {
            break;
        }
        let started = start();
        if started.pid() == pid {
            return Some(started);
        }
    }
    eprintln!("SKIPPED: nobody got PID {pid} again");
    None
}
