//! Waits that nothing but their own time limit ends.

use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustix::event::{FdSetElement, PollFd, PollFlags, epoll, fd_set_insert, fd_set_num_elements, poll, select};
use rustix::io::Errno;
use rustix::thread::futex;
use rustix::time::Timespec;

use crate::args::Kind;
use crate::row::Deed;
use crate::sys;
use crate::worker::Worker;

/// A call that sleeps until its limit is over.
type Wait = Box<dyn FnMut() -> Result<()> + Send>;

/// A worker whose calls all end by their limit of `each`.
pub(crate) fn worker(kind: Kind, calls: u64, each: Duration) -> Result<Worker> {
    let (syscall, fails, mut wait) = wait(kind, each)?;
    Worker::spawn("limited", move |_| {
        workloads::drop_timer_slack();
        let mut deed = Deed::new("timeout", syscall);
        for _ in 0..calls {
            wait()?;
        }
        deed.calls = calls;
        deed.blocks = calls;
        deed.errors = if fails { calls } else { 0 };
        deed.other_calls = vec![("prctl", 1)];
        Ok(deed)
    })
}

/// The call's name, whether it says by an error that the time is over, and the call.
fn wait(kind: Kind, each: Duration) -> Result<(&'static str, bool, Wait)> {
    let limit = Timespec { tv_sec: i64::try_from(each.as_secs())?, tv_nsec: each.subsec_nanos().into() };
    let (near, far) = sys::tcp()?;
    Ok(match kind {
        Kind::PollTimeout => (
            "ppoll",
            false,
            Box::new(move || {
                let _open = &near;
                over(poll(&mut [PollFd::new(&far, PollFlags::IN)], Some(&limit))?)
            }),
        ),
        Kind::PollNothing => ("ppoll", false, Box::new(move || over(poll(&mut [], Some(&limit))?))),
        Kind::SelectTimeout => (
            "pselect6",
            false,
            Box::new(move || {
                let _open = &near;
                let number = far.as_raw_fd();
                let mut set = vec![FdSetElement::default(); fd_set_num_elements(1, number + 1)];
                fd_set_insert(&mut set, number);
                // SAFETY: the descriptor is open, and the set has room for it.
                over(usize::try_from(unsafe { select(number + 1, Some(&mut set), None, None, Some(&limit)) }?)?)
            }),
        ),
        Kind::EpollTimeout => epoll_of_two(near, far, limit)?,
        Kind::FutexTimeout => {
            let word = AtomicU32::new(0);
            (
                "futex",
                true,
                Box::new(move || {
                    let ended = futex::wait(&word, futex::Flags::PRIVATE, 0, Some(&limit));
                    ensure!(ended == Err(Errno::TIMEDOUT), "FUTEX_WAIT: {ended:?}");
                    Ok(())
                }),
            )
        }
        Kind::RecvTimeout => {
            far.set_read_timeout(Some(each))?;
            (
                "recvfrom",
                true,
                Box::new(move || {
                    let _open = &near;
                    let ended = rustix::net::recv(&far, &mut [0u8; 1], rustix::net::RecvFlags::empty());
                    ensure!(matches!(ended, Err(Errno::AGAIN)), "recv: {ended:?}");
                    Ok(())
                }),
            )
        }
        other => bail!("{other:?} has no limit"),
    })
}

/// An epoll of a connection and a pipe.
fn epoll_of_two(near: TcpStream, far: TcpStream, limit: Timespec) -> Result<(&'static str, bool, Wait)> {
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let (reader, writer) = sys::pipe()?;
    epoll::add(&queue, &far, epoll::EventData::new_u64(1), epoll::EventFlags::IN)?;
    epoll::add(&queue, &reader, epoll::EventData::new_u64(2), epoll::EventFlags::IN)?;
    let wait = move || {
        let _open = (&near, &far, &reader, &writer);
        let mut room = [MaybeUninit::<epoll::Event>::uninit(); 4];
        over(epoll::wait(&queue, &mut room[..], Some(&limit))?.0.len())
    };
    Ok(("epoll_pwait", false, Box::new(wait)))
}

fn over(ready: usize) -> Result<()> {
    ensure!(ready == 0, "{ready} descriptors are ready");
    Ok(())
}
