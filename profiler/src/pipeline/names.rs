//! Names of the target's threads. A screen asks for them every second, and each is a file to read:
//! so they are kept, and read again by turns.

use std::{collections::HashMap, mem};

use crate::{
    aggregate::Window,
    process,
    quantity::{Tgid, Tid},
};

/// Names of so many threads at most, the busiest.
const NAMED: usize = 2_000;
/// Names that a snapshot reads again: a thread may give itself another.
const AGAIN: usize = 100;

/// What the threads are called.
#[derive(Default)]
pub(super) struct ThreadNames {
    known: HashMap<(Tgid, Tid), Known>,
    /// Snapshots so far.
    looks: u64,
}

/// A name, and when it was read.
struct Known {
    name: String,
    at: u64,
}

impl ThreadNames {
    /// The names for a snapshot: those of new threads are read, and a part of the others again.
    pub(super) fn update(&mut self, window: &Window) -> HashMap<Tid, String> {
        self.look(window, AGAIN, process::comm)
    }

    /// The names as they are now.
    pub(super) fn fresh(mut self, window: &Window) -> HashMap<Tid, String> {
        self.look(window, NAMED, process::comm)
    }

    fn look(
        &mut self,
        window: &Window,
        again: usize,
        ask: impl Fn(Tgid, Tid) -> Option<String>,
    ) -> HashMap<Tid, String> {
        self.looks += 1;
        let mut before = mem::take(&mut self.known);
        let named: Vec<(Tgid, Tid)> =
            window.threads.iter().filter(|t| !t.dead).take(NAMED).map(|t| (t.tgid, t.tid)).collect();
        // Those that were read longest ago are read again.
        let mut ages: Vec<_> = named.iter().filter_map(|who| Some((before.get(who)?.at, *who))).collect();
        ages.sort_unstable();
        ages.iter().take(again).for_each(|(_, who)| _ = before.remove(who));
        for who in named {
            let read = || ask(who.0, who.1).map(|name| Known { name, at: self.looks });
            let known = before.remove(&who).or_else(read);
            if let Some(known) = known {
                self.known.insert(who, known);
            }
        }
        self.known.iter().map(|((_, tid), known)| (*tid, known.name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{aggregate::ThreadTotals, event::Sums, quantity::Nanos};

    fn window(tids: std::ops::Range<u32>) -> Window {
        let thread = |tid| ThreadTotals::running(tid, 1, Nanos::from_millis(1), Sums::ZERO);
        Window { threads: tids.map(thread).collect(), ..Window::default() }
    }

    /// A name that changes is known after as many snapshots as it takes to go round, and a snapshot
    /// asks for no more than its part.
    #[test]
    fn every_name_is_read_again_by_turns() {
        let (mut names, asked, window) = (ThreadNames::default(), Cell::new(0), window(0..25));
        let mut look = |name: &str| {
            asked.set(0);
            let ask = |_, _| {
                asked.set(asked.get() + 1);
                Some(name.to_owned())
            };
            let found = names.look(&window, 10, ask);
            (asked.get(), found.values().filter(|found| *found == name).count())
        };
        assert_eq!(look("old"), (25, 25));
        assert_eq!([look("new"), look("new"), look("new")], [(10, 10), (10, 20), (10, 25)]);
    }

    /// Who is gone is forgotten, and a new thread is asked for at once.
    #[test]
    fn only_living_threads_have_names() {
        let mut names = ThreadNames::default();
        let name = |_: Tgid, tid: Tid| Some(tid.to_string());
        assert_eq!(names.look(&window(0..3), 0, name).len(), 3);
        let found = names.look(&window(2..5), 0, name);
        let mut found: Vec<&str> = found.values().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, ["2", "3", "4"]);
        assert_eq!(names.look(&window(2..5), 0, |_, _| None).len(), 3, "known, so not asked");
    }
}
