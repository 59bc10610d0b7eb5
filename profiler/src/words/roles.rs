//! Roles of threads, and what told them, in words.

use super::in_words::InWords;
use crate::{
    aggregate::{Role, RoleBasis, RoleLine},
    text::numbers::{count, decimal, percent, plural},
};

impl Role {
    /// Threads of this role, in the plural where there is not one.
    pub fn threads(self, n: u64) -> String {
        let (one, many) = match self {
            Self::Connection => ("connection thread", "connection threads"),
            Self::Files => ("thread on files", "threads on files"),
            Self::EventLoop => ("event loop", "event loops"),
            Self::Acceptor => ("acceptor", "acceptors"),
            Self::PoolWorker => ("pool worker", "pool workers"),
            Self::Dispatcher => ("dispatcher", "dispatchers"),
            Self::LockBound => ("lock-bound thread", "lock-bound threads"),
            Self::Timer => ("timer", "timers"),
            Self::Computing => ("computing thread", "computing threads"),
            Self::RingPoller => ("polling thread of a ring", "polling threads of rings"),
            Self::RingWorker => ("worker of a ring", "workers of rings"),
            Self::Idle => ("idle thread", "idle threads"),
            Self::Unknown => ("thread of unknown role", "threads of unknown role"),
        };
        plural(n, one, many)
    }
}

/// Where a thread's role comes from, as a heading.
pub const TOLD_FROM: &str = "told from";

impl InWords for RoleLine {
    fn in_words(&self) -> String {
        format!("{} ({} of its CPU)", self.role.threads(self.threads), percent(self.share))
    }
}

impl InWords for RoleBasis {
    fn in_words(&self) -> String {
        match self {
            Self::Waits { of, all } => format!("{} of its {} waits", count(*of), count(*all)),
            Self::Events { waits, turnover: Some(turnover) } => {
                format!("{} event waits, turnover {}", count(*waits), decimal(*turnover, 2))
            }
            Self::Events { waits, turnover: None } => format!("{} event waits", count(*waits)),
            Self::Wakes { got, given } => format!(
                "threads of the target ended {} of its waits for locks, and it ended {} of theirs (of the waits that were streamed)",
                count(*got),
                count(*given)
            ),
            Self::Brief(calls) => {
                format!("it was born for a connection and ended with it, after {} calls on descriptors", count(*calls))
            }
            Self::Cpu(share) => format!("on a CPU for {} of its time", percent(*share)),
            Self::Ring => "the kernel made it for a ring (io_uring): it runs no code of the program's".to_owned(),
            Self::Asleep(Some(class)) => format!("it slept on {}", class.name()),
            Self::Asleep(None) => "it hardly ran".to_owned(),
            Self::None => "nothing tells its role".to_owned(),
        }
    }
}
