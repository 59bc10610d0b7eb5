//! The profiler against workloads whose truth is known by construction, on the real kernel: counts
//! exactly, times within the bounds that the project states. Runs with `--test-threads=1`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::check::{self, Outcome, by_class, within};
use common::{can_measure, figures};
use should_i_async::{event::BlockClass, kernel};

/// A test per workload: every count equals the truth, thread by thread and class by class.
macro_rules! exact {
    ($($name:ident: $args:expr;)*) => {$(
        #[test]
        fn $name() {
            if can_measure() {
                let outcome = check::run(&$args);
                assert!(outcome.line.exact);
                outcome.holds();
                print(&outcome);
            }
        }
    )*};
}

exact! {
    pipe: ["pipe"];
    pipe_by_eight_threads: ["pipe", "--threads", "8", "--n", "200"];
    socket_tcp: ["socket-tcp"];
    socket_unix: ["socket-unix"];
    socket_udp: ["socket-udp"];
    eventfd: ["eventfd"];
    timerfd: ["timerfd"];
    signalfd: ["signalfd"];
    tty: ["tty"];
    futex: ["futex"];
    epoll: ["epoll"];
    poll_of_one: ["poll"];
    epoll_of_one: ["epoll-one"];
    epoll_of_two: ["epoll-two"];
    poll_of_a_listener: ["poll-listener"];
    poll_of_two: ["poll-two"];
    poll_of_three: ["poll-three"];
    poll_of_many: ["poll-many"];
    poll_of_a_server: ["poll-server"];
    epoll_of_three: ["epoll-three"];
    epoll_of_many: ["epoll-many"];
    epoll_of_one_busy_among_many: ["epoll-busy"];
    epoll_of_a_server: ["epoll-server"];
    poll_that_times_out: ["poll-timeout", "--n", "200"];
    poll_of_nothing: ["poll-nothing", "--n", "200"];
    select_that_times_out: ["select-timeout", "--n", "200"];
    epoll_that_times_out: ["epoll-timeout", "--n", "200"];
    futex_that_times_out: ["futex-timeout", "--n", "200"];
    receive_that_times_out: ["recv-timeout", "--n", "50", "--us", "4000"];
    select_of_one: ["select"];
    select_of_two: ["select-two"];
    poll_of_a_proxy: ["poll-relay"];
    select_of_a_proxy: ["select-relay"];
    select_of_three: ["select-three"];
    select_of_many: ["select-many"];
    select_of_a_server: ["select-server"];
    a_number_that_dup2_changes: ["fd-dup"];
    a_number_that_a_ring_closes: ["fd-ring"];
    a_number_that_another_process_changes: ["fd-shared"];
    a_number_in_two_tables: ["fd-table"];
    accept: ["accept"];
    wait4: ["wait4", "--n", "100"];
    sleep: ["sleep", "--n", "200"];
    nonblock: ["nonblock"];
    burn: ["burn"];
}

