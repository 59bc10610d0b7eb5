//! The demo's load: closed loop, every connection always has one request on its way. One thread and
//! an event loop, so that the load costs little beside what it loads.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    time::{Duration, Instant},
};

use rustix::event::epoll;

use super::{DemoError, MESSAGE, die_with_parent, pin};

/// The event of stdin; connections have their numbers.
const STDIN: u64 = u64::MAX;
/// A load that nobody tells to begin ends this much later.
const WARM_UP: Duration = Duration::from_secs(120);

/// How the load runs.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// Where the server listens, on loopback.
    pub port: u16,
    pub connections: u32,
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    /// How long it lasts.
    pub seconds: u64,
    /// It runs uncounted until a line comes on stdin; then its time begins.
    pub warm_up: bool,
}

/// Loads the server until its time is over. Prints `running` once every connection has had a reply,
/// `counting` where it was told on stdin to begin, and `REQUESTS NANOSECONDS` at the end.
///
/// # Errors
/// No socket, or a server that closes.
pub fn client(settings: &ClientSettings) -> Result<(), DemoError> {
    die_with_parent()?;
    pin(settings.cpu)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(std::io::Error::from)?;
    let mut streams = Vec::new();
    let mut message = [7; MESSAGE];
    for i in 0..settings.connections {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, settings.port))?;
        stream.set_nodelay(true)?;
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        stream.set_nonblocking(true)?;
        epoll::add(&poll, &stream, epoll::EventData::new_u64(u64::from(i)), epoll::EventFlags::IN)
            .map_err(std::io::Error::from)?;
        streams.push((stream, 0));
    }
    say("running")?;
    for (stream, _) in &mut streams {
        stream.write_all(&message)?;
    }
    let mut begun = Instant::now();
    let mut length = Duration::from_secs(settings.seconds);
    if settings.warm_up {
        length += WARM_UP;
        epoll::add(&poll, std::io::stdin(), epoll::EventData::new_u64(STDIN), epoll::EventFlags::IN)
            .map_err(std::io::Error::from)?;
    }
    let mut requests = 0u64;
    let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let mut events = Vec::with_capacity(256);
    while begun.elapsed() < length {
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&timeout))
            .map_err(std::io::Error::from)?;
        for event in events.drain(..) {
            if event.data.u64() == STDIN {
                epoll::delete(&poll, std::io::stdin()).map_err(std::io::Error::from)?;
                say("counting")?;
                (begun, length, requests) = (Instant::now(), Duration::from_secs(settings.seconds), 0);
                continue;
            }
            let (stream, have) = &mut streams[event.data.u64() as usize];
            match stream.read(&mut message[*have..]) {
                Ok(0) => return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
                Ok(n) => *have += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if *have == MESSAGE {
                *have = 0;
                requests += 1;
                stream.write_all(&message)?;
            }
        }
    }
    say(&format!("{requests} {}", begun.elapsed().as_nanos()))
}

fn say(text: &str) -> Result<(), DemoError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}
