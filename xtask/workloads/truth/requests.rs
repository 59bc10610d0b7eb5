//! Servers that know how long their clients waited: from the moment when the kernel received a
//! request (`SO_TIMESTAMPNS`) until its reply was sent, by the same clock. Their clients are
//! another process, this program again.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::event::epoll;

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Certainty, Deed};
use crate::sys;
use crate::worker::Worker;

/// One in so many requests needs another service …
const ASKS_EVERY: u64 = 5;
/// … which takes so long.
const SERVICE: Duration = Duration::from_millis(2);
/// A request, and its reply.
const BYTES: usize = 64;

/// The clients' process; ended with this one.
struct Clients(Child);

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let (calls, connections) = (args.calls(), args.workers());
    let work = Duration::from_micros(args.us.unwrap_or(100));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?;
    let port = listener.local_addr()?.port();
    let clients = Command::new(std::env::current_exe()?)
        .arg("requests-clients")
        .args(["--n", &calls.to_string(), "--threads", &connections.to_string()])
        .args(["--gap-us", &args.gap_us.to_string(), "--timeout-s", &args.timeout_s.to_string()])
        .args(["--handed", &port.to_string()])
        .spawn()
        .context("starting the clients")?;
    let clients = Clients(clients);
    let mut served = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = listener.accept()?;
        served.push(Served::new(stream, work)?);
    }
    let workers = if args.kind == Kind::RequestsLoop {
        vec![Worker::spawn("requests", move |_| in_a_loop(served, calls))?]
    } else {
        let each = |one: Served| Worker::spawn("requests", move |_| by_itself(one, calls));
        served.into_iter().map(each).collect::<Result<_>>()?
    };
    Ok(Play {
        workers,
        action: Box::new(move |workers| {
            // The clients live as long as the play, and the listener with them: by it a connection
            // is known to be a client's.
            let _ = (&clients, &listener);
            workers.iter().try_for_each(Worker::release)
        }),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

/// A connection, the service that its requests need now and then, and what is known of them.
struct Served {
    stream: TcpStream,
    service: UnixStream,
    work: Duration,
    requests: u64,
    took: Vec<u64>,
    asked_for: u64,
}

impl Served {
    fn new(stream: TcpStream, work: Duration) -> Result<Self> {
        stream.set_nodelay(true)?;
        sys::stamp_receives(&stream)?;
        let (service, mut theirs) = UnixStream::pair()?;
        thread::Builder::new().name("service".to_owned()).spawn(move || {
            let mut byte = [0];
            while theirs.read_exact(&mut byte).is_ok() {
                thread::sleep(SERVICE);
                if theirs.write_all(&byte).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { stream, service, work, requests: 0, took: Vec::new(), asked_for: 0 })
    }

    /// Whether the next request needs the service.
    fn next_asks(&mut self) -> bool {
        self.requests += 1;
        self.requests.is_multiple_of(ASKS_EVERY)
    }

    fn reply(&mut self, received: u64) -> Result<()> {
        self.stream.write_all(&[1; BYTES])?;
        self.took.push(sys::realtime_ns().saturating_sub(received));
        Ok(())
    }

    /// The clients wait for it before they begin.
    fn begin(&mut self) -> Result<()> {
        Ok(self.stream.write_all(&[1; BYTES])?)
    }

    fn deed(self, mut deed: Deed) -> Deed {
        deed.certainty = Certainty::Counted;
        deed.requests.extend(self.took);
        deed.served_ns += self.asked_for;
        deed
    }
}

/// A thread for a connection.
fn by_itself(mut one: Served, calls: u64) -> Result<Deed> {
    one.begin()?;
    let mut message = [0; BYTES];
    for _ in 0..calls {
        let received = sys::receive_stamped(&one.stream, &mut message)?.context("the client has gone")?;
        workloads::spin(one.work);
        if one.next_asks() {
            let (delay, begun) = (sys::run_delay_ns()?, sys::realtime_ns());
            one.service.write_all(b"x")?;
            one.service.read_exact(&mut [0])?;
            let took = sys::realtime_ns().saturating_sub(begun);
            // Once it has answered, waiting for a CPU is no wait for it any more.
            one.asked_for += took.saturating_sub(sys::run_delay_ns()?.saturating_sub(delay));
        }
        one.reply(received)?;
    }
    Ok(one.deed(Deed::new("tcp", "recvmsg")))
}

/// All connections on one thread.
fn in_a_loop(mut all: Vec<Served>, calls: u64) -> Result<Deed> {
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (n, one) in (0..).zip(&all) {
        one.stream.set_nonblocking(true)?;
        one.service.set_nonblocking(true)?;
        epoll::add(&events, &one.stream, epoll::EventData::new_u64(2 * n), epoll::EventFlags::IN)?;
        epoll::add(&events, &one.service, epoll::EventData::new_u64(2 * n + 1), epoll::EventFlags::IN)?;
    }
    all.iter_mut().try_for_each(Served::begin)?;
    let (mut waiting, mut message) = (HashMap::new(), [0; BYTES]);
    let mut left = calls * all.len() as u64;
    while left > 0 {
        let mut found = Vec::with_capacity(all.len());
        epoll::wait(&events, rustix::buffer::spare_capacity(&mut found), None)?;
        for event in found {
            let (place, is_answer) = (event.data.u64() / 2, event.data.u64() % 2 == 1);
            let one = all.get_mut(place as usize).context("no such connection")?;
            let received = if is_answer {
                one.service.read_exact(&mut [0])?;
                waiting.remove(&place).context("nobody asked")?
            } else {
                let Some(received) = sys::receive_stamped(&one.stream, &mut message)? else {
                    epoll::delete(&events, &one.stream)?;
                    continue;
                };
                workloads::spin(one.work);
                if one.next_asks() {
                    one.service.write_all(b"x")?;
                    waiting.insert(place, received);
                    continue;
                }
                received
            };
            one.reply(received)?;
            left -= 1;
        }
    }
    Ok(all.into_iter().fold(Deed::new("event-wait", "epoll_wait"), |deed, one| one.deed(deed)))
}

/// The clients: each sends a request, waits for its reply, and sends the next one after a while.
pub(crate) fn clients(args: &Args) -> Result<()> {
    workloads::drop_timer_slack();
    let port: u16 = args.handed.as_deref().context("no port")?.parse()?;
    let (calls, gap) = (args.calls(), args.gap_us);
    let threads: Vec<_> = (0..args.workers() as u64)
        .map(|n| {
            thread::spawn(move || -> Result<()> {
                workloads::drop_timer_slack();
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                stream.set_nodelay(true)?;
                let mut message = [0; BYTES];
                stream.read_exact(&mut message)?;
                let mut state = n + 1;
                for _ in 0..calls {
                    // From nothing to twice the gap (a linear congruential generator).
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    thread::sleep(Duration::from_micros((state >> 33) % (2 * gap + 1)));
                    stream.write_all(&message)?;
                    stream.read_exact(&mut message)?;
                }
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        match thread.join() {
            // A server that was ended has hung up.
            Ok(Err(error)) if error.downcast_ref().is_none_or(|e: &std::io::Error| e.kind() == ErrorKind::Other) => {
                return Err(error);
            }
            Ok(_) => {}
            Err(_) => ensure!(false, "a client broke off"),
        }
    }
    Ok(())
}
