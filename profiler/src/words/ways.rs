//! Ways to wait, in words.

use crate::machine::Way;

impl Way {
    /// What a sentence calls it, and what it is in a few words.
    const fn phrases(self) -> [&'static str; 2] {
        match self {
            Self::Level => ["an event loop", "readiness: epoll, one read per event"],
            Self::Naive => ["a loop that tries again", "readiness: epoll, one extra attempt per event"],
            Self::Runtime => ["a runtime", "readiness through a runtime (tokio, one thread per loop)"],
            Self::Tuned => ["io_uring", "completion: io_uring, batched"],
            Self::Deep => ["io_uring with 32 requests at once", "completion: io_uring, 32 requests on files at once"],
            Self::Deeper => {
                ["io_uring with 128 requests at once", "completion: io_uring, 128 requests on files at once"]
            }
            Self::Aio => ["Linux AIO", "completion: Linux AIO, for reads and writes past the page cache"],
            Self::Workers => {
                ["workers for its files", "a pool of workers that makes its calls on files, and blocks there"]
            }
            Self::Inline => [
                "its own calls on files",
                "no pool: who asks for a file makes the call, and others wait while it blocks",
            ],
            Self::Pooled => {
                ["a loop with a pool of workers", "readiness: a loop hands what is ready to a pool of workers"]
            }
            Self::Shared => [
                "a loop that its threads share",
                "readiness: threads wait by turns in one loop, and serve what they find",
            ],
            Self::Streams => ["asyncio streams", "asyncio with its streams"],
            Self::Protocols => ["asyncio protocols", "asyncio with protocols (callbacks)"],
            Self::Uvloop => ["uvloop", "asyncio protocols on uvloop"],
            Self::Gevent => ["gevent", "gevent (greenlets in the place of threads)"],
            Self::Virtual => ["virtual threads", "virtual threads in the place of platform threads"],
            Self::Tasks => ["a virtual thread for each task", "virtual threads in the place of its loop's pool"],
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
