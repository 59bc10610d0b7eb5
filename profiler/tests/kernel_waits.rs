//! Waits that are not what the call in which they happen is named after: for the disk, for the
//! journal, stopped, frozen. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::check::{self, Outcome, agrees, by_class, ledger_closes, nothing_lost, runs_missed, thread};
use common::measuring::{Measuring, raw_request, request};
use common::truth::Truth;
use common::{can_measure, figures, procfs};
use should_i_async::aggregate::{Role, RoleBasis};
use should_i_async::answer::{Answer, Evidence};
use should_i_async::event::BlockClass;

fn classes(outcome: &Outcome) -> BTreeSet<String> {
    let row = &outcome.line.rows[0];
    let found = by_class(&outcome.thread(row.tid).sums);
    figures!("{}: {found:?}", outcome.line.value["kind"]);
    outcome.switches_are_the_kernels(row.tid);
    found.into_keys().filter(|class| class != "pipe").collect()
}

/// Whatever the call, and whatever its first argument is.
#[test]
fn waits_for_the_disk() {
    if !can_measure() {
        return;
    }
    let allowed = [
        ("fsync", &["file", "journal"][..]),
        ("msync", &["file", "journal", "page-fault"]),
        ("sendfile", &["file"]),
        ("splice", &["file"]),
        ("io-submit", &["file"]),
        ("major-fault", &["page-fault"]),
    ];
    for (kind, allowed) in allowed {
        let outcome = check::run(&[kind, "--n", "100"]);
        nothing_lost(&outcome.measurement);
        ledger_closes(&outcome.measurement);
        agrees(&outcome.measurement);
        let found = classes(&outcome);
        if outcome.runs_missed() {
            continue;
        }
        assert!(found.iter().all(|class| allowed.contains(&class.as_str())), "{kind}: {found:?}");
        assert!(!found.is_empty(), "{kind} never waited: is {} in memory?", std::env::temp_dir().display());
    }
}

/// A fault that a supervisor answers is a wait for a page, not for a disk, though nothing of the
/// kernel's says what it waits for.
#[test]
fn faults_that_a_supervisor_answers() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["supervised", "--n", "200"]);
    nothing_lost(&outcome.measurement);
    ledger_closes(&outcome.measurement);
    agrees(&outcome.measurement);
    let row = &outcome.line.rows[0];
    let found = classes(&outcome);
    if outcome.runs_missed() {
        return;
    }
    assert_eq!(found, BTreeSet::from(["page-fault".to_owned()]));
    let sums = &outcome.thread(row.tid).sums;
    assert!(by_class(sums)["page-fault"] >= 190, "{:?} of 200 faults", by_class(sums));
    assert_eq!(sums.device_wait, 0, "no device had a request");
}

/// A file system of the test's own, in a file: gone when it is dropped.
struct FileSystem {
    folder: PathBuf,
}

impl FileSystem {
    /// `None` where it cannot be made here.
    fn new(kind: &str, bytes: u64) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("sia-{kind}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("mount")).ok()?;
        let image = folder.join("image");
        std::fs::File::create(&image).ok()?.set_len(bytes).ok()?;
        let made = Self { folder };
        let run = |program: &str, args: &[&std::ffi::OsStr]| {
            std::process::Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
        };
        let (image, mount) = (image.as_os_str(), made.mount());
        (run(&format!("mkfs.{kind}"), &["-q".as_ref(), image])
            && run("mount", &["-o".as_ref(), "loop".as_ref(), image, mount.as_os_str()]))
        .then_some(made)
    }

