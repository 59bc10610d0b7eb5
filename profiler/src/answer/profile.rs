//! The profile: stacks with what was lost in them. Stacks are samples; the figures they share out
//! are exact.
//!
//! Each weight of a stack is its part of the ledger's own figure, in whole nanoseconds: the sum
//! over all stacks is the ledger's line, to the nanosecond. What no stack was taken for stands
//! below a mark that says so.

use std::collections::HashMap;

use super::{
    report::Report,
    sampled::{Sampled, SampledStack, StackQuality, Taken, share_out},
};
use crate::{
    aggregate::Window,
    event::{BlockClass, Family, Place},
    quantity::listed,
    symbol::Frame,
};

listed! {
    /// What a flame graph is drawn by.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Weight {
        /// CPU: direct cost of blocking-IO blocks.
        Cost,
        /// Blocked time, all classes.
        Blocked,
        /// Time between a wake-up and the switch-in.
        RunDelay,
        /// CPU, all of it.
        Cpu,
    }
}

impl Weight {
    /// As typed after `--weight`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Blocked => "blocked",
            Self::RunDelay => "run-delay",
            Self::Cpu => "cpu",
        }
    }
}

/// A stack's part of each figure, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Weights {
    /// [`Weight::Cost`], in ns of CPU.
    pub cost: u64,
    /// [`Weight::Blocked`], in ns of wall time.
    pub blocked: u64,
    /// [`Weight::RunDelay`], in ns of wall time.
    pub run_delay: u64,
    /// [`Weight::Cpu`], in ns of CPU.
    pub cpu: u64,
}

impl Weights {
    /// The part of this figure, ns.
    pub fn part(&self, weight: Weight) -> u64 {
        match weight {
            Weight::Cost => self.cost,
            Weight::Blocked => self.blocked,
            Weight::RunDelay => self.run_delay,
            Weight::Cpu => self.cpu,
        }
    }
}

/// A distinct stack, with its part of each figure.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stack {
    /// The site in [`super::report::Report::sites`] that it was taken in; none: in user mode, or
    /// outside of syscalls.
    pub site: Option<usize>,
    /// What it waited for; none for stacks of the CPU clock.
    pub class: Option<BlockClass>,
    /// Indices into [`Profile::frames`], the outermost first: the thread's name, its functions, the
    /// syscall's mark, the kernel's functions.
    pub frames: Vec<u32>,
    /// The waker's stack, the innermost first (as an off-wake graph goes on from the sleeper);
    /// empty where none was seen.
    pub waker: Vec<u32>,
    /// Samples behind it; 0: nothing was sampled, the rest of a figure.
    pub samples: u64,
    /// Its part of each figure, ns.
    pub weights: Weights,
}

/// Stacks of a measurement.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// Frames that stacks refer to.
    pub frames: Vec<Frame>,
    pub stacks: Vec<Stack>,
    /// How good the stacks are.
    pub quality: StackQuality,
    /// Why there are no stacks; `None` where there are some.
    pub unavailable: Option<String>,
}

/// Stacks in the making.
struct Making<'a> {
    sampled: &'a Sampled,
    frames: Vec<Frame>,
    marks: HashMap<String, u32>,
    stacks: Vec<Stack>,
    /// The stack in `stacks` that each sampled one has become.
    places: Vec<Option<usize>>,
    /// Those in `stacks` that stand for no sample, by site and marks.
    marked: HashMap<(Option<usize>, Vec<u32>), usize>,
}

impl Making<'_> {
    fn mark(&mut self, name: &str) -> u32 {
        if let Some(&known) = self.marks.get(name) {
            return known;
        }
        let index = self.frames.len() as u32;
        self.frames.push(Frame::mark(name));
        self.marks.insert(name.to_owned(), index);
        index
    }

    /// The stack that a sampled one becomes, made at first need.
    fn place(&mut self, i: usize, site: Option<usize>) -> usize {
        if let Some(known) = self.places[i] {
            return known;
        }
        let from = &self.sampled.stacks[i];
        self.stacks.push(Stack {
            site,
            class: from.class,
            frames: from.frames.clone(),
            waker: from.waker.clone(),
            samples: from.samples,
            weights: Weights::default(),
        });
        self.places[i] = Some(self.stacks.len() - 1);
        self.stacks.len() - 1
    }

    /// Shares a figure out among sampled stacks. If there are none, a stack of marks gets it.
    fn share(
        &mut self,
        total: u64,
        among: &[usize],
        site: Option<usize>,
        instead: (&[&str], Option<BlockClass>),
        by: impl Fn(&SampledStack) -> f64,
        field: impl Fn(&mut Weights) -> &mut u64,
    ) {
        if total == 0 {
            return;
        }
        let weights: Vec<f64> = among.iter().map(|&i| by(&self.sampled.stacks[i])).collect();
        match share_out(total, &weights) {
            Some(parts) => {
                for (&i, part) in among.iter().zip(parts) {
                    let place = self.place(i, site);
                    *field(&mut self.stacks[place].weights) += part;
                }
            }
            None => {
                let (marks, class) = instead;
                let frames: Vec<u32> = marks.iter().map(|m| self.mark(m)).collect();
                let stacks = &mut self.stacks;
                let place = *self.marked.entry((site, frames)).or_insert_with_key(|(site, frames)| {
                    let (site, frames, weights) = (*site, frames.clone(), Weights::default());
                    stacks.push(Stack { site, class, frames, waker: Vec::new(), samples: 0, weights });
                    stacks.len() - 1
                });
                *field(&mut self.stacks[place].weights) += total;
            }
        }
    }
}

