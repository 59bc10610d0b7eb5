//! A stage and its message, whatever runs it.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result};

use crate::work::Job;

/// Bytes of a message.
pub(super) const MESSAGE: usize = 64;

/// A stage, whatever runs it.
pub(super) struct Stage {
    /// Its place in its ring of so many.
    pub(super) index: u64,
    pub(super) stages: u64,
    pub(super) incoming: OwnedFd,
    pub(super) outgoing: OwnedFd,
    pub(super) job: Job,
}

impl Stage {
    /// What is done between read and write.
    pub(super) fn handle(job: &mut Job, index: u64, stages: u64, message: &mut [u8; MESSAGE]) -> Result<()> {
        let (head, _) = message.split_first_chunk_mut::<8>().context("a message has eight bytes")?;
        let hops = u64::from_le_bytes(*head);
        anyhow::ensure!(hops % stages == index, "stage {index} of {stages} got a message that made {hops} hops");
        *head = (hops + 1).to_le_bytes();
        job.perform(message);
        Ok(())
    }
}
