//! The cost of single calls: open and close, a read of an empty pipe, creating and joining a
//! thread, and `epoll_wait` by events found.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use rustix::event::{EventfdFlags, epoll};

use crate::calibrate::{
    result::{EpollRow, Figure},
    rig::{clock, pace::Pacer, per_call::per_call, scratch},
};

use super::budget::{Budget, Cell};

/// Events found by an `epoll_wait`.
const EVENTS: [u32; 8] = [0, 1, 2, 4, 8, 16, 64, 256];
/// Threads that a repeat creates.
const THREADS: u64 = 50;

pub(super) struct Calls {
    pub(super) open_close: Figure,
    pub(super) pipe_again: Figure,
    pub(super) thread: Figure,
    pub(super) epoll: Vec<EpollRow>,
}

pub(super) fn measure(dir: Option<&Path>, pacer: Pacer) -> Calls {
    let text = |result: io::Result<Figure>| result.unwrap_or_else(|e| Figure::unavailable(&e.to_string()));
    Calls {
        open_close: text(open_close(dir, pacer)),
        pipe_again: text(pipe_again(pacer)),
        thread: thread(),
        epoll: EVENTS.iter().map(|&events| EpollRow { events, call: text(epoll_wait(events, pacer)) }).collect(),
    }
}

fn figure(pacer: Pacer, call: impl FnMut()) -> Figure {
    per_call(pacer, call).map_or_else(|| Figure::unavailable("it took no time"), Figure::Measured)
}

fn open_close(dir: Option<&Path>, pacer: Pacer) -> io::Result<Figure> {
    let named = scratch::Named::make(dir)?;
    Ok(figure(pacer, || {
        // The file is ours, so that the open does not fail.
        drop(File::open(named.path()));
    }))
}

fn pipe_again(pacer: Pacer) -> io::Result<Figure> {
    let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK)?;
    let mut byte = [0];
    Ok(figure(pacer, || {
        let _ = rustix::io::read(&read, &mut byte);
    }))
}

fn thread() -> Figure {
    let mut cell = Cell::default();
    let mut budget = Budget::new(9, 21, 400);
    while let Some(repeat) = budget.next() {
        let begun = clock::process_cpu();
        let lived: io::Result<()> = (0..THREADS).try_for_each(|_| {
            let thread = std::thread::Builder::new().spawn(|| {})?;
            thread.join().map_err(|_| io::Error::other("a thread panicked"))
        });
        let spent = clock::process_cpu() - begun;
        cell.take(repeat, lived.map(|()| spent as f64 / THREADS as f64).map_err(|e| e.to_string()));
    }
    cell.figure()
}

/// Event counters that nobody reads stay ready, so that a level-triggered wait finds all of them
/// every time.
fn epoll_wait(events: u32, pacer: Pacer) -> io::Result<Figure> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let counters: Vec<OwnedFd> = (0..events.max(1))
        .map(|_| Ok(rustix::event::eventfd(u32::from(events > 0), EventfdFlags::CLOEXEC)?))
        .collect::<io::Result<_>>()?;
    for counter in &counters {
        epoll::add(&epoll, counter, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    let mut found = vec![libc::epoll_event { events: 0, u64: 0 }; counters.len()];
    let (fd, room) = (epoll.as_raw_fd(), found.len() as i32);
    let mut last = 0;
    let cost = figure(pacer, || {
        // SAFETY: the kernel writes at most `room` events into `found`.
        last = unsafe { libc::epoll_wait(fd, found.as_mut_ptr(), room, 0) };
    });
    if last == events as i32 { Ok(cost) } else { Err(io::Error::other(format!("epoll_wait found {last} events"))) }
}
