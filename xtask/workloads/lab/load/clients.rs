//! The load's connections: at most one request each, every reply looked at.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail};

use super::protocol::Protocol;
use crate::sys::{self, Poller};

/// What a readable connection had.
pub(super) enum Outcome {
    /// Not yet a whole reply.
    Partial,
    /// The reply to a request that arrived at `since`, ns.
    Reply { since: u64, counts: bool },
}

struct Client {
    /// `None` once it failed.
    stream: Option<TcpStream>,
    request: Vec<u8>,
    reply: Vec<u8>,
    received: usize,
    /// Requests sent so far: makes each differ.
    sent: u64,
    since: u64,
    counts: bool,
    waiting: bool,
}

/// All connections of the load.
pub(super) struct Clients {
    protocol: Protocol,
    clients: Vec<Client>,
    outstanding: usize,
    alive: usize,
}

impl Clients {
    pub(super) fn connect(port: u16, connections: u32, protocol: Protocol) -> Result<Self> {
        let mut clients = Vec::with_capacity(connections as usize);
        for connection in 0..connections {
            let stream = sys::connect(port)?;
            stream.set_nonblocking(true).context("a connection that does not block")?;
            let (request, reply) = protocol.buffers(connection);
            clients.push(Client {
                stream: Some(stream),
                request,
                reply,
                received: 0,
                sent: 0,
                since: 0,
                counts: false,
                waiting: false,
            });
        }
        Ok(Self { protocol, alive: clients.len(), clients, outstanding: 0 })
    }

    pub(super) fn register(&self, poller: &Poller) -> Result<()> {
        self.clients.iter().enumerate().try_for_each(|(token, client)| match &client.stream {
            Some(stream) => poller.add_level(stream, token as u64),
            None => Ok(()),
        })
    }

    /// Requests without a reply.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Connections that have not failed.
    pub(super) fn alive(&self) -> usize {
        self.alive
    }

    /// Sends a request that arrived at `since`, ns. With `counts` it is one of those measured.
    pub(super) fn send(&mut self, connection: u32, since: u64, counts: bool) -> Result<()> {
        let client = &mut self.clients[connection as usize];
        client.sent += 1;
        let stamp = u64::from(connection) << 40 | client.sent;
        self.protocol.stamp(&mut client.request, stamp);
        client.received = 0;
        client.since = since;
        client.counts = counts;
        let Some(stream) = &mut client.stream else { return Ok(()) };
        // The connection is idle, so its send buffer takes a whole request.
        let done = stream.write(&client.request).context("sending a request");
        let done = done.and_then(|written| match written == client.request.len() {
            true => Ok(()),
            false => bail!("only {written} of {} bytes could be sent at once", client.request.len()),
        });
        match done {
            Ok(()) => {
                client.waiting = true;
                self.outstanding += 1;
                Ok(())
            }
            Err(error) => {
                self.lose(connection);
                Err(error)
            }
        }
    }

    /// Takes what has come in, by one read: the poller is level-triggered.
    pub(super) fn receive(&mut self, connection: u32) -> Result<Outcome> {
        let client = &mut self.clients[connection as usize];
        let Some(stream) = &mut client.stream else { return Ok(Outcome::Partial) };
        // Also notices a byte that nobody asked for: an idle connection reads into its first byte.
        let at = if client.waiting { client.received } else { 0 };
        let done = match stream.read(&mut client.reply[at..]) {
            Ok(0) => Err(anyhow::anyhow!("the server closed a connection")),
            Ok(_) if !client.waiting => Err(anyhow::anyhow!("a reply that nobody waits for")),
            Ok(read) => {
                client.received += read;
                self.protocol.is_whole(&client.request, &client.reply[..client.received])
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(anyhow::Error::new(error).context("receiving a reply")),
        };
        match done {
            Ok(true) => {
                client.waiting = false;
                self.outstanding -= 1;
                Ok(Outcome::Reply { since: client.since, counts: client.counts })
            }
            Ok(false) => Ok(Outcome::Partial),
            Err(error) => {
                self.lose(connection);
                Err(error)
            }
        }
    }

    fn lose(&mut self, connection: u32) {
        let client = &mut self.clients[connection as usize];
        self.outstanding -= usize::from(std::mem::take(&mut client.waiting));
        self.alive -= usize::from(client.stream.take().is_some());
    }
}
