//! aggregate/silent: threads without a single event, of which only `/proc` knows.

use crate::{
    event::{BlockClass, Loads},
    quantity::{Nanos, Tid},
};

/// What is known from outside of a thread that had no event in the whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent {
    pub tid: Tid,
    /// What it sleeps on, where `/proc` tells; `None`: it was running all the time.
    pub asleep_on: Option<BlockClass>,
    /// How that sleep counts in the load average.
    pub loads: Loads,
    /// CPU that the kernel charged it over the window.
    pub on_cpu: Nanos,
    /// Whether it is a thread of the kernel's that works for a ring (`io_uring`).
    pub ring: bool,
}
