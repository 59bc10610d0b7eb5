//! Stacks as flame graphs draw them: merged, and in the order of their frames.

use std::collections::HashMap;

use crate::{
    answer::{Profile, Stack, Weight},
    symbol::Frame,
};

/// What stands between a sleeper's stack and its waker's.
pub(super) const WAKER: &str = "--";
/// What stands for a frame that is not in the profile's list, or for a stack without frames.
const MISSING: &str = "[unknown]";

/// A part of each figure, ns, in the order of [`Weight::ALL`].
pub(super) type Parts = [u64; Weight::ALL.len()];

/// The frames of a profile, with the marks that its stacks need beside them.
pub(super) struct Frames<'a> {
    given: &'a [Frame],
    waker: Frame,
    missing: Frame,
}

impl<'a> Frames<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        Self { given: &profile.frames, waker: Frame::mark(WAKER), missing: Frame::mark(MISSING) }
    }

    /// In the order of the indices that paths are made of.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.given.iter().chain([&self.waker, &self.missing])
    }

    /// Index of the mark between sleeper and waker.
    pub(super) fn waker(&self) -> u32 {
        self.given.len() as u32
    }

    /// An index as it stands in a stack; whatever points outside is the missing frame's.
    pub(super) fn checked(&self, index: u32) -> u32 {
        if (index as usize) < self.given.len() { index } else { self.waker() + 1 }
    }

    pub(super) fn get(&self, index: u32) -> &Frame {
        match self.given.get(index as usize) {
            Some(frame) => frame,
            None if index == self.waker() => &self.waker,
            None => &self.missing,
        }
    }

    /// From the outermost frame to the innermost, and on through the waker's, innermost first.
    pub(super) fn path<'s>(&'s self, stack: &'s Stack) -> impl Iterator<Item = u32> + 's {
        let missing = stack.frames.is_empty().then(|| self.waker() + 1);
        let waker = (!stack.waker.is_empty()).then(|| self.waker());
        let own = stack.frames.iter().map(|&i| self.checked(i));
        missing.into_iter().chain(own).chain(waker).chain(stack.waker.iter().map(|&i| self.checked(i)))
    }
}

/// Distinct stacks, where frames count as the same if their keys are.
pub(super) struct Paths<K> {
    /// Distinct keys, in ascending order.
    pub(super) keys: Vec<K>,
    /// Indices into the keys, and what lies on exactly this stack. Ascending, so that stacks with a
    /// common beginning stand together: sorted by their text they would not (`a`, `a::b`, `a;c`).
    pub(super) stacks: Vec<(Vec<u32>, Parts)>,
}

impl<K: Ord + Clone + std::hash::Hash> Paths<K> {
    pub(super) fn new(profile: &Profile, key: impl Fn(&Frame) -> K) -> Self {
        let frames = Frames::new(profile);
        let by_frame: Vec<K> = frames.iter().map(key).collect();
        let mut keys = by_frame.clone();
        keys.sort_unstable();
        keys.dedup();
        let ranks: HashMap<&K, u32> = keys.iter().zip(0..).collect();
        let ranks: Vec<u32> = by_frame.iter().map(|k| ranks.get(k).copied().unwrap_or(0)).collect();
        let rank = |index: u32| ranks.get(index as usize).copied().unwrap_or(0);
        let mut all: Vec<(Vec<u32>, Parts)> = profile
            .stacks
            .iter()
            .map(|s| (frames.path(s).map(rank).collect(), Weight::ALL.map(|w| s.weights.part(w))))
            .collect();
        all.sort_unstable();
        let mut stacks: Vec<(Vec<u32>, Parts)> = Vec::with_capacity(all.len());
        for (path, parts) in all {
            match stacks.last_mut().filter(|(last, _)| *last == path) {
                Some((_, sum)) => sum.iter_mut().zip(parts).for_each(|(s, p)| *s = s.saturating_add(p)),
                None => stacks.push((path, parts)),
            }
        }
        Self { keys, stacks }
    }
}
