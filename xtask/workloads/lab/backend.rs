//! `lab backend`: an echo server that replies a fixed time after the request, for programs that are
//! clients. One epoll loop.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

use crate::session::{self, Common, Tally};
use crate::sys::{self, Poller};

const LISTENER: u64 = u64::MAX;
/// Bytes that one read takes at most, and one reply has.
const MOST: usize = 64 * 1024;

/// Flags of `backend`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// µs from a request to its reply; 0: at once.
    #[arg(long, default_value_t = 0)]
    latency_us: u64,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let latency_ns = args.latency_us.saturating_mul(1000);
    session::run(&args.common, |tally| {
        let (listener, port) = sys::listen()?;
        tally.spawn("backend", move |tally| serve(tally, &listener, latency_ns))?;
        Ok(session::with_port(port))
    })
}

/// A reply, and when it is due, ns. All wait equally long, so the queue is in order.
struct Due {
    at: u64,
    token: usize,
    generation: u64,
    bytes: Vec<u8>,
}

/// A connection; the generation tells it from an earlier one with the same descriptor.
struct Peer {
    stream: TcpStream,
    generation: u64,
}

fn serve(tally: &Tally, listener: &TcpListener, latency_ns: u64) -> Result<()> {
    workloads::drop_timer_slack();
    listener.set_nonblocking(true).context("a listener that does not block")?;
    let mut poller = Poller::new()?;
    poller.add_level(listener, LISTENER)?;
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut generations = 0;
    let mut dues: VecDeque<Due> = VecDeque::new();
    let mut buffer = vec![0; MOST];
    let mut job = tally.job(0, None);
    loop {
        let timeout = dues.front().map(|due| due.at.saturating_sub(sys::now_ns()));
        let found = poller.wait(timeout)?;
        for index in 0..found {
            let token = poller.ready(index).token;
            if token == LISTENER {
                generations += 1;
                accept(listener, &poller, &mut peers, generations)?;
                continue;
            }
            let token = token as usize;
            let Some(peer) = peers.get_mut(token).and_then(Option::as_mut) else { continue };
            let read = match peer.stream.read(&mut buffer) {
                Ok(read) if read > 0 => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
                _ => {
                    peers[token] = None;
                    continue;
                }
            };
            if latency_ns == 0 {
                job.perform(&[]);
                reply(tally, &mut peers[token], &buffer[..read]);
            } else {
                let generation = peer.generation;
                dues.push_back(Due {
                    at: sys::now_ns() + latency_ns,
                    token,
                    generation,
                    bytes: buffer[..read].to_vec(),
                });
            }
        }
        let now = sys::now_ns();
        while dues.front().is_some_and(|due| due.at <= now) {
            let Some(due) = dues.pop_front() else { break };
            let peer = &mut peers[due.token];
            if peer.as_ref().is_some_and(|peer| peer.generation == due.generation) {
                job.perform(&[]);
                reply(tally, peer, &due.bytes);
            }
        }
    }
}

/// Accepts a connection, if there still is one.
fn accept(listener: &TcpListener, poller: &Poller, peers: &mut Vec<Option<Peer>>, generation: u64) -> Result<()> {
    let stream = match listener.accept() {
        Ok((stream, _)) => stream,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error).context("accept"),
    };
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    stream.set_nonblocking(true).context("a connection that does not block")?;
    let place = stream.as_raw_fd().unsigned_abs() as usize;
    poller.add_level(&stream, place as u64)?;
    if peers.len() <= place {
        peers.resize_with(place + 1, || None);
    }
    peers[place] = Some(Peer { stream, generation });
    Ok(())
}

/// Replies; a client that does not take its reply loses the connection.
fn reply(tally: &Tally, peer: &mut Option<Peer>, bytes: &[u8]) {
    let Some(own) = peer else { return };
    let failed = match own.stream.write(bytes) {
        Ok(written) if written == bytes.len() => return,
        Ok(written) => anyhow::anyhow!("a client took only {written} of {} bytes", bytes.len()),
        Err(error) if sys::is_closed(&error) => {
            *peer = None;
            return;
        }
        Err(error) => anyhow::Error::new(error).context("replying"),
    };
    *peer = None;
    tally.error(&failed);
}
