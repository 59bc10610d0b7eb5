//! Ways to wait for many descriptors.

use super::{language::Language, queue::Queue, row::Step};
use crate::quantity::{Estimate, listed};

listed! {
    /// A way to wait for IO.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
    pub enum Way {
        /// A loop over `epoll_wait` that reads once per event, as most libraries do.
        Level,
        /// The same with one extra attempt per event, which finds nothing.
        Naive,
        /// An async runtime over epoll.
        Runtime,
        /// `io_uring`, with requests submitted in batches.
        Tuned,
        /// The same on files, with 32 requests in flight at once.
        Deep,
        /// The same on files, with 128.
        Deeper,
        /// Linux AIO for reads and writes past the page cache: it waits for those alone.
        Aio,
        /// Calls on files are handed to a pool of workers, which block in them.
        Workers,
        /// Calls on files that a pool makes today are made by who asks for them, and block there.
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
    /// The wait itself, by turns: who waits serves what it finds.
    Turns,
    /// Calls on files, and nothing else changes.
    Calls,
    /// Nothing: today's pool goes, and who asks for a file makes the call itself.
    Gone,
}

/// What a way is meant for.
#[derive(Clone, Copy)]
enum Suits {
    All,
    Files,
    Sockets,
    /// Threads that block, whatever on: no pool that a loop feeds.
    Blocking,
    /// A pool that a loop feeds, and nothing else.
    Fed,
}

/// What a way does: it is offered, priced and predicted by this.
#[derive(Clone, Copy)]
struct Row {
    language: Language,
    completes: Option<Queue>,
    depth: Option<f64>,
    suits: Suits,
    pool: Pool,
    /// What a server step costs; `None` in the ways of a runtime, which has prices of its own.
    price: fn(&Step) -> Option<Estimate>,
}

/// In machine code, told of what is ready.
const fn readiness(price: fn(&Step) -> Option<Estimate>) -> Row {
    Row { language: Language::Native, completes: None, depth: None, suits: Suits::All, pool: Pool::None, price }
}

/// In machine code, a loop that reads once per event.
const LOOP: Row = readiness(|step| Some(step.level));

/// In machine code, told of what is done.
const COMPLETION: Row = Row { completes: Some(Queue::Ring), ..readiness(|step| step.uring) };

/// In machine code, another thread for calls on files.
const fn other_thread(pool: Pool) -> Row {
    Row { pool, suits: Suits::Files, ..LOOP }
}

/// In a language with a runtime.
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
            Self::Aio => Row { completes: Some(Queue::Aio), suits: Suits::Files, ..LOOP },
            Self::Workers => other_thread(Pool::Calls),
            Self::Inline => other_thread(Pool::Gone),
            Self::Pooled => Row { pool: Pool::Events, suits: Suits::Sockets, ..LOOP },
            Self::Shared => Row { pool: Pool::Turns, suits: Suits::Sockets, ..LOOP },
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

    /// The language whose programs can take it.
    pub const fn language(self) -> Language {
        self.row().language
    }

    /// Whether it is one of programs in machine code.
    pub const fn is_native(self) -> bool {
        matches!(self.language(), Language::Native)
    }

    /// Those of programs in a language. A loop with a pool is one in each that has prices.
    pub fn in_language(language: Language) -> impl Iterator<Item = Self> {
        let everywhere = move |way: &Self| way.pool() == Pool::Events && language.is_priced();
        Self::ALL.into_iter().filter(move |way| way.language() == language || everywhere(way))
    }

    /// Whether the kernel tells of requests that are done, not of descriptors that are ready: then
    /// it waits for files too.
    pub const fn completes(self) -> bool {
        self.queue().is_some()
    }

    /// Whether one call sends and receives for several connections.
    pub const fn is_ring(self) -> bool {
        matches!(self.queue(), Some(Queue::Ring))
    }

    /// Where its requests on files wait, if it is told when they are done.
    pub const fn queue(self) -> Option<Queue> {
        self.row().completes
    }

    /// Requests on files in flight at once, where they are as many as there can be; else as many as
    /// there were.
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
    use crate::machine::modelled::{CPYTHON, JVM};

    #[test]
    fn each_way_has_a_name_and_a_price_of_its_own_kind() {
        let cost = Estimate::exact(1.0);
        let step = Step { events: 1, ready: cost, level: cost, again: cost, runtime: Some(cost), uring: Some(cost) };
        for (place, way) in Way::ALL.into_iter().enumerate() {
            assert!(Way::ALL[..place].iter().all(|other| other.name() != way.name()), "{way:?}");
            let tables: [(Language, &[_]); 2] = [(Language::CPython, &CPYTHON), (Language::Jvm, &JVM)];
            for (language, table) in tables {
                let modelled = table.iter().any(|row| row.way == way);
                let offered = Way::in_language(language).any(|other| other == way);
                assert_eq!(modelled, offered, "{way:?} in {language:?}");
            }
            assert_eq!(way.cost_of(&step).is_some(), way.is_native(), "{way:?}");
        }
    }
}
