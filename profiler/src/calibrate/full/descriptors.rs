//! What it costs a thread to learn that some of 64 descriptors have a message, and to read it: by
//! interface, for pipes and for TCP. Neither the writing of the messages nor the wake-up by it is
//! timed.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use io_uring::{IoUring, opcode, types};
use rustix::event::epoll;

use crate::{
    calibrate::{
        result::{ReadyInterface, ReadyRow},
        rig::{
            clock::{self, Watch},
            peers::{MESSAGE, Peers},
            ring,
        },
    },
    machine::Medium,
};

use super::budget::{Budget, Cell};

/// Descriptors that are open and watched.
const OPEN: usize = 64;
/// Descriptors that have a message at once.
const READY: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Messages of a series.
const MESSAGES: usize = 128;
const MEDIA: [Medium; 2] = [Medium::Pipe, Medium::Tcp];
/// A message that is not read after so long will not be, ns.
const PATIENCE: u64 = 2_000_000_000;
/// The same for waits, ms.
const WAIT: i32 = 2_000;

pub(super) fn measure() -> Vec<ReadyRow> {
    let mut rows = Vec::new();
    for medium in MEDIA {
        let mut lab = Lab::new(medium);
        for ready in READY {
            let mut cells = ReadyInterface::ALL.map(|_| Cell::default());
            let mut budget = Budget::new(7, 41, 400);
            while let Some(repeat) = budget.next() {
                for turn in 0..ReadyInterface::ALL.len() {
                    let i = (turn + repeat) % ReadyInterface::ALL.len();
                    if !cells[i].hopeless() {
                        cells[i].take(repeat, lab.series(ReadyInterface::ALL[i], ready));
                    }
                }
            }
            for (interface, cell) in ReadyInterface::ALL.into_iter().zip(&cells) {
                rows.push(ReadyRow { medium, interface, ready: ready as u32, cpu: cell.figure() });
            }
        }
    }
    rows
}

/// Read ends and write ends.
struct Links {
    read: Vec<OwnedFd>,
    write: Vec<OwnedFd>,
}

impl Links {
    fn new(medium: Medium) -> Result<Self, String> {
        let made = || -> io::Result<Self> {
            if medium == Medium::Tcp {
                let peers = Peers::connect(OPEN)?;
                let owned = |streams: Vec<std::net::TcpStream>| streams.into_iter().map(OwnedFd::from).collect();
                return Ok(Self { read: owned(peers.server), write: owned(peers.client) });
            }
            let pipes = (0..OPEN).map(|_| Ok(rustix::pipe::pipe()?)).collect::<io::Result<Vec<_>>>()?;
            let (read, write) = pipes.into_iter().unzip();
            Ok(Self { read, write })
        };
        made().map_err(|e| e.to_string())
    }

