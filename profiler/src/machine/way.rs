//! Ways to wait for many descriptors.

use super::{language::Language, queue::Queue, row::Step};
use crate::quantity::{Estimate, listed};

listed! {
    /// A way to wait for IO.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
    pub enum Way {
        /// A loop over `epoll_wait` that reads once per event, as most libraries do.
        Level,
        /// A loop over `epoll_wait` with one extra attempt per event, which finds nothing.
        Naive,
        /// An async runtime over epoll.
        Runtime,
        /// `io_uring`, with requests submitted in batches.
        Tuned,
        /// `io_uring` on files, with 32 requests in flight at once.
        Deep,
        /// `io_uring` on files, with 128 requests in flight at once.
        Deeper,
        /// Linux AIO for reads and writes past the page cache: it waits for those alone.
        Aio,
        /// Calls on files are handed to a pool of workers, which block in them.
        Workers,
        /// Calls on files that a pool makes today are made by the thread that asks for them, which
        /// blocks in them.
        Inline,
        /// A loop that hands ready descriptors to a pool of workers, as many servers do that call
        /// it their async mode.
        Pooled,
        /// A loop whose threads take turns to wait, and serve themselves what they find.
        Shared,
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
        /// JVM: a loop that starts a virtual thread for each task that it hands to its pool today.
        Tasks,
        /// JVM: a loop over a selector.
        Selector,
    }
}

/// What a way of waiting hands to a pool of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Nothing: it has no pool.
    None,
    /// Every call on a file, whether it would block or not.
    Files,
    /// Each descriptor that is ready.
    Events,
    /// The wait itself (leader/followers): threads take turns to wait, and serve what they find.
    LeaderFollowers,
    /// Calls on files. Nothing else changes.
    FilesOnly,
    /// Nothing: today's pool is removed, and the thread that asks for a file makes the call itself.
    Removed,
}

/// What a way is meant for.
#[derive(Clone, Copy)]
enum Suits {
    All,
    Files,
    Sockets,
    /// Threads that block, on whatever; not a pool that a loop feeds.
    Blocking,
    /// A pool that a loop feeds, and nothing else.
    Fed,
}

/// What the kernel tells a way of waiting.
#[derive(Clone, Copy)]
enum IoModel {
    /// Which descriptors are ready, as epoll does. Files are always ready, so it never waits for
    /// those.
    Readiness,
    /// Which requests are done, through this queue. Files too are waited for.
    Completion(Queue),
}

/// The properties of a way. By them it is offered, priced and predicted.
#[derive(Clone, Copy)]
struct Row {
    language: Language,
    model: IoModel,
    /// Requests on files in flight at once; `None`: as many as the target has today.
    depth: Option<f64>,
    suits: Suits,
    pool: Pool,
    /// What a server step costs; `None` in the ways of a runtime, which has prices of its own.
    price: fn(&Step) -> Option<Estimate>,
}

/// A way in machine code that waits for readiness.
const fn readiness(price: fn(&Step) -> Option<Estimate>) -> Row {
    let (language, model) = (Language::Native, IoModel::Readiness);
    Row { language, model, depth: None, suits: Suits::All, pool: Pool::None, price }
}

/// A loop in machine code that reads once per event.
const LOOP: Row = readiness(|step| Some(step.level));

/// A way in machine code that waits for completion, through `io_uring`.
const COMPLETION: Row = Row { model: IoModel::Completion(Queue::Ring), ..readiness(|step| step.uring) };

/// A way in machine code that changes nothing but the thread which makes calls on files.
const fn other_thread(pool: Pool) -> Row {
    Row { pool, suits: Suits::Files, ..LOOP }
}

/// A way in a language with a runtime. The runtime has prices of its own.
const fn runtime(language: Language) -> Row {
    Row { language, ..readiness(|_| None) }
}

impl Way {
    const fn row(self) -> Row {
        match self {
            Self::Level => LOOP,
            Self::Naive => readiness(|step| Some(step.again)),
            Self::Runtime => Row { pool: Pool::Files, ..readiness(|step| step.runtime) },
            Self::Tuned => COMPLETION,
            Self::Deep => Row { depth: Some(32.0), suits: Suits::Files, ..COMPLETION },
            Self::Deeper => Row { depth: Some(128.0), suits: Suits::Files, ..COMPLETION },
            Self::Aio => Row { model: IoModel::Completion(Queue::Aio), suits: Suits::Files, ..LOOP },
            Self::Workers => other_thread(Pool::FilesOnly),
            Self::Inline => other_thread(Pool::Removed),
            Self::Pooled => Row { pool: Pool::Events, suits: Suits::Sockets, ..LOOP },
            Self::Shared => Row { pool: Pool::LeaderFollowers, suits: Suits::Sockets, ..LOOP },
            Self::Streams | Self::Protocols | Self::Uvloop | Self::Gevent => runtime(Language::CPython),
            Self::Selector => runtime(Language::Jvm),
            Self::Virtual => Row { suits: Suits::Blocking, ..runtime(Language::Jvm) },
            Self::Tasks => Row { suits: Suits::Fed, ..runtime(Language::Jvm) },
        }
    }

