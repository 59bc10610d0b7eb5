//! aggregate/silent: threads without a single event, of which only `/proc` knows.

use crate::{
    event::{BlockClass, Loads},
    quantity::Tid,
};

/// What is known from outside of a thread that had no event in the whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent {
    pub tid: Tid,
    /// What it did all the time.
    pub doing: Doing,
    /// Whether it is a thread of the kernel's that works for a ring (`io_uring`).
    pub ring: bool,
}

/// What a thread without an event did: one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It slept.
    Asleep {
        /// On what, where `/proc` tells.
        on: BlockClass,
        /// How that sleep counts in the load average.
        loads: Loads,
    },
    /// It could run, and waited for a CPU.
    Queued,
    /// It ran.
    Running,
}
