//! What came before a window.

use crate::event::ipc_layout;

/// What came before a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Before {
    /// Nothing that is known.
    Unknown,
    /// A call that did not block.
    Direct,
    /// A call that blocked.
    Blocked,
    /// The thread was preempted.
    Preempted,
}

impl Before {
    /// In the order of reports.
    pub const ALL: [Self; ipc_layout::before::KINDS] = [Self::Blocked, Self::Direct, Self::Preempted, Self::Unknown];

    /// Its place in a record.
    pub(crate) const fn index(self) -> usize {
        let kind = match self {
            Self::Unknown => ipc_layout::before::NONE,
            Self::Direct => ipc_layout::before::DIRECT,
            Self::Blocked => ipc_layout::before::BLOCKED,
            Self::Preempted => ipc_layout::before::PREEMPTED,
        };
        kind as usize
    }

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Direct => "direct call",
            Self::Blocked => "block",
            Self::Preempted => "preemption",
        }
    }

    /// Its name for programs that read the report.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Direct => "direct",
            Self::Blocked => "blocked",
            Self::Preempted => "preempted",
        }
    }
}
