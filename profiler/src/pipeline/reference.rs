//! The reference block: two threads of our own over two pipes, seen by the same programs. Reads
//! that block and reads that do not give estimator (a) for this machine, whatever the target does.

use std::{
    io::{Read, Write, pipe},
    time::{Duration, Instant},
};

use crate::{
    aggregate::Window,
    calibrate::pace::yardstick,
    cost::{MIN_CALLS, Reference},
    event::{self, BlockClass, Site, SiteRecord, Stat},
    kernel::{LoadError, Session},
    process::own_tid,
    quantity::{Tgid, median},
};

/// The longest time of the ping-pong: once there are enough rounds, and altogether. On a machine
/// full of runnable threads a round takes milliseconds.
const LENGTH: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_millis(1_000);
/// Rounds that are enough, and rounds at most: as many reads that block; reads that do not are half
/// as many.
const ENOUGH: usize = 4 * MIN_CALLS as usize;
const ROUNDS: usize = 2_000;

/// Yardsticks before it, and as many after it.
const PACES: usize = 9;

/// Why there is no reference.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReferenceError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Decode(#[from] event::DecodeError),
    #[error("a pipe of our own failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("too few reads blocked")]
    TooFew,
}

/// Measures the reference with a session that has no target yet, or none any more. In one window
/// our reads block and our writes wake; in another they do neither.
pub(super) fn measure(session: &mut Session) -> Result<Reference, ReferenceError> {
    session.forget_threads();
    session.attach()?;
    session.ignore_births();
    let found = windows(session);
    session.detach();
    // Our own threads are nobody's target.
    session.forget_threads();
    session.forget_sites()?;
    let (pong, plain, pace) = found?;
    let blocked = pong.merged("read", Site::cpu_blocked);
    let direct = plain.merged("read", Site::cpu_direct);
    let reference =
        Reference::between(&blocked, &direct).filter(|r| r.blocks >= MIN_CALLS).ok_or(ReferenceError::TooFew)?;
    let reference = Reference { pace: Some(pace), ..reference };
    Ok(reference.with_wake(&pong.merged("write", Site::cpu_direct), &plain.merged("write", Site::cpu_direct)))
}

/// What our own pipes saw in a window.
struct Own(Window);

impl Own {
    fn merged(&self, syscall: &str, of: impl Fn(&Site) -> Stat) -> Stat {
        let own = |s: &&SiteRecord| s.place.class == BlockClass::Pipe && s.place.syscall == syscall;
        let mut sum = Stat::ZERO;
        self.0.sites.iter().filter(own).for_each(|s| sum.merge(&of(&s.site)));
        sum
    }
}

/// Both windows, and the pace around them.
fn windows(session: &mut Session) -> Result<(Own, Own, f64), ReferenceError> {
    let tgid = Tgid::from_raw(std::process::id());
    session.add_thread(tgid, own_tid());
    let mut paces: Vec<f64> = (0..PACES).map(|_| yardstick()).collect();
    let pong = window(session, ping_pong)?;
    paces.extend((0..PACES).map(|_| yardstick()));
    let plain = window(session, || {
        let (mut own, mut own_out) = pipe()?;
        let mut byte = [0];
        for _ in 0..ROUNDS / 2 {
            own_out.write_all(&byte)?;
            own.read_exact(&mut byte)?;
        }
        Ok(())
    })?;
    Ok((pong, plain, median(&paces)))
}

fn window(session: &mut Session, work: impl FnOnce() -> std::io::Result<()>) -> Result<Own, ReferenceError> {
    session.begin();
    let done = work();
    session.finish();
    let harvest = session.harvest()?;
    done?;
    Ok(Own(Window::close(event::decode(harvest)?, &[])))
}

/// Sends each byte back. Ends when the other end is dropped.
pub(super) fn echo(from: &mut impl Read, to: &mut impl Write) {
    let mut byte = [0];
    while matches!(from.read(&mut byte), Ok(1)) && to.write_all(&byte).is_ok() {}
}

fn ping_pong() -> std::io::Result<()> {
    let (mut here, mut there_out) = pipe()?;
    let (mut there, mut here_out) = pipe()?;
    let echo = std::thread::spawn(move || echo(&mut there, &mut there_out));
    let begun = Instant::now();
    let mut byte = [0];
    let mut done = Ok(());
    for round in 1..=ROUNDS {
        done = here_out.write_all(&byte).and_then(|()| here.read_exact(&mut byte));
        let longest = if round < ENOUGH { LONGEST } else { LENGTH };
        if done.is_err() || begun.elapsed() >= longest {
            break;
        }
    }
    drop(here_out);
    let _ = echo.join();
    done
}
