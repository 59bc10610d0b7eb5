//! What the target's threads take of memory: looked at a moment after the start, and again now and
//! then.

use std::{collections::BTreeSet, thread, time::Duration};

use crate::{
    answer::ThreadMemory,
    kernel::Session,
    process::{self, Target},
    quantity::{Nanos, Tgid},
};

/// The first look: by then a program that was just started has its threads.
const FIRST: Nanos = Nanos::from_millis(800);
/// How often a screen learns how it stands.
const EVERY: Nanos = Nanos::from_millis(15_000);
/// Of a target of thousands of processes, so many are looked at: the others have no figure then.
const MOST: usize = 64;
/// Threads that run are looked at again so often, and so long after, while most of them run: a
/// busy program's sleeps are short.
const AGAIN: usize = 8;
const AFTER: Duration = Duration::from_millis(2);

/// Looks at the stacks now and then.
#[derive(Default)]
pub(super) struct MemoryWatch {
    found: Option<ThreadMemory>,
    /// When it was looked at last.
    looked: Option<Nanos>,
}

impl MemoryWatch {
    /// Looks where it is time to, `elapsed` after the measurement began.
    pub(super) fn look(&mut self, session: &Session, target: &Target, elapsed: Nanos) {
        let due = self.looked.map_or(FIRST, |looked| looked + EVERY);
        if elapsed >= due {
            self.look_now(session, target);
            self.looked = Some(elapsed);
        }
    }

    /// Looks once more. Where nothing is left of the target, the look before holds.
    pub(super) fn look_now(&mut self, session: &Session, target: &Target) {
        self.found = of_processes(session, target).or(self.found);
    }

    pub(super) fn found(&self) -> Option<ThreadMemory> {
        self.found
    }
}

/// Threads that were chosen one by one share their process's memory with others: no figure.
fn of_processes(session: &Session, target: &Target) -> Option<ThreadMemory> {
    let living: BTreeSet<Tgid> = session.live_processes().collect();
    if target.threads_only.is_some() || living.len() > MOST {
        return None;
    }
    let kernel = process::kernel_memory();
    let (kernel_stack, task, machine) = (kernel.stack, kernel.task, kernel.machine);
    let mut sum = ThreadMemory { kernel_stack, task, machine, ..ThreadMemory::default() };
    let mut stacks: Vec<_> = living.into_iter().filter_map(process::Stacks::of).collect();
    for _ in 0..AGAIN {
        if !stacks.iter().any(process::Stacks::mostly_ran) {
            break;
        }
        thread::sleep(AFTER);
        stacks.iter_mut().for_each(process::Stacks::look);
    }
    for stack in stacks.iter().map(process::Stacks::memory) {
        sum.threads += stack.threads;
        sum.found += stack.found;
        sum.reserved += stack.reserved;
        sum.resident += stack.resident;
        sum.swapped += stack.swapped;
    }
    (!stacks.is_empty()).then_some(sum)
}
