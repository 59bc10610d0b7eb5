//! The flame graph's tree, and where the cursor is in it. What is drawn is a layout: rows of frames
//! that are at least a column wide.

use std::{cell::Cell, collections::HashMap};

use super::{text::contains, theme::Whose};
use crate::text::clean::clean;
use crate::{
    answer::{Profile, Weight},
    symbol::{Frame, Origin},
};

/// Between a sleeper's stack and its waker's.
const WOKEN_BY: &str = "-- woken by --";

/// A frame as it is named in the graph; frames of one name and module are one, whatever their line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) module: String,
    pub(super) whose: Whose,
    pub(super) inlined: bool,
}

impl Label {
    fn new(frame: &Frame) -> Self {
        let whose = match frame.origin {
            Origin::User => Whose::User,
            Origin::Jit => Whose::Jit,
            Origin::Kernel => Whose::Kernel,
            Origin::Mark => Whose::Mark,
        };
        Self { name: clean(&frame.name), module: clean(&frame.module), whose, inlined: frame.inlined }
    }

    fn mark(name: &str) -> Self {
        Self::new(&Frame::mark(name))
    }

    /// With the usual endings that say whose it is: `_[k]`, `_[j]`, `_[i]`.
    pub(super) fn short(&self) -> String {
        let ending = match self.whose {
            Whose::Kernel => "_[k]",
            Whose::Jit => "_[j]",
            _ if self.inlined => "_[i]",
            _ => "",
        };
        format!("{}{ending}", self.name)
    }
}

/// A frame in its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) label: usize,
    pub(super) parent: usize,
    /// Indices of its callees, the heaviest first.
    children: Vec<usize>,
    /// Its part of the weight, with its callees', ns.
    pub(super) value: u64,
    pub(super) depth: usize,
}

/// All stacks merged from their outer ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) labels: Vec<Label>,
}

impl Tree {
    pub(super) fn new(profile: &Profile, weight: Weight) -> Self {
        let mut known: HashMap<Label, usize> = HashMap::new();
        let mut labels = Vec::new();
        let mut number = |label: Label| {
            *known.entry(label).or_insert_with_key(|label| {
                labels.push(label.clone());
                labels.len() - 1
            })
        };
        let all = number(Label::mark("all"));
        let woken_by = number(Label::mark(WOKEN_BY));
        let frames: Vec<usize> = profile.frames.iter().map(|f| number(Label::new(f))).collect();
        let mut nodes = vec![Node { label: all, parent: 0, children: Vec::new(), value: 0, depth: 0 }];
        let mut edges: HashMap<(usize, usize), usize> = HashMap::new();
        for stack in &profile.stacks {
            let value = stack.weights.part(weight);
            if value == 0 {
                continue;
            }
            let mark = (!stack.waker.is_empty()).then_some(woken_by);
            let named = |i: &u32| frames.get(*i as usize).copied();
            let path = stack.frames.iter().filter_map(named).chain(mark).chain(stack.waker.iter().filter_map(named));
            let mut at = 0;
            if let Some(root) = nodes.get_mut(0) {
                root.value += value;
            }
            for label in path {
                let next = *edges.entry((at, label)).or_insert_with(|| {
                    let depth = nodes.get(at).map_or(0, |n| n.depth) + 1;
                    nodes.push(Node { label, parent: at, children: Vec::new(), value: 0, depth });
                    nodes.len() - 1
                });
                if let Some(node) = nodes.get_mut(next) {
                    node.value += value;
                }
                at = next;
            }
        }
        for i in 1..nodes.len() {
            let parent = nodes.get(i).map_or(0, |n| n.parent);
            if let Some(node) = nodes.get_mut(parent) {
                node.children.push(i);
            }
        }
        let rank: Vec<(u64, usize)> = nodes.iter().map(|n| (n.value, n.label)).collect();
        for node in &mut nodes {
            let key =
                |&i: &usize| rank.get(i).map(|&(v, l)| (std::cmp::Reverse(v), labels.get(l).map(|l| l.name.as_str())));
            node.children.sort_by_key(key);
        }
        Self { nodes, labels }
    }

