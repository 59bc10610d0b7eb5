//! The toll: what a hook costs whom it watches, and whom it does not, by that thread's own CPU
//! clock. It is calibrated on two threads of this process, without the programs and with them,
//! right before a measurement.
//!
//! The kernel's statistics of BPF programs say how long the programs run. They need
//! `CAP_SYS_ADMIN`, and they miss the kernel's way into a hook. The toll needs no right and has
//! both, but for one processor and warm caches: what a target pays beyond that is seen by comparing
//! it with itself (`predict/paid.rs`).

use std::{
    io::{Read, Write, pipe},
    sync::mpsc::channel,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use super::{facts::own_cpu, reference::echo};
use crate::{
    answer::Toll,
    calibrate::pace::yardstick,
    kernel::{self, LoadError, Session},
    process::own_tid,
    quantity::{Nanos, Tgid, Tid, median},
};

/// Rounds of a series, and series. A round is two blocks and four calls, or two calls that do not
/// block: about 5 µs and 1 µs.
const ROUNDS: u32 = 30;
const SERIES: usize = 20;
/// Where our threads get no CPU, a series takes long; no other begins after this time.
const LONGEST: Nanos = Nanos::from_millis(40);
/// What a program costs at least, in yardsticks: about 40 ns. Seven empty programs on the same
/// hooks add 340 ns to a request (docs/performance.md).
const LEAST: f64 = 0.005;

/// CPU of a round, in yardsticks, medians of the series.
#[derive(Clone, Copy)]
struct Rounds {
    pong: f64,
    plain: f64,
    pace: f64,
}

/// What hooks cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolls {
    /// Whom they watch.
    pub(super) target: Toll,
    /// All others.
    pub(super) others: Toll,
}

/// Attaches the programs and calibrates the toll. They stay attached, and nobody is filed. `None`
/// where pipes or threads of our own fail.
pub(super) fn measure(session: &mut Session) -> Result<Option<Tolls>, LoadError> {
    let mut attached = Ok(());
    let found = with_partner(|own, partner| {
        let before = series(own, partner)?;
        attached = session.attach();
        if attached.is_err() {
            return None;
        }
        session.ignore_births();
        session.begin();
        let others = toll(before, series(own, partner)?);
        let tgid = Tgid::from_raw(std::process::id());
        for tid in [own.tid, partner.tid] {
            session.add_thread(tgid, tid);
        }
        let target = series(own, partner).map(|after| toll(before, after));
        Some(Tolls { target: target?, others })
    });
    attached?;
    session.finish();
    // What our own threads did is nobody's.
    session.harvest()?;
    session.forget_threads();
    session.forget_sites()?;
    session.follow_births();
    Ok(found)
}

/// Two blocks and four calls are a round of ping-pong, two calls one without.
///
/// A block runs three programs, a call two. Where the noise says that a block costs less, the round
/// as a whole, which is known better than its parts, is divided equally; and no program costs less
/// than [`LEAST`], or a budget would not be held at all.
fn toll(before: Rounds, after: Rounds) -> Toll {
    let (round, call) = (after.pong - before.pong, (after.plain - before.plain) / 2.0);
    let switch = (round - 4.0 * call) / 2.0;
    let (call, switch) = if switch < call { (round / 6.0, round / 6.0) } else { (call, switch) };
    Toll { call: call.max(2.0 * LEAST) * after.pace, switch: switch.max(3.0 * LEAST) * after.pace }
}

/// This thread's ends of the pipes, and its own.
struct Own {
    tid: Tid,
    own: (std::io::PipeReader, std::io::PipeWriter),
}

/// The ends that lead to the other thread and back.
struct Partner {
    tid: Tid,
    back: std::io::PipeReader,
    there: std::io::PipeWriter,
}

/// Runs `work` with this thread and another on the CPU that this one is on.
fn with_partner<R>(work: impl FnOnce(&mut Own, &mut Partner) -> Option<R>) -> Option<R> {
    let allowed = sched_getaffinity(None).ok()?;
    let mut here = CpuSet::new();
    here.set(sched_getcpu());
    let (mut asked, there) = pipe().ok()?;
    let (back, mut answers) = pipe().ok()?;
    let mut own = Own { tid: own_tid(), own: pipe().ok()? };
    let (say, said) = channel();
    sched_setaffinity(None, &here).ok()?;
    // It inherits the CPU. It ends when the other end of its pipe is dropped.
    let thread = std::thread::Builder::new().name("sia-toll".into()).spawn(move || {
        let _ = say.send(own_tid());
        echo(&mut asked, &mut answers);
    });
    let done = thread.ok().and_then(|thread| {
        let tid = said.recv().ok();
        let done = tid.and_then(|tid| work(&mut own, &mut Partner { tid, back, there }));
        let _ = thread.join();
        done
    });
    let _ = sched_setaffinity(None, &allowed);
    done
}

fn series(own: &mut Own, partner: &mut Partner) -> Option<Rounds> {
    let begun = kernel::now();
    let (mut pongs, mut plains, mut paces) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SERIES {
        let pace = yardstick();
        // The others of our threads sleep: what the process takes is of the two.
        let round = |of: &mut dyn FnMut() -> std::io::Result<()>| {
            let begun = own_cpu();
            (0..ROUNDS).try_for_each(|_| of()).ok()?;
            Some(own_cpu().saturating_sub(begun).as_nanos() as f64 / f64::from(ROUNDS) / pace)
        };
        let mut byte = [0];
        pongs.push(round(&mut || partner.there.write_all(&byte).and_then(|()| partner.back.read_exact(&mut byte)))?);
        plains.push(round(&mut || own.own.1.write_all(&byte).and_then(|()| own.own.0.read_exact(&mut byte)))?);
        paces.push(pace);
        if kernel::now().saturating_sub(begun) >= LONGEST {
            break;
        }
    }
    Some(Rounds { pong: median(&pongs), plain: median(&plains), pace: median(&paces) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toll_of_a_block_is_what_a_round_adds_beyond_its_calls() {
        let before = Rounds { pong: 500.0, plain: 100.0, pace: 10.0 };
        let found = toll(before, Rounds { pong: 700.0, plain: 130.0, pace: 10.0 });
        // Two calls added 300 ns, so each 150; a round added 2,000, of which four calls are 600.
        assert_eq!((found.call, found.switch), (150.0, 700.0));
        // More for the calls than for the whole round: each gets a sixth of it.
        let found = toll(before, Rounds { pong: 560.0, plain: 140.0, pace: 10.0 });
        assert_eq!((found.call, found.switch), (100.0, 100.0));
        // Nothing is for nothing.
        let found = toll(before, Rounds { pong: 490.0, plain: 99.0, pace: 10.0 });
        assert!(found.call > 0.0 && found.switch > found.call, "{found:?}");
    }

    #[test]
    fn two_threads_of_our_own_take_turns_on_one_cpu() {
        let allowed = sched_getaffinity(None).unwrap();
        let found = with_partner(|own, partner| {
            assert_ne!(own.tid, partner.tid);
            series(own, partner)
        });
        let rounds = found.unwrap();
        assert!(rounds.pong > rounds.plain && rounds.plain > 0.0, "{} and {}", rounds.pong, rounds.plain);
        assert_eq!(sched_getaffinity(None).unwrap(), allowed);
    }
}
