//! Turns of event loops, as the programs keep them and as they send those that were stalls.

use aya::maps::{MapData, RingBuf};
use profiler_common::{
    thread::{Thread, mark::STALLED},
    turn::{Turn, mark},
};

/// The ring that stalls come through.
pub struct StallRing {
    ring: RingBuf<MapData>,
}

impl StallRing {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring }
    }

    /// Takes what has come. If it is called too rarely, stalls find no room in the ring; they are
    /// lost, and counted.
    pub fn drain(&mut self) -> Vec<RawTurn> {
        let mut turns = Vec::new();
        while let Some(item) = self.ring.next() {
            if item.len() == size_of::<Turn>() {
                // SAFETY: as many bytes as a `Turn` has, and any bytes are one: it is made of
                // integers alone.
                let turn = unsafe { item.as_ptr().cast::<Turn>().read_unaligned() };
                turns.push(RawTurn { turn, thread: None });
            }
        }
        turns
    }
}

/// The turns of a thread.
#[derive(Clone, Copy, Debug)]
pub struct RawTurn {
    pub turn: Turn,
    /// The thread, where it lives and its turn may go on.
    pub thread: Option<Thread>,
}

impl RawTurn {
    /// Whether the turn is over, and the user side has not been told that it was a stall.
    pub fn is_untold(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.marks & STALLED != 0)
    }

    /// Whether the turn goes on.
    pub const fn is_open(&self) -> bool {
        self.turn.from != 0 && self.turn.to == 0 && self.turn.marks & mark::PARKED == 0
    }
}
