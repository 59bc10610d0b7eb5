//! The thread that unwinds stacks and names their frames. Its queue is bounded: stacks that find no
//! room are lost, and counted.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use super::table::{Sleeper, Table};
use crate::{answer::Sampled, event::StackRecord, words};

/// Bytes of stacks that may wait. The debug information of a large program is read at its first
/// stack, for seconds where the machine is slow: at a thousand copies of a kilobyte or two a second
/// this is ten seconds' worth.
const WAITING: usize = 16 << 20;

/// The same where memory is short.
const WAITING_SHORT: usize = 256 << 10;

enum Message {
    /// Stacks, with their size in bytes.
    Stacks(Vec<StackRecord>, usize),
    /// Asks for names of the stacks so far.
    Snapshot,
    /// Says that the measurement is over, and which threads are asleep.
    Finish(Vec<Sleeper>),
}

/// Sends stacks to the thread.
#[derive(Clone)]
pub(super) struct Inbox {
    queue: Sender<Message>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    /// Memory is short: no stack may wait.
    short: Arc<AtomicBool>,
}

/// The thread that unwinds and names, as its owner sees it.
pub(super) struct Worker {
    inbox: Inbox,
    latest: Arc<Mutex<Option<Arc<Sampled>>>>,
    thread: Option<JoinHandle<Sampled>>,
}

impl Worker {
    pub(super) fn start() -> Self {
        let (queue, messages) = channel();
        let inbox = Inbox { queue, waiting: Arc::default(), lost: Arc::default(), short: Arc::default() };
        let latest = Arc::new(Mutex::new(None));
        let (waiting, lost, slot) = (Arc::clone(&inbox.waiting), Arc::clone(&inbox.lost), Arc::clone(&latest));
        let thread = std::thread::Builder::new()
            .name("sia-stacks".into())
            .spawn(move || work(&messages, &waiting, &slot, &lost))
            .inspect_err(|error| log::warn!("no thread for stacks: {error}"))
            .ok();
        Self { inbox, latest, thread }
    }

    /// An inbox for another thread.
    pub(super) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// Says whether memory is short. Stacks that would have to wait are lost then, and counted.
    pub(super) fn set_short(&self, short: bool) {
        self.inbox.short.store(short, Ordering::Relaxed);
    }

    /// Asks for a new table of names.
    pub(super) fn ask(&self) {
        let _ = self.inbox.queue.send(Message::Snapshot);
    }

    /// The newest table that is ready.
    pub(super) fn latest(&self) -> Option<Arc<Sampled>> {
        self.latest.lock().ok()?.clone()
    }

    /// Waits for the last table. The ring had no room for `lost` stacks.
    pub(super) fn finish(self, asleep: Vec<Sleeper>, lost: u64) -> Arc<Sampled> {
        let Self { inbox, thread, .. } = self;
        let gone = || Sampled { unavailable: Some(words::STACKS_BROKE_OFF.into()), ..Sampled::default() };
        let asked = inbox.queue.send(Message::Finish(asleep));
        drop(inbox);
        let mut sampled = match (asked, thread) {
            (Ok(()), Some(thread)) => thread.join().unwrap_or_else(|_| gone()),
            _ => gone(),
        };
        sampled.quality.lost += lost;
        Arc::new(sampled)
    }
}

impl Inbox {
    /// Hands stacks over; those that find no room are lost, and so are those that made no sense.
    pub(super) fn hand_over(&self, stacks: Vec<StackRecord>, senseless: u64) {
        let mut lost = senseless;
        let count = stacks.len() as u64;
        let bytes = stacks.iter().map(|s| size_of::<StackRecord>() + s.user.len() + size_of_val(&s.kernel[..])).sum();
        if count > 0 {
            let most = if self.short.load(Ordering::Relaxed) { WAITING_SHORT } else { WAITING };
            let full = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > most;
            if full || self.queue.send(Message::Stacks(stacks, bytes)).is_err() {
                self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                lost += count;
            }
        }
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }
}

fn work(
    messages: &Receiver<Message>,
    waiting: &AtomicUsize,
    latest: &Mutex<Option<Arc<Sampled>>>,
    lost: &AtomicU64,
) -> Sampled {
    let mut table = Table::new();
    while let Ok(message) = messages.recv() {
        match message {
            Message::Stacks(stacks, bytes) => {
                stacks.into_iter().for_each(|s| table.add(s));
                waiting.fetch_sub(bytes, Ordering::Relaxed);
            }
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
