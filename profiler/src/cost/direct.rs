//! Direct cost of a block: measured on the target itself, or from what this machine charges.
//!
//! The kernel CPU of a call that blocked, minus that of the same call that did not, minus what the
//! hooks put into it. Where the target gives no call that did not block (a server whose every read
//! waits), calls of the same syscall and class elsewhere in the target serve; then what a block of
//! this class was calibrated to cost; then the reference, the same difference measured right after
//! the target with a pipe of our own. For files the difference would be between a miss and a hit,
//! work that async pays too: there only the last two count.

use std::collections::HashMap;

use crate::{
    aggregate::Window,
    event::{BlockClass, Family, Place, Site, SiteRecord, Stat, Sums},
    machine::{PriceList, slower},
    quantity::{Estimate, Uncertain},
};

/// Calls that a mean needs before it is believed.
pub const MIN_CALLS: u64 = 30;
/// Where there are fewer calls that did not block than this per call that blocked, they are
/// exceptions, and no base.
pub(crate) const RARE: f64 = 0.1;

/// The reference: what one block costs on this machine, measured on a pipe of the profiler's own
/// right after the target.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Reference {
    /// Kernel CPU of a read that blocks minus that of one that does not, ns.
    pub per_block: f64,
    /// Its standard error, ns.
    pub standard_error: f64,
    /// Blocks that it was measured over.
    pub blocks: u64,
    /// Kernel CPU of a write that wakes a reader minus that of one that wakes nobody, ns.
    pub per_wake: Option<f64>,
    /// The pace that this was measured at: ns of the yardstick.
    #[serde(default)]
    pub pace: Option<f64>,
}

impl Reference {
    /// What the reference would have been at another pace.
    pub fn at_pace(self, pace: Option<f64>) -> Self {
        let by = slower(self.pace, pace);
        Self {
            per_block: self.per_block * by,
            standard_error: self.standard_error * by,
            per_wake: self.per_wake.map(|ns| ns * by),
            pace: self.pace.map(|own| own * by),
            ..self
        }
    }

    /// The difference of two means; `None` where one side has no calls.
    pub fn between(blocked: &Stat, direct: &Stat) -> Option<Self> {
        let more = mean(blocked)?.less(mean(direct)?);
        Some(Self {
            per_block: more.value.max(0.0),
            standard_error: more.variance.sqrt(),
            blocks: blocked.count,
            per_wake: None,
            pace: None,
        })
    }

    /// Adds what a wake-up costs the waker: writes that woke a thread less writes that did not.
    pub fn with_wake(self, waking: &Stat, plain: &Stat) -> Self {
        let per_wake = mean(waking).zip(mean(plain)).map(|(woke, quiet)| woke.less(quiet).value.max(0.0));
        Self { per_wake, ..self }
    }
}

/// What a direct cost is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The site's own calls that did not block.
    SameSite,
    /// Calls of the same syscall and class at other sites.
    SameCall,
    /// The calibrated cost of such a call on this machine if its data is there.
    ReadyCall,
    /// The calibrated cost of a block of this class on this machine.
    Calibrated,
    /// The reference block's cost on this machine.
    Reference,
}

/// A site's direct cost, without what the hooks add.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectCost {
    /// Per call that blocked, ns. Negative where the calls that did not block were the dearer ones.
    pub per_call: f64,
    /// The direct cost of all of the site's calls, ns.
    pub total: Estimate,
    /// The part of `total` of calls that got the CPU from another thread of the target, ns.
    pub near: f64,
    /// The part of `total` of calls that came back to a CPU that was idle or with another program,
    /// ns.
    pub away: f64,
    /// What it is based on.
    pub basis: Basis,
}

