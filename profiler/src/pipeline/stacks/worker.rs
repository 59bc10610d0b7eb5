//! The thread that unwinds and names. Its queue is bounded: what finds no room is counted.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use super::table::Table;
use crate::{
    event::{BlockClass, StackRecord},
    model::Sampled,
    units::{Nanos, Tgid, Tid},
};

/// Batches of stacks that may wait: two seconds of ticks.
const QUEUE: usize = 100;

/// A thread that is asleep when the measurement ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeper {
    pub(super) tgid: Tgid,
    pub(super) tid: Tid,
    pub(super) class: BlockClass,
    /// Its blocked time of that class.
    pub(super) blocked: Nanos,
}

enum Message {
    Stacks(Vec<StackRecord>),
    /// Names are wanted for what is there.
    Snapshot,
    /// The last one.
    Finish(Vec<Sleeper>),
}

/// The thread and the way to it.
pub(super) struct Worker {
    queue: SyncSender<Message>,
    latest: Arc<Mutex<Option<Arc<Sampled>>>>,
    lost: Arc<AtomicU64>,
    thread: Option<JoinHandle<Sampled>>,
}

impl Worker {
    pub(super) fn start() -> Self {
        let (queue, messages) = sync_channel(QUEUE);
        let latest = Arc::new(Mutex::new(None));
        let lost = Arc::new(AtomicU64::new(0));
        let (slot, count) = (Arc::clone(&latest), Arc::clone(&lost));
        let thread = std::thread::Builder::new()
            .name("sia-stacks".into())
            .spawn(move || work(&messages, &slot, &count))
            .inspect_err(|error| log::warn!("no thread for stacks: {error}"))
            .ok();
        Self { queue, latest, lost, thread }
    }

    /// Hands stacks over; those that find no room are lost, and so are those that made no sense.
    pub(super) fn hand_over(&self, stacks: Vec<StackRecord>, senseless: u64) {
        let mut lost = senseless;
        if !stacks.is_empty()
            && let Err(TrySendError::Full(Message::Stacks(s)) | TrySendError::Disconnected(Message::Stacks(s))) =
                self.queue.try_send(Message::Stacks(stacks))
        {
            lost += s.len() as u64;
        }
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    /// Asks for a new table of names; without room in the queue the next look will.
    pub(super) fn ask(&self) {
        let _ = self.queue.try_send(Message::Snapshot);
    }

    /// The newest table.
    pub(super) fn latest(&self) -> Option<Arc<Sampled>> {
        self.latest.lock().ok()?.clone()
    }

    /// Waits for the last one. `lost` are those that the ring had no room for.
    pub(super) fn finish(self, asleep: Vec<Sleeper>, lost: u64) -> Arc<Sampled> {
        let Self { queue, thread, .. } = self;
        let gone = || Sampled { unavailable: Some("the thread that unwinds has ended".into()), ..Sampled::default() };
        // Waits for room: nothing is being measured any more.
        let asked = queue.send(Message::Finish(asleep));
        drop(queue);
        let mut sampled = match (asked, thread) {
            (Ok(()), Some(thread)) => thread.join().unwrap_or_else(|_| gone()),
            _ => gone(),
        };
        sampled.quality.lost += lost;
        Arc::new(sampled)
    }
}

fn work(messages: &Receiver<Message>, latest: &Mutex<Option<Arc<Sampled>>>, lost: &AtomicU64) -> Sampled {
    let mut table = Table::new();
    while let Ok(message) = messages.recv() {
        match message {
            Message::Stacks(stacks) => stacks.into_iter().for_each(|s| table.add(s)),
            Message::Snapshot => {
                let sampled = Arc::new(table.named(lost.load(Ordering::Relaxed)));
                if let Ok(mut slot) = latest.lock() {
                    *slot = Some(sampled);
                }
            }
            Message::Finish(asleep) => {
                asleep.iter().for_each(|s| table.add_asleep(s));
                break;
            }
        }
    }
    table.named(lost.load(Ordering::Relaxed))
}
