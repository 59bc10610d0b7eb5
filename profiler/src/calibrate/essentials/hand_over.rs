//! The hand-over: a job that one thread gives to another that waits for it, and the answer back.
//!
//! The first thread makes the job known, which wakes the second, and waits; the second answers,
//! which wakes the first, and waits for the next job. All CPU of both belongs to the hand-over: two
//! blocks, two wake-ups and the calls that make them. On one CPU it goes from thread to thread; on
//! two each CPU is idle while the other has the job.

use std::{
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    os::fd::OwnedFd,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use rustix::{
    event::{EventfdFlags, eventfd},
    thread::futex,
};

use crate::{
    calibrate::{
        error::CalibrateError,
        result::{HandOverRow, Missing},
        rig::{clock, pace::Pacer},
    },
    event::BlockClass,
    quantity::Repeats,
};

use super::effort::{Effort, Schedule};

/// What this part is called.
pub(super) const WHAT: &str = "hand-overs";
/// What the threads wait for: a condition variable and a channel of most languages are the first.
const CLASSES: [BlockClass; 3] = [BlockClass::Futex, BlockClass::EventFd, BlockClass::Pipe];
/// Jobs of a series, and before it.
const JOBS: u64 = 60;
const WARM: u64 = 4;
const REPEATS: Schedule = Schedule { least: 5, length: 40_000_000, most: 25, longest: 200_000_000, fewest: 3 };

/// Measures hand-overs through each of [`CLASSES`], on `first` alone and between `first` and
/// `second`.
pub(super) fn measure(
    first: usize,
    second: Option<usize>,
    effort: Effort,
    mut pacer: Pacer,
    missing: &mut Vec<Missing>,
) -> Result<Vec<HandOverRow>, CalibrateError> {
    let mut rows = Vec::new();
    for (via_idle, worker) in [(false, Some(first)), (true, second)] {
        // Where there is no second CPU, the part that measures blocks says so.
        let Some(worker) = worker else { continue };
        let mut costs = CLASSES.map(|_| Vec::new());
        let mut failure = None;
        pacer.mark();
        for _ in REPEATS.at(effort).begin() {
            for (class, costs) in CLASSES.into_iter().zip(&mut costs) {
                let cost = there_and_back(class, (first, worker));
                // Leaving idle depends on the hypervisor, not on the pace.
                let common = if via_idle { 1.0 } else { pacer.factor() };
                match cost {
                    Ok(ns) => costs.push(ns * common),
                    Err(error) => failure = Some(error),
                }
            }
        }
        for (class, costs) in CLASSES.into_iter().zip(&costs) {
            match Repeats::new(costs) {
                Some(cost) => rows.push(HandOverRow { class, via_idle, cost }),
                None => missing.push(Missing {
                    what: format!("hand-over through {}", class.name()),
                    why: failure.as_ref().map_or_else(String::new, ToString::to_string),
                }),
            }
        }
    }
    Ok(rows)
}

/// What one of the two waits for.
#[derive(Debug)]
enum Link {
    Futex(AtomicU32),
    EventFd(OwnedFd),
    Pipe(PipeReader, PipeWriter),
}

impl Link {
    fn new(class: BlockClass) -> io::Result<Self> {
        Ok(match class {
            BlockClass::Futex => Self::Futex(AtomicU32::new(0)),
            BlockClass::EventFd => Self::EventFd(eventfd(0, EventfdFlags::CLOEXEC)?),
            _ => {
                let (read, write) = io::pipe()?;
                Self::Pipe(read, write)
            }
        })
    }

    fn give(&self) -> io::Result<()> {
        match self {
            Self::Futex(word) => {
                word.store(1, Ordering::Release);
                futex::wake(word, futex::Flags::PRIVATE, 1)?;
            }
            Self::EventFd(fd) => drop(rustix::io::write(fd, &1u64.to_ne_bytes())?),
            Self::Pipe(_, write) => (&*write).write_all(&[1])?,
        }
        Ok(())
    }

    fn take(&self) -> io::Result<()> {
        match self {
            Self::Futex(word) => {
                while word.swap(0, Ordering::Acquire) == 0 {
                    match futex::wait(word, futex::Flags::PRIVATE, 0, None) {
                        Ok(()) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Self::EventFd(fd) => drop(rustix::io::read(fd, &mut [0; 8])?),
            Self::Pipe(read, _) => (&*read).read_exact(&mut [0; 1])?,
        }
        Ok(())
    }
}

/// One of the two threads. When it has failed, the other does not wait for it any more.
struct Side<'a> {
    takes: &'a Link,
    gives: &'a Link,
    failed: &'a AtomicBool,
}

impl Side<'_> {
    fn take(&self) -> io::Result<()> {
        self.takes.take()?;
        if self.failed.load(Ordering::Acquire) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    /// CPU of this thread for [`JOBS`], ns, and how often it slept.
    fn run(self, cpu: usize, begins: bool) -> io::Result<(u64, u64)> {
        let found = self.jobs(cpu, begins);
        if found.is_err() {
            self.failed.store(true, Ordering::Release);
            let _ = self.gives.give();
        }
        found
    }

    fn jobs(&self, cpu: usize, begins: bool) -> io::Result<(u64, u64)> {
        clock::pin(&[cpu])?;
        clock::never_preempt();
        let mut begun = (0, 0);
        for job in 0..JOBS + WARM {
            if job == WARM {
                begun = (clock::blocks_so_far(), clock::thread_cpu());
            }
            if begins {
                self.gives.give()?;
                self.take()?;
            } else {
                self.take()?;
                self.gives.give()?;
            }
        }
        let cpu = clock::thread_cpu() - begun.1;
        Ok((cpu, clock::blocks_so_far() - begun.0))
    }
}

/// CPU of both threads for a job and its answer, ns.
fn there_and_back(class: BlockClass, cpus: (usize, usize)) -> io::Result<f64> {
    let (there, back, failed) = (Link::new(class)?, Link::new(class)?, AtomicBool::new(false));
    let (here, other) = std::thread::scope(|scope| {
        let worker = Side { takes: &there, gives: &back, failed: &failed };
        let other = std::thread::Builder::new()
            .name("calibrate-worker".into())
            .spawn_scoped(scope, move || worker.run(cpus.1, false))?;
        let here = Side { takes: &back, gives: &there, failed: &failed }.run(cpus.0, true);
        let other = other.join().map_err(|_| io::Error::other("a thread panicked"))?;
        Ok::<_, io::Error>((here?, other?))
    })?;
    let blocks = here.1 + other.1;
    // An answer that is there already is no hand-over, and would count as a cheap one.
    if blocks * 20 < 2 * JOBS * 19 {
        return Err(io::Error::other(format!("of {} waits only {blocks} slept", 2 * JOBS)));
    }
    Ok((here.0 + other.0) as f64 / JOBS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No machine that this runs on has it.
    const NO_CPU: usize = rustix::thread::CpuSet::MAX_CPU - 1;

    #[test]
    fn a_job_goes_there_and_comes_back_through_each() {
        let cpu = clock::allowed().unwrap()[0];
        for class in CLASSES {
            let ns = there_and_back(class, (cpu, cpu)).unwrap();
            assert!(ns > 0.0, "{class:?}");
        }
    }

    #[test]
    fn whoever_fails_leaves_nobody_waiting() {
        for class in CLASSES {
            let (there, back, failed) = (Link::new(class).unwrap(), Link::new(class).unwrap(), AtomicBool::new(false));
            std::thread::scope(|scope| {
                let worker = Side { takes: &there, gives: &back, failed: &failed };
                let waiting = scope.spawn(move || worker.run(NO_CPU, false));
                let here = Side { takes: &back, gives: &there, failed: &failed };
                let error = here.take().unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{class:?}");
                assert!(waiting.join().unwrap().is_err());
            });
        }
    }
}
