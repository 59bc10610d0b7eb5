//! Direct cost of a block, estimator (a): in place.
//!
//! The kernel CPU of a call that blocked, minus that of the same call that did not. Where the target gives no call that
//! did not block (a server whose every read waits), calls of the same syscall and class elsewhere in the target serve; then
//! the reference, the same difference measured on this machine with a pipe of our own. For files the difference would be
//! between a miss and a hit, work that async pays too: there only the reference counts.

use std::collections::HashMap;

use super::{BlockClass, Interval, SiteRecord, Stat};

/// Calls that a mean needs before it is believed.
pub const MIN_CALLS: u64 = 30;

/// The reference: what one block costs on this machine, measured on a pipe of the profiler's own right after the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Kernel CPU of a read that blocks minus that of one that does not, ns.
    pub per_block: f64,
    /// Its standard error, ns.
    pub standard_error: f64,
    /// Blocks measured.
    pub blocks: u64,
}

impl Reference {
    /// The difference of two means; `None` where one side has no calls.
    pub fn between(blocked: &Stat, direct: &Stat) -> Option<Self> {
        let ((blocked_mean, blocked_error), (direct_mean, direct_error)) = (mean(blocked)?, mean(direct)?);
        Some(Self {
            per_block: (blocked_mean - direct_mean).max(0.0),
            standard_error: (blocked_error + direct_error).sqrt(),
            blocks: blocked.count,
        })
    }
}

/// What a direct cost is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The site's own calls that did not block.
    SameSite,
    /// Calls of the same syscall and class at other sites.
    SameCall,
    /// The reference.
    Reference,
}

impl Basis {
    /// In reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameSite => "same site",
            Self::SameCall => "same syscall and class",
            Self::Reference => "reference pipe",
        }
    }
}

/// A site's direct cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectCost {
    /// Per call that blocked, ns. Negative where the calls that did not block were the dearer ones.
    pub per_call: f64,
    /// All of the site's, ns.
    pub total: f64,
    /// 90 % interval of `total`, ns.
    pub interval: Interval,
    /// What it is based on.
    pub basis: Basis,
}

/// Mean, ns, and the variance of that mean.
pub(super) fn mean(stat: &Stat) -> Option<(f64, f64)> {
    if stat.count == 0 {
        return None;
    }
    let n = stat.count as f64;
    let mean = stat.sum as f64 / n;
    let squares = stat.squares_high as f64 * 2f64.powi(64) + stat.squares_low as f64;
    let variance = (squares / n - mean * mean).max(0.0);
    Some((mean, variance / n))
}

/// The pool of calls that did not block, by syscall and class.
pub(super) struct Pools<'a> {
    calls: HashMap<(&'a str, BlockClass), Stat>,
    reference: Option<Reference>,
}

impl<'a> Pools<'a> {
    pub(super) fn new(sites: &'a [SiteRecord], reference: Option<Reference>) -> Self {
        let mut calls: HashMap<(&str, BlockClass), Stat> = HashMap::new();
        for site in sites {
            let key = (site.place.syscall.as_str(), site.place.class);
            calls.entry(key).or_insert(Stat::ZERO).merge(&site.site.cpu_direct);
        }
        Self { calls, reference }
    }

    /// A site's direct cost; `None` where it never blocked, or where nothing gives a base.
    pub(super) fn direct(&self, site: &SiteRecord) -> Option<DirectCost> {
        let blocked = &site.site.cpu_blocked;
        let (blocked_mean, blocked_error) = mean(blocked)?;
        let class = site.place.class;
        let own = &site.site.cpu_direct;
        let pooled = self.calls.get(&(site.place.syscall.as_str(), class));
        // Calls that wait for something other than one descriptor differ in kind when they do not: a futex call that does
        // not block wakes somebody, a fork does not wait at all.
        let comparable = !class.is_file() && class.family() == super::Family::BlockingIo;
        let base = if comparable && own.count >= MIN_CALLS && blocked.count >= MIN_CALLS {
            mean(own).map(|b| (b, Basis::SameSite))
        } else if comparable && blocked.count >= MIN_CALLS && pooled.is_some_and(|p| p.count >= MIN_CALLS) {
            pooled.and_then(mean).map(|b| (b, Basis::SameCall))
        } else {
            None
        };
        let calls = blocked.count as f64;
        let (per_call, variance, basis) = match (base, self.reference) {
            (Some(((mean, error), basis)), _) => (blocked_mean - mean, blocked_error + error, basis),
            (None, Some(reference)) => {
                let blocks = site.site.blocks.max(site.site.blocked_calls) as f64 / calls;
                // A call cannot cost more for having blocked than it cost altogether.
                let per_call = (reference.per_block * blocks).min(blocked_mean);
                (per_call, (reference.standard_error * blocks).powi(2), Basis::Reference)
            }
            (None, None) => return None,
        };
        let total = per_call * calls;
        Some(DirectCost { per_call, total, interval: Interval::around(total, variance.sqrt() * calls), basis })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::{Place, Site},
        units::{Addr, Tgid},
    };

    fn stat(values: &[u64]) -> Stat {
        let mut stat = Stat::ZERO;
        values.iter().for_each(|&v| stat.add(v));
        stat
    }

    fn site(class: BlockClass, direct: &[u64], blocked: &[u64]) -> SiteRecord {
        let blocked = stat(blocked);
        SiteRecord {
            place: Place { syscall: "read".into(), class, ip: Addr::from_raw(1), space: 1 },
            last_caller: (Tgid::from_raw(1), None),
            site: Site {
                calls: blocked.count + direct.len() as u64,
                blocked_calls: blocked.count,
                blocks: blocked.count,
                cpu_direct: stat(direct),
                cpu_blocked: blocked,
                ..Site::ZERO
            },
        }
    }

    const REFERENCE: Option<Reference> = Some(Reference { per_block: 900.0, standard_error: 10.0, blocks: 1000 });

    #[test]
    fn the_sites_own_calls_come_first() {
        let sites = [site(BlockClass::Tcp, &[500; 100], &[2_000; 50])];
        let cost = Pools::new(&sites, REFERENCE).direct(&sites[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call, cost.total), (Basis::SameSite, 1_500.0, 75_000.0));
        assert!(cost.interval.low <= cost.total && cost.total <= cost.interval.high);
    }

    #[test]
    fn then_the_same_call_elsewhere_then_the_reference() {
        let sites = [site(BlockClass::Tcp, &[], &[2_000; 50]), site(BlockClass::Tcp, &[600; 40], &[])];
        let cost = Pools::new(&sites, REFERENCE).direct(&sites[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::SameCall, 1_400.0));
        let alone = [site(BlockClass::Tcp, &[600; 3], &[2_000; 50])];
        let cost = Pools::new(&alone, REFERENCE).direct(&alone[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::Reference, 900.0));
        assert_eq!(Pools::new(&alone, None).direct(&alone[0]), None);
    }

    #[test]
    fn a_files_miss_is_not_compared_with_its_hits() {
        let sites = [site(BlockClass::File, &[500; 100], &[20_000; 50])];
        let cost = Pools::new(&sites, REFERENCE).direct(&sites[0]).unwrap();
        assert_eq!((cost.basis, cost.per_call), (Basis::Reference, 900.0));
    }
}