    fn mount(&self) -> PathBuf {
        self.folder.join("mount")
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.mount()).output();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What fsync waits for on ext4 and XFS is the journal, and that is told from the disk. And whether
/// `io_uring` makes their buffered writes by workers of the kernel is the file system's.
#[test]
fn waits_for_the_journal() {
    if !can_measure() {
        return;
    }
    let here = Path::new(WHERE_WORKLOADS_WRITE);
    let is_ext4 = rustix::fs::statfs(here).is_ok_and(|found| found.f_type as u64 == EXT4);
    for (kind, bytes, by_workers) in [("ext4", 96 << 20, true), ("xfs", 400 << 20, false)] {
        match FileSystem::new(kind, bytes) {
            Some(made) => syncs_in(&made.mount(), kind, by_workers),
            // A guest has an ext4 there, and no program that makes another.
            None if kind == "ext4" && is_ext4 => syncs_in(here, kind, by_workers),
            None => eprintln!("SKIPPED: no {kind} of its own can be mounted here"),
        }
    }
}

const WHERE_WORKLOADS_WRITE: &str = "/var/tmp";
/// `EXT4_SUPER_MAGIC`.
const EXT4: u64 = 0xef53;

fn syncs_in(folder: &Path, kind: &str, by_workers: bool) {
    let outcome = check::run(&["fsync", "--n", "100", "--dir", folder.to_str().unwrap()]);
    let found = classes(&outcome);
    if outcome.runs_missed() {
        return;
    }
    assert!(found.contains("journal"), "{kind}: {found:?}");
    assert!(found.iter().all(|class| ["journal", "file"].contains(&class.as_str())), "{kind}: {found:?}");
    let workers: Vec<&str> = outcome.measurement.inputs.by_workers.iter().map(|place| &*place.syscall).collect();
    assert_eq!(workers, if by_workers { &["pwrite64"][..] } else { &[] }, "{kind}");
}

/// A thread asleep in a poll of its connection is stopped and goes on: stopped in between, and its
/// wait is still one for the connection, though the kernel takes it up in another call.
#[test]
fn stopped_in_a_poll() {
    if !can_measure() {
        return;
    }
    let mut truth = Truth::start(&["poll", "--n", "2", "--us", "400000"]);
    let worker = *procfs::tids(truth.pid()).iter().find(|&&tid| tid != truth.pid()).unwrap();
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    procfs::await_asleep(truth.pid(), worker, &[libc::SYS_ppoll]);
    procfs::signal(truth.pid(), libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(100));
    procfs::signal(truth.pid(), libc::SIGCONT);
    let line = truth.line();
    let measurement = measuring.stop();
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    let found = by_class(&thread(&measurement, worker).sums);
    figures!("{found:?}");
    truth.end();
    if runs_missed(&measurement) {
        return;
    }
    assert_eq!(found.get("stopped"), Some(&1), "{found:?}");
    // The interrupted wait, its continuation, and the next.
    assert_eq!(found.get("tcp"), Some(&(line.rows[0].calls + 1)), "{found:?}");
    assert_eq!(
        found.keys().filter(|class| !["stopped", "tcp", "pipe"].contains(&class.as_str())).count(),
        0,
        "{found:?}"
    );
}

/// Frozen by its cgroup, a thread waits for nobody. Where the kernel freezes a sleeper in place
/// (6.1 and later, v1), it is not woken for that.
#[test]
fn frozen_by_its_cgroup() {
    if !can_measure() {
        return;
    }
    let places = [
        ("/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"),
        ("/sys/fs/cgroup", "cgroup.freeze", "1", "0"),
        ("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"),
    ];
    let mut tried = 0;
    for (root, file, on, off) in places {
        let group = PathBuf::from(root).join(format!("sia-test-{}", std::process::id()));
        let is_there = Path::new(root).join("cgroup.procs").exists();
        if !is_there || std::fs::create_dir(&group).is_err() {
            continue;
        }
        if group.join(file).exists() {
            tried += 1;
            frozen(&group, file, on, off);
        }
        let _ = std::fs::remove_dir(&group);
    }
    if tried == 0 {
        eprintln!("SKIPPED: no freezer to be had here");
    }
}

fn frozen(group: &Path, file: &str, on: &str, off: &str) {
    let mut truth = Truth::start(&["pipe", "--n", "2", "--us", "400000"]);
    let worker = *procfs::tids(truth.pid()).iter().find(|&&tid| tid != truth.pid()).unwrap();
    std::fs::write(group.join("cgroup.procs"), truth.pid().to_string()).unwrap();
    let measuring = Measuring::start(request(truth.pid()));
    truth.go();
    std::thread::sleep(Duration::from_millis(50));
    std::fs::write(group.join(file), on).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    std::fs::write(group.join(file), off).unwrap();
    truth.line();
    let measurement = measuring.stop();
    nothing_lost(&measurement);
    ledger_closes(&measurement);
    agrees(&measurement);
    let found = by_class(&thread(&measurement, worker).sums);
    figures!("{}: {found:?}", group.display());
    truth.end();
    // The group is empty only when the process is gone.
    std::thread::sleep(Duration::from_millis(50));
    if runs_missed(&measurement) {
        return;
    }
    assert_eq!(found.get("frozen"), Some(&1), "{}: {found:?}", group.display());
    assert!(found.keys().all(|class| ["frozen", "pipe"].contains(&class.as_str())), "{found:?}");
}

/// Who fights over a lock, who hands work over and who serves is told by who wakes whom.
#[test]
fn roles() {
    if !can_measure() {
        return;
    }
    for (kind, roles) in [
        ("role-mutex", &[("fights", "lock-bound")][..]),
        ("role-pthread-mutex", &[("fights", "lock-bound")]),
        ("role-parking-lot", &[("fights", "lock-bound")]),
        ("role-condvar", &[("submits", "dispatcher"), ("works", "pool-worker")]),
        ("role-reply", &[("submits", "dispatcher"), ("works", "pool-worker")]),
        ("role-semaphore", &[("submits", "dispatcher"), ("works", "pool-worker")]),
        ("role-channel", &[("works", "pool-worker")]),
        ("role-serve", &[("serves", "connection")]),
    ] {
        let outcome = check::run(&[kind, "--ms", "1500"]);
        nothing_lost(&outcome.measurement);
        let report = outcome.measurement.report();
        for (name, role) in roles {
            let found: Vec<_> = report.threads.iter().filter(|t| t.name == *name).map(|t| t.role).collect();
            figures!("{kind}, {name}: {found:?}");
            assert!(!found.is_empty(), "{kind}: no thread {name}");
            for one in found {
                assert_eq!(one.role.name(), *role, "{kind}, {name}: {one:?}");
            }
        }
    }
}

/// Threads that are born for one connection each and end with it serve, and what their births and
/// ends cost is counted as often as they are born.
#[test]
fn threads_that_are_born_for_a_connection() {
    if !can_measure() {
        return;
    }
    // The names of some that came and went may be lost: that is counted, and their sums are not.
    // Fifty births are the fewest that are priced; under emulation there are thirty a second.
    let outcome = check::run(&["role-brief", "--ms", "4000"]);
    let report = outcome.measurement.report();
    let brief = || report.threads.iter().filter(|t| matches!(t.role.basis, RoleBasis::Brief(_)));
    let served: u64 = report.sites.iter().filter(|s| s.syscall.starts_with("accept")).map(|s| s.calls - s.errors).sum();
    let births = report.verdict.evidence.iter().find_map(|e| match e {
        Evidence::Births { count, share } => Some((*count, *share)),
        _ => None,
    });
    figures!("{} of {served} connections by brief threads; {births:?}", brief().count());
    let (count, share) = births.expect("births that cost something");
    assert!((count - served as f64).abs() <= 0.05 * served as f64, "{count} births for {served} connections");
    assert!((0.01..0.9).contains(&share), "{share}");
    assert!(brief().count() as f64 > 0.9 * served as f64);
    assert!(brief().all(|t| t.role.role == Role::Connection));
}

/// Who waits for the ends of threads that it started fights for no lock, and what these do is told
/// from what they wait for.
#[test]
fn roles_of_those_that_are_joined() {
    if !can_measure() {
        return;
    }
    // Threads that came and went may have no name, so the role is that of nearly all CPU, that of
    // the load on the same sockets included.
    for (kind, role) in [("role-join", "computing"), ("role-rounds", "computing"), ("role-join-io", "connection")] {
        let outcome = check::run(&[kind, "--ms", "1500"]);
        nothing_lost(&outcome.measurement);
        let report = outcome.measurement.report();
        let found = &report.threads;
        let cpu = |role: Option<&str>| -> u64 {
            let these = found.iter().filter(|t| role.is_none_or(|role| t.role.role.name() == role));
            these.map(|t| t.cpu.as_nanos()).sum()
        };
        let (right, all) = (cpu(Some(role)), cpu(None));
        figures!("{kind}: {right} of {all} ns of {} threads; {:?}", found.len(), report.verdict.answer);
        assert!(right as f64 > 0.9 * all as f64, "{kind}: {right} of {all} ns are {role}");
        assert!(found.iter().all(|t| t.role.role.name() != "lock-bound"), "{kind}");
        assert!(report.verdict.answer != Answer::Locks, "{kind}");
    }
}

/// Calls of the 32-bit table are counted, have the class of what they wait for, and are named after
/// their own table.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_the_32_bit_table() {
    use common::measuring::raw_request;
    use should_i_async::pipeline::Request;

