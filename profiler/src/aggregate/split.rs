//! aggregate/split: the window of a machine cut into those of its processes, or of groups of them.

use std::collections::{BTreeMap, HashMap};

use super::window::Window;
use crate::{
    event::Span,
    quantity::{Tgid, Tid},
};

impl Window {
    /// The window of each family: a process with all that it, or what it had forked, has forked
    /// since without `exec`. They share their call places.
    pub fn families(self) -> BTreeMap<Tgid, Self> {
        let shares: HashMap<Tgid, Tgid> =
            self.threads.iter().filter_map(|thread| Some((thread.tgid, thread.shares?))).collect();
        self.split(|tgid| shares.get(&tgid).copied().unwrap_or(tgid))
    }

    /// The window of each part, and of each its threads, its sites and its streamed block ends.
    /// What the window knows as a whole alone (devices, samples, losses, the programs' cost) is in
    /// none of them. A part without a thread is left out.
    pub fn split<K: Ord + Clone>(self, part: impl Fn(Tgid) -> K) -> BTreeMap<K, Self> {
        let (start, end, measured) = (self.start, self.end, self.measured);
        let empty = || Self { start, end, measured, ..Self::default() };
        let mut parts: BTreeMap<K, Self> = BTreeMap::new();
        let mut whose: HashMap<Tid, K> = HashMap::with_capacity(self.threads.len());
        for thread in self.threads {
            let key = part(thread.tgid);
            whose.insert(thread.tid, key.clone());
            parts.entry(key).or_insert_with(empty).threads.push(thread);
        }
        for site in self.sites {
            // The owner may have gone before the window, and its children go on.
            let owner = Some(part(site.owner())).filter(|key| parts.contains_key(key));
            if let Some(part) = parts.get_mut(&owner.unwrap_or_else(|| part(site.last_caller.0))) {
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
            off: Nanos::ZERO,
            wake: Nanos::ZERO,
            burst: Nanos::ZERO,
            delay: Nanos::ZERO,
        }
    }

    /// Two processes that were there, one that a third forked and that execs (5), one that it
    /// forked without (6).
    fn machine() -> Window {
        let threads = vec![thread(10, 10, 1), thread(11, 10, 2), thread(20, 20, 4), thread(5, 5, 8), thread(6, 6, 16)];
        // 30 has gone before the window.
        let sites = vec![site(20, 10, 100), site(40, 20, 200), site(77, 5, 400), site(60, 6, 800)];
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
        assert_eq!([sites(5), sites(6), sites(10), sites(20)], [vec![400], vec![800], vec![100], vec![200]]);
        let streamed = |pid: u32| parts[&pid].spans.iter().map(|span| span.ends.len()).sum::<usize>();
        assert_eq!([streamed(5), streamed(10), streamed(20)], [0, 2, 1]);
        assert!(parts.values().all(|part| part.measured == Nanos::from_millis(3)));
    }

    #[test]
    fn what_is_forked_is_of_its_parents_family() {
        let mut machine = machine();
        // 6 was forked by 10, which made one of its places.
        machine.threads[4].shares = Some(Tgid::from_raw(10));
        let families = machine.families();
        assert_eq!(families.keys().map(|tgid| tgid.as_raw()).collect::<Vec<_>>(), [5, 10, 20]);
        assert_eq!(families[&Tgid::from_raw(10)].threads.len(), 3);
        assert_eq!(families[&Tgid::from_raw(10)].sites.len(), 2, "that of a parent that has gone is the caller's");
    }

    #[test]
    fn processes_of_one_group_are_one_part() {
        let parts = machine().split(|tgid| matches!(tgid.as_raw(), 10 | 20));
        assert_eq!(parts[&true].sums().calls, 7);
        assert_eq!(parts[&true].sites.len(), 2);
        assert_eq!(parts[&false].sites.len(), 2, "whose owner has gone is the last caller's");
    }
}