    fn fill(&self, first: usize, count: usize) -> Result<(), String> {
        for end in &self.write[first..first + count] {
            rustix::io::write(end, &[7; MESSAGE]).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn take(&self, i: usize) -> Result<(), String> {
        let mut room = [0; 4096];
        match rustix::io::read(&self.read[i], &mut room) {
            Ok(MESSAGE) => Ok(()),
            Ok(n) => Err(format!("a read gave {n} bytes")),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// A part that may not be there, with its reason.
type Part<T> = Result<T, String>;

struct Lab {
    watch: Watch,
    first: usize,
    epoll: Part<(Links, OwnedFd)>,
    plain: Part<Links>,
    threads: Part<Readers>,
    // Stands before its descriptors, because its reads must end while they are open.
    ring: Part<ArmedRing>,
}

impl Lab {
    fn new(medium: Medium) -> Self {
        let epoll = Links::new(medium).and_then(|links| {
            let made = || -> io::Result<OwnedFd> {
                let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
                for (i, end) in links.read.iter().enumerate() {
                    epoll::add(&epoll, end, epoll::EventData::new_u64(i as u64), epoll::EventFlags::IN)?;
                }
                Ok(epoll)
            };
            let epoll = made().map_err(|e| e.to_string())?;
            Ok((links, epoll))
        });
        Self {
            watch: Watch::new(),
            first: 0,
            epoll,
            plain: Links::new(medium),
            threads: Links::new(medium).and_then(Readers::start),
            ring: Links::new(medium).and_then(ArmedRing::new),
        }
    }

    /// ns of CPU per message.
    fn series(&mut self, interface: ReadyInterface, ready: usize) -> Result<f64, String> {
        let mut spent = 0;
        for _ in 0..MESSAGES / ready {
            let first = self.first / ready * ready;
            self.first = (first + ready) % OPEN;
            spent += self.batch(interface, first, ready)?;
        }
        Ok(spent as f64 / MESSAGES as f64)
    }

    fn batch(&mut self, interface: ReadyInterface, first: usize, ready: usize) -> Result<u64, String> {
        let watch = self.watch;
        match interface {
            ReadyInterface::Threads => self.threads.as_mut().map_err(|e| e.clone())?.batch(first, ready),
            ReadyInterface::Uring => {
                let ring = self.ring.as_mut().map_err(|e| e.clone())?;
                ring.links.fill(first, ready)?;
                let begun = clock::thread_cpu();
                ring.turn(ready)?;
                Ok(watch.since(begun))
            }
            ReadyInterface::Epoll => {
                let (links, epoll) = self.epoll.as_ref().map_err(|e| e.clone())?;
                links.fill(first, ready)?;
                let begun = clock::thread_cpu();
                by_epoll(links, epoll, ready)?;
                Ok(watch.since(begun))
            }
            ReadyInterface::Poll | ReadyInterface::Select => {
                let links = self.plain.as_ref().map_err(|e| e.clone())?;
                links.fill(first, ready)?;
                let begun = clock::thread_cpu();
                if interface == ReadyInterface::Poll {
                    by_poll(links, ready)?;
                } else {
                    by_select(links, ready)?;
                }
                Ok(watch.since(begun))
            }
        }
    }
}

fn enough(found: i32, ready: usize) -> Result<(), String> {
    if found == ready as i32 { Ok(()) } else { Err(format!("{found} of {ready} descriptors were ready")) }
}

fn by_epoll(links: &Links, epoll: &OwnedFd, ready: usize) -> Result<(), String> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; OPEN];
    // SAFETY: the kernel writes at most `OPEN` events.
    let found = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), OPEN as i32, WAIT) };
    enough(found, ready)?;
    events[..ready].iter().try_for_each(|event| links.take(event.u64 as usize))
}

fn by_poll(links: &Links, ready: usize) -> Result<(), String> {
    // A server would keep the list; filling it takes some ten ns.
    let mut list = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; OPEN];
    for (entry, end) in list.iter_mut().zip(&links.read) {
        entry.fd = end.as_raw_fd();
    }
    // SAFETY: the kernel reads and writes `OPEN` entries.
    let found = unsafe { libc::poll(list.as_mut_ptr(), OPEN as libc::nfds_t, WAIT) };
    enough(found, ready)?;
    list.iter().enumerate().filter(|(_, e)| e.revents != 0).try_for_each(|(i, _)| links.take(i))
}

fn by_select(links: &Links, ready: usize) -> Result<(), String> {
    let fds: Vec<RawFd> = links.read.iter().map(|end| end.as_raw_fd()).collect();
    let most = fds.iter().copied().max().unwrap_or(0);
    if most as usize >= libc::FD_SETSIZE {
        return Err(format!("descriptor {most} is beyond what select can name"));
    }
    // SAFETY: all zero is the empty set.
    let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
    for &fd in &fds {
        // SAFETY: below FD_SETSIZE, as checked.
        unsafe { libc::FD_SET(fd, &raw mut set) };
    }
    let mut wait = libc::timeval { tv_sec: i64::from(WAIT / 1_000) as libc::time_t, tv_usec: 0 };
    let none = std::ptr::null_mut;
    // SAFETY: the kernel reads and writes the set and the time.
    let found = unsafe { libc::select(most + 1, &raw mut set, none(), none(), &raw mut wait) };
    enough(found, ready)?;
    // SAFETY: below FD_SETSIZE, as checked.
    let is_set = |fd: RawFd| unsafe { libc::FD_ISSET(fd, &raw const set) };
    fds.iter().enumerate().filter(|&(_, &fd)| is_set(fd)).try_for_each(|(i, _)| links.take(i))
}