/// A figure by site, and what no site has of it. It is exact if the sites have no more than there
/// is.
fn by_site(total: u64, sites: &[u64]) -> (Vec<u64>, u64) {
    let sum: u64 = sites.iter().sum();
    if sum <= total {
        return (sites.to_vec(), total - sum);
    }
    let weights: Vec<f64> = sites.iter().map(|s| *s as f64).collect();
    (share_out(total, &weights).unwrap_or_else(|| vec![0; sites.len()]), 0)
}

/// What a stack without samples stands below.
pub(super) const NO_STACK: &str = "[no stack taken]";
/// Waits that were not over, or had begun before the measurement.
const OPEN: &str = "[open at start or end]";

impl Profile {
    /// Shares the report's figures out among the stacks that were sampled. `window` is the one that
    /// the report was made of.
    pub fn new(report: &Report, window: &Window, sampled: &Sampled) -> Self {
        let mut making = Making {
            sampled,
            frames: sampled.frames.clone(),
            marks: HashMap::new(),
            stacks: Vec::new(),
            places: vec![None; sampled.stacks.len()],
            marked: HashMap::new(),
        };
        let mut at: HashMap<&Place, Vec<usize>> = HashMap::new();
        let mut open: HashMap<Option<BlockClass>, Vec<usize>> = HashMap::new();
        let mut clock = Vec::new();
        for (i, stack) in sampled.stacks.iter().enumerate() {
            match &stack.taken {
                Taken::Call(place) => at.entry(place).or_default().push(i),
                Taken::Asleep | Taken::Outside => open.entry(stack.class).or_default().push(i),
                Taken::Clock => clock.push(i),
            }
        }
        let none = Vec::new();
        for line in &report.wall.classes {
            let sites: Vec<usize> =
                (0..window.sites.len()).filter(|&i| window.sites[i].place.class == line.class).collect();
            let at_sites = |get: fn(&crate::event::SiteRecord) -> u64| -> Vec<u64> {
                sites.iter().map(|&i| get(&window.sites[i])).collect()
            };
            let (blocked, blocked_rest) = by_site(line.blocked.as_nanos(), &at_sites(|s| s.site.blocked.sum));
            let (delay, delay_rest) = by_site(line.run_delay.as_nanos(), &at_sites(|s| s.site.run_delay.sum));
            for (n, &i) in sites.iter().enumerate() {
                let place = &window.sites[i].place;
                let among = at.get(place).unwrap_or(&none);
                let call = place.call_mark();
                let instead: (&[&str], _) = (&[NO_STACK, &call], Some(place.class));
                making.share(blocked[n], among, Some(i), instead, |s| s.blocked, |w| &mut w.blocked);
                making.share(delay[n], among, Some(i), instead, |s| s.delay.max(1.0), |w| &mut w.run_delay);
            }
            let among = open.get(&Some(line.class)).unwrap_or(&none);
            let name = line.class.name();
            let instead: (&[&str], _) = (&[OPEN, name], Some(line.class));
            making.share(blocked_rest, among, None, instead, |s| s.blocked, |w| &mut w.blocked);
            making.share(delay_rest, among, None, instead, |s| s.weight, |w| &mut w.run_delay);
        }
        for (mark, delay) in [("[preempted]", report.wall.preempted), ("[first run]", report.wall.born)] {
            making.share(delay.as_nanos(), &[], None, (&[mark], None), |_| 0.0, |w| &mut w.run_delay);
        }
        Self::costs(&mut making, report, window, &at);
        let instead: (&[&str], _) = (&["[no CPU-clock samples]"], None);
        making.share(report.cpu.total.as_nanos(), &clock, None, instead, |s| s.weight, |w| &mut w.cpu);
        Self {
            frames: making.frames,
            stacks: making.stacks,
            quality: sampled.quality,
            unavailable: sampled.unavailable.clone(),
        }
    }

    /// Shares the direct cost out by what each site is estimated to cost.
    fn costs(making: &mut Making<'_>, report: &Report, window: &Window, at: &HashMap<&Place, Vec<usize>>) {
        let total = report.cpu.blocking_io.value().map_or(0, |ns| ns.round().max(0.0) as u64);
        let cost = |i: usize| match report.sites[i].class.family() {
            Family::BlockingIo => report.sites[i].direct.map_or(0.0, |d| d.total.value.max(0.0)),
            _ => 0.0,
        };
        let weights: Vec<f64> = (0..window.sites.len()).map(cost).collect();
        let Some(parts) = share_out(total, &weights) else {
            making.share(total, &[], None, (&[NO_STACK], None), |_| 0.0, |w| &mut w.cost);
            return;
        };
        let none = Vec::new();
        for (i, part) in parts.into_iter().enumerate() {
            let place = &window.sites[i].place;
            let call = place.call_mark();
            let instead: (&[&str], _) = (&[NO_STACK, &call], Some(place.class));
            making.share(part, at.get(place).unwrap_or(&none), Some(i), instead, |s| s.weight, |w| &mut w.cost);
        }
    }

    /// Sum of a weight over all stacks, ns.
    pub fn total(&self, weight: Weight) -> u64 {
        self.stacks.iter().map(|s| s.weights.part(weight)).sum()
    }

    /// The same stacks without some of their frames.
    pub fn without(mut self, unwanted: impl Fn(&Frame) -> bool) -> Self {
        let keep: Vec<bool> = self.frames.iter().map(|f| !unwanted(f)).collect();
        for stack in &mut self.stacks {
            stack.frames.retain(|&i| keep.get(i as usize).copied().unwrap_or(true));
            stack.waker.retain(|&i| keep.get(i as usize).copied().unwrap_or(true));
        }
        self
    }

    /// The frame of an index.
    pub fn frame(&self, index: u32) -> Option<&Frame> {
        self.frames.get(index as usize)
    }
}
