//! aggregate/split: the window of a machine cut into those of its processes, or of groups of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::window::Window;
use crate::{
    event::Span,
    quantity::{Tgid, Tid},
};

impl Window {
    /// The window of each family: processes that share their call places, because one of them, or
    /// one that has gone, forked the others without `exec`. Families of which `is_told` knows
    /// nobody are one.
    pub fn families(self, is_told: impl Fn(Tgid) -> bool) -> Vec<Self> {
        let spaces: HashMap<Tgid, u32> = self.threads.iter().map(|thread| (thread.tgid, thread.space)).collect();
        let told: HashSet<u32> = spaces.iter().filter(|(tgid, _)| is_told(**tgid)).map(|(_, space)| *space).collect();
        let parts = self.split(|tgid| spaces.get(&tgid).copied().filter(|space| told.contains(space)));
        parts.into_values().collect()
    }

    /// The window of each part, and of each its threads, its sites and its streamed block ends.
    /// What the window knows as a whole alone (devices, samples, losses, the programs' cost) is in
    /// none of them. A part without a thread is left out.
    pub fn split<K: Ord + Clone>(self, part: impl Fn(Tgid) -> K) -> BTreeMap<K, Self> {
        let (start, end, measured) = (self.start, self.end, self.measured);
        let empty = || Self { start, end, measured, ..Self::default() };
        let mut parts: BTreeMap<K, Self> = BTreeMap::new();
        let mut whose: HashMap<Tid, K> = HashMap::with_capacity(self.threads.len());
        let mut spaces: HashMap<u32, K> = HashMap::new();
        for thread in self.threads {
            let key = part(thread.tgid);
            whose.insert(thread.tid, key.clone());
            spaces.entry(thread.space).or_insert_with(|| key.clone());
            parts.entry(key).or_insert_with(empty).threads.push(thread);
        }
        for site in self.sites {
            // Who has called there may have executed another program since.
            let key = spaces.get(&site.place.space).cloned().unwrap_or_else(|| part(site.last_caller.0));
            if let Some(part) = parts.get_mut(&key) {
                part.sites.push(site);
            }
        }
        for span in self.spans {
            let mut cut: BTreeMap<&K, Span> = BTreeMap::new();
            for block in span.ends {
                if let Some(key) = whose.get(&block.tid) {
                    let new = || Span { start: span.start, end: span.end, ends: Vec::new() };
                    cut.entry(key).or_insert_with(new).ends.push(block);
                }
            }
            for (key, span) in cut {
                if let Some(part) = parts.get_mut(key) {
                    part.spans.push(span);
                }
            }
        }
        parts.values_mut().for_each(Self::sort);
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::ThreadTotals,
        event::{BlockClass, BlockEnd, Place, Site, SiteRecord, Sums},
        quantity::{Addr, Nanos},
    };

    fn site(space: u32, last: u32, calls: u64) -> SiteRecord {
        let place =
            Place { syscall: "read".into(), class: BlockClass::Pipe, ip: Addr::from_raw(u64::from(space)), space };
        SiteRecord::with_one_size(place, (Tgid::from_raw(last), None), 1, Site { calls, ..Site::ZERO })
    }

    fn thread(tid: u32, tgid: u32, calls: u64) -> ThreadTotals {
        let mut sums = Sums::ZERO;
        (sums.calls, sums.user) = (calls, calls);
        ThreadTotals::running(tid, tgid, Nanos::from_millis(1), sums)
    }

    fn block(tid: u32) -> BlockEnd {
        BlockEnd {
            tid: Tid::from_raw(tid),
            waker: None,
            class: BlockClass::Pipe,
            away: false,
            fd: None,
            sends: false,
            off: Nanos::ZERO,
            wake: Nanos::ZERO,
            burst: Nanos::ZERO,
            delay: Nanos::ZERO,
        }
    }

    /// Two processes that were there, one that a third forked and that execs (5), one that it
    /// forked without (6).
    fn machine() -> Window {
        let mut threads =
            vec![thread(10, 10, 1), thread(11, 10, 2), thread(20, 20, 4), thread(5, 5, 8), thread(6, 6, 16)];
        (threads[3].space, threads[4].space) = (77, 60);
        // 30 has gone before the window.
        let sites = vec![site(20, 10, 100), site(40, 20, 200), site(77, 5, 400), site(60, 6, 800), site(99, 5, 1)];
        let span = Span { ends: [10, 20, 11, 99].map(block).into(), ..Span::default() };
        let measured = Nanos::from_millis(3);
        Window { measured, threads, sites, spans: vec![span], ..Window::default() }
    }

    #[test]
    fn each_process_has_what_is_its_own() {
        let whole = machine().sums().calls;
        let parts = machine().split(|tgid| tgid.as_raw());
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), [5, 6, 10, 20]);
        assert_eq!(parts.values().map(|part| part.sums().calls).sum::<u64>(), whole);
        let sites = |pid: u32| parts[&pid].sites.iter().map(|s| s.site.calls).collect::<Vec<_>>();
        assert_eq!([sites(5), sites(6), sites(10), sites(20)], [vec![400, 1], vec![800], vec![100], vec![200]]);
        let streamed = |pid: u32| parts[&pid].spans.iter().map(|span| span.ends.len()).sum::<usize>();
        assert_eq!([streamed(5), streamed(10), streamed(20)], [0, 2, 1]);
        assert!(parts.values().all(|part| part.measured == Nanos::from_millis(3)));
    }

    #[test]
    fn what_is_forked_is_of_its_parents_family() {
        let mut machine = machine();
        // 6 was forked by 10; 7 and 8 by one that executed its program in the window.
        machine.threads[4].space = 20;
        machine.threads.extend([thread(7, 7, 1), thread(8, 8, 1)]);
        (machine.threads[5].space, machine.threads[6].space) = (99, 99);
        let families = machine.clone().families(|_| true);
        let tgids = |window: &Window| {
            let mut tgids: Vec<u32> = window.threads.iter().map(|thread| thread.tgid.as_raw()).collect();
            tgids.sort_unstable();
            tgids.dedup();
            (tgids, window.sites.iter().map(|site| site.site.calls).sum::<u64>())
        };
        let mut found: Vec<_> = families.iter().map(tgids).collect();
        found.sort();
        assert_eq!(found, [(vec![5], 400), (vec![6, 10], 900), (vec![7, 8], 1), (vec![20], 200)]);
        // 5 and 20 are not known by name.
        let families = machine.families(|tgid| !matches!(tgid.as_raw(), 5 | 20));
        assert!(families.iter().map(tgids).any(|(tgids, _)| tgids == [5, 20]));
    }

    #[test]
    fn processes_of_one_group_are_one_part() {
        let parts = machine().split(|tgid| matches!(tgid.as_raw(), 10 | 20));
        assert_eq!(parts[&true].sums().calls, 7);
        assert_eq!(parts[&true].sites.len(), 2);
        assert_eq!(parts[&false].sites.len(), 3, "whose owner has gone is the last caller's");
    }
}
