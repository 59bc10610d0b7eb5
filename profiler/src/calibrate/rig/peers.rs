//! TCP loopback connections of which both ends are ours. The thread that is measured puts the
//! messages in place itself, between the measured parts.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, RawFd},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};

/// Bytes of a message and of its reply.
pub(crate) const MESSAGE: usize = 64;
/// Size of a server's buffer, larger than a message as in most servers.
pub(crate) const ROOM: usize = 4096;
/// A message on loopback that is not there after so long will not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The number of connections over which batches of so many messages take turns. Two batches are
/// under way at once, because io_uring's replies to one batch go out with the next. More
/// connections would be as cold as those of a server that has far more of them than are ready at
/// once.
pub(crate) const fn in_turns(batch: usize) -> usize {
    2 * batch
}

/// Connections. The server's ends may be moved out.
pub(crate) struct Peers {
    pub(crate) server: Vec<TcpStream>,
    pub(crate) client: Vec<TcpStream>,
}

impl Peers {
    /// Makes `count` connections that block, send without delay, and leave no TIME_WAIT behind.
    pub(crate) fn connect(count: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let mut peers = Self { server: Vec::with_capacity(count), client: Vec::with_capacity(count) };
        for _ in 0..count {
            let client = client(&address)?;
            let own = client.local_addr()?;
            // Another program may have found the port.
            let server = loop {
                let (stream, from) = listener.accept()?;
                if from == own {
                    break stream;
                }
            };
            prepare(&server)?;
            peers.server.push(server);
            peers.client.push(client);
        }
        Ok(peers)
    }

    /// Puts a message on each of `count` connections from `first` on.
    pub(crate) fn fill(&self, first: usize, count: usize) -> io::Result<()> {
        fill(&self.client[first..first + count])
    }

    /// Reads and drops the replies of these peers.
    pub(crate) fn drain(&self, first: usize, count: usize) -> io::Result<()> {
        drain(&self.client[first..first + count])
    }

    /// The descriptors of the server's ends.
    pub(crate) fn server_fds(&self) -> Vec<RawFd> {
        self.server.iter().map(AsRawFd::as_raw_fd).collect()
    }
}

pub(crate) fn fill(clients: &[TcpStream]) -> io::Result<()> {
    for mut client in clients {
        client.write_all(&[7; MESSAGE])?;
    }
    Ok(())
}

/// Whether each of them has something to read.
pub(crate) fn have_replied(clients: &[TcpStream]) -> bool {
    let mut fds: Vec<_> = clients.iter().map(|client| PollFd::new(client, PollFlags::IN)).collect();
    poll(&mut fds, Some(&rustix::time::Timespec::default())).is_ok_and(|ready| ready == clients.len())
}

pub(crate) fn drain(clients: &[TcpStream]) -> io::Result<()> {
    let mut reply = [0; MESSAGE];
    for mut client in clients {
        client.read_exact(&mut reply)?;
    }
    Ok(())
}

/// A connection to a server that listens already.
pub(crate) fn client(address: &SocketAddr) -> io::Result<TcpStream> {
    let client = TcpStream::connect_timeout(address, PATIENCE)?;
    prepare(&client)?;
    Ok(client)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    reset_on_close(stream)
}

fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?)
}

/// Reads one message and writes its reply, on the server's side. `Ok(false)` if nothing was there.
pub(crate) fn serve(mut stream: &TcpStream, room: &mut [u8; ROOM]) -> io::Result<bool> {
    match stream.read(room) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(n) => stream.write_all(&room[..n]).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