    pub(super) fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    pub(super) fn label(&self, at: usize) -> Option<&Label> {
        self.labels.get(self.node(at)?.label)
    }

    pub(super) fn total(&self) -> u64 {
        self.node(0).map_or(0, |n| n.value)
    }

    /// The labels on the way from the root to a node, without the root's. They find it in another
    /// tree.
    fn path(&self, mut at: usize) -> Vec<Label> {
        let mut path = Vec::new();
        while at != 0 {
            let Some((node, label)) = self.node(at).zip(self.label(at)) else { break };
            path.push(label.clone());
            at = node.parent;
        }
        path.reverse();
        path
    }

    /// The last node of a path, or the deepest that this tree has of it.
    fn follow(&self, path: &[Label]) -> usize {
        let mut at = 0;
        for label in path {
            let child = |&&i: &&usize| self.label(i) == Some(label);
            match self.node(at).and_then(|n| n.children.iter().find(child)) {
                Some(&next) => at = next,
                None => break,
            }
        }
        at
    }

    /// All nodes in the order in which they are read: callers before callees, heavier ones first.
    fn walk(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            order.push(at);
            open.extend(self.node(at).into_iter().flat_map(|n| n.children.iter().rev()));
        }
        order
    }
}

/// A frame on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) node: usize,
    pub(super) x: u16,
    pub(super) width: u16,
}

/// What is drawn: by depth, from the root down.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) rows: Vec<Vec<Spot>>,
    /// Frames below visible ones that are less than a column wide.
    pub(super) elided: usize,
}

/// The flame graph, and where the cursor is in it.
#[derive(Clone, Debug)]
pub(super) struct Flame {
    pub(super) weight: Weight,
    pub(super) tree: Tree,
    pub(super) zoom: usize,
    pub(super) selected: usize,
    /// By label: whether it is searched for.
    pub(super) matching: Vec<bool>,
    /// Share of the weight below matching frames; none where nothing is searched for.
    pub(super) matched: Option<f64>,
    /// How wide it was drawn last, and from which depth on.
    pub(super) width: Cell<u16>,
    pub(super) offset: Cell<usize>,
}

impl Default for Flame {
    fn default() -> Self {
        Self {
            weight: Weight::Cost,
            tree: Tree::default(),
            zoom: 0,
            selected: 0,
            matching: Vec::new(),
            matched: None,
            width: Cell::new(80),
            offset: Cell::new(0),
        }
    }
}

impl Flame {
    /// Takes new stacks. The cursor stays at the same place, as far as that is still there.
    pub(super) fn rebuild(&mut self, profile: &Profile, search: &str) {
        let (zoom, selected) = (self.tree.path(self.zoom), self.tree.path(self.selected));
        self.tree = Tree::new(profile, self.weight);
        self.zoom = self.tree.follow(&zoom);
        self.selected = self.tree.follow(&selected);
        self.search(search);
    }

