//! What an observer counted against what was true: one that hardly saw the target costs little, and
//! says nothing about what observing costs.

use super::observer::Observer;

/// A row needs at least this share of what happened.
pub(super) const LEAST: f64 = 0.5;

/// What the target did while it was observed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    /// Time that the observer watched, seconds.
    pub(super) seconds: f64,
    /// System calls a second.
    pub(super) calls: f64,
    /// Switches a second, by the kernel's own counters.
    pub(super) switches: f64,
    /// Threads less CPU: how many are off the CPU.
    pub(super) off_cpu: f64,
}

/// The share of it that the observer's output tells of; `None` where it tells of nothing that could
/// be compared.
pub(super) fn share(observer: Observer, said: &str, truth: Truth) -> Option<f64> {
    let (found, true_rate) = match observer {
        Observer::None | Observer::Empty => return None,
        Observer::Check | Observer::CheckBudget => {
            let report: serde_json::Value = serde_json::from_str(said).ok()?;
            let value = |at: &str| report.pointer(at).and_then(|figure| figure.get("value")?.as_f64());
            let switches =
                value("/check/voluntary/ours_count")? + value("/check/involuntary/ours_count").unwrap_or_default();
            let measured = value("/window/measured_ns")? * 1e-9;
            return Some(switches / measured.max(1e-9) / truth.switches.max(1e-9));
        }
        // A stack ends with a line that is a number alone: µs.
        Observer::Offcputime | Observer::Peers => {
            let micros = said.lines().filter_map(|line| line.trim().parse::<f64>().ok()).sum::<f64>();
            (micros * 1e-6, truth.off_cpu)
        }
        // `recvfrom   7041`
        Observer::Syscount => (sum(said, |words| (words.len() == 2).then(|| words.last().copied())?), truth.calls),
        // `16 -> 31 : 3202 |****|`
        Observer::Runqlat => {
            (sum(said, |words| (words.get(1) == Some(&"->")).then(|| words.get(4).copied())?), truth.switches)
        }
        // `conn-0 (16098), 10133 events, 24.0%`: a call has two.
        Observer::PerfTrace => (sum(said, events) / 2.0, truth.calls),
        // `100.00    6.166931         220     28000           total`
        Observer::Strace => {
            (sum(said, |words| (words.last() == Some(&"total")).then(|| words.get(3).copied())?), truth.calls)
        }
    };
    Some(found / (true_rate * truth.seconds).max(1e-9))
}

/// The number before the word `events,`.
fn events<'a>(words: &[&'a str]) -> Option<&'a str> {
    let at = words.iter().position(|&word| word == "events,")?;
    words.get(at.checked_sub(1)?).copied()
}

/// The sum of a number of each line.
fn sum<'a, S: AsRef<str>>(text: &'a str, pick: impl Fn(&[&'a str]) -> Option<S>) -> f64 {
    let words = |line: &'a str| line.split_whitespace().collect::<Vec<_>>();
    text.lines().filter_map(|line| pick(&words(line))?.as_ref().parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: Truth = Truth { seconds: 2.0, calls: 14_000.0, switches: 7_000.0, off_cpu: 3.5 };

    fn of(observer: Observer, said: &str) -> f64 {
        share(observer, said, TRUTH).unwrap()
    }

    #[test]
    fn outputs_of_peers_are_counted() {
        let stacks =
            "    recv\n    -                conn-2 (16100)\n        3500000\n\n    -   conn-1 (7)\n        3500000\n";
        assert!((of(Observer::Offcputime, stacks) - 1.0).abs() < 1e-9);
        let calls = "Tracing syscalls, printing top 10... Ctrl+C to quit.\n[18:00:55]\nSYSCALL   COUNT\nrecvfrom  7000\nsendto 7000\n";
        assert!((of(Observer::Syscount, calls) - 0.5).abs() < 1e-9);
        let delays =
            "  usecs  : count  distribution\n     8 -> 15         : 7000     |****   |\n  16 -> 31  : 7000 |**|\n";
        assert!((of(Observer::Runqlat, delays) - 1.0).abs() < 1e-9);
        let strace = " 84.75    5.226488         373     14001           recvfrom\n100.00    6.166931         220     28000           total\n";
        assert!((of(Observer::Strace, strace) - 1.0).abs() < 1e-9);
        let trace = " Summary of events:\n\n conn-0 (16098), 28000 events, 24.0%\n\n   recvfrom  2534  0  1038.736  0.000\n conn-1 (16099), 28000 events, 24.7%\n";
        assert!((of(Observer::PerfTrace, trace) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn who_saw_nothing_counted_nothing() {
        for observer in [Observer::Offcputime, Observer::Syscount, Observer::Runqlat, Observer::Strace] {
            assert_eq!(of(observer, "Tracing...\n"), 0.0, "{observer:?}");
        }
        assert_eq!(share(Observer::Check, "no json", TRUTH), None);
        assert_eq!(share(Observer::Empty, "", TRUTH), None);
    }

    #[test]
    fn ours_is_a_rate_of_what_it_measured() {
        let report = r#"{"window":{"measured_ns":{"value":1000000000}},
            "check":{"voluntary":{"ours_count":{"value":6000}},"involuntary":{"ours_count":{"value":300}}}}"#;
        assert!((of(Observer::CheckBudget, report) - 0.9).abs() < 1e-9);
    }
}
