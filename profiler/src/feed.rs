//! What a screen or a server is fed with: snapshots of a measurement under way, or of a recording,
//! and what the user asks back.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use crate::{
    answer::{By, Ended, Metrics, Profile, Report, Stalls, Top, Weight},
    predict::{Engine, Question, Scenario},
    quantity::Nanos,
};

/// How a measurement stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The measurement is under way.
    Measuring,
    /// The measurement has ended, for this reason.
    Ended(Ended),
    /// A recording: this part of so many, counted from 0.
    Recorded {
        /// The part shown last.
        part: usize,
        /// How many there are.
        parts: usize,
    },
}

/// A measurement as far as it has come, for a screen.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Since the start (or the last reset).
    pub at: Nanos,
    /// How long the last interval was.
    pub interval: Nanos,
    /// Everything since the start.
    pub whole: Arc<Report>,
    /// The last interval alone. Its what-if is that of the whole.
    pub last: Arc<Report>,
    /// What the prediction of the whole can be asked again with; `None` where there is nothing to
    /// ask. Two snapshots with one engine have one what-if.
    pub engine: Option<Arc<Engine>>,
    /// Stacks since the start.
    pub profile: Arc<Profile>,
    pub state: State,
}

/// What another number of loops would give back, on what one snapshot holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Inquiry {
    /// The engine of that snapshot.
    pub engine: Arc<Engine>,
    /// Which loops are asked about.
    pub question: Question,
}

/// The answer to an inquiry. Every inquiry gets one.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub inquiry: Inquiry,
    /// One per way of waiting that this machine has a price for; none where it could not be worked
    /// out, and an [`Update::Problem`] says why.
    pub scenarios: Vec<Scenario>,
}

/// What comes to the screen.
#[derive(Clone, Debug)]
pub enum Update {
    /// A snapshot, newer than all before it.
    Snapshot(Box<Snapshot>),
    /// The answer to [`Command::Ask`].
    Reply(Reply),
    /// The answer to an order, one line: `wrote flame.svg (120 KiB)`.
    Note(String),
    /// An order failed; one line that says what to do.
    Problem(String),
}

/// What the user asks for: the only way upstream.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Take a snapshot this often.
    Interval(Nanos),
    /// Begin anew: from now on `whole` counts from here.
    Reset,
    /// Write what is measured to a file.
    Export {
        /// Its ending names the format.
        path: PathBuf,
        /// What flame graphs and folded stacks are weighted by: what the screen shows.
        weight: Weight,
    },
    /// Work out the what-if on other loops than the report's.
    Ask(Inquiry),
    /// In a recording: show this part.
    Seek(usize),
}

/// Where snapshots come from.
pub trait Feed {
    /// The next update, waited for no longer than this. `None`: nothing came.
    fn next(&mut self, wait: Duration) -> Option<Update>;
    /// Hands over an order. Never waits.
    fn send(&mut self, command: Command);
}

/// What looks at the machine for the screen of `top`.
pub trait Machine {
    /// The newest look that was not fetched yet.
    fn newest(&mut self) -> Option<Top>;
    /// Whether no further look comes.
    fn is_over(&self) -> bool;
    /// From now on a row stands for this.
    fn show_by(&mut self, by: By);
}

/// What watches event loops for the screen of `stalls`.
pub trait StallFeed {
    /// The newest look that was not fetched yet.
    fn newest(&mut self) -> Option<Stalls>;
    /// Whether no further look comes.
    fn is_over(&self) -> bool;
}

/// What gathers figures for those who fetch them.
pub trait Metered: Send + Sync {
    /// The newest figures; `None` before the first ones.
    fn latest(&self) -> Option<Arc<Metrics>>;
    /// Whether no others come.
    fn is_over(&self) -> bool;
}

/// A profile that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileOrder {
    /// Of this process alone; `None`: of all that is measured.
    pub pid: Option<u32>,
    /// How long is to be measured.
    pub length: Nanos,
    pub form: Form,
}

/// What a profile is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A file for pprof, which shows this weight unless its reader chooses another.
    Pprof(Weight),
    /// A page for a browser, with the whole report.
    Page,
}

/// Why there is no profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProfile {
    /// Everything is measured: one process has to be named.
    WhichProcess,
    /// That process is none of those that are measured.
    NoTarget,
    /// What went wrong, one line.
    Failed(String),
}

/// What takes profiles for those who fetch them.
pub trait Profiler: Send + Sync {
    /// What was ordered, as a file. It takes as long as was asked for and a little more; less where
    /// `stop` is set meanwhile.
    ///
    /// # Errors
    /// See [`NoProfile`].
    fn profile(&self, order: &ProfileOrder, stop: &Arc<AtomicBool>) -> Result<Vec<u8>, NoProfile>;
}