/// A thread per descriptor. They share this thread's CPU, and end when the write ends are closed.
struct Readers {
    links: Arc<Links>,
    tids: Arc<Vec<AtomicI32>>,
    taken: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    fn start(links: Links) -> Result<Self, String> {
        let links = Arc::new(links);
        let taken = Arc::new(AtomicUsize::new(0));
        let tids: Arc<Vec<AtomicI32>> = Arc::new((0..OPEN).map(|_| AtomicI32::new(0)).collect());
        let mut readers = Self { links, tids, taken, threads: Vec::with_capacity(OPEN) };
        clock::never_preempt();
        for i in 0..OPEN {
            let (links, tids, taken) =
                (Arc::clone(&readers.links), Arc::clone(&readers.tids), Arc::clone(&readers.taken));
            let body = move || {
                clock::never_preempt();
                tids[i].store(clock::tid(), Ordering::Release);
                // The last message of a reader is an empty one.
                while links.take(i).is_ok() {
                    taken.fetch_add(1, Ordering::AcqRel);
                }
            };
            let thread = std::thread::Builder::new().name("calibrate-reader".into()).spawn(body);
            readers.threads.push(thread.map_err(|e| e.to_string())?);
        }
        Ok(readers)
    }

    /// CPU of the readers of `ready` messages.
    fn batch(&mut self, first: usize, ready: usize) -> Result<u64, String> {
        let awake = |tid: &AtomicI32| tid.load(Ordering::Acquire);
        let begun = clock::wall();
        while self.tids.iter().any(|tid| awake(tid) == 0) && clock::wall() - begun < PATIENCE {
            std::thread::yield_now();
        }
        let tids: Vec<i32> = self.tids[first..first + ready].iter().map(awake).collect();
        // Readers that have just started or still read must block first.
        std::thread::yield_now();
        let (cpu, before) = (clock::cpu_of_all(&tids), self.taken.load(Ordering::Acquire));
        self.links.fill(first, ready)?;
        while self.taken.load(Ordering::Acquire) < before + ready {
            if clock::wall() - begun > PATIENCE {
                return Err("a reader did not take its message".into());
            }
            std::thread::yield_now();
        }
        // The last reader is counted when it has read its message. It blocks again before this
        // thread goes on.
        std::thread::yield_now();
        Ok(clock::cpu_of_all(&tids).saturating_sub(cpu))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        // An empty or short message ends a reader.
        for end in &self.links.write {
            let _ = rustix::io::write(end, &[0]);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Reads are armed on every descriptor. Completions run when they are asked for.
struct ArmedRing {
    ring: IoUring,
    links: Links,
    rooms: Vec<Box<[u8; 4096]>>,
    armed: usize,
}

impl ArmedRing {
    fn new(links: Links) -> Result<Self, String> {
        let ring = ring::deferred(OPEN as u32)?;
        let rooms = (0..OPEN).map(|_| Box::new([0; 4096])).collect();
        let mut armed = Self { ring, links, rooms, armed: 0 };
        for i in 0..OPEN {
            armed.arm(i)?;
        }
        armed.ring.submit().map_err(|e| ring::refusal(&e, false))?;
        Ok(armed)
    }

    fn arm(&mut self, i: usize) -> Result<(), String> {
        let fd = types::Fd(self.links.read[i].as_raw_fd());
        let read = opcode::Read::new(fd, self.rooms[i].as_mut_ptr(), 4096).offset(u64::MAX).build();
        // SAFETY: the buffers are boxed and stay until nothing is armed.
        unsafe { self.ring.submission().push(&read.user_data(i as u64)) }.map_err(|e| e.to_string())?;
        self.armed += 1;
        Ok(())
    }

    /// Takes `count` messages with one enter, which also arms the reads that the last turn took.
    fn turn(&mut self, count: usize) -> Result<(), String> {
        let mut missing = count;
        while missing > 0 {
            self.ring.submit_and_wait(missing).map_err(|e| ring::refusal(&e, false))?;
            loop {
                let Some(done) = self.ring.completion().next() else { break };
                self.armed -= 1;
                if done.result() != MESSAGE as i32 {
                    return Err(format!("io_uring: a read gave {}", done.result()));
                }
                missing = missing.saturating_sub(1);
                self.arm(done.user_data() as usize)?;
            }
        }
        Ok(())
    }
}

impl Drop for ArmedRing {
    fn drop(&mut self) {
        // A message or the end of the stream ends each read. This loop ends after as many enters as
        // there are reads.
        let _ = self.ring.submit();
        for end in &self.links.write {
            let _ = rustix::io::write(end, &[0]);
        }
        for _ in 0..=OPEN {
            if self.armed == 0 || self.ring.submit_and_wait(1).is_err() {
                break;
            }
            self.armed = self.armed.saturating_sub(self.ring.completion().count());
        }
        if self.armed > 0 {
            // The kernel may still write there, so the buffers must never be freed.
            std::mem::forget(std::mem::take(&mut self.rooms));
        }
    }
}
