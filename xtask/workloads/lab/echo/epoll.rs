//! One loop over epoll, edge-triggered: on an event, reads until there is no more (one attempt more
//! than there are messages), then the work, then the write.

use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

use super::service::Service;
use crate::sys::{self, Poller};
use crate::work::Job;

/// The listener's token; a connection's is its descriptor.
const LISTENER: u64 = u64::MAX;

/// Serves until the process ends.
pub(super) fn serve(service: &Service, listener: &TcpListener) -> Result<()> {
    listener.set_nonblocking(true).context("a listener that does not block")?;
    let mut poller = Poller::new()?;
    poller.add_edge(listener, LISTENER)?;
    let mut connections: Vec<Option<Box<Connection>>> = Vec::new();
    loop {
        let found = poller.wait(None)?;
        for index in 0..found {
            let token = poller.ready(index).token;
            if token == LISTENER {
                accept(service, listener, &poller, &mut connections)?;
                continue;
            }
            let Some(slot) = connections.get_mut(token as usize) else { continue };
            let Some(connection) = slot else { continue };
            match connection.proceed() {
                Ok(()) => {}
                Err(error) => {
                    *slot = None;
                    if !sys::is_closed(&error) {
                        service.tally.error(&anyhow::Error::new(error).context("serving a connection"));
                    }
                }
            }
        }
    }
}

fn accept(
    service: &Service,
    listener: &TcpListener,
    poller: &Poller,
    connections: &mut Vec<Option<Box<Connection>>>,
) -> Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error).context("accept"),
        };
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        stream.set_nonblocking(true).context("a connection that does not block")?;
        let place = stream.as_raw_fd().unsigned_abs() as usize;
        poller.add_edge(&stream, place as u64)?;
        if connections.len() <= place {
            connections.resize_with(place + 1, || None);
        }
        connections[place] = Some(Box::new(Connection::new(service, stream)));
    }
}

struct Connection {
    stream: TcpStream,
    job: Job,
    /// Bytes of a message.
    size: usize,
    /// Room for one message and a little more: a read that fills all of it would leave open whether
    /// there is more.
    buffer: Vec<u8>,
    filled: usize,
    /// The part of the buffer that is a reply not yet written.
    unsent: std::ops::Range<usize>,
}

impl Connection {
    fn new(service: &Service, stream: TcpStream) -> Self {
        let size = service.request.bytes;
        Self { stream, job: service.job(), size, buffer: vec![0; 2 * size], filled: 0, unsent: 0..0 }
    }

    /// Does all that can be done without waiting. An error is the connection's end.
    fn proceed(&mut self) -> IoResult<()> {
        loop {
            if !self.flush()? {
                return Ok(());
            }
            let drained = self.fill()?;
            if self.filled < self.size {
                return Ok(());
            }
            let mut at = 0;
            while self.filled - at >= self.size {
                self.job.perform(&self.buffer[at..at + self.size]);
                at += self.size;
            }
            self.unsent = 0..at;
            if !self.flush()? {
                return Ok(());
            }
            if drained {
                return Ok(());
            }
        }
    }

    /// Reads until there is no more, or no room: then it returns false.
    fn fill(&mut self) -> IoResult<bool> {
        while self.filled < self.buffer.len() {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Writes what is left of the replies, and makes room; false if the peer takes no more now.
    fn flush(&mut self) -> IoResult<bool> {
        if self.unsent.is_empty() {
            return Ok(true);
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.buffer[self.unsent.clone()]) {
                Ok(written) => self.unsent.start += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.copy_within(self.unsent.end..self.filled, 0);
        self.filled -= self.unsent.end;
        self.unsent = 0..0;
        Ok(true)
    }
}
