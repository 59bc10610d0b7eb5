//! Event loops that stand still now and then, for a time that they take themselves.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Certainty, Deed};
use crate::sys;
use crate::worker::Worker;

/// From one message to the next.
const EVERY: Duration = Duration::from_millis(4);
/// One in so many turns is a stall.
const STALL_EVERY: u64 = 10;
/// How long another thread keeps the loop waiting.
const WAIT: Duration = Duration::from_millis(20);
/// Turns that took so long are told: those that stand still, and those in which the machine did
/// something else.
const LONG: u64 = 5_000_000;
/// How long the loop computes.
const BURN: Duration = Duration::from_millis(30);
/// Threads that share a loop.
const WORKERS: usize = 3;
/// A turn of a loop that has nothing to do ends after so long.
const LIMIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// What a loop does in a stall.
type Stall = Box<dyn FnMut() -> Result<()> + Send>;

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let turns = args.calls();
    let stall: Option<Stall> = match args.kind {
        Kind::LoopReads | Kind::LoopPolls => Some(waits_for_a_pipe()?),
        Kind::LoopLocks => Some(waits_for_a_lock()?),
        Kind::LoopBurns => Some(Box::new(|| {
            workloads::spin(BURN);
            Ok(())
        })),
        Kind::LoopHealthy | Kind::LoopIdle | Kind::LoopWorkers => None,
        other => bail!("{other:?} is no loop"),
    };
    let (first, mut to_first) = sys::pipe()?;
    let (second, mut to_second) = sys::pipe()?;
    let messages = if args.kind == Kind::LoopIdle { 0 } else { turns };
    let workers = match args.kind {
        Kind::LoopWorkers => shared(first, second, turns)?,
        Kind::LoopPolls => vec![alone(turns, [first, second], stall, true)?],
        _ => vec![alone(turns, [first, second], stall, false)?],
    };
    Ok(Play {
        workers,
        action: Box::new(move |workers| {
            workers.iter().try_for_each(Worker::release)?;
            for _ in 0..messages {
                // The loop counts those of the first: after the last one it is gone.
                to_second.write_all(b"x")?;
                to_first.write_all(b"x")?;
                thread::sleep(EVERY);
            }
            Ok(())
        }),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

/// The time of `CLOCK_MONOTONIC`, as the profiler has it.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Reads what another thread writes after a while.
fn waits_for_a_pipe() -> Result<Stall> {
    let (mut asked, mut ask) = sys::pipe()?;
    let (mut answer, mut answers) = sys::pipe()?;
    thread::spawn(move || {
        let mut byte = [0];
        while asked.read_exact(&mut byte).is_ok() {
            thread::sleep(WAIT);
            if answers.write_all(&byte).is_err() {
                return;
            }
        }
    });
    Ok(Box::new(move || {
        ask.write_all(b"x")?;
        answer.read_exact(&mut [0])?;
        Ok(())
    }))
}

/// Takes a lock that another thread holds for a while.
fn waits_for_a_lock() -> Result<Stall> {
    let lock = Arc::new(Mutex::new(()));
    let theirs = Arc::clone(&lock);
    let (mut asked, mut ask) = sys::pipe()?;
    let (mut held, mut holds) = sys::pipe()?;
    thread::spawn(move || {
        let mut byte = [0];
        while asked.read_exact(&mut byte).is_ok() {
            let Ok(guard) = theirs.lock() else { return };
            if holds.write_all(&byte).is_err() {
                return;
            }
            thread::sleep(WAIT);
            drop(guard);
        }
    });
    Ok(Box::new(move || {
        ask.write_all(b"x")?;
        held.read_exact(&mut [0])?;
        drop(lock.lock().map_err(|_| anyhow!("the lock is poisoned"))?);
        Ok(())
    }))
}

/// One loop for two pipes, that takes what is there and now and then stands still.
fn alone(turns: u64, pipes: [File; 2], mut stall: Option<Stall>, polls: bool) -> Result<Worker> {
    let events = watch(&pipes)?;
    Worker::spawn("loops", move |_| {
        let mut deed = Deed::new("event-wait", if polls { "poll" } else { "epoll_wait" });
        let (mut taken, mut turn) = (0, 0);
        while taken < turns {
            let ready = if polls { ready_by_poll(&pipes)? } else { ready(&events)? };
            let begun = now();
            turn += 1;
            if ready == 0 {
                // Idle: a turn counts as a message.
                taken += turns / 4 + 1;
            }
            taken += take(&pipes, ready)?;
            if let Some(stall) = stall.as_mut()
                && turn % STALL_EVERY == 0
            {
                stall()?;
            }
            let length = now() - begun;
            // After the last message it does not come back.
            if length >= LONG && taken < turns {
                deed.stalls.push((begun, length));
            }
        }
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })
}

fn watch(pipes: &[File; 2]) -> Result<OwnedFd> {
    let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (n, pipe) in (0..).zip(pipes) {
        epoll::add(&events, pipe, epoll::EventData::new_u64(n), epoll::EventFlags::IN)?;
    }
    Ok(events)
}

/// Which pipes have something, a bit each; none: the wait has timed out.
fn ready(events: &OwnedFd) -> Result<u64> {
    let mut found = Vec::with_capacity(2);
    epoll::wait(events, rustix::buffer::spare_capacity(&mut found), Some(&LIMIT))?;
    Ok(found.iter().fold(0, |bits, event| bits | 1 << event.data.u64()))
}

fn ready_by_poll(pipes: &[File; 2]) -> Result<u64> {
    let mut asked = [PollFd::new(&pipes[0], PollFlags::IN), PollFd::new(&pipes[1], PollFlags::IN)];
    poll(&mut asked, Some(&LIMIT))?;
    Ok((0..).zip(asked).fold(0, |bits, (n, fd)| bits | u64::from(fd.revents().contains(PollFlags::IN)) << n))
}

/// Takes what is in the pipes. Returns how many messages were in the first.
fn take(pipes: &[File; 2], ready: u64) -> Result<u64> {
    let mut taken = 0;
    for (n, mut pipe) in (0..).zip(pipes) {
        if ready & 1 << n != 0 {
            let got = pipe.read(&mut [0; 64])? as u64;
            taken += if n == 0 { got } else { 0 };
        }
    }
    Ok(taken)
}

/// What the threads of a shared loop share.
struct Shared {
    pipes: [File; 2],
    events: OwnedFd,
    /// Whether one of them waits for events.
    led: Mutex<bool>,
    free: Condvar,
    over: AtomicBool,
    /// Messages taken so far, and turns.
    so_far: Mutex<(u64, u64)>,
}

/// Threads that share a loop: one waits for events, the others are parked until it has some.
fn shared(first: File, second: File, turns: u64) -> Result<Vec<Worker>> {
    let pipes = [first, second];
    let shared = Arc::new(Shared {
        events: watch(&pipes)?,
        pipes,
        led: Mutex::new(false),
        free: Condvar::new(),
        over: AtomicBool::new(false),
        so_far: Mutex::new((0, 0)),
    });
    (0..WORKERS)
        .map(|_| {
            let shared = Arc::clone(&shared);
            Worker::spawn("works", move |_| {
                let mut deed = Deed::new("event-wait", "epoll_wait");
                let mut stall = None;
                while !shared.over.load(Ordering::Acquire) {
                    // One after which it does not come back is not over.
                    deed.stalls.extend(stall.take());
                    stall = shared.step(turns)?;
                }
                deed.certainty = Certainty::Counted;
                Ok(deed)
            })
        })
        .collect()
}

impl Shared {
    /// One turn; its beginning and length where it was a long one.
    fn step(&self, turns: u64) -> Result<Option<(u64, u64)>> {
        let poisoned = || anyhow!("the lock is poisoned");
        let mut led = self.led.lock().map_err(|_| poisoned())?;
        while *led && !self.over.load(Ordering::Acquire) {
            led = self.free.wait(led).map_err(|_| poisoned())?;
        }
        *led = true;
        drop(led);
        let ready = ready(&self.events)?;
        let begun = now();
        let taken = take(&self.pipes, ready)?;
        *self.led.lock().map_err(|_| poisoned())? = false;
        let mut so_far = self.so_far.lock().map_err(|_| poisoned())?;
        *so_far = (so_far.0 + taken, so_far.1 + 1);
        let (all, turn) = *so_far;
        drop(so_far);
        self.over.store(all >= turns, Ordering::Release);
        if all >= turns {
            self.free.notify_all();
        } else {
            self.free.notify_one();
        }
        if turn % STALL_EVERY == 0 {
            workloads::spin(BURN);
        }
        let length = now() - begun;
        Ok((length >= LONG).then_some((begun, length)))
    }
}