/// Mean duration, ns; `None` where nothing was timed.
pub(crate) fn mean(stat: &Stat) -> Option<Uncertain> {
    if stat.count == 0 {
        return None;
    }
    let n = stat.count as f64;
    let value = stat.sum as f64 / n;
    let variance = (stat.squares as f64 / n - value * value).max(0.0);
    Some(Uncertain { value, variance: variance / n })
}

/// The bases that sites are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bases<'a> {
    pub(crate) reference: Option<Reference>,
    pub(crate) calibration: Option<&'a PriceList>,
    /// What the hooks put into a call for having blocked, ns: a run of the switch program.
    pub(crate) hook: f64,
    /// What the start of a call puts into it, ns: a run of that program.
    pub(crate) hook_enter: f64,
    /// What a wake-up puts into the call that causes it, ns: a run of that program.
    pub(crate) hook_wake: f64,
    /// What the kernel charges for the way out of idle, per block that took it, ns.
    pub(crate) charge: f64,
    /// The share of the target's time on a CPU that the kernel charged to it. What is stolen
    /// meanwhile falls on calls that block and on others alike.
    pub(crate) charged: f64,
}

impl<'a> Bases<'a> {
    /// The bases of a window's sites.
    pub(crate) fn new(
        window: &Window,
        sums: &Sums,
        reference: Option<Reference>,
        calibration: Option<&'a PriceList>,
    ) -> Self {
        Self {
            reference,
            calibration,
            hook: hook(window, "switch"),
            hook_enter: hook(window, "enter"),
            hook_wake: hook(window, "waking"),
            charge: sums.charge_away as f64 / sums.away_io.max(1) as f64,
            charged: 1.0 - (sums.uncharged as f64 / sums.checked_cpu.max(1) as f64).min(1.0),
        }
    }
}

/// Mean run of the program whose name contains this, ns; 0 where the kernel kept no statistics.
fn hook(window: &Window, name: &str) -> f64 {
    let program = window.programs.iter().filter(|p| p.name.contains(name) && p.runs > 0);
    program.map(|p| p.time.as_nanos() as f64 / p.runs as f64).next().unwrap_or(0.0)
}

/// The pool of calls that did not block, by syscall and class.
pub(crate) struct Pools<'a> {
    calls: HashMap<(&'a str, BlockClass), Stat>,
    bases: Bases<'a>,
}

/// A cost of one block, by where the thread came back to, ns.
#[derive(Clone, Copy)]
struct PerBlock {
    near: Uncertain,
    away: Uncertain,
}

impl PerBlock {
    /// `cost` of the site's calls that came back near, and of those that came back away.
    fn new(site: &SiteRecord, cost: impl Fn(&Stat) -> Uncertain) -> Self {
        Self { near: cost(&site.site.cpu_blocked_near), away: cost(&site.site.cpu_blocked_away) }
    }

    /// The cost of all blocks of the site: of those that came back near, and away, ns.
    fn parts(self, site: &SiteRecord) -> (Uncertain, Uncertain) {
        let (near, away) = (&site.site.cpu_blocked_near, &site.site.cpu_blocked_away);
        (self.near.scaled(near.count as f64), self.away.scaled(away.count as f64))
    }

    fn total(self, site: &SiteRecord) -> f64 {
        let (near, away) = self.parts(site);
        near.value + away.value
    }
}

impl<'a> Pools<'a> {
    pub(crate) fn new(sites: &'a [SiteRecord], bases: Bases<'a>) -> Self {
        let mut calls: HashMap<(&str, BlockClass), Stat> = HashMap::new();
        for site in sites {
            let key = (site.place.syscall.as_str(), site.place.class);
            calls.entry(key).or_insert(Stat::ZERO).merge(&site.site.cpu_direct());
        }
        Self { calls, bases }
    }

    /// The reference block, where one was measured.
    pub(crate) fn reference(&self) -> Option<Reference> {
        self.bases.reference
    }

    /// What a wake-up's hook puts into a call, ns.
    pub(crate) fn hook_wake(&self) -> f64 {
        self.bases.hook_wake
    }

