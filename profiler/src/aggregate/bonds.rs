//! Who ended whose waits for locks, from the streamed block ends, and whether such threads fight
//! over a lock or hand work to each other.
//!
//! The threads that fight over a lock wake each other, all alike. A queue is woken from one side
//! and slept on at the other: its threads fall into two groups, and hardly a wake-up stays within
//! one. So each set of threads that are connected by wake-ups is cut in two, as well as it can be
//! (a maximum cut, by local search): of equals that fight, at most two thirds of the wake-ups cross
//! any cut; of a queue, nearly all cross one.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::window::Window;
use crate::{event::Family, quantity::Tid};

/// Fewest wake-ups on which a set of threads is judged.
const MIN_WAKE_UPS: u64 = 30;
/// From this share of wake-ups across the cut on, threads hand work over. Of three or four threads
/// that fight over a lock two thirds cross it; of more threads, fewer.
const ACROSS: f64 = 0.8;
/// Wake-ups go one way if the weaker direction has at most this share of the stronger one.
const ONE_WAY: f64 = 0.1;
/// From this share of a set's wake-ups on, two of its threads stand for all of it.
const NEARLY_ALL: f64 = 0.9;
/// Wake-ups that a thread's start and its end take.
const START_AND_END: u64 = 2;
/// Passes of the local search at most.
const PASSES: usize = 20;

/// What the threads that end each other's waits do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tie {
    /// No wake-ups seen, or too few.
    #[default]
    Unknown,
    /// They fight over a lock.
    Lock,
    /// One group hands work to another.
    HandOver,
    /// Two threads that wake each other in turns. A lock and a queue look the same there.
    Pair,
}

/// A thread's part in that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bond {
    pub(super) tie: Tie,
    /// Its waits that threads of the target ended.
    pub(super) got: u64,
    /// Waits of others that it ended.
    pub(super) given: u64,
    /// Whether it is in the smaller of the two groups.
    pub(super) smaller: bool,
}

/// The parts of all threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Bonds {
    by_thread: HashMap<Tid, Bond>,
    edges: BTreeMap<(Tid, Tid), u64>,
}

impl Bonds {
    pub(super) fn new(window: &Window) -> Self {
        let own: HashSet<Tid> = window.threads.iter().map(|t| t.tid).collect();
        let mut edges: BTreeMap<(Tid, Tid), u64> = BTreeMap::new();
        let ends = window.spans.iter().flat_map(|span| &span.ends);
        for end in ends.filter(|end| end.class.family() == Family::Lock) {
            if let Some(waker) = end.waker.filter(|waker| *waker != end.tid && own.contains(waker)) {
                *edges.entry((waker, end.tid)).or_default() += 1;
            }
        }
        let brief = window.threads.iter().filter(|t| t.born_inside && t.dead).map(|t| t.tid).collect();
        leave_out_births_and_ends(&mut edges, &brief);
        Self { by_thread: bonds(&edges), edges }
    }

    pub(super) fn bond(&self, tid: Tid) -> Bond {
        self.by_thread.get(&tid).copied().unwrap_or_default()
    }

    /// How many waits of each thread these threads ended; who is not there had none ended so.
    pub(super) fn ended_for(&self, these: &HashSet<Tid>) -> HashMap<Tid, u64> {
        let mut ended = HashMap::new();
        for (&(from, to), n) in &self.edges {
            if these.contains(&from) {
                *ended.entry(to).or_default() += n;
            }
        }
        ended
    }

    /// How many waits of others these threads ended.
    pub(super) fn ended_by(&self, these: &HashSet<Tid>) -> u64 {
        self.edges.iter().filter(|((from, _), _)| these.contains(from)).map(|(_, n)| n).sum()
    }
}

