//! The two ledgers: where the CPU went, and where the wall time of the threads went. What is left
//! over is printed.

use super::note::Note;
use crate::{
    aggregate::{ThreadTotals, Window},
    cost::{Basis, Pools},
    event::{BlockClass, Family, Sums},
    quantity::{Figure, Nanos, Provenance},
};

/// CPU of the target, as the kernel charges it.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuLedger {
    /// All of it: by the tracepoints, plus what the kernel charges for the way back onto the CPU.
    pub total: Nanos,
    /// By the tracepoints alone: switch-in to switch-out.
    pub on_cpu: Nanos,
    /// What the kernel charged beyond that; negative where it charged less, ns.
    pub charge: i64,
    /// In user mode, page faults and interrupts that hit it included.
    pub user: Figure<Nanos, Note>,
    /// In syscalls, less the direct cost of blocks.
    pub calls: Figure<Nanos, Note>,
    /// Direct cost of blocking-IO blocks, signed ns.
    pub blocking_io: Figure<f64, Note>,
    /// Direct cost of all other blocks and of preemptions, signed ns.
    pub other_switches: Figure<f64, Note>,
    /// Time in the lines above that the kernel did not charge, as a negative number of ns. The
    /// hypervisor stole it, or interrupts took it.
    pub uncharged: Figure<f64, Note>,
    /// Softirq work that hit the target.
    pub softirq: Figure<Nanos, Note>,
    /// CPU of threads of the kernel's that work for its rings (`io_uring`), user mode and syscalls
    /// of the lines above without them.
    pub rings: Nanos,
    /// Calls that returned and never began: a seccomp filter answered them, or a tracer.
    pub refused: u64,
    /// CPU of these calls and of the code before each. It is in user mode's line, because the
    /// kernel does not say when such a call begins: their own is less.
    pub refused_most: Nanos,
    /// Total less all of the above, ns.
    pub rest: f64,
}

/// One line of the wall ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct WallLine {
    /// What was waited for.
    pub class: BlockClass,
    /// Blocks that began in the window.
    pub blocks: u64,
    /// Time from switch-out to wake-up.
    pub blocked: Nanos,
    /// Run-queue delay after these blocks.
    pub run_delay: Nanos,
}

/// Wall time of all threads together.
#[derive(Clone, Debug, PartialEq)]
pub struct WallLedger {
    /// Sum of the threads' wall times.
    pub total: Nanos,
    pub on_cpu: Nanos,
    /// Waiting for a CPU after a wake-up.
    pub run_delay: Nanos,
    /// Waiting for a CPU after a preemption.
    pub preempted: Nanos,
    /// Waiting for the first CPU.
    pub born: Nanos,
    /// Blocked, by class, the longest first.
    pub classes: Vec<WallLine>,
    /// Wall time that no interval accounts for.
    pub unknown: Nanos,
    /// Time that intervals account for beyond the wall time.
    pub excess: Nanos,
}

impl WallLedger {
    pub(crate) fn new(window: &Window, sums: &Sums) -> Self {
        let threads = &window.threads;
        let mut classes: Vec<WallLine> = BlockClass::ALL
            .iter()
            .map(|&class| {
                let sum = sums.classes[class as usize];
                WallLine {
                    class,
                    blocks: sum.blocks,
                    blocked: Nanos::from_nanos(sum.blocked),
                    run_delay: Nanos::from_nanos(sum.run_delay),
                }
            })
            .filter(|l| l.blocks > 0 || l.blocked > Nanos::ZERO)
            .collect();
        classes.sort_by_key(|l| (std::cmp::Reverse(l.blocked), l.class));
        Self {
            // Of ended threads whose names were lost only the accounted time is known.
            total: threads.iter().map(|t| t.wall).sum::<Nanos>() + window.pooled_time(),
            on_cpu: threads.iter().map(ThreadTotals::cpu).sum::<Nanos>()
                + Nanos::from_nanos(window.pooled.user + window.pooled.kernel),
            run_delay: Nanos::from_nanos(sums.classes.iter().map(|c| c.run_delay).sum()),
            preempted: Nanos::from_nanos(sums.preempted),
            born: Nanos::from_nanos(sums.born_delay),
            classes,
            unknown: threads.iter().map(|t| t.unknown).sum(),
            excess: threads.iter().map(|t| t.excess).sum(),
        }
    }

