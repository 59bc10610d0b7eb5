//! The relay: what it costs to hand a message on among many threads that wait for it, on one CPU.
//!
//! Pipes connect the threads in a ring, and one message goes round. Each thread reads it, does the
//! little that a stage does in user mode, writes it into the next pipe, which wakes the next
//! thread, and blocks for the next round. One loop does the same reads and writes in the same
//! order, and neither blocks nor wakes anybody.
//!
//! Nothing else runs meanwhile, so that all CPU of the threads belongs to the messages: the block,
//! the switch, the wake-up of a thread that has not run for a round, the return to user mode, and
//! the caches that the other threads have left cold.

use std::io::{self, PipeReader, PipeWriter, Write as _};

use crate::calibrate::{
    error::CalibrateError,
    result::{CrowdRow, Missing},
    rig::{clock, pace::Pacer, peers::MESSAGE},
};

use super::{
    crowd::{self, Party, ROUNDS, Session, WARM},
    effort::Effort,
};

/// What this part is called.
pub(super) const WHAT: &str = "wake-ups among many threads";

/// Measures the relay by number of threads, all on `cpu`.
pub(super) fn measure(
    cpu: usize,
    effort: Effort,
    pacer: Pacer,
    missing: &mut Vec<Missing>,
) -> Result<Vec<CrowdRow>, CalibrateError> {
    crowd::by_number(WHAT, cpu, effort, pacer, missing, Relay::new)
}

/// One place in the ring.
#[derive(Debug)]
struct Stage {
    from: PipeReader,
    to: PipeWriter,
    session: Session,
}

impl Stage {
    fn pass_on(&mut self) -> io::Result<()> {
        crowd::answer(&self.from, &self.to, &mut self.session).map(drop)
    }
}

/// The ring. Between two turns the message waits at the first stage.
#[derive(Debug)]
struct Relay {
    stages: Vec<Stage>,
}

impl Relay {
    fn new(count: usize) -> io::Result<Self> {
        let (mut readers, mut writers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| io::pipe()).collect::<io::Result<Vec<_>>>()?.into_iter().unzip();
        if let Some(first) = writers.first_mut() {
            first.write_all(&[7; MESSAGE])?;
            // Each writes into the pipe of the next one.
            writers.rotate_left(1);
        }
        let ends = readers.drain(..).zip(writers).zip(crowd::sessions(count));
        Ok(Self { stages: ends.map(|((from, to), session)| Stage { from, to, session }).collect() })
    }
}

impl Party for Relay {
    /// The threads own their ends. If one gives up, the next finds the end of its pipe, and so on
    /// round the ring.
    fn by_threads(&mut self) -> io::Result<Vec<f64>> {
        let mut threads = Vec::with_capacity(self.stages.len());
        for mut stage in std::mem::take(&mut self.stages) {
            threads.push(crowd::thread().spawn(move || {
                clock::never_preempt();
                (0..WARM).try_for_each(|_| stage.pass_on())?;
                let begun = clock::thread_cpu();
                (WARM..ROUNDS).try_for_each(|_| stage.pass_on())?;
                Ok::<_, io::Error>((clock::thread_cpu() - begun, stage))
            })?);
        }
        let mut spent = 0;
        for thread in threads {
            let (cpu, stage) = crowd::ended(thread.join())?;
            spent += cpu;
            self.stages.push(stage);
        }
        Ok(vec![self.per_message(spent)])
    }

    fn by_loop(&mut self) -> io::Result<Vec<f64>> {
        let mut begun = 0;
        for round in 0..ROUNDS {
            if round == WARM {
                begun = clock::thread_cpu();
            }
            self.stages.iter_mut().try_for_each(Stage::pass_on)?;
        }
        Ok(vec![self.per_message(clock::thread_cpu() - begun)])
    }
}

impl Relay {
    fn per_message(&self, spent: u64) -> f64 {
        spent as f64 / (self.stages.len().max(1) * (ROUNDS - WARM)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_goes_round_by_threads_and_by_a_loop() {
        let mut relay = Relay::new(5).unwrap();
        for turn in 1..=3 {
            let (threads, one) = (relay.by_threads().unwrap(), relay.by_loop().unwrap());
            assert!(threads.len() == 1 && one.len() == 1 && one[0] > 0.0, "{threads:?} {one:?}");
            assert!(relay.stages.iter().all(|stage| stage.session.messages == 2 * turn * ROUNDS as u64));
        }
    }

    #[test]
    fn a_ring_with_a_gap_ends() {
        let mut relay = Relay::new(4).unwrap();
        relay.stages.remove(2);
        let error = relay.by_threads().unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe), "{error:?}");
    }
}
