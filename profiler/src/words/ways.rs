//! Ways to wait, in words.

use crate::machine::Way;

impl Way {
    /// What a sentence calls it, and what it is in a few words.
    const fn phrases(self) -> [&'static str; 2] {
        match self {
            Self::Naive => ["an event loop", "readiness: epoll, one extra attempt per wait"],
            Self::Runtime => ["a runtime", "readiness through a runtime (tokio, one thread per loop)"],
            Self::Tuned => ["io_uring", "completion: io_uring, batched"],
            Self::Deep => ["io_uring with 32 requests at once", "completion: io_uring, 32 requests on files at once"],
            Self::Deeper => {
                ["io_uring with 128 requests at once", "completion: io_uring, 128 requests on files at once"]
            }
            Self::Pooled => {
                ["a loop with a pool of workers", "readiness: a loop hands what is ready to a pool of workers"]
            }
            Self::Streams => ["asyncio streams", "asyncio with its streams"],
            Self::Protocols => ["asyncio protocols", "asyncio with protocols (callbacks)"],
            Self::Uvloop => ["uvloop", "asyncio protocols on uvloop"],
            Self::Gevent => ["gevent", "gevent (greenlets in the place of threads)"],
            Self::Virtual => ["virtual threads", "virtual threads in the place of platform threads"],
            Self::Selector => ["a selector loop", "a loop over a selector (NIO)"],
        }
    }

    /// What a sentence calls it: "… would give back".
    pub const fn in_a_sentence(self) -> &'static str {
        self.phrases()[0]
    }

    /// What it is, in a few words.
    pub const fn words(self) -> &'static str {
        self.phrases()[1]
    }
}
