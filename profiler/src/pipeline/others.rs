//! What all other threads of the machine pay while the programs are attached: a tracepoint is hit
//! by everybody's calls and switches.
//!
//! Calls are the runs of the program at their start, which the kernel counts while its statistics
//! are on, less the target's. Switches are those of `/proc/stat` (`ctxt`) less the target's. Each
//! costs what it cost threads of our own while nobody was measured.

use crate::{
    answer::{Bystanders, Toll},
    kernel::{Passed, Session},
    process,
    quantity::Nanos,
};

/// What everybody did, at a moment.
#[derive(Clone, Copy)]
struct Moment {
    /// Calls or switches of all threads.
    all: u64,
    /// Those of the target's.
    own: u64,
    at: Nanos,
}

/// A count of others so far.
#[derive(Clone, Copy, Default)]
struct Tally {
    begun: Option<Moment>,
    /// May be negative while it is small: the two counters are not read at one moment.
    count: i64,
    time: Nanos,
}

impl Tally {
    fn end(&mut self, now: Option<Moment>) {
        if let (Some(begun), Some(now)) = (self.begun.take(), now) {
            let all = now.all.saturating_sub(begun.all) as i64;
            self.count += all - now.own.saturating_sub(begun.own) as i64;
            self.time += now.at.saturating_sub(begun.at);
        }
    }

    /// So many a second; `None` where nothing was counted.
    fn rate(&self) -> Option<f64> {
        (self.time > Nanos::ZERO).then(|| self.count.max(0) as f64 / self.time.as_secs_f64())
    }
}

/// Counts what others do.
#[derive(Default)]
pub(super) struct Others {
    toll: Option<Toll>,
    calls: Tally,
    switches: Tally,
}

impl Others {
    /// `toll`: what a hook costs whom nobody measures.
    pub(super) fn new(toll: Option<Toll>) -> Self {
        Self { toll, ..Self::default() }
    }

    /// The kernel's statistics are on from now on.
    pub(super) fn statistics_on(&mut self, session: &mut Session, now: Nanos) {
        self.calls.begun = calls(session, now);
    }

    /// They will be off.
    pub(super) fn statistics_off(&mut self, session: &mut Session, now: Nanos) {
        if self.calls.begun.is_some() {
            self.calls.end(calls(session, now));
        }
    }

    /// The programs count from now on; the target has done `passed` so far.
    pub(super) fn begun(&mut self, passed: Passed, now: Nanos) {
        self.switches.begun = switches(passed, now);
    }

    /// The target has done `passed` by now.
    pub(super) fn look(&mut self, passed: Passed, now: Nanos) {
        let to = switches(passed, now);
        self.switches.end(to);
        self.switches.begun = to;
    }

    /// What they pay while they are watched, by what was seen so far.
    pub(super) fn pay(&self) -> Option<Bystanders> {
        Some(Bystanders {
            calls: self.calls.rate(),
            switches: self.switches.rate()?,
            toll: self.toll?,
            cpus: process::online_cpus(),
        })
    }
}

fn calls(session: &mut Session, at: Nanos) -> Option<Moment> {
    // What ended threads did is counted when their records are read.
    session.drain();
    Some(Moment { all: session.calls_of_all()?, own: session.passed().calls, at })
}

fn switches(passed: Passed, at: Nanos) -> Option<Moment> {
    // The target's to another thread and back are two of the machine's. Where its threads take
    // turns they are one: others' are then said to be fewer, and there are hardly any.
    Some(Moment { all: process::switches_of_all()?, own: 2 * passed.switches, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(all: u64, own: u64, ms: u64) -> Option<Moment> {
        Some(Moment { all, own, at: Nanos::from_millis(ms) })
    }

    #[test]
    fn others_are_all_less_the_targets() {
        let mut tally = Tally { begun: moment(1_000, 200, 0), ..Tally::default() };
        tally.end(moment(6_000, 1_200, 20));
        assert_eq!(tally.rate(), Some(200_000.0));
        // Nothing is open: the next end says nothing.
        tally.end(moment(9_000, 1_200, 40));
        assert_eq!(tally.rate(), Some(200_000.0));
        tally.begun = moment(9_000, 1_200, 60);
        tally.end(moment(9_000, 1_210, 80));
        assert_eq!(tally.rate(), Some(3_990.0 / 0.04));
    }

    #[test]
    fn nothing_is_said_where_nothing_was_counted() {
        let mut tally = Tally::default();
        tally.end(moment(10, 1, 20));
        assert_eq!(tally.rate(), None);
        let mut none = Tally { begun: moment(10, 0, 0), ..Tally::default() };
        none.end(moment(10, 50, 20));
        assert_eq!(none.rate(), Some(0.0));
    }
}
