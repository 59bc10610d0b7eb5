//! The server step: what it costs to learn that connections are ready, by how many are ready at
//! once. The five variants take turns in an order that rotates with every repeat, so that drift
//! affects all alike.

use std::{io, net::TcpStream, os::fd::AsRawFd as _};

use crate::{
    calibrate::{
        error::CalibrateError,
        result::{Beyond, Missing, StepRow},
        rig::{
            clock::{self, Watch},
            pace::Pacer,
            peers::{self, PATIENCE, Peers, ROOM},
            per_call::per_call,
            ring::RingServer,
        },
    },
    quantity::Repeats,
};

use super::{
    effort::{Effort, Schedule},
    note::note,
    runtime::RuntimeServer,
};

/// Ready events of each step.
const EVENTS: [usize; 6] = [1, 2, 4, 8, 16, 64];
/// Connections of each variant: those of the largest batch and of the one before it.
const CONNECTIONS: usize = peers::in_turns(EVENTS[EVENTS.len() - 1]);
/// Messages of each cell in each repeat.
const MESSAGES: usize = 64;
/// The schedule at the least effort.
const REPEATS: Schedule = Schedule { least: 9, length: 650_000_000, most: 61, longest: 8_000_000_000, fewest: 3 };

const VARIANTS: [Variant; 5] = [Variant::Ready, Variant::Level, Variant::Again, Variant::Runtime, Variant::Uring];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Ready,
    Level,
    Again,
    Runtime,
    Uring,
}

/// Measures the steps, and the cost of an attempt that gives `EAGAIN`.
pub(super) fn measure(
    effort: Effort,
    mut pacer: Pacer,
    missing: &mut Vec<Missing>,
) -> Result<(Vec<StepRow>, Repeats), CalibrateError> {
    let mut lab = Lab::new(missing).map_err(CalibrateError::system(
        "loopback connections for the calibration (800 descriptors: ulimit -n 1024 suffices)",
    ))?;
    let again = lab.again(pacer)?;
    pacer.mark();
    // By events: the repeats, each with what every variant took per message.
    let mut cells: Vec<Vec<[Option<f64>; VARIANTS.len()]>> = vec![Vec::new(); EVENTS.len()];
    for repeat in REPEATS.at(effort).begin_warm() {
        for (e, &events) in EVENTS.iter().enumerate() {
            let mut row = [None; VARIANTS.len()];
            for turn in 0..VARIANTS.len() {
                let v = (turn + repeat + e) % VARIANTS.len();
                let spent = lab.series(VARIANTS[v], events, MESSAGES / events, missing)?;
                row[v] = spent.map(|spent| pacer.steady(spent as f64 / MESSAGES as f64));
            }
            if repeat > 0 {
                cells[e].push(row);
            }
        }
    }
    let steps = EVENTS.iter().zip(&cells).map(|(&events, repeats)| {
        let cost = |pick: &dyn Fn(&[Option<f64>; VARIANTS.len()]) -> Option<f64>| {
            Repeats::new(&repeats.iter().filter_map(pick).collect::<Vec<f64>>())
        };
        let [ready, level, again, runtime, uring] = [0, 1, 2, 3, 4].map(|v| cost(&|row| row[v]));
        let [level_beyond, again_beyond, runtime_beyond, uring_beyond] =
            [1, 2, 3, 4].map(|v| cost(&|row| Some(row[v]? - row[0]?)));
        let beyond =
            Beyond { level: level_beyond?, again: again_beyond?, runtime: runtime_beyond, uring: uring_beyond };
        Some(StepRow { events: events as u32, ready: ready?, level: level?, again: again?, runtime, uring, beyond })
    });
    let steps = steps.collect::<Option<Vec<StepRow>>>();
    Ok((steps.ok_or_else(|| CalibrateError::Failed("a server step took no time".into()))?, again))
}

/// Everything that the variants need, alive at once.
struct Lab {
    watch: Watch,
    plain: Peers,
    polled: Polled,
    runtime: Option<RuntimeServer>,
    // Stands before its sockets, because its receives must end while they are open.
    ring: Option<RingServer>,
    ring_peers: Peers,
    first: usize,
}

impl Lab {
    fn new(missing: &mut Vec<Missing>) -> io::Result<Self> {
        let watch = Watch::new();
        let ring_peers = Peers::connect(CONNECTIONS)?;
        let ring = note(missing, "io_uring server step", RingServer::new(ring_peers.server_fds()));
        let runtime = RuntimeServer::new(Peers::connect(CONNECTIONS)?, watch).map_err(|e| e.to_string());
        Ok(Self {
            watch,
            plain: Peers::connect(CONNECTIONS)?,
            polled: Polled::new(Peers::connect(CONNECTIONS)?)?,
            runtime: note(missing, "runtime server step", runtime),
            ring,
            ring_peers,
            first: 0,
        })
    }

    /// The first connection of the next batch.
    fn next(&mut self, size: usize) -> usize {
        let first = self.first / size * size % peers::in_turns(size);
        self.first = first + size;
        first
    }