    /// Blocked time of a family.
    pub fn blocked_in(&self, family: Family) -> Nanos {
        self.classes.iter().filter(|l| l.class.family() == family).map(|l| l.blocked).sum()
    }

    /// Blocks of a family.
    pub fn blocks_in(&self, family: Family) -> u64 {
        self.classes.iter().filter(|l| l.class.family() == family).map(|l| l.blocks).sum()
    }
}

impl CpuLedger {
    /// The line of what was not charged; `None` where it is empty, as on most machines.
    pub fn uncharged_line(&self) -> Option<&Figure<f64, Note>> {
        Some(&self.uncharged).filter(|figure| figure.value() != Some(&0.0))
    }

    /// CPU that may be that of calls which a filter answered, as a share.
    pub(crate) fn refused_share(&self) -> f64 {
        self.refused_most.ratio_to(self.total)
    }

    /// Its lines, ns, in the order in which they are shown. The last one is the rest.
    pub fn parts(&self) -> [Figure<f64, Note>; 8] {
        let time = |f: &Figure<Nanos, Note>| f.map(|t| t.as_nanos() as f64);
        [
            time(&self.user),
            time(&self.calls),
            self.blocking_io.clone(),
            self.other_switches.clone(),
            self.uncharged.clone(),
            time(&self.softirq),
            Figure::measured(self.rings.as_nanos() as f64),
            Figure::measured(self.rest),
        ]
    }

    /// What shares are taken of: the total, or the sum of the lines if the hypervisor stole so much
    /// that one line has more than the kernel charged. So no share is above one.
    pub fn whole(&self) -> Nanos {
        let times = [&self.user, &self.calls].map(|line| line.value().map_or(0.0, |t| t.as_nanos() as f64));
        let costs = [&self.blocking_io, &self.other_switches].map(|line| line.value().copied().unwrap_or(0.0));
        let most = times.into_iter().chain(costs).fold(0.0, f64::max);
        let total = self.total.as_nanos() as f64;
        if most <= total {
            return self.total;
        }
        let lines = total - self.uncharged.value().copied().unwrap_or(0.0);
        Nanos::from_nanos(lines.max(most).round() as u64)
    }

    pub(crate) fn new(window: &Window, sums: &Sums, pools: &Pools<'_>) -> Self {
        let unknown: Nanos = window.threads.iter().map(|t| t.cpu_unknown).sum();
        let rings = || window.threads.iter().filter(|t| t.ring);
        let in_rings = |of: fn(&Sums) -> u64| rings().map(|t| of(&t.sums)).sum::<u64>();
        let user = sums.user.saturating_sub(in_rings(|sums| sums.user));
        let kernel = sums.kernel.saturating_sub(in_rings(|sums| sums.kernel));
        let rings: Nanos = rings().map(ThreadTotals::cpu).sum();
        let on_cpu = Nanos::from_nanos(sums.user + sums.kernel) + unknown;
        let (charge_io, charge_other) = (sums.charge_io, sums.charge_other);
        let charge = sums.charge();
        // Not -0.
        let uncharged = 0.0 - sums.uncharged as f64;
        let total = Nanos::from_nanos(on_cpu.as_nanos().saturating_add_signed(charge));
        let costs = DirectCosts::new(window, pools);
        let calls = (kernel as f64 - costs.io.total - costs.other.total).max(0.0);
        let blocking_io = costs.io.total + charge_io as f64;
        let other_switches = costs.other.total + charge_other as f64;
        let switches = if costs.missing > 0 { 0.0 } else { blocking_io + other_switches };
        // To the nanosecond: what is below is the noise of floating point.
        let rest = (total.saturating_sub(rings).as_nanos() as f64 - user as f64 - calls - switches - uncharged).round();
        let blocking_io = costs.figure(blocking_io, costs.io.modelled);
        let other_switches = costs.figure(other_switches, costs.other.modelled);
        let calls = Nanos::from_nanos(calls as u64);
        Self {
            total,
            on_cpu,
            charge,
            user: Figure::measured(Nanos::from_nanos(user)),
            calls: match blocking_io.provenance().max(other_switches.provenance()) {
                Provenance::Measured => Figure::measured(calls),
                Provenance::Modelled => Figure::modelled(calls, Note::RestOfCalls),
                Provenance::Unavailable => Figure::modelled(calls, Note::WithDirectCosts),
            },
            blocking_io,
            other_switches,
            uncharged: Figure::measured(uncharged),
            softirq: Figure::unavailable(Note::SoftirqsNotHooked),
            rings,
            refused: sums.refused,
            refused_most: Nanos::from_nanos(sums.refused_user.min(user)),
            rest,
        }
    }
}