    /// What the hooks put into any call, ns.
    pub(crate) fn hook_enter(&self) -> f64 {
        self.bases.hook_enter
    }

    /// What the hooks put into a call that blocked, ns.
    pub(crate) fn hook_of_call(&self) -> f64 {
        self.bases.hook + self.bases.hook_enter
    }

    /// Kernel CPU of all calls at a site, without the hooks, ns.
    pub(crate) fn kernel_cpu(&self, site: &Site) -> f64 {
        let (blocked, direct) = (site.cpu_blocked(), site.cpu_direct());
        let [slept, did_not, woke] = [&blocked, &direct, &site.cpu_direct_woke].map(|s| s.count as f64);
        let hooks = slept * self.hook_of_call() + did_not * self.hook_enter() + woke * self.hook_wake();
        ((blocked.sum + direct.sum) as f64 - hooks).max(0.0)
    }

    /// A site's direct cost by the best base there is; `None` where it never blocked, or where
    /// nothing gives one.
    pub(crate) fn direct(&self, site: &SiteRecord) -> Option<DirectCost> {
        [Basis::SameSite, Basis::SameCall, Basis::ReadyCall, Basis::Calibrated, Basis::Reference]
            .into_iter()
            .find_map(|basis| self.direct_by(site, basis))
    }

    /// A site's direct cost by this base; `None` where it has none to give.
    pub(crate) fn direct_by(&self, site: &SiteRecord, basis: Basis) -> Option<DirectCost> {
        let blocked = site.site.cpu_blocked();
        let calls = blocked.count as f64;
        if blocked.count == 0 {
            return None;
        }
        let per = match basis {
            Basis::SameSite => self.against(site, &blocked, &site.site.cpu_direct())?,
            Basis::SameCall => {
                let pooled = self.calls.get(&(site.place.syscall.as_str(), site.place.class))?;
                self.against(site, &blocked, pooled)?
            }
            Basis::ReadyCall => self.ready_call(site)?,
            Basis::Calibrated => self.calibrated(site)?,
            Basis::Reference => self.by_reference(site, &blocked)?,
        };
        let (near, away) = per.parts(site);
        let all = near.plus(away);
        let (per_call, total) = (all.value / calls, all.by_normal());
        Some(DirectCost { per_call, total, near: near.value, away: away.value, basis })
    }

    /// Estimator (a): calls that blocked less calls that did not.
    fn against(&self, site: &SiteRecord, blocked: &Stat, direct: &Stat) -> Option<PerBlock> {
        // Calls that wait for something other than one descriptor differ in kind when they do not:
        // a futex call that does not block wakes somebody, a fork does not wait at all.
        let class = site.place.class;
        let comparable = !class.is_file() && class.family() == Family::BlockingIo;
        if !comparable || blocked.count < MIN_CALLS || direct.count < MIN_CALLS {
            return None;
        }
        // A call that hardly ever finds its data is a special one when it does: the data came while
        // the thread was preempted, and the socket's backlog with it.
        let rare = (direct.count as f64) < RARE * blocked.count as f64;
        if rare && self.ready_call(site).is_some() {
            return None;
        }
        let base = mean(direct)?;
        let Bases { hook, charged, .. } = self.bases;
        let found = PerBlock::new(site, |stat| {
            mean(stat).map_or(Uncertain::ZERO, |mean| mean.less(base).less_exactly(hook).scaled(charged))
        });
        // Such a call is dearer, and the difference is too small. But no block is cheaper than one
        // on a pipe.
        let least = self.by_reference(site, blocked).map_or(0.0, |least| least.total(site));
        let too_small = rare && found.total(site) < least;
        (!too_small).then_some(found)
    }

