//! should-i-async: how much CPU time a running process spends because its threads block on IO, and
//! whether async would give it back.
//!
//! The command does all of it. What is public here is for programs that read what it recorded:
//! [`Recording`], its [`Report`], and the [`Site`]s in it. `docs/architecture.md` is the map of the
//! rooms behind it; these are hidden, and change without notice.
//!
//! ```
//! use should_i_async::Recording;
//!
//! // Made by `should-i-async record -p PID -o server.sia`.
//! let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/counted/recording.sia");
//! let report = Recording::open(path)?.report();
//! println!("{}", report.verdict());
//! for site in report.sites().iter().take(3) {
//!     // The target chose its names: escape them before a terminal sees them.
//!     let descriptor = site.descriptor.escape_debug();
//!     let seconds = site.blocked.as_secs_f64();
//!     println!(
//!         "{} {descriptor}: {} of {} calls blocked, {seconds:.1} s in all",
//!         site.syscall, site.blocked_calls, site.calls
//!     );
//! }
//! # let verdict = "Yes: about 8 % (4–13 %) of its CPU would come back with an event loop: ";
//! # assert!(report.verdict().starts_with(verdict), "{}", report.verdict());
//! # let sites = report.sites().into_iter().map(|s| (s.syscall, s.blocked_calls));
//! # let expected = [("read", 280_000), ("accept4", 14), ("write", 0)];
//! # assert!(sites.eq(expected.map(|(syscall, blocked)| (syscall.to_owned(), blocked))));
//! # Ok::<(), should_i_async::OpenError>(())
//! ```
//!
//! It prints the verdict and the three call sites where threads were blocked longest:
//!
//! ```text
//! Yes: about 8 % (4–13 %) of its CPU would come back with an event loop: …
//! read 10.0.0.1:7000 ← 10.0.0.2:41822: 280000 of 300000 calls blocked, 126.0 s in all
//! accept4 listening on 0.0.0.0:7000: 14 of 14 calls blocked, 9.8 s in all
//! write 10.0.0.1:7000 ← 10.0.0.2:41822: 0 of 300000 calls blocked, 0.0 s in all
//! ```

use std::{path::Path, time::Duration};

#[doc(hidden)]
pub mod aggregate;
#[doc(hidden)]
pub mod answer;
#[doc(hidden)]
pub mod calibrate;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod cost;
#[doc(hidden)]
pub mod demo;
#[doc(hidden)]
pub mod event;
#[doc(hidden)]
pub mod export;
#[doc(hidden)]
pub mod feed;
#[doc(hidden)]
pub mod kernel;
#[doc(hidden)]
pub mod machine;
#[doc(hidden)]
pub mod pipeline;
#[doc(hidden)]
pub mod predict;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod quantity;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod report;
#[cfg(feature = "serve")]
#[doc(hidden)]
pub mod serve;
#[doc(hidden)]
pub mod symbol;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod tui;
#[doc(hidden)]
pub mod words;

/// A measurement that `should-i-async record` kept in a file.
#[derive(Clone, Debug)]
pub struct Recording(record::Recording);

/// A file that is no recording, or none that this version reads. Its text says why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OpenError(record::RecordError);

impl Recording {
    /// Reads a recording. It holds everything that a report needs, so any machine can read it.
    ///
    /// # Errors
    /// The file cannot be read, is no recording, is damaged, is of another version, or unpacks to
    /// more than 1 GiB, which no recording has needed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        record::Recording::read(path.as_ref()).map(Self).map_err(OpenError)
    }

    /// Reads one of your own, however large it is: a small file of a stranger may unpack to more
    /// than there is memory.
    ///
    /// # Errors
    /// As [`Recording::open`], whatever it unpacks to.
    pub fn open_any_size(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        record::Recording::read_up_to(path.as_ref(), u64::MAX).map(Self).map_err(OpenError)
    }

    /// Computes what the recording says, as `should-i-async report` does. Takes a moment: the
    /// recorded wake-ups are replayed.
    pub fn report(&self) -> Report {
        Report(pipeline::recording::report_of(&self.0))
    }
}

/// All that is said of one measurement.
#[derive(Clone, Debug)]
pub struct Report(answer::Report);

impl Report {
    /// The answer to "should it be async?", one sentence.
    pub fn verdict(&self) -> String {
        self.0.verdict.sentence()
    }

    /// The places in the target's code that made syscalls, the longest blocked first.
    pub fn sites(&self) -> Vec<Site> {
        self.0.sites.iter().map(Site::from_view).collect()
    }

    /// The whole report as one JSON object. `docs/report.schema.json` describes it.
    pub fn json(&self) -> String {
        report::json(&self.0)
    }

    /// The whole report as plain text, in lines of at most 100 columns. Names that the target chose
    /// are safe to print in it.
    pub fn text(&self) -> String {
        report::text(&self.0, &report::TextOptions::default())
    }
}

/// A place in the target's code that makes a syscall, with what its calls came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Site {
    /// The syscall's name.
    pub syscall: String,
    /// What its calls wait for: `tcp`, `pipe`, `file`, `futex` and so on.
    pub class: &'static str,
    /// What the last call's descriptor was: a connection, a path. Empty if it had none. The target
    /// chose it, so it may hold control characters.
    pub descriptor: String,
    /// How many calls returned.
    pub calls: u64,
    /// Those of them that blocked.
    pub blocked_calls: u64,
    /// How long threads were blocked here, summed over all of them.
    pub blocked: Duration,
    /// Direct cost of a call that blocked, in ns of CPU. `None` if it is not known.
    pub cost: Option<f64>,
}

impl Site {
    fn from_view(site: &answer::SiteView) -> Self {
        Self {
            syscall: site.syscall.clone(),
            class: site.class.name(),
            descriptor: site.descriptor.clone(),
            calls: site.calls,
            blocked_calls: site.blocked_calls,
            blocked: site.blocked.to_duration(),
            cost: site.direct.map(|cost| cost.per_call),
        }
    }
}
