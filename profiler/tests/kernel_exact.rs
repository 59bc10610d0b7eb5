//! The profiler against workloads whose truth is known by construction, on the real kernel: counts exactly, times within
//! the bounds that the project states. Runs with `--test-threads=1`.

mod common;

use common::check::{self, Outcome, by_class, charge, within};
use common::{can_measure, figures};
use should_i_async::aggregate::BlockClass;

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
    accept: ["accept"];
    wait4: ["wait4", "--n", "100"];
    sleep: ["sleep", "--n", "200"];
    nonblock: ["nonblock"];
    burn: ["burn"];
}

/// For `--nocapture`: how the CPU time compares.
fn print(outcome: &Outcome) {
    for row in outcome.line.rows.iter().take(2) {
        let (thread, kernel) = (outcome.thread(row.tid), outcome.kernel(row.tid));
        let (seen, charged) = (thread.cpu().as_nanos(), charge(&thread.sums));
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