/// A kernel that takes typed programs takes these: with too many ways through one the verifier
/// gives up, and the tool falls back to the other form without a word on the first page.
#[test]
fn the_kernel_takes_the_typed_programs() {
    if !can_measure() {
        return;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map_while(|n| n.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(5), Some(15)) {
        eprintln!("SKIPPED: {} lacks helpers that the typed programs call", release.trim());
        return;
    }
    let outcome = check::run(&["pipe", "--n", "20"]);
    assert_eq!(outcome.measurement.inputs.facts.form, kernel::Form::Typed.name());
}

/// Who is a loop: how many waits on several descriptors were ended by another one than the last.
#[test]
fn turnover() {
    if !can_measure() {
        return;
    }
    let n = 200;
    for (kind, ends, turns) in [
        ("poll", 0, 0),
        ("epoll-one", 0, 0),
        ("poll-two", n, 1),
        ("select-two", n, 1),
        ("select-many", n, n),
        ("poll-relay", n, n),
        ("select-relay", n, n),
        ("select-server", n, 1),
        ("epoll-two", n, 1),
        ("poll-many", n, n),
        ("epoll-many", n, n),
        ("epoll-busy", n, 1),
        ("poll-server", n, 1),
    ] {
        let outcome = check::run(&[kind, "--n", &n.to_string()]);
        if outcome.runs_missed() {
            eprintln!("SKIPPED {kind}: the kernel left out runs");
            continue;
        }
        let sums = &outcome.thread(outcome.line.rows[0].tid).sums;
        assert_eq!((sums.event_ends, sums.event_turns), (ends, turns), "{kind}");
        // The byte that each wait was for.
        assert_eq!(sums.io_calls, n, "{kind}");
    }
}

/// For `--nocapture`: how the CPU time compares.
fn print(outcome: &Outcome) {
    for row in outcome.line.rows.iter().take(2) {
        let (thread, kernel) = (outcome.thread(row.tid), outcome.kernel(row.tid));
        let (seen, charged) = (thread.cpu().as_nanos(), thread.sums.charge());
        figures!(
            "{}: {:?}; CPU by the kernel {} ns, tracepoints {:+.2} %, with charge {:+.2} %; unknown {}, excess {}, wall {}",
            outcome.line.value["kind"],
            by_class(&thread.sums),
            kernel.cpu,
            percent(seen, kernel.cpu),
            percent(seen.saturating_add_signed(charged), kernel.cpu),
            thread.unknown,
            thread.excess,
            thread.wall,
        );
    }
}

fn percent(ours: u64, theirs: u64) -> f64 {
    100.0 * (ours as f64 / theirs as f64 - 1.0)
}

/// The device decides whether and how often an O_DIRECT read blocks; class, bytes, requests and the
/// kernel's count of switches are known all the same.
#[test]
fn file_direct() {
    if !can_measure() {
        return;
    }
    direct_reads_are_its_own();
}

/// Requests of others that the reader's own context sends to the device stay theirs.
#[test]
fn file_direct_beside_a_busy_neighbour() {
    if !can_measure() {
        return;
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let stop = &stop;
            scope.spawn(move || write_until(stop, writer));
        }
        // Each try is a new reader: how often the two meet in the device's queue differs.
        for _ in 0..4 {
            direct_reads_are_its_own();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Writes to the device of the truth's own file, as deep as there are writers.
fn write_until(stop: &AtomicBool, writer: usize) {
    let path = PathBuf::from(format!("/var/tmp/neighbour-{}-{writer}", std::process::id()));
    let file = File::create(&path).unwrap();
    // The open descriptor keeps the file; its name would outlive a killed process.
    std::fs::remove_file(&path).unwrap();
    // Bounded, if whoever stops it does not.
    let end = Instant::now() + Duration::from_secs(30);
    while !stop.load(Ordering::Relaxed) && Instant::now() < end {
        file.write_all_at(&[0x5a; 64 << 10], 0).unwrap();
        file.sync_data().unwrap();
    }
}

fn direct_reads_are_its_own() {
    let outcome = check::run(&["file-direct", "--n", "500"]);
    outcome.holds();
    print(&outcome);
    let row = &outcome.line.rows[0];
    assert_eq!(row.bytes, 500 * 4096);
    let window = &outcome.measurement.window;
    figures!("blocks {}, devices {:?}", row.blocks, window.devices);
    let (reads, bytes) = window.devices.iter().fold((0, 0), |(r, b), d| (r + d.target.reads, b + d.target.bytes));
    // A kernel may keep programs out of the tasks that manage its machine. A completion that
    // interrupts one of these tells us neither of the request nor of the wake-up, which is counted.
    let untold = window.quality.raced_wakes;
    // A fragmented file can take more than one request a read, but never less than one.
    assert!(reads + untold >= row.calls, "{reads} requests for {} reads, {untold} untold", row.calls);
    assert!(bytes <= row.bytes && bytes + untold * 4096 >= row.bytes, "{bytes} of {}, {untold} untold", row.bytes);
    let sums = &outcome.thread(row.tid).sums;
    let blocked = sums.classes[BlockClass::File as usize].blocked;
    assert!(sums.device_wait <= blocked, "{} ns at the device of {blocked} ns blocked", sums.device_wait);
}

/// A wait of known length is blocked for that long: within 1 % and 50 µs a wait.
#[test]
fn blocked_time_of_sleeps() {
    if !can_measure() {
        return;
    }
    for us in [200, 2_000, 20_000] {
        let outcome = check::run(&["sleep", "--n", "25", "--us", &us.to_string()]);
        outcome.holds();
        let row = &outcome.line.rows[0];
        let sum = outcome.thread(row.tid).sums.classes[BlockClass::Sleep as usize];
        let (low, high) = with_tolerance(row.blocked_min, row.blocked_max, row.blocks);
        figures!("sleep {us} µs: {} ns in [{}, {}]", sum.blocked, row.blocked_min, row.blocked_max);
        assert!((low..=high).contains(&sum.blocked), "{us} µs: {} ns are not in {low}..={high}", sum.blocked);
        // The way into the kernel and the run queue lie between the two.
        assert!(sum.blocked + sum.run_delay <= row.blocked_max, "{us} µs: {sum:?} in {row:?}");
    }
}

/// As above, for waits that another thread ends. The bounds hold without tolerance here: the
/// driver's lower bound begins after the reader has left the CPU and ends before it is woken, and
/// the reader's upper bound is around the whole call.
#[test]
fn blocked_time_of_held_reads() {
    if !can_measure() {
        return;
    }
    for (kind, class, us) in [("pipe", "pipe", 5_000), ("socket-tcp", "tcp", 2_000), ("futex", "futex", 1_000)] {
        let outcome = check::run(&[kind, "--n", "20", "--us", &us.to_string()]);
        outcome.holds();
        let row = &outcome.line.rows[0];
        let site = outcome.sites(&row.syscall, class);
        let (blocked, delay) = (site.blocked.sum, site.run_delay.sum);
        figures!("{kind} {us} µs: {blocked} ns in [{}, {}]", row.blocked_min, row.blocked_max);
        assert!(row.blocked_min >= 20 * us * 1_000);
        assert!(blocked >= row.blocked_min && blocked + delay <= row.blocked_max, "{kind}: {site:?} {row:?}");
        let (low, high) = with_tolerance(row.blocked_min, row.blocked_max, row.blocks);
        assert!((low..=high).contains(&blocked), "{kind}: {blocked} ns are not in {low}..={high}");
    }
}

fn with_tolerance(min: u64, max: u64, waits: u64) -> (u64, u64) {
    let slack = |ns: u64| ns / 100 + 50_000 * waits;
    (min.saturating_sub(slack(min)), max + slack(max))
}

/// A thread that burns CPU for long enough to be preempted: tracepoints and charge together have
/// each of its nanoseconds.
#[test]
fn cpu_of_burners() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["burn", "--ms", "1000", "--threads", "2"]);
    outcome.holds();
    print(&outcome);
    for row in &outcome.line.rows {
        let thread = outcome.thread(row.tid);
        assert_eq!(
            thread.sums.calls, 4,
            "a burner makes no calls but those that read its own counters, two before, two after"
        );
        assert!(thread.sums.user as f64 >= 0.99 * thread.cpu().as_nanos() as f64, "{thread:?}");
    }
    process_cpu_agrees(&outcome);
}

/// Two threads that hand a byte to and fro on one CPU: more than 100,000 switches a second, and
/// none is lost.
#[test]
fn pingpong_at_100_000_switches_a_second() {
    if !can_measure() {
        return;
    }
    let outcome = check::run(&["pingpong", "--ms", "1000"]);
    outcome.holds();
    print(&outcome);
    let switches: u64 = outcome.line.rows.iter().map(|row| row.voluntary + row.involuntary).sum();
    let rate = switches as f64 / (outcome.line.rows[0].wall as f64 / 1e9);
    figures!("{rate:.0} switches a second, {:?}", outcome.measurement.window.quality);
    assert!(rate > 100_000.0, "only {rate:.0} switches a second: this machine is too slow to tell");
    process_cpu_agrees(&outcome);
}

/// The report's CPU of the whole process against its CPU clock.
fn process_cpu_agrees(outcome: &Outcome) {
    let report = outcome.measurement.clone().report();
    let checked = report.check.process_cpu.unwrap();
    figures!("process CPU: ours {}, clock {}, by the test {}", checked.ours, checked.kernel, outcome.process_cpu);
    assert!(within(checked.ours, checked.kernel, 0.01), "{:?}", report.check);
    assert!(within(checked.kernel, outcome.process_cpu, 0.01), "{checked:?}, by the test {}", outcome.process_cpu);
}