/// Leaves out the wake-ups of threads that came and went (`brief`), if there are only those of
/// their start and their end. Who waits for such a thread shares no lock and is handed no work.
fn leave_out_births_and_ends(edges: &mut BTreeMap<(Tid, Tid), u64>, brief: &HashSet<Tid>) {
    let mut each: HashMap<Tid, u64> = HashMap::new();
    for (&(from, to), &n) in edges.iter() {
        for tid in [from, to] {
            *each.entry(tid).or_default() += n;
        }
    }
    let only_came_and_went = |tid: &Tid| brief.contains(tid) && each[tid] <= START_AND_END;
    edges.retain(|(from, to), _| !only_came_and_went(from) && !only_came_and_went(to));
}

fn bonds(edges: &BTreeMap<(Tid, Tid), u64>) -> HashMap<Tid, Bond> {
    let mut of: HashMap<Tid, Bond> = HashMap::new();
    let mut near: BTreeMap<Tid, BTreeMap<Tid, u64>> = BTreeMap::new();
    for (&(from, to), &n) in edges {
        of.entry(from).or_default().given += n;
        of.entry(to).or_default().got += n;
        for (a, b) in [(from, to), (to, from)] {
            *near.entry(a).or_default().entry(b).or_default() += n;
        }
    }
    let mut side: BTreeMap<Tid, bool> = BTreeMap::new();
    for &start in near.keys() {
        if side.contains_key(&start) {
            continue;
        }
        let members = connected(&near, start, &mut side);
        let (across, all) = cut(&near, &members, &mut side);
        let tie = tie(pair(edges, &near, &members), across, all);
        let ones = members.iter().filter(|tid| side[*tid]).count();
        for tid in &members {
            let bond = of.entry(*tid).or_default();
            bond.tie = tie;
            bond.smaller = if side[tid] { 2 * ones < members.len() } else { 2 * ones > members.len() };
        }
    }
    of
}

/// The threads that are connected with `start`. Each is put on the other side from the thread that
/// it was found by.
fn connected(near: &BTreeMap<Tid, BTreeMap<Tid, u64>>, start: Tid, side: &mut BTreeMap<Tid, bool>) -> Vec<Tid> {
    let mut members = Vec::new();
    let mut queue = VecDeque::from([start]);
    side.insert(start, false);
    while let Some(tid) = queue.pop_front() {
        members.push(tid);
        let other = !side[&tid];
        for next in near[&tid].keys() {
            if !side.contains_key(next) {
                side.insert(*next, other);
                queue.push_back(*next);
            }
        }
    }
    members
}

