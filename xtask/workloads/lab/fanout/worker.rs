//! A worker and its connections, whatever runs it.

use std::net::TcpStream;

use anyhow::{Result, ensure};

use crate::work::Job;

/// A worker's request, whatever runs it.
pub(super) struct Worker {
    pub(super) message: Vec<u8>,
    pub(super) legs: Vec<Leg<TcpStream>>,
    pub(super) state: State,
}

/// A connection to a backend, and what has come back over it.
pub(super) struct Leg<S> {
    pub(super) stream: S,
    pub(super) reply: Vec<u8>,
}

/// What a worker keeps from one request to the next.
pub(super) struct State {
    pub(super) job: Job,
    pub(super) worker: u64,
    pub(super) asked: u64,
}

impl State {
    /// Makes the next request.
    pub(super) fn ask(&mut self, message: &mut [u8]) {
        self.asked += 1;
        message[..8].copy_from_slice(&(self.worker << 40 | self.asked).to_le_bytes());
    }

    /// All replies are here: checks them and does the work.
    pub(super) fn settle<S>(&mut self, message: &[u8], legs: &[Leg<S>]) -> Result<()> {
        ensure!(legs.iter().all(|leg| leg.reply == message), "a reply differs from its request");
        self.job.perform(message);
        Ok(())
    }
}