    /// Marks what is searched for, and sums it up. A match below a match counts once.
    pub(super) fn search(&mut self, text: &str) {
        self.matching =
            self.tree.labels.iter().map(|l| contains(&l.short(), text) || contains(&l.module, text)).collect();
        let hit = |at: usize| self.tree.node(at).is_some_and(|n| self.matching.get(n.label) == Some(&true));
        let mut sum = 0;
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let Some(node) = self.tree.node(at) else { continue };
            if hit(at) {
                sum += node.value;
            } else {
                open.extend(&node.children);
            }
        }
        let total = self.tree.total();
        self.matched = (!text.is_empty() && total > 0).then(|| sum as f64 / total as f64);
    }

    /// Selects the next frame that matches, and returns whether there is one.
    pub(super) fn find(&mut self, back: bool, skip: bool) -> bool {
        let order = self.tree.walk();
        let n = order.len();
        let Some(here) = order.iter().position(|&at| at == self.selected) else { return false };
        let hit = |at: &usize| self.tree.node(*at).is_some_and(|n| self.matching.get(n.label) == Some(&true));
        let steps = usize::from(skip)..n + usize::from(skip);
        let at = |step: usize| if back { (here + 2 * n - step) % n } else { (here + step) % n };
        let found = steps.filter_map(|s| order.get(at(s)).copied()).find(hit);
        if let Some(found) = found {
            self.selected = found;
            if !self.is_below(found, self.zoom) {
                self.zoom = 0;
            }
        }
        found.is_some()
    }

    fn is_below(&self, mut at: usize, above: usize) -> bool {
        while at != above && at != 0 {
            at = self.tree.node(at).map_or(0, |n| n.parent);
        }
        at == above
    }

    /// Frames that are wide enough, zoomed as it is.
    pub(super) fn layout(&self, width: u16) -> Layout {
        let mut layout = Layout::default();
        let whole = self.tree.node(self.zoom).map_or(0, |n| n.value);
        if whole == 0 || width == 0 {
            return layout;
        }
        let mut above = Vec::new();
        let mut at = self.zoom;
        while at != 0 {
            at = self.tree.node(at).map_or(0, |n| n.parent);
            above.push(at);
        }
        layout.rows = above.into_iter().rev().map(|node| vec![Spot { node, x: 0, width }]).collect();
        let scale = f64::from(width) / whole as f64;
        let mut row = vec![(self.zoom, 0u64)];
        while !row.is_empty() {
            let mut spots = Vec::new();
            let mut next = Vec::new();
            for (at, start) in row {
                let Some(node) = self.tree.node(at) else { continue };
                let from = (start as f64 * scale).round() as u16;
                let to = ((start + node.value) as f64 * scale).round().min(f64::from(width)) as u16;
                if to <= from {
                    layout.elided += 1;
                    continue;
                }
                spots.push(Spot { node: at, x: from, width: to - from });
                let mut start = start;
                for &child in &node.children {
                    next.push((child, start));
                    start += self.tree.node(child).map_or(0, |n| n.value);
                }
            }
            if !spots.is_empty() {
                layout.rows.push(spots);
            }
            row = next;
        }
        layout
    }

    /// To a neighbour on the same depth that is visible.
    pub(super) fn sideways(&mut self, by: isize) {
        let layout = self.layout(self.width.get());
        let depth = self.tree.node(self.selected).map_or(0, |n| n.depth);
        let Some(row) = layout.rows.get(depth) else { return };
        if let Some(at) = row.iter().position(|s| s.node == self.selected)
            && let Some(spot) = row.get(at.saturating_add_signed(by))
        {
            self.selected = spot.node;
        }
    }

    pub(super) fn up(&mut self) {
        self.selected = self.tree.node(self.selected).map_or(0, |n| n.parent);
    }

    pub(super) fn down(&mut self) {
        let layout = self.layout(self.width.get());
        let Some(node) = self.tree.node(self.selected) else { return };
        // Above the zoom there is only the way back to it.
        let next = match layout.rows.get(node.depth + 1) {
            Some(row) => {
                row.iter().map(|s| s.node).find(|n| self.tree.node(*n).is_some_and(|n| n.parent == self.selected))
            }
            None => None,
        };
        self.selected = next.unwrap_or(self.selected);
    }

    pub(super) fn first(&mut self) {
        self.selected = self.zoom;
    }

    /// Down the heaviest path to its end.
    pub(super) fn last(&mut self) {
        while let Some(&child) = self.tree.node(self.selected).and_then(|n| n.children.first()) {
            self.selected = child;
        }
    }

    pub(super) fn zoom_in(&mut self) {
        self.zoom = self.selected;
    }

    /// Whether there was anything to leave.
    pub(super) fn zoom_out(&mut self) -> bool {
        let zoomed = self.zoom != 0;
        self.zoom = self.tree.node(self.zoom).map_or(0, |n| n.parent);
        zoomed
    }

    pub(super) fn next_weight(&mut self) {
        let at = Weight::ALL.iter().position(|w| *w == self.weight).unwrap_or(0);
        self.weight = Weight::ALL.get((at + 1) % Weight::ALL.len()).copied().unwrap_or(Weight::Cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Stack, Weights};

    fn profile() -> Profile {
        let frame = |name: &str| Frame { module: "app".into(), origin: Origin::User, ..Frame::mark(name) };
        let stack = |frames: &[u32], waker: &[u32], cost| Stack {
            site: None,
            class: None,
            frames: frames.to_vec(),
            waker: waker.to_vec(),
            samples: 1,
            weights: Weights { cost, blocked: 2 * cost, ..Weights::default() },
        };
        Profile {
            // The last frame is the first one again, on another line.
            frames: ["main", "serve", "read", "work", "main"].map(frame).into(),
            stacks: vec![stack(&[0, 1, 2], &[3, 4], 60), stack(&[4, 1], &[], 30), stack(&[4, 3], &[], 10)],
            ..Profile::default()
        }
    }

    fn flame() -> Flame {
        let mut flame = Flame::default();
        flame.rebuild(&profile(), "");
        flame
    }

    fn name(flame: &Flame) -> String {
        flame.tree.label(flame.selected).unwrap().name.clone()
    }

    #[test]
    fn stacks_merge_by_name_and_add_up_to_the_profiles_total() {
        let flame = flame();
        assert_eq!(flame.tree.total(), profile().total(Weight::Cost));
        for (i, node) in flame.tree.nodes.iter().enumerate() {
            let below: u64 = node.children.iter().map(|&c| flame.tree.nodes[c].value).sum();
            assert!(below <= node.value, "{i}");
        }
        let path: Vec<_> = flame.tree.path(flame.tree.walk()[6]).into_iter().map(|l| l.name).collect();
        assert_eq!(path, ["main", "serve", "read", WOKEN_BY, "work", "main"]);
        assert_eq!(flame.tree.node(0).unwrap().children.len(), 1, "both mains are one");
    }

    #[test]
    fn zoom_and_moves_lead_where_they_say() {
        let mut flame = flame();
        flame.down();
        flame.down();
        assert_eq!(name(&flame), "serve");
        flame.sideways(1);
        assert_eq!(name(&flame), "work");
        flame.sideways(1);
        flame.sideways(-1);
        flame.zoom_in();
        let layout = flame.layout(50);
        assert_eq!(layout.rows[2], [Spot { node: flame.zoom, x: 0, width: 50 }]);
        assert_eq!(layout.rows[0][0].width, 50, "callers stay above");
        flame.last();
        assert_eq!(name(&flame), "main");
        assert!(flame.zoom_out() && flame.zoom_out() && !flame.zoom_out());
        flame.first();
        assert_eq!(name(&flame), "all");
    }

    #[test]
    fn narrow_frames_are_left_out_and_counted() {
        let layout = flame().layout(5);
        assert_eq!(layout.rows[2].iter().map(|s| s.width).sum::<u16>(), 5);
        let layout = flame().layout(4);
        assert_eq!((layout.rows[2].len(), layout.elided), (1, 1));
        assert!(flame().layout(0).rows.is_empty());
    }

    #[test]
    fn a_search_counts_what_is_below_a_match_once_and_finds_in_turn() {
        let mut flame = flame();
        flame.search("main");
        assert_eq!(flame.matched, Some(1.0));
        flame.search("work");
        assert_eq!(flame.matched, Some(0.7));
        assert!(flame.find(false, false));
        let first = flame.selected;
        assert!(flame.find(false, true) && flame.selected != first);
        assert!(flame.find(false, true) && flame.selected == first);
        flame.search("absent");
        assert!(!flame.find(true, true));
        assert_eq!(flame.matched, Some(0.0));
    }

    #[test]
    fn the_place_is_kept_over_new_stacks_and_another_weight() {
        let mut flame = flame();
        flame.last();
        let before = name(&flame);
        flame.next_weight();
        flame.rebuild(&profile(), "");
        assert_eq!((flame.weight, flame.tree.total(), name(&flame)), (Weight::Blocked, 200, before));
        flame.rebuild(&Profile::default(), "x");
        assert_eq!((flame.selected, flame.zoom, flame.tree.total()), (0, 0, 0));
    }
}