/// A sum of direct costs, ns, and whether any of them was not found at the site itself.
#[derive(Clone, Copy, Debug, Default)]
struct CostSum {
    total: f64,
    modelled: bool,
}

/// The direct costs of all sites.
#[derive(Clone, Copy, Debug)]
struct DirectCosts {
    io: CostSum,
    other: CostSum,
    /// Calls that blocked and cannot be compared with anything.
    missing: u64,
}

impl DirectCosts {
    fn new(window: &Window, pools: &Pools<'_>) -> Self {
        // Calls without a site of their own cannot be compared.
        let mut costs =
            Self { io: CostSum::default(), other: CostSum::default(), missing: window.overflow.blocked_calls };
        for site in &window.sites {
            let Some(cost) = pools.direct(site) else {
                costs.missing += site.site.blocked_calls;
                continue;
            };
            let io = site.place.class.family() == Family::BlockingIo;
            let sum = if io { &mut costs.io } else { &mut costs.other };
            sum.total += cost.total.value;
            sum.modelled |= cost.basis != Basis::SameSite;
        }
        if costs.missing > 0 {
            // If only parts are known, the lines would not add up: all of it stays in the time in
            // syscalls.
            costs.io.total = 0.0;
            costs.other.total = 0.0;
        }
        costs
    }

    fn figure(&self, value: f64, modelled: bool) -> Figure<f64, Note> {
        match self.missing {
            0 if modelled => Figure::modelled(value, Note::AgainstOthers),
            0 => Figure::measured(value),
            missing => Figure::unavailable(Note::NoBase(missing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(total: u64, user: u64, uncharged: f64) -> CpuLedger {
        CpuLedger {
            total: Nanos::from_nanos(total),
            on_cpu: Nanos::from_nanos(total),
            charge: 0,
            user: Figure::measured(Nanos::from_nanos(user)),
            calls: Figure::measured(Nanos::from_nanos(30)),
            blocking_io: Figure::measured(10.0),
            other_switches: Figure::measured(5.0),
            uncharged: Figure::measured(uncharged),
            softirq: Figure::unavailable(Note::SoftirqsNotHooked),
            rings: Nanos::ZERO,
            refused: 0,
            refused_most: Nanos::ZERO,
            rest: 0.0,
        }
    }

    #[test]
    fn no_share_is_above_one_where_the_hypervisor_steals() {
        // Most machines steal little, and the shares are of what the kernel charged.
        assert_eq!(ledger(100, 60, -5.0).whole(), Nanos::from_nanos(100));
        // The lines have 120 + 30 + 10 + 5, of which 65 were not charged.
        assert_eq!(ledger(100, 120, -65.0).whole(), Nanos::from_nanos(165));
        // Lines that do not add up are no reason for more than all of it.
        assert_eq!(ledger(100, 120, 0.0).whole(), Nanos::from_nanos(120));
    }
}
