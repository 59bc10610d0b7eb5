//! What switches, sleeps and wake-ups cost the target today.

use super::{blocks::Parts, note::Note};
use crate::{
    aggregate::Window,
    cost::{MIN_CALLS, Pools, RARE, Reference, mean},
    event::{BlockClass, SiteRecord, Sums},
    machine::PriceList,
    quantity::Figure,
};

/// What the prices of switches and wake-ups are made from.
pub(super) struct Switches<'a> {
    pub(super) window: &'a Window,
    /// Sums over all threads of the window.
    pub(super) sums: &'a Sums,
    pub(super) calibration: Option<&'a PriceList>,
    /// The class of most blocks on sockets and pipes.
    pub(super) main_class: BlockClass,
    /// Threads that block on IO.
    pub(super) threads: f64,
}

impl Switches<'_> {
    /// The calibrated cost of a block, ns. `idle` says how long the CPU was idle meanwhile, ns;
    /// `None` means that it went to another thread at once.
    pub(super) fn calibrated(&self, idle: Option<f64>) -> Option<f64> {
        Some(self.calibration?.block(self.main_class, idle)?.cost.value)
    }

    /// The cost of a block that hands the CPU to another thread of the target, ns.
    pub(super) fn near(&self, parts: &Parts, reference: Option<Reference>) -> f64 {
        (parts.nears > MIN_CALLS as f64)
            .then(|| parts.near / parts.nears)
            .or_else(|| self.calibrated(None))
            .or(reference.map(|r| r.per_block))
            .unwrap_or(0.0)
            .max(0.0)
    }

    /// The cost of a block that leaves the CPU idle or to another program, ns: what a loop would
    /// pay for a sleep.
    pub(super) fn sleep(&self, parts: &Parts, near: f64) -> Figure<f64, Note> {
        if parts.aways < MIN_CALLS as f64 {
            return match self.calibrated(Some(self.idle_time())) {
                Some(ns) => Figure::modelled(ns, Note::CalibratedSleep),
                None => Figure::modelled(near, Note::SwitchForSleep),
            };
        }
        // Such a block is two switches like a plain one, and the way out of idle: it costs more,
        // even where a few measured ones did not.
        let charge = self.sums.charge_away as f64;
        let away = ((parts.away + charge) / parts.aways).max(near);
        // A switch to one of many threads is dear because other threads have used the caches
        // meanwhile. A loop does not pay for that. At most the calibrated cost of so many threads
        // is taken off: whatever else makes a switch dear, a loop pays too.
        let crowd = self.calibration.and_then(|c| c.crowd(self.threads));
        let many = crowd.map_or(f64::INFINITY, |cost| cost.value.max(0.0));
        let colder = self.calibrated(None).map_or(0.0, |plain| (near - plain).clamp(0.0, many));
        if parts.nears > MIN_CALLS as f64 && colder > 0.0 {
            Figure::modelled(away - colder, Note::LessCrowd { measured: away, colder })
        } else {
            Figure::measured(away)
        }
    }

    /// The calibrated cost of a wake-up, ns: through idle if the target wakes other programs more
    /// often than itself.
    fn calibrated_wake(&self) -> Option<f64> {
        let others = self.sums.woke_other > self.sums.woken_io_by_self;
        let idle = others.then(|| self.idle_time());
        Some(self.calibration?.block(self.main_class, idle)?.wake.value)
    }

    /// Wall time without CPU of the target, spread over the blocks that left the CPU idle, ns.
    fn idle_time(&self) -> f64 {
        let sums = self.sums;
        let idle = (self.window.measured.as_nanos() as f64 - (sums.user + sums.kernel) as f64).max(0.0);
        idle / sums.away_io.max(1) as f64
    }

    /// What waking a thread of another process costs the target, ns.
    pub(super) fn other_wake(&self, pools: &Pools<'_>, reference: Option<Reference>) -> Figure<f64, Note> {
        if let Some((ns, calls)) = wake_in_place(&self.window.sites, pools.hook_wake()) {
            return Figure::modelled(ns, Note::WakingCalls(calls));
        }
        if let Some(ns) = self.calibrated_wake() {
            return Figure::modelled(ns, Note::Calibrated);
        }
        reference
            .and_then(|r| r.per_wake)
            .map_or_else(|| Figure::unavailable(Note::NoWakePrice), |ns| Figure::modelled(ns, Note::OwnPipe))
    }

    /// What waking one of its own threads costs the target, ns.
    pub(super) fn wake(&self, near: f64, other_wake: &Figure<f64, Note>) -> Figure<f64, Note> {
        let cold = |c: &PriceList| c.crowd(self.threads).map_or(0.0, |cold| cold.value.max(0.0));
        // A message among so many threads costs at least what the relay was calibrated to cost: its
        // threads have next to no working set. The block and the cold code after it are counted
        // elsewhere. The rest belongs to the waker, or lies outside of calls (the way back to user
        // mode restores the thread's registers).
        let handing_on =
            self.calibration.and_then(|c| Some(c.relay(self.main_class, self.threads)?.value - near - cold(c)));
        match handing_on.zip(self.calibrated_wake()) {
            Some((ns, plain)) if ns > plain && !quiet_is_usual(&self.window.sites) => {
                Figure::modelled(ns, Note::HandedOn(self.threads))
            }
            _ => other_wake.clone(),
        }
    }
}

/// What a wake-up costs the waker, ns, and the number of calls that it was measured on: calls that
/// woke a thread, less calls at the same site that did not, less the hook that runs for a wake-up.
fn wake_in_place(sites: &[SiteRecord], hook: f64) -> Option<(f64, u64)> {
    let (mut sum, mut calls) = (0.0, 0u64);
    // Files are left out: a call on a file that wakes somebody has also finished a write-back or
    // released a lock, which costs time of its own.
    for site in sites.iter().filter(|site| !site.place.class.is_file()) {
        let (woke, quiet) = (&site.site.cpu_direct_woke, site.site.cpu_direct_quiet());
        if woke.count >= MIN_CALLS
            && quiet.count >= MIN_CALLS
            && let (Some(waking), Some(plain)) = (mean(woke), mean(&quiet))
        {
            sum += (waking.value - plain.value - hook) * woke.count as f64;
            calls += woke.count;
        }
    }
    (calls > 0).then(|| ((sum / calls as f64).max(0.0), calls))
}

/// Whether calls that send without a wake-up are common enough for a comparison. Where they are
/// rare, they do other work than the calls that wake.
fn quiet_is_usual(sites: &[SiteRecord]) -> bool {
    let (woke, quiet) = sites.iter().fold((0u64, 0u64), |(woke, quiet), site| {
        let at = &site.site;
        if at.cpu_direct_woke.count == 0 {
            (woke, quiet)
        } else {
            (woke + at.cpu_direct_woke.count, quiet + at.cpu_direct_quiet().count)
        }
    });
    quiet as f64 >= RARE * woke as f64
}
