//! io_uring, as far as calibration needs it: rings that say why they cannot be made, and receives
//! that end before their buffers do.

use std::{io, os::fd::RawFd};

use io_uring::{IoUring, opcode, squeue, types};

use super::peers::{MESSAGE, ROOM};

/// What a completion was for stands in the low bit of its user data: set for a send.
const SEND: u64 = 1;

/// A ring whose completions run when this thread asks for them (`DEFER_TASKRUN`, Linux 6.1): the
/// work of a receive then happens in the part that is measured, and not in the write that wakes it.
pub(crate) fn deferred(entries: u32) -> Result<IoUring, String> {
    IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(entries).map_err(|e| refusal(&e, true))
}

/// The reason a ring was refused.
pub(crate) fn refusal(error: &io::Error, deferred: bool) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring".into(),
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is forbidden here: kernel.io_uring_disabled, a seccomp filter or a security module".into()
        }
        Some(libc::EINVAL) if deferred => "this kernel's io_uring is too old: it needs DEFER_TASKRUN, Linux 6.1".into(),
        _ => format!("io_uring: {error}"),
    }
}

/// A server's event loop on a ring: a receive is armed on every connection.
pub(crate) struct RingServer {
    ring: IoUring,
    fds: Vec<RawFd>,
    rooms: Vec<Box<[u8; ROOM]>>,
    /// Receives that the kernel may still write for.
    armed: usize,
    /// Sends that are not over.
    sending: usize,
}

impl RingServer {
    /// A server on these descriptors, which must stay open until it is dropped.
    pub(crate) fn new(fds: Vec<RawFd>) -> Result<Self, String> {
        let entries = (fds.len() as u32 * 2).next_power_of_two();
        let ring = deferred(entries)?;
        let rooms = fds.iter().map(|_| Box::new([0; ROOM])).collect();
        let mut server = Self { ring, fds, rooms, armed: 0, sending: 0 };
        for i in 0..server.fds.len() {
            server.arm(i)?;
        }
        server.ring.submit().map_err(|e| refusal(&e, false))?;
        Ok(server)
    }

    fn push(&mut self, entry: &squeue::Entry) -> Result<(), String> {
        // SAFETY: every entry points into `rooms`, whose boxes stay where they are until nothing is
        // armed or sent.
        unsafe { self.ring.submission().push(entry) }.map_err(|_| "io_uring: the submission queue is full".into())
    }

    fn arm(&mut self, i: usize) -> Result<(), String> {
        let entry = opcode::Recv::new(types::Fd(self.fds[i]), self.rooms[i].as_mut_ptr(), ROOM as u32)
            .build()
            .user_data((i as u64) << 1);
        self.push(&entry)?;
        self.armed += 1;
        Ok(())
    }

    /// One turn of the loop, with one enter. It sends the replies and arms the receives that the
    /// last turn queued, takes `count` messages, and queues their replies and the next receives.
    pub(crate) fn turn(&mut self, count: usize) -> Result<(), String> {
        let mut missing = count;
        // Ends: every enter waits for a completion that is due, and a turn that gets none gives up.
        while missing > 0 {
            let want = missing + self.sending;
            self.ring.submit_and_wait(want).map_err(|e| refusal(&e, false))?;
            missing = missing.checked_sub(self.reap()?).ok_or("io_uring: a message too many")?;
        }
        Ok(())
    }

    /// Sends what is queued, and waits for it.
    pub(crate) fn flush(&mut self) -> Result<(), String> {
        self.ring.submit_and_wait(self.sending).map_err(|e| refusal(&e, false))?;
        self.reap().map(|_| ())
    }

    /// Takes every completion there is, and returns how many were messages.
    fn reap(&mut self) -> Result<usize, String> {
        let mut messages = 0;
        loop {
            let Some(done) = self.ring.completion().next() else { return Ok(messages) };
            let i = (done.user_data() >> 1) as usize;
            if done.result() != MESSAGE as i32 {
                let what = if done.user_data() & SEND == 0 { "receive" } else { "send" };
                self.settle(done.user_data());
                return Err(format!("io_uring: a {what} gave {}", done.result()));
            }
            self.settle(done.user_data());
            if done.user_data() & SEND != 0 {
                continue;
            }
            messages += 1;
            let reply = opcode::Send::new(types::Fd(self.fds[i]), self.rooms[i].as_ptr(), MESSAGE as u32)
                .build()
                .user_data((i as u64) << 1 | SEND);
            self.push(&reply)?;
            self.sending += 1;
            self.arm(i)?;
        }
    }

    fn settle(&mut self, user_data: u64) {
        let waiting = if user_data & SEND == 0 { &mut self.armed } else { &mut self.sending };
        *waiting = waiting.saturating_sub(1);
    }
}

impl Drop for RingServer {
    fn drop(&mut self) {
        // A receive ends when its socket is shut down. This loop ends after as many enters as there
        // are requests.
        let fds = self.fds.clone();
        for fd in fds {
            // SAFETY: takes a number. If it is closed, the call fails.
            unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
        }
        for _ in 0..=self.fds.len() * 2 {
            if self.armed + self.sending == 0 || self.ring.submit_and_wait(1).is_err() {
                break;
            }
            let ended: Vec<u64> = self.ring.completion().map(|done| done.user_data()).collect();
            for user_data in ended {
                self.settle(user_data);
            }
        }
        if self.armed + self.sending > 0 {
            // The kernel may still write there, so the rooms must never be freed.
            std::mem::forget(std::mem::take(&mut self.rooms));
        }
    }
}
