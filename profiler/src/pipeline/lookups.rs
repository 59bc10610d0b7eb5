//! Looks up what descriptors are while they are open, on a thread of its own: reading the table of
//! a network's sockets can take a second, in which rings must be emptied and the budget be held.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use super::facts::class_of_descriptor;
use crate::{
    aggregate::Connection,
    answer::ConnectionFacts,
    calibrate::VolumeCalibration,
    event::{BlockClass, Place, SiteRecord},
    kernel,
    machine::{Beside, PriceList},
    process::{self, Descriptor, DescriptorTable, Protocol},
    quantity::{Tgid, Tid},
};

/// File systems whose buffered writes `io_uring` makes without a worker of the kernel, and since
/// which kernel: `FOP_BUFFER_WASYNC` in `fs/xfs/xfs_file.c` and
/// `fs/btrfs/file.c`, tested in `io_write`, `io_uring/rw.c`.
const WRITE_WITHOUT_WORKERS: [(&str, (u32, u32)); 2] = [("xfs", (6, 0)), ("btrfs", (6, 1))];

/// What the kernel calls an epoll's file.
const EPOLL: &str = "eventpoll";
/// Descriptors of an epoll that are looked at: on more it is a loop's.
const FEW: usize = 3;
/// A socket that is younger than the copy of its table is looked at again, so often: that is for
/// ten seconds. So many at a time.
const AGAIN: u32 = 40;
const MOST_YOUNG: usize = 1_000;

/// What the descriptors of a measurement's sites are.
pub(super) struct Lookups {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Asked>,
    /// Wakes the thread.
    more: Condvar,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Asked {
    /// The newest question; one that was not yet begun gives way to it.
    next: Option<Vec<LastCall>>,
    /// Descriptors of threads; all of them are answered.
    descriptors: Vec<(Tid, i32)>,
    over: bool,
}

/// The last call at a site.
struct LastCall {
    place: Place,
    tgid: Tgid,
    fd: i32,
}

/// What has been found so far.
#[derive(Clone, Default)]
pub(super) struct Found {
    pub(super) names: HashMap<Place, String>,
    /// Places whose descriptor goes past the page cache.
    pub(super) direct: HashSet<Place>,
    /// Places whose writes a ring would hand to workers of the kernel.
    pub(super) by_workers: HashSet<Place>,
    /// What threads waited on.
    pub(super) connections: BTreeMap<Connection, ConnectionFacts>,
    /// The file systems of those that go past the page cache, by device.
    volumes: HashSet<(u32, u32)>,
}

impl Lookups {
    pub(super) fn begin() -> Self {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("sia-lookups".into())
            .spawn(move || theirs.answer())
            .inspect_err(|error| log::warn!("no thread for descriptors, which stay without names: {error}"))
            .ok();
        Self { shared, thread }
    }

    /// Looks up the descriptors of the last call at each site and those of threads, soon.
    pub(super) fn ask(&self, sites: &[SiteRecord], descriptors: Vec<(Tid, i32)>) {
        let calls = sites.iter().filter_map(|site| match site.last_caller {
            (tgid, Some(fd)) => Some(LastCall { place: site.place.clone(), tgid, fd }),
            _ => None,
        });
        let mut asked = lock(&self.shared.asked);
        asked.next = Some(calls.collect());
        asked.descriptors.extend(descriptors);
        drop(asked);
        self.shared.more.notify_one();
    }

    /// Waits for what was asked last. There are no answers after that.
    pub(super) fn finish(&mut self) {
        lock(&self.shared.asked).over = true;
        self.shared.more.notify_one();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }

