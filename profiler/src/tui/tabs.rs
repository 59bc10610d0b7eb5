//! The views by name and by digit.

use crate::quantity::listed;

listed! {
    /// One of the views that a digit opens.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum View {
        Overview,
        Threads,
        Sites,
        WhatIf,
        Devices,
        Ipc,
        Flame,
        Log,
        Latency,
    }
}

impl View {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Threads => "threads",
            Self::Sites => "sites",
            Self::WhatIf => "what-if",
            Self::Devices => "devices",
            Self::Ipc => "IPC",
            Self::Flame => "flame",
            Self::Log => "log",
            Self::Latency => "latency",
        }
    }

    /// The view so many further on, round and round.
    pub(super) fn step(self, by: usize) -> Self {
        Self::ALL.get((self as usize + by) % Self::ALL.len()).copied().unwrap_or(Self::Overview)
    }

    /// The view of a digit.
    pub(super) fn numbered(digit: char) -> Option<Self> {
        let number = digit.to_digit(10)? as usize;
        Self::ALL.get(number.checked_sub(1)?).copied()
    }
}
