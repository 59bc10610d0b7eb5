//! Stacks as they come out of their ring, and how often they are taken.

use aya::maps::{MapData, RingBuf};
use profiler_common::stack::{COPY, StackCopy, StackHeader};

/// A stack, as it came over the wire.
#[derive(Clone, Debug)]
pub struct RawStack {
    /// What is known of it.
    pub header: StackHeader,
    /// The user stack, from the stack pointer up; empty where there is none.
    pub user: Box<[u8]>,
}

/// The ring that stacks come through.
pub struct StackRing {
    ring: RingBuf<MapData>,
}

impl StackRing {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring }
    }

    /// Takes what has come. If it is called too rarely, stacks find no room in the ring; they are
    /// lost, and counted.
    pub fn drain(&mut self) -> Vec<RawStack> {
        let mut stacks = Vec::new();
        while let Some(item) = self.ring.next() {
            stacks.extend(decode(&item));
        }
        stacks
    }
}

/// `None` where its size is not that of this build's layout.
fn decode(item: &[u8]) -> Option<RawStack> {
    if item.len() != size_of::<StackHeader>() && item.len() != size_of::<StackCopy>() {
        return None;
    }
    // SAFETY: at least as many bytes as a header has, and any bytes are one: it is made of integers
    // alone.
    let header = unsafe { item.as_ptr().cast::<StackHeader>().read_unaligned() };
    let user = &item[size_of::<StackHeader>()..];
    let user = &user[..(header.user_bytes as usize).min(COPY).min(user.len())];
    Some(RawStack { header, user: user.into() })
}
