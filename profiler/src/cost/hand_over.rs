//! What threads pay to wait for each other and to wake each other: the kernel CPU of their calls on
//! locks, measured in place. The user-mode code around it (the lock, the queue, the condition
//! variable) is not in it.

use super::direct::Pools;
use crate::event::{BlockClass, SiteRecord};

/// Calls on locks, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HandOvers {
    /// How many of these calls slept.
    pub waits: f64,
    /// Kernel CPU of all of them, those that wake included, without the hooks, ns.
    pub cpu: f64,
}

impl HandOvers {
    pub(crate) fn new(sites: &[SiteRecord], pools: &Pools<'_>) -> Self {
        let on_locks = |s: &&SiteRecord| {
            s.place.class == BlockClass::Futex
                || s.place.class == BlockClass::Timeout && s.place.syscall.starts_with("futex")
        };
        sites.iter().filter(on_locks).fold(Self::default(), |sum, record| Self {
            waits: sum.waits + record.site.blocked_calls as f64,
            cpu: sum.cpu + pools.kernel_cpu(&record.site),
        })
    }

    /// A share of the calls, and of their cost.
    pub(crate) fn scaled(self, share: f64) -> Self {
        Self { waits: self.waits * share, cpu: self.cpu * share }
    }
}
