//! The thread that empties the ring. A snapshot, or a part of a recording, takes a second
//! where the machine is slow; the ring is full after half of one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::worker::Inbox;
use crate::{
    event::{self, StackMoment},
    kernel::StackRing,
    quantity::Nanos,
};

/// How often the ring is emptied.
const EVERY: Duration = Duration::from_millis(20);

/// What the thread and its owner share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// A call that was blocked for so many ns is a long one.
    long: AtomicU64,
    /// Long calls since [`Reader::take_long`] was last called.
    taken: AtomicU64,
}

pub(super) struct Reader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts the thread. It hands what comes to `inbox`. A call that was blocked for `long` is a
    /// long one.
    pub(super) fn start(ring: StackRing, inbox: Inbox, long: Nanos) -> Self {
        let shared = Arc::new(Shared { long: long.as_nanos().into(), ..Shared::default() });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sia-stack-ring".into())
            .spawn(move || read(ring, &theirs, &inbox))
            .inspect_err(|error| log::warn!("no thread for stacks: {error}"))
            .ok();
        Self { shared, thread }
    }

    /// From now on calls that were blocked for so long are long ones.
    pub(super) fn set_long(&self, long: Nanos) {
        self.shared.long.store(long.as_nanos(), Ordering::Relaxed);
    }

    /// How many long calls have come since this was last called.
    pub(super) fn take_long(&self) -> u64 {
        self.shared.taken.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Reader {
    /// Hands over what is left in the ring, and ends the thread.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn read(mut ring: StackRing, shared: &Shared, inbox: &Inbox) {
    loop {
        let last = shared.stop.load(Ordering::Acquire);
        let long = shared.long.load(Ordering::Relaxed);
        let (mut records, mut taken, mut senseless) = (Vec::new(), 0, 0);
        for raw in ring.drain() {
            match event::decode_stack(raw) {
                Ok(record) => {
                    let is_long = |blocked: Nanos| blocked.as_nanos() >= long;
                    taken +=
                        u64::from(matches!(record.moment, StackMoment::Return { blocked, .. } if is_long(blocked)));
                    records.push(record);
                }
                Err(_) => senseless += 1,
            }
        }
        shared.taken.fetch_add(taken, Ordering::Relaxed);
        inbox.hand_over(records, senseless);
        if last {
            return;
        }
        std::thread::park_timeout(EVERY);
    }
}