    /// What has been found so far.
    pub(super) fn found(&self) -> Found {
        lock(&self.shared.found).clone()
    }
}

/// A measurement that failed waits for no answer.
impl Drop for Lookups {
    fn drop(&mut self) {
        let mut asked = lock(&self.shared.asked);
        asked.next = None;
        asked.descriptors.clear();
        asked.over = true;
        self.shared.more.notify_one();
    }
}

impl Shared {
    /// The thread.
    fn answer(&self) {
        let mut tables = HashMap::new();
        let mut young: Vec<((Tid, i32), u32)> = Vec::new();
        let mut asked = lock(&self.asked);
        loop {
            let descriptors = std::mem::take(&mut asked.descriptors);
            match asked.next.take() {
                Some(calls) => {
                    drop(asked);
                    // A connection may be closed soon.
                    let again = young.drain(..).filter_map(|(of, left)| Some((of, left.checked_sub(1)?)));
                    let new = descriptors.into_iter().map(|of| (of, AGAIN));
                    for (of, left) in again.collect::<Vec<_>>().into_iter().chain(new) {
                        if self.look_up_connection(&mut tables, of) && young.len() < MOST_YOUNG {
                            young.push((of, left));
                        }
                    }
                    calls.into_iter().for_each(|call| self.look_up(&mut tables, call));
                    asked = lock(&self.asked);
                }
                None if asked.over => return,
                None => asked = self.more.wait(asked).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Whether a descriptor is a client's connection, and where it leads. What is said of a socket
    /// that is younger than its table holds until more is known: true if that may be later.
    fn look_up_connection(&self, tables: &mut HashMap<Tgid, DescriptorTable>, (tid, fd): (Tid, i32)) -> bool {
        let Some(tgid) = process::process_of(tid) else { return false };
        let table = tables.entry(tgid).or_insert_with(|| DescriptorTable::new(tgid));
        let (known, is_young) = match table.describe(fd) {
            // A thread that waits for one connection by an epoll that also watches other things.
            Descriptor::Anon(name) if name == EPOLL => {
                let watched = process::watched(tgid, fd);
                let few = if watched.len() > FEW { Vec::new() } else { watched };
                let few: Vec<Descriptor> = few.into_iter().map(|fd| table.describe(fd)).collect();
                let client = few.iter().filter_map(end_of).find(|(client, _)| *client);
                let is_young = client.is_none() && few.iter().any(is_young);
                (client, is_young)
            }
            descriptor => (end_of(&descriptor), is_young(&descriptor)),
        };
        if let Some((client, name)) = known {
            let facts = ConnectionFacts { tid, fd, client, name };
            lock(&self.found).connections.insert((tid, fd), facts);
        }
        is_young
    }

    fn look_up(&self, tables: &mut HashMap<Tgid, DescriptorTable>, call: LastCall) {
        let LastCall { place, tgid, fd } = call;
        let descriptor = tables.entry(tgid).or_insert_with(|| DescriptorTable::new(tgid)).describe(fd);
        // Closed by now, or another file under the same number: the earlier answer, if there is
        // one, is the better one.
        if !fits(&descriptor, place.class) {
            lock(&self.found).names.entry(place).or_insert_with(|| Descriptor::Gone.to_string());
            return;
        }
        let direct = place.class == BlockClass::File && process::opened_direct(tgid, fd);
        let device = if direct { process::device_of(tgid, fd) } else { None };
        let by_workers = place.class == BlockClass::File
            && !direct
            && place.sends()
            && process::file_system_of(tgid, fd).is_some_and(|name| needs_workers(&name));
        let mut found = lock(&self.found);
        found.volumes.extend(device);
        if direct {
            found.direct.insert(place.clone());
        }
        if by_workers {
            found.by_workers.insert(place.clone());
        }
        found.names.insert(place, format!("{descriptor:#}"));
    }
}

impl Found {
    /// Adds the prices of the file system that requests past the page cache go to, if it is only
    /// one and was measured.
    pub(super) fn price(&self, mut list: PriceList) -> PriceList {
        let mut volumes = self.volumes.iter();
        let (Some(&device), None) = (volumes.next(), volumes.next()) else { return list };
        let Some(found) = VolumeCalibration::load(device) else { return list };
        list.direct = found.prices();
        list.source.add(Beside::FileSystem);
        list
    }
}

/// A thread that broke off leaves whole entries.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `io_uring` hands buffered writes on such a file system to workers of the kernel.
fn needs_workers(file_system: &str) -> bool {
    !WRITE_WITHOUT_WORKERS
        .iter()
        .any(|&(kind, (major, minor))| kind == file_system && kernel::is_at_least(major, minor))
}

/// Whether it is a socket whose ends are not known: its table is read again only now and then, and
/// the copy may be older than it.
fn is_young(descriptor: &Descriptor) -> bool {
    match descriptor {
        Descriptor::Socket { proto: Protocol::Other(_), .. } => false,
        Descriptor::Socket { local, peer, .. } => local.is_none() && peer.is_none(),
        Descriptor::Unix { name, peer, .. } => name.is_none() && peer.is_none(),
        _ => false,
    }
}

/// Whether what a descriptor leads to is a client, and its name: the address that a client came to,
/// or the peer's. `None` where nobody is at the other end, or nobody can tell who.
fn end_of(descriptor: &Descriptor) -> Option<(bool, String)> {
    Some(match descriptor {
        Descriptor::Socket { proto, local: Some(local), inbound: true, .. } => (true, format!("{proto} {local}")),
        Descriptor::Socket { proto, peer: Some(peer), .. } => (false, format!("{proto} → {peer}")),
        Descriptor::Unix { name: Some(name), listening: false, .. } => (true, format!("unix {name}")),
        Descriptor::Unix { listening: false, .. } | Descriptor::Fifo(_) | Descriptor::Pipe { .. } => {
            (false, format!("{descriptor:#}"))
        }
        _ => return None,
    })
}

/// Whether a call of this class can have been on such a descriptor.
fn fits(descriptor: &Descriptor, class: BlockClass) -> bool {
    match descriptor {
        Descriptor::Gone => false,
        Descriptor::Denied => true,
        // Whatever it was waited for on, the time was over first.
        _ if class == BlockClass::Timeout => true,
        // Of a device file only the name is known.
        Descriptor::Device(_) => matches!(class, BlockClass::Tty | BlockClass::CharDevice | BlockClass::BlockDevice),
        // Descriptors that wait for events are anonymous, too.
        Descriptor::Anon(_) => !class.is_file(),
        other => class_of_descriptor(other) == class,
    }
}