    if !can_measure() {
        return;
    }
    let kinds = ["int80", "int80-recv", "int80-poll", "int80-select"];
    let forms: [fn(u32) -> Request; 2] = [request, raw_request];
    for (kind, form) in kinds.into_iter().flat_map(|kind| forms.map(|form| (kind, form))) {
        let outcome = check::run_as(&[kind], |pid| vec![form(pid)]).remove(0);
        nothing_lost(&outcome.measurement);
        ledger_closes(&outcome.measurement);
        let row = &outcome.line.rows[0];
        outcome.switches_are_the_kernels(row.tid);
        outcome.row_is_true(row);
        if kind == "int80" {
            let site = outcome.sites("getpid (32-bit)", "other");
            outcome.has_calls(site.calls, row.calls);
            assert_eq!(site.errors, 0);
        }
        // The calls that have the numbers 3, 20, 102, 371 and 414 in the machine's own table, or
        // stand in the register where those of 64 bits would.
        for name in ["close", "writev", "getuid"] {
            let wrong = outcome.measurement.window.sites.iter().filter(|s| s.place.syscall == name);
            assert_eq!(wrong.map(|s| s.site.blocks).sum::<u64>(), 0, "{kind}: {name}");
        }
        agrees(&outcome.measurement);
    }
}

