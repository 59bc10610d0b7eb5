//! One io_uring: a receive is armed for every connection; a completion leads to the work, the send
//! and the next receive; one `io_uring_enter` per batch submits them all and waits for the next
//! completion.
//!
//! A connection has two buffers that change places: the reply is sent out of one while the next
//! request is received into the other, so nothing is copied.

use std::io::Error;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::service::Service;
use crate::sys;
use crate::work::Job;

/// Entries of the submission queue: a send and a receive for each of 1024 connections go in one
/// call.
const ENTRIES: u32 = 2048;

/// What a completion is of, in the low bits of its user data; the rest is the connection's place.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const KINDS: u64 = 4;

struct Connection {
    stream: TcpStream,
    job: Job,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// A send is under way, so `outgoing` is the kernel's.
    sending: bool,
    /// A whole request is in `incoming` and waits for the send before it.
    waiting: bool,
    /// A receive is armed, so `incoming` is the kernel's.
    receiving: bool,
    closed: bool,
}

/// Serves until the process ends.
pub(super) fn serve(service: &Service, listener: &TcpListener) -> Result<()> {
    // For ever: whatever ends the loop, the kernel may still write into buffers.
    let server = Box::leak(Box::new(Server { service, ring: sys::ring(ENTRIES)?, connections: Vec::new(), listener }));
    server.accept()?;
    let mut batch: Vec<(u64, i32, u32)> = Vec::with_capacity(2 * ENTRIES as usize);
    loop {
        match server.ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            Err(error) => return Err(error).context("io_uring_enter"),
        }
        batch.extend(server.ring.completion().map(|entry| (entry.user_data(), entry.result(), entry.flags())));
        for (token, result, flags) in batch.drain(..) {
            server.complete(token, result, flags)?;
        }
    }
}

struct Server<'a> {
    service: &'a Service,
    ring: IoUring,
    connections: Vec<Option<Box<Connection>>>,
    listener: &'a TcpListener,
}

impl Server<'_> {
    fn accept(&mut self) -> Result<()> {
        let entry = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd())).build().user_data(ACCEPT);
        // SAFETY: the entry points to no memory.
        unsafe { self.push(&entry) }
    }

    /// Queues an entry; submits first where the queue is full.
    ///
    /// # Safety
    ///
    /// What the entry points to stays valid, and is touched by nobody else, until its completion.
    unsafe fn push(&mut self, entry: &squeue::Entry) -> Result<()> {
        // SAFETY: the caller's promise.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit().context("io_uring_enter")?;
        }
        Ok(())
    }

    fn complete(&mut self, token: u64, result: i32, flags: u32) -> Result<()> {
        let place = (token / KINDS) as usize;
        match token % KINDS {
            ACCEPT => {
                if result < 0 {
                    return Err(Error::from_raw_os_error(-result)).context("accept");
                }
                if !cqueue::more(flags) {
                    self.accept()?;
                }
                self.welcome(result)
            }
            RECEIVE => {
                let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else { return Ok(()) };
                connection.receiving = false;
                if usize::try_from(result) == Ok(connection.incoming.len()) {
                    connection.waiting = true;
                } else {
                    connection.closed = true;
                    self.judge(result);
                }
                self.proceed(place)
            }
            _ => {
                let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else { return Ok(()) };
                connection.sending = false;
                if usize::try_from(result) != Ok(connection.outgoing.len()) {
                    connection.closed = true;
                    self.judge(result);
                }
                self.proceed(place)
            }
        }
    }

    /// A new connection: its first receive.
    fn welcome(&mut self, descriptor: i32) -> Result<()> {
        // SAFETY: accept just returned this open descriptor, and nobody else has it.
        let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        let place = descriptor.unsigned_abs() as usize;
        if self.connections.len() <= place {
            self.connections.resize_with(place + 1, || None);
        }
        self.connections[place] = Some(Box::new(Connection {
            stream,
            job: self.service.job(),
            incoming: self.service.buffer(),
            outgoing: self.service.buffer(),
            sending: false,
            waiting: false,
            receiving: false,
            closed: false,
        }));
        self.receive(place)
    }

    /// Does what the state of a connection allows: answers a request, or lets go of it.
    fn proceed(&mut self, place: usize) -> Result<()> {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else { return Ok(()) };
        if connection.closed {
            if !connection.sending && !connection.receiving {
                self.connections[place] = None;
            }
            return Ok(());
        }
        if !connection.waiting || connection.sending {
            return Ok(());
        }
        connection.waiting = false;
        connection.job.perform(&connection.incoming);
        std::mem::swap(&mut connection.incoming, &mut connection.outgoing);
        connection.sending = true;
        // All of it or an error: the kernel goes on after a short send.
        let entry = opcode::Send::new(
            Fd(connection.stream.as_raw_fd()),
            connection.outgoing.as_ptr(),
            connection.outgoing.len() as u32,
        )
        .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
        .build()
        .user_data(place as u64 * KINDS + SEND);
        // SAFETY: while `sending` the buffer is neither touched nor freed: proceed returns above,
        // and a closed connection is kept until its completions are here.
        unsafe { self.push(&entry)? };
        self.receive(place)
    }

    fn receive(&mut self, place: usize) -> Result<()> {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else { return Ok(()) };
        connection.receiving = true;
        let entry = opcode::Recv::new(
            Fd(connection.stream.as_raw_fd()),
            connection.incoming.as_mut_ptr(),
            connection.incoming.len() as u32,
        )
        .flags(libc::MSG_WAITALL)
        .build()
        .user_data(place as u64 * KINDS + RECEIVE);
        // SAFETY: while `receiving` the buffer is neither touched nor freed; a closed connection is
        // kept until its completions are here.
        unsafe { self.push(&entry) }
    }

    /// Counts an end that is not the peer's goodbye.
    fn judge(&self, result: i32) {
        if result < 0 {
            let error = Error::from_raw_os_error(-result);
            if !sys::is_closed(&error) {
                self.service.tally.error(&anyhow::Error::new(error).context("serving a connection"));
            }
        }
    }
}