    /// CPU of `batches` batches of `events` messages, ns. `None` if the variant does not exist
    /// here.
    fn series(
        &mut self,
        variant: Variant,
        events: usize,
        batches: usize,
        missing: &mut Vec<Missing>,
    ) -> Result<Option<u64>, CalibrateError> {
        let failed = CalibrateError::system("a loopback connection of the calibration");
        match variant {
            Variant::Ready => self.ready(events, batches).map(Some).map_err(failed),
            Variant::Level => self.level(events, batches, false).map(Some).map_err(failed),
            Variant::Again => self.level(events, batches, true).map(Some).map_err(failed),
            Variant::Runtime => {
                let first = self.next(events);
                let Some(server) = &self.runtime else { return Ok(None) };
                let spent = note(
                    missing,
                    "runtime server step",
                    server.series(first, events, batches).map_err(|e| e.to_string()),
                );
                if spent.is_none() {
                    self.runtime = None;
                }
                Ok(spent)
            }
            Variant::Uring => {
                if self.ring.is_none() {
                    return Ok(None);
                }
                let spent = note(missing, "io_uring server step", self.uring(events, batches));
                if spent.is_none() {
                    self.ring = None;
                }
                Ok(spent)
            }
        }
    }

    fn ready(&mut self, events: usize, batches: usize) -> io::Result<u64> {
        let mut room = [0; ROOM];
        let mut spent = 0;
        for batch in 0..=batches {
            let first = self.next(events);
            self.plain.fill(first, events)?;
            let begun = clock::thread_cpu();
            for stream in &self.plain.server[first..first + events] {
                peers::serve(stream, &mut room)?;
            }
            let took = self.watch.since(begun);
            self.plain.drain(first, events)?;
            // The first batch warms up.
            spent += if batch > 0 { took } else { 0 };
        }
        Ok(spent)
    }

    fn level(&mut self, events: usize, batches: usize, until_again: bool) -> io::Result<u64> {
        let mut spent = 0;
        for batch in 0..=batches {
            let first = self.next(events);
            self.polled.peers.fill(first, events)?;
            let begun = clock::thread_cpu();
            self.polled.serve(events, until_again)?;
            let took = self.watch.since(begun);
            self.polled.peers.drain(first, events)?;
            spent += if batch > 0 { took } else { 0 };
        }
        Ok(spent)
    }

    fn uring(&mut self, events: usize, batches: usize) -> Result<u64, String> {
        let text = |e: io::Error| e.to_string();
        let mut spent = 0;
        let mut last = None;
        for batch in 0..=batches {
            let first = self.next(events);
            let Some(ring) = &mut self.ring else { return Err("io_uring: no ring".into()) };
            self.ring_peers.fill(first, events).map_err(text)?;
            let begun = clock::thread_cpu();
            ring.turn(events)?;
            let took = self.watch.since(begun);
            // The replies to the last batch went out with this turn's enter.
            if let Some(last) = last.replace(first) {
                self.ring_peers.drain(last, events).map_err(text)?;
                spent += if batch > 0 { took } else { 0 };
            }
        }
        if let (Some(ring), Some(last)) = (&mut self.ring, last) {
            ring.flush()?;
            self.ring_peers.drain(last, events).map_err(text)?;
        }
        Ok(spent)
    }

    fn again(&self, pacer: Pacer) -> Result<Repeats, CalibrateError> {
        let fd = self.polled.peers.server[0].as_raw_fd();
        let mut room = [0_u8; ROOM];
        let cost = per_call(pacer, || {
            // SAFETY: the kernel writes at most `ROOM` bytes into `room`.
            unsafe { libc::recv(fd, room.as_mut_ptr().cast(), ROOM, 0) };
        });
        cost.ok_or_else(|| CalibrateError::Failed("no time for an empty receive".into()))
    }
}

/// A level-triggered epoll loop over all connections.
struct Polled {
    epoll: std::os::fd::OwnedFd,
    peers: Peers,
    events: Vec<libc::epoll_event>,
    room: [u8; ROOM],
}

impl Polled {
    fn new(peers: Peers) -> io::Result<Self> {
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC)?;
        for (i, stream) in peers.server.iter().enumerate() {
            stream.set_nonblocking(true)?;
            let data = rustix::event::epoll::EventData::new_u64(i as u64);
            rustix::event::epoll::add(&epoll, stream, data, rustix::event::epoll::EventFlags::IN)?;
        }
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; CONNECTIONS];
        Ok(Self { epoll, peers, events, room: [0; ROOM] })
    }

    /// Waits and serves until `events` messages are answered. As all are there, one wait suffices.
    fn serve(&mut self, events: usize, until_again: bool) -> io::Result<()> {
        let mut missing = events;
        while missing > 0 {
            // SAFETY: the kernel writes at most as many events as there is room for.
            let found = unsafe {
                libc::epoll_wait(
                    self.epoll.as_raw_fd(),
                    self.events.as_mut_ptr(),
                    self.events.len() as i32,
                    PATIENCE.as_millis() as i32,
                )
            };
            let found = match usize::try_from(found) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(found) => found,
                Err(_) => return Err(io::Error::last_os_error()),
            };
            for event in &self.events[..found] {
                let stream: &TcpStream = &self.peers.server[event.u64 as usize];
                let served = peers::serve(stream, &mut self.room)?;
                if until_again {
                    peers::serve(stream, &mut self.room)?;
                }
                missing = missing.saturating_sub(usize::from(served));
            }
        }
        Ok(())
    }
}