/// A master that waits while its children work is no program that waits for events: the answer says
/// who works, by the kernel's account of them.
#[test]
fn a_master_whose_children_work() {
    if !can_measure() {
        return;
    }
    for (kind, children) in [("prefork-select", 4), ("prefork-epoll", 4), ("prefork-reaped", 0)] {
        let outcome = check::run(&[kind, "--ms", "1500"]);
        let truth: u64 = outcome.line.rows.iter().map(|row| row.cpu).sum();
        let report = outcome.measurement.clone().report();
        let sentence = report.verdict.sentence();
        figures!("{kind}: {sentence} (children: {truth} ns)");
        assert_eq!(report.verdict.answer, Answer::ChildrenWork, "{kind}: {sentence}");
        let found = outcome.measurement.inputs.children.unwrap();
        assert_eq!(found.count, children, "{kind}");
        // The children go on for a moment after the truth was taken, on all CPUs; the account of
        // those that ended is kept in ticks.
        let (found, wall) = (found.cpu.as_nanos() as f64, outcome.measurement.inputs.window.wall.as_nanos() as f64);
        let most = f64::from(should_i_async::process::online_cpus()) * wall + 50e6;
        assert!(found >= 0.9 * truth as f64 && found <= most, "{kind}: {found} of {truth} ns");
        assert!(sentence.contains("--tree"), "{kind}: {sentence}");
    }
}

/// An event loop that does the work stays async, however often helpers beside it wait for locks.
#[test]
fn a_loop_beside_helpers_that_wait_for_each_other() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["role-loop"]);
    let report = outcome.measurement.clone().report();
    let blocks = |class| report.wall.classes.iter().filter(|l| l.class == class).map(|l| l.blocks).sum::<u64>();
    let (events, locks) = (blocks(BlockClass::EventWait), blocks(BlockClass::Futex));
    figures!("{events} event waits, {locks} waits for locks: {}", report.verdict.sentence());
    assert!(locks > events, "the helpers wait more often by construction: {locks} against {events}");
    assert_eq!(report.verdict.answer, Answer::AlreadyAsync, "{}", report.verdict.sentence());
}