    /// A read that blocked, less a calibrated read of as many bytes whose data is there. Only the
    /// first contains the hooks of the call's start.
    fn ready_call(&self, site: &SiteRecord) -> Option<PerBlock> {
        let ready = Uncertain::from(self.ready(site)?);
        let (hooks, charged) = (self.bases.hook + self.bases.hook_enter, self.bases.charged);
        // The calibrated read was timed by the kernel's account of CPU time.
        let cost = |mean: Uncertain| mean.less_exactly(hooks).scaled(charged).less(ready);
        Some(PerBlock::new(site, |stat| mean(stat).map_or(Uncertain::ZERO, cost)))
    }

    /// What a call of this site was calibrated to cost where it finds what it waits for. One that
    /// only waits stands for a read of nothing.
    fn ready(&self, site: &SiteRecord) -> Option<Estimate> {
        let reads = site.place.receives() || only_waits(&site.place);
        if !reads || site.site.calls == 0 {
            return None;
        }
        let bytes = site.site.bytes as f64 / site.site.calls as f64;
        self.bases.calibration?.read(site.place.class, bytes)
    }

    /// What a call that only waits costs beside its block, ns. A program that waits in another way
    /// does not make this call. `None` where a site's calls do more, or where that is not known.
    pub(crate) fn waiting_call(&self, site: &SiteRecord) -> Option<Estimate> {
        self.ready(site).filter(|_| only_waits(&site.place))
    }

    /// Estimator (c): the calibrated cost of a block of this class.
    fn calibrated(&self, site: &SiteRecord) -> Option<PerBlock> {
        let calibration = self.bases.calibration?;
        let class = site.place.class;
        let blocked = mean(&site.site.blocked).map_or(0.0, |ns| ns.value);
        let (near, idle) = (calibration.block(class, None)?.cost, calibration.block(class, Some(blocked))?.cost);
        let blocks = blocks_per_call(site);
        // A call cannot cost more for having blocked than it cost altogether.
        let most = |stat: &Stat, cost: f64| mean(stat).map_or(cost, |mean| cost.min(mean.value - self.bases.hook));
        let as_sure_as = |block: Estimate, cost| Uncertain::with_standard_error(cost, block.standard_error() * blocks);
        // What the kernel charges for the way out of idle is in the ledger already, and in the
        // calibrated cost too.
        let away = (idle.value - self.bases.charge).max(0.0) * blocks;
        Some(PerBlock {
            near: as_sure_as(near, most(&site.site.cpu_blocked_near, near.value * blocks)),
            away: as_sure_as(idle, most(&site.site.cpu_blocked_away, away)),
        })
    }

    fn by_reference(&self, site: &SiteRecord, blocked: &Stat) -> Option<PerBlock> {
        let reference = self.bases.reference?;
        let blocks = blocks_per_call(site);
        let whole = mean(blocked)?.value;
        let charged = self.bases.charged;
        let per_block = (reference.per_block - self.bases.hook).max(0.0) * charged * blocks;
        let per_call = per_block.min((whole - self.bases.hook).max(0.0) * charged);
        let per_call = Uncertain::with_standard_error(per_call, reference.standard_error * blocks);
        Some(PerBlock { near: per_call, away: per_call })
    }
}

/// Whether a call does nothing but wait until a descriptor is ready.
pub(crate) fn only_waits(place: &Place) -> bool {
    matches!(
        place.call(),
        "poll"
            | "ppoll"
            | "ppoll_time64"
            | "select"
            | "_newselect"
            | "pselect6"
            | "pselect6_time64"
            | "epoll_wait"
            | "epoll_pwait"
            | "epoll_pwait2"
    )
}