    /// Its name, one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Naive => "naive",
            Self::Runtime => "runtime",
            Self::Tuned => "tuned",
            Self::Deep => "deep32",
            Self::Deeper => "deep128",
            Self::Aio => "aio",
            Self::Workers => "workers",
            Self::Inline => "inline",
            Self::Pooled => "pooled",
            Self::Shared => "shared",
            Self::Streams => "streams",
            Self::Protocols => "protocols",
            Self::Uvloop => "uvloop",
            Self::Gevent => "gevent",
            Self::Virtual => "virtual",
            Self::Tasks => "tasks",
            Self::Selector => "selector",
        }
    }

    /// The language of the programs that can move to it.
    pub const fn language(self) -> Language {
        self.row().language
    }

    /// Whether programs in machine code can move to it.
    pub const fn is_native(self) -> bool {
        matches!(self.language(), Language::Native)
    }

    /// The ways of programs in a language. A loop with a pool is a way of every language that has
    /// prices.
    pub fn in_language(language: Language) -> impl Iterator<Item = Self> {
        let everywhere = move |way: &Self| way.pool() == Pool::Events && language.is_priced();
        Self::ALL.into_iter().filter(move |way| way.language() == language || everywhere(way))
    }

    /// Whether the kernel tells it of requests that are done, not of descriptors that are ready. If
    /// so, it waits for files too.
    pub const fn completes(self) -> bool {
        self.queue().is_some()
    }

    /// Whether each read has a new buffer of 256 KiB: `_SelectorTransport.max_size` of asyncio, not
    /// of uvloop.
    pub const fn reads_into_large_buffer(self) -> bool {
        matches!(self, Self::Streams | Self::Protocols)
    }

    /// Whether one call sends and receives for several connections.
    pub const fn is_ring(self) -> bool {
        matches!(self.queue(), Some(Queue::Ring))
    }

    /// The queue that its requests on files wait in; `None` if it waits for readiness.
    pub const fn queue(self) -> Option<Queue> {
        match self.row().model {
            IoModel::Readiness => None,
            IoModel::Completion(queue) => Some(queue),
        }
    }

    /// Requests on files that it keeps in flight at once; `None`: as many as the target has today.
    pub const fn depth(self) -> Option<f64> {
        self.row().depth
    }

    /// Whether it suits a target that blocks mostly on files (`files`), or mostly on sockets.
    pub const fn suits(self, files: bool) -> bool {
        match self.row().suits {
            Suits::All | Suits::Blocking => true,
            Suits::Files => files,
            Suits::Sockets => !files,
            Suits::Fed => false,
        }
    }

    /// Whether it suits a pool that a loop feeds.
    pub const fn suits_fed(self) -> bool {
        matches!(self.row().suits, Suits::All | Suits::Fed)
    }

    /// Whether it suits every target.
    pub const fn suits_all(self) -> bool {
        self.suits(true) && self.suits(false)
    }

    /// What it hands to a pool of threads.
    pub const fn pool(self) -> Pool {
        self.row().pool
    }

    /// What a server step costs in this way.
    pub(super) fn cost_of(self, step: &Step) -> Option<Estimate> {
        (self.row().price)(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::modelled::{CPYTHON, CPYTHON_SLEEPS, JVM, JVM_SLEEPS, Ratio, SleepRatio};

    #[test]
    fn each_way_has_a_name_and_a_price_of_its_own_kind() {
        let cost = Estimate::exact(1.0);
        let step = Step { events: 1, ready: cost, level: cost, again: cost, runtime: Some(cost), uring: Some(cost) };
        for (place, way) in Way::ALL.into_iter().enumerate() {
            assert!(Way::ALL[..place].iter().all(|other| other.name() != way.name()), "{way:?}");
            let tables: [(Language, &[Ratio], &[SleepRatio]); 2] =
                [(Language::CPython, &CPYTHON, &CPYTHON_SLEEPS), (Language::Jvm, &JVM, &JVM_SLEEPS)];
            for (language, table, sleeps) in tables {
                let modelled = table.iter().any(|row| row.way == way);
                assert_eq!(sleeps.iter().any(|row| row.way == way), modelled, "{way:?} in {language:?}");
                let offered = Way::in_language(language).any(|other| other == way);
                assert_eq!(modelled, offered, "{way:?} in {language:?}");
            }
            assert_eq!(way.cost_of(&step).is_some(), way.is_native(), "{way:?}");
        }
    }
}
