//! Ways to wait for many descriptors.

use super::row::Step;
use crate::quantity::Estimate;

/// A way to wait for many descriptors in one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Way {
    /// A hand-written loop over `epoll_wait`, one extra attempt per event.
    Naive,
    /// An async runtime.
    Runtime,
    /// `io_uring`, batched.
    Tuned,
    /// The same on files, with 32 requests in flight at once.
    Deep,
    /// The same on files, with 128.
    Deeper,
    /// A loop that hands ready descriptors to a pool of workers, as many servers do that call it
    /// their async mode.
    Pooled,
    /// CPython: asyncio, reading and writing through its streams.
    Streams,
    /// CPython: asyncio, with protocols, whose callbacks get the data.
    Protocols,
    /// CPython: the same protocols on uvloop.
    Uvloop,
    /// CPython: gevent's greenlets, which look like threads.
    Gevent,
    /// JVM: virtual threads, which look like threads.
    Virtual,
    /// JVM: a loop over a selector.
    Selector,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 12] = [
        Self::Naive,
        Self::Runtime,
        Self::Tuned,
        Self::Deep,
        Self::Deeper,
        Self::Pooled,
        Self::Streams,
        Self::Protocols,
        Self::Uvloop,
        Self::Gevent,
        Self::Virtual,
        Self::Selector,
    ];
    /// Those of programs in machine code.
    pub const NATIVE: [Self; 6] = [Self::Naive, Self::Runtime, Self::Tuned, Self::Deep, Self::Deeper, Self::Pooled];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Runtime => "runtime",
            Self::Tuned => "tuned",
            Self::Deep => "deep32",
            Self::Deeper => "deep128",
            Self::Pooled => "pooled",
            Self::Streams => "streams",
            Self::Protocols => "protocols",
            Self::Uvloop => "uvloop",
            Self::Gevent => "gevent",
            Self::Virtual => "virtual",
            Self::Selector => "selector",
        }
    }

    /// What it is, in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Naive => "readiness: epoll, one extra attempt per wait",
            Self::Runtime => "readiness through a runtime (tokio, one thread per loop)",
            Self::Tuned => "completion: io_uring, batched",
            Self::Deep => "completion: io_uring, 32 requests on files at once",
            Self::Deeper => "completion: io_uring, 128 requests on files at once",
            Self::Pooled => "readiness: a loop hands what is ready to a pool of workers",
            Self::Streams => "asyncio with its streams",
            Self::Protocols => "asyncio with protocols (callbacks)",
            Self::Uvloop => "asyncio protocols on uvloop",
            Self::Gevent => "gevent (greenlets in the place of threads)",
            Self::Virtual => "virtual threads in the place of platform threads",
            Self::Selector => "a loop over a selector (NIO)",
        }
    }

    /// What a sentence calls it: "… would give back".
    pub const fn in_a_sentence(self) -> &'static str {
        match self {
            Self::Naive => "an event loop",
            Self::Runtime => "a runtime",
            Self::Tuned => "io_uring",
            Self::Deep => "io_uring with 32 requests at once",
            Self::Deeper => "io_uring with 128 requests at once",
            Self::Pooled => "a loop with a pool of workers",
            Self::Streams => "asyncio streams",
            Self::Protocols => "asyncio protocols",
            Self::Uvloop => "uvloop",
            Self::Gevent => "gevent",
            Self::Virtual => "virtual threads",
            Self::Selector => "a selector loop",
        }
    }

    /// Whether what is asked for is done when it is told of: a wait for files is one, too.
    pub const fn completes(self) -> bool {
        matches!(self, Self::Tuned | Self::Deep | Self::Deeper)
    }

    /// Requests on files in flight at once, where they are as many as there can be; else as many as
    /// there were.
    pub const fn depth(self) -> Option<f64> {
        match self {
            Self::Deep => Some(32.0),
            Self::Deeper => Some(128.0),
            _ => None,
        }
    }

    /// What a server step costs in this way.
    pub(super) fn cost_of(self, step: &Step) -> Option<Estimate> {
        match self {
            Self::Naive | Self::Pooled => Some(step.again),
            Self::Runtime => step.runtime,
            Self::Tuned | Self::Deep | Self::Deeper => step.uring,
            _ => None,
        }
    }
}
