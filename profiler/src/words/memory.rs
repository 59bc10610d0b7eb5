//! Memory in words: what the target's threads take, and what is short.

use crate::{
    answer::{Memory, Note},
    quantity::Figure,
    text::numbers::{NA, bytes, percent, plural},
    words::in_words::note,
};

impl Memory {
    /// What it shows.
    pub const TITLE: &str = "what its threads take; async can give back no more of it than that";

    /// The figures in a line; `n/a` with the reason where there are none.
    pub fn line(figure: &Figure<Self, Note>) -> String {
        figure.value().map_or_else(|| format!("{NA}: {}", note(figure)), Self::sentence)
    }

    /// What it is made of.
    pub fn sentence(&self) -> String {
        let each = |all: f64| size(all / self.threads.max(1) as f64);
        let mut text = format!(
            "{}: stacks reserve {} of addresses, of which {} are in memory ({} each)",
            plural(self.threads, "thread", "threads"),
            size(self.reserved),
            size(self.resident),
            each(self.resident)
        );
        if self.swapped > 0.0 {
            text += &format!(" and {} are swapped out", size(self.swapped));
        }
        if let Some(kernel) = self.kernel {
            text += &format!("; the kernel keeps {} beside that ({} each)", size(kernel), each(kernel));
        }
        if let Some(share) = self.share {
            let verdict = if self.is_little() { ", which is little" } else { "" };
            text +=
                &format!("; in all {}, {} of the machine's memory{verdict}", size(self.in_memory()), percent(share));
        }
        if self.looked_at < self.threads {
            text += &format!(" (from the stacks of {} of them)", self.looked_at);
        }
        text
    }
}

fn size(amount: f64) -> String {
    bytes(amount.round() as u64)
}

/// What is needed, and what can be had of the machine, or of a cgroup with this limit.
pub fn memory_needed(needed: u64, left: u64, limit: Option<u64>) -> String {
    let (needed, left) = (bytes(needed), bytes(left));
    match limit {
        Some(limit) => format!(
            "measuring takes {needed}, and {left} are left of the {} of this memory cgroup; raise its limit, memory.max",
            bytes(limit)
        ),
        None => format!("measuring takes {needed}, and {left} are available"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_threads_is_told_by_its_parts() {
        let mut memory = Memory {
            threads: 512,
            looked_at: 512,
            reserved: 512.0 * f64::from(8 << 20),
            resident: 512.0 * 24_576.0,
            swapped: 0.0,
            kernel: Some(512.0 * 26_112.0),
            share: Some(0.0008),
        };
        assert_eq!(
            memory.sentence(),
            "512 threads: stacks reserve 4 GiB of addresses, of which 12 MiB are in memory (24 KiB each); the kernel \
             keeps 12.8 MiB beside that (25.5 KiB each); in all 24.8 MiB, 0.1 % of the machine's memory, which is little"
        );
        (memory.kernel, memory.share, memory.looked_at, memory.swapped) = (None, None, 256, f64::from(1 << 20));
        assert_eq!(
            memory.sentence(),
            "512 threads: stacks reserve 4 GiB of addresses, of which 12 MiB are in memory (24 KiB each) and 1 MiB are \
             swapped out (from the stacks of 256 of them)"
        );
        let none = Memory::line(&Figure::unavailable(Note::NoStackSeen));
        assert!(none.starts_with("n/a: no thread's stack"), "{none}");
    }
}