/// Threads that the kernel runs for a ring have roles of their own, and their CPU is not the
/// program's.
#[test]
fn threads_of_rings_are_not_the_programs_own() {
    if !can_measure() {
        return;
    }
    for (kind, name, role, raw) in [
        ("ring-poller", "iou-sqp-", Role::RingPoller, false),
        ("ring-poller", "iou-sqp-", Role::RingPoller, true),
        ("ring-workers", "iou-wrk-", Role::RingWorker, false),
    ] {
        let as_asked = |pid| vec![if raw { raw_request(pid) } else { request(pid) }];
        let outcome = check::run_as(&[kind, "--ms", "800"], as_asked).remove(0);
        let names = &outcome.measurement.inputs.thread_names;
        let report = outcome.measurement.clone().report();
        figures!("{:?}, {:?}", report.roles, report.verdict);
        ledger_closes(&outcome.measurement);
        let mut cpu = 0;
        for thread in &report.threads {
            let is_ring = names.get(&thread.tid).is_some_and(|n| n.starts_with(name));
            assert_eq!(is_ring, thread.role.role == role, "{kind}: {thread:?}");
            cpu += if is_ring { thread.cpu.as_nanos() } else { 0 };
        }
        assert!(cpu > 0 && report.cpu.rings.as_nanos() == cpu, "{kind}: {cpu} of {:?}", report.cpu);
        // What the kernel charged these threads by the end of the work, and by the end of the
        // measurement: the poller goes on, and workers may be gone by then.
        let of_ring = || report.threads.iter().filter(|t| t.role.role == role).map(|t| t.tid.as_raw());
        let theirs: u64 = of_ring().filter_map(|tid| outcome.after.get(&tid)).map(|after| after.cpu).sum();
        let later: u64 = of_ring().filter_map(|tid| outcome.ended.get(&tid)).map(|ended| ended.cpu).sum();
        assert!(2 * cpu >= theirs && cpu <= 2 * theirs.max(later), "{kind}: {cpu} of {theirs}, then {later}");
        // Its own code is what the kernel charged to its own threads, at most.
        let own = outcome
            .after
            .iter()
            .filter(|(tid, _)| !report.threads.iter().any(|t| t.tid.as_raw() == **tid && t.role.role == role));
        let own: u64 = own.map(|(_, after)| after.cpu).sum();
        let user = report.cpu.user.value().unwrap().as_nanos();
        assert!(
            user <= own + own / 20,
            "{kind}: {user} of its own, {own} charged to its own threads, {cpu} of the ring's"
        );
        let said = report.verdict.evidence_lines().join("; ") + &report.verdict.sentence();
        let words = if role == Role::RingPoller {
            ["polling thread of a ring ("; 2]
        } else {
            ["worker of a ring (", "workers of rings ("]
        };
        assert!(words.iter().any(|words| said.contains(words)), "{kind}: {said}");
        assert!(!said.contains("its own"), "{kind}: {said}");
    }
}

/// Calls that a filter answers return and never begin: they are counted, and their CPU is not
/// called the program's own.
#[test]
fn calls_that_seccomp_answers_are_counted() {
    if !can_measure() {
        return;
    }
    for (kind, calls) in [("seccomp-errno", 100_000), ("seccomp-trap", 20_000), ("seccomp-notify", 300)] {
        let outcome = check::run(&[kind, "--n", &calls.to_string()]);
        nothing_lost(&outcome.measurement);
        ledger_closes(&outcome.measurement);
        agrees(&outcome.measurement);
        let sums = &outcome.thread(outcome.line.rows[0].tid).sums;
        figures!("{kind}: {} refused, {} of {} ns of user mode", sums.refused, sums.refused_user, sums.user);
        if outcome.runs_missed() {
            continue;
        }
        assert_eq!(sums.refused, calls, "{kind}: {sums:?}");
        assert!((1..=sums.user).contains(&sums.refused_user), "{kind}: {sums:?}");
        // None of it is what a measurement opens or ends with: the worker's gate was open.
        assert_eq!(sums.open_calls, 1, "{kind}: {sums:?}");
        let report = outcome.measurement.clone().report();
        let said = report.verdict.sentence() + &report.verdict.evidence_lines().join("; ");
        assert_eq!(report.cpu.refused, calls);
        assert!(report.cpu.refused_most.as_nanos() >= sums.refused_user, "{kind}");
        if kind == "seccomp-errno" {
            assert!(said.contains("answered by a seccomp filter") && !said.contains("its own"), "{kind}: {said}");
        }
    }
}

/// Calls that begin as others do are none of them, whatever they return.
#[test]
fn calls_that_fail_were_not_refused() {
    if !can_measure() {
        return;
    }
    for args in [&["nonblock", "--n", "2000"][..], &["sleep", "--n", "100"], &["pipe", "--n", "500"]] {
        let outcome = check::run(args);
        let refused: u64 = outcome.measurement.window.threads.iter().map(|t| t.sums.refused).sum();
        assert!(refused == 0 || outcome.runs_missed(), "{args:?}: {refused}");
    }
}
