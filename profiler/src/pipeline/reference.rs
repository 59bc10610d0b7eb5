//! The reference block: two threads of our own over two pipes, seen by the same programs. Reads that block and reads that
//! do not give estimator (a) for this machine, whatever the target does.

use std::{
    io::{Read, Write, pipe},
    time::{Duration, Instant},
};

use crate::{
    aggregate::Window,
    event::{self, BlockClass},
    kernel::{LoadError, Session},
    model::{MIN_CALLS, Reference},
    units::{Tgid, Tid},
};

/// How long the ping-pong lasts at most.
const LENGTH: Duration = Duration::from_millis(40);
/// Rounds of it at most, and reads that do not block.
const ROUNDS: usize = 2_000;

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

/// Measures the reference with a session whose target is over.
pub(super) fn measure(session: &mut Session) -> Result<Reference, ReferenceError> {
    session.forget_threads();
    session.attach()?;
    session.ignore_births();
    let result = ping_pong(session);
    session.finish();
    session.detach();
    result?;
    let harvest = session.harvest()?;
    let window = Window::close(event::decode(harvest)?, &[]);
    let own = |s: &&crate::aggregate::SiteRecord| s.place.class == BlockClass::Pipe && s.place.syscall == "read";
    let mut blocked = crate::aggregate::Stat::ZERO;
    let mut direct = crate::aggregate::Stat::ZERO;
    for site in window.sites.iter().filter(own) {
        blocked.merge(&site.site.cpu_blocked);
        direct.merge(&site.site.cpu_direct);
    }
    Reference::between(&blocked, &direct).filter(|r| r.blocks >= MIN_CALLS).ok_or(ReferenceError::TooFew)
}

fn ping_pong(session: &mut Session) -> Result<(), ReferenceError> {
    let (mut here, mut there_out) = pipe()?;
    let (mut there, mut here_out) = pipe()?;
    let tgid = Tgid::from_raw(std::process::id());
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        // Ends when the other end is dropped.
        while matches!(there.read(&mut byte), Ok(1)) && there_out.write_all(&byte).is_ok() {}
    });
    session.add_thread(tgid, Tid::from_raw(rustix::thread::gettid().as_raw_nonzero().get() as u32));
    session.begin();
    let begun = Instant::now();
    let mut byte = [0];
    for _ in 0..ROUNDS {
        here_out.write_all(&byte)?;
        here.read_exact(&mut byte)?;
        if begun.elapsed() >= LENGTH {
            break;
        }
    }
    let (mut own, mut own_out) = pipe()?;
    for _ in 0..ROUNDS / 2 {
        own_out.write_all(&byte)?;
        own.read_exact(&mut byte)?;
    }
    drop(here_out);
    let _ = echo.join();
    Ok(())
}