fn blocks_per_call(site: &SiteRecord) -> f64 {
    let calls = site.site.blocked_calls.max(1);
    site.site.blocks.max(calls) as f64 / calls as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Site,
        quantity::{Addr, Tgid},
    };

    fn stat(values: &[u64]) -> Stat {
        let mut stat = Stat::ZERO;
        values.iter().for_each(|&v| stat.add(v));
        stat
    }

    fn site(class: BlockClass, direct: &[u64], blocked: &[u64]) -> SiteRecord {
        let blocked = stat(blocked);
        let place = Place { syscall: "read".into(), class, ip: Addr::from_raw(1), space: 1 };
        let site = Site {
            calls: blocked.count + direct.len() as u64,
            blocked_calls: blocked.count,
            blocks: blocked.count,
            cpu_direct_warm: stat(direct),
            cpu_blocked_near: blocked,
            ..Site::ZERO
        };
        SiteRecord::with_one_size(place, (Tgid::from_raw(1), None), 1, site)
    }

    const REFERENCE: Option<Reference> =
        Some(Reference { per_block: 900.0, standard_error: 10.0, blocks: 1000, per_wake: None, pace: None });

    fn with(reference: Option<Reference>) -> Bases<'static> {
        Bases { reference, calibration: None, hook: 0.0, hook_enter: 0.0, hook_wake: 0.0, charge: 0.0, charged: 1.0 }
    }

    #[test]
    fn the_sites_own_calls_come_first() {
        let sites = [site(BlockClass::Tcp, &[500; 100], &[2_000; 50])];
        let cost = Pools::new(&sites, with(REFERENCE)).direct(&sites[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call, cost.total.value), (Basis::SameSite, 1_500.0, 75_000.0));
        assert!(cost.total.low <= cost.total.value && cost.total.value <= cost.total.high);
    }

    #[test]
    fn then_the_same_call_elsewhere_then_the_reference() {
        let sites = [site(BlockClass::Tcp, &[], &[2_000; 50]), site(BlockClass::Tcp, &[600; 40], &[])];
        let cost = Pools::new(&sites, with(REFERENCE)).direct(&sites[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::SameCall, 1_400.0));
        let alone = [site(BlockClass::Tcp, &[600; 3], &[2_000; 50])];
        let cost = Pools::new(&alone, with(REFERENCE)).direct(&alone[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::Reference, 900.0));
        assert_eq!(Pools::new(&alone, with(None)).direct(&alone[0]), None);
    }

    #[test]
    fn calls_that_hardly_ever_find_their_data_are_no_base_for_less_than_the_reference() {
        // Preempted on their way, and dearer than those that block.
        let dearer = [site(BlockClass::Tcp, &[3_000; 40], &[2_000; 800])];
        let cost = Pools::new(&dearer, with(REFERENCE)).direct(&dearer[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::Reference, 900.0));
        assert_eq!(Pools::new(&dearer, with(None)).direct(&dearer[0]), None, "no block gives CPU back");
        let usual = [site(BlockClass::Tcp, &[500; 40], &[2_000; 800])];
        let cost = Pools::new(&usual, with(REFERENCE)).direct(&usual[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::SameSite, 1_500.0));
        // As often as that they are no exceptions.
        let often = [site(BlockClass::Tcp, &[3_000; 100], &[2_000; 800])];
        let cost = Pools::new(&often, with(REFERENCE)).direct(&often[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::SameSite, -1_000.0));
    }

    #[test]
    fn what_is_stolen_is_no_cost_of_the_block() {
        let sites = [site(BlockClass::Tcp, &[500; 100], &[2_000; 50])];
        let cost = |charged| Pools::new(&sites, Bases { charged, ..with(None) }).direct(&sites[0]).unwrap();
        assert_eq!(cost(0.9).per_call, 0.9 * 1_500.0);
        let width = |charged| cost(charged).total.half_width();
        assert!((width(0.9) - 0.9 * width(1.0)).abs() < 1e-6);
    }

    #[test]
    fn a_files_miss_is_not_compared_with_its_hits() {
        let sites = [site(BlockClass::File, &[500; 100], &[20_000; 50])];
        let cost = Pools::new(&sites, with(REFERENCE)).direct(&sites[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::Reference, 900.0));
    }
}