/// Improves the cut while a thread has more wake-ups within its side than across. Returns how many
/// wake-ups cross it, and how many there are.
fn cut(near: &BTreeMap<Tid, BTreeMap<Tid, u64>>, members: &[Tid], side: &mut BTreeMap<Tid, bool>) -> (u64, u64) {
    for _ in 0..PASSES {
        let mut moved = false;
        for tid in members {
            let (mut within, mut across) = (0, 0);
            for (other, n) in &near[tid] {
                *(if side[other] == side[tid] { &mut within } else { &mut across }) += n;
            }
            if within > across {
                side.insert(*tid, !side[tid]);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let each = |count: &dyn Fn(Tid, Tid) -> bool| -> u64 {
        let of_one = |tid: &Tid| -> u64 { near[tid].iter().filter(|(o, _)| count(*tid, **o)).map(|(_, n)| n).sum() };
        members.iter().map(of_one).sum::<u64>() / 2
    };
    (each(&|a, b| side[&a] != side[&b]), each(&|_, _| true))
}

/// The wake-ups of two threads, there and back, if they make up nearly all of a set's. Others that
/// woke one of them at the start or the end do not change what the two do.
fn pair(
    edges: &BTreeMap<(Tid, Tid), u64>,
    near: &BTreeMap<Tid, BTreeMap<Tid, u64>>,
    members: &[Tid],
) -> Option<(u64, u64)> {
    let each = members.iter().flat_map(|tid| near[tid].iter().map(|(other, n)| (*n, *tid, *other)));
    let (most, a, b) = each.max()?;
    let all: u64 = members.iter().flat_map(|tid| near[tid].values()).sum::<u64>() / 2;
    let between = |from, to| edges.get(&(from, to)).copied().unwrap_or(0);
    (most as f64 >= NEARLY_ALL * all as f64).then(|| (between(a, b), between(b, a)))
}

fn tie(pair: Option<(u64, u64)>, across: u64, all: u64) -> Tie {
    if all < MIN_WAKE_UPS {
        return Tie::Unknown;
    }
    if let Some((there, back)) = pair {
        let one_way = there.min(back) as f64 <= ONE_WAY * there.max(back) as f64;
        return if one_way { Tie::HandOver } else { Tie::Pair };
    }
    if across as f64 >= ACROSS * all as f64 { Tie::HandOver } else { Tie::Lock }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ties(edges: &[(u32, u32, u64)]) -> HashMap<Tid, Bond> {
        bonds(&edges.iter().map(|&(from, to, n)| ((Tid::from_raw(from), Tid::from_raw(to)), n)).collect())
    }

    #[test]
    fn threads_that_all_wake_each_other_fight_over_a_lock() {
        for n in 3..9 {
            let all: Vec<_> = (1..=n).flat_map(|a| (1..=n).filter(move |&b| a != b).map(move |b| (a, b, 20))).collect();
            assert!(ties(&all).values().all(|bond| bond.tie == Tie::Lock), "{n} threads");
        }
    }

    #[test]
    fn a_pool_is_woken_from_one_side_whether_it_replies_or_not() {
        for reply in [0, 100] {
            let pool: Vec<_> = (2..6).flat_map(|w| [(1, w, 100), (w, 1, reply)]).collect();
            let bonds = ties(&pool);
            assert!(bonds.values().all(|bond| bond.tie == Tie::HandOver), "{reply} replies");
            assert!(bonds[&Tid::from_raw(1)].smaller && !bonds[&Tid::from_raw(2)].smaller);
        }
        // Many that submit, few that work.
        let many: Vec<_> = (1..17).flat_map(|s| (20..24).flat_map(move |w| [(s, w, 5), (w, s, 5)])).collect();
        let bonds = ties(&many);
        assert!(bonds.values().all(|bond| bond.tie == Tie::HandOver));
        assert!(bonds[&Tid::from_raw(20)].smaller && !bonds[&Tid::from_raw(1)].smaller);
    }

    #[test]
    fn two_threads_look_the_same_unless_one_never_waits() {
        assert_eq!(ties(&[(1, 2, 50), (2, 1, 50)])[&Tid::from_raw(1)].tie, Tie::Pair);
        assert_eq!(ties(&[(1, 2, 50), (2, 1, 2)])[&Tid::from_raw(1)].tie, Tie::HandOver);
        assert_eq!(ties(&[(1, 2, 5), (2, 1, 5)])[&Tid::from_raw(1)].tie, Tie::Unknown);
        // Woken once by who started them.
        assert_eq!(ties(&[(1, 2, 500), (2, 1, 500), (3, 1, 1), (3, 2, 1)])[&Tid::from_raw(1)].tie, Tie::Pair);
    }

    #[test]
    fn who_waits_for_the_ends_of_threads_is_in_no_set() {
        let tid = Tid::from_raw;
        let all = |n| -> BTreeMap<(Tid, Tid), u64> { (2..100).map(|one| ((tid(one), tid(1)), n)).collect() };
        let brief: HashSet<Tid> = (2..100).map(tid).collect();
        let left = |mut edges: BTreeMap<_, _>, brief: &HashSet<Tid>| {
            leave_out_births_and_ends(&mut edges, brief);
            edges.len()
        };
        assert_eq!(left(all(1), &brief), 0);
        assert_eq!(left(all(1), &HashSet::new()), 98, "they live on");
        assert_eq!(left(all(30), &brief), 98, "a pool from its first to its last job");
    }
}
