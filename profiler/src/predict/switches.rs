//! What switches, sleeps and wake-ups cost today.

use super::{blocks::Parts, note::Note};
use crate::{
    aggregate::Window,
    cost::{MIN_CALLS, Pools, RARE, Reference, mean},
    event::{BlockClass, SiteRecord, Sums},
    machine::PriceList,
    quantity::Figure,
};

/// What switches and wake-ups are priced by.
pub(super) struct Switches<'a> {
    pub(super) window: &'a Window,
    /// Over all of its threads.
    pub(super) sums: &'a Sums,
    pub(super) calibration: Option<&'a PriceList>,
    /// The class of most blocks.
    pub(super) main_class: BlockClass,
    /// Threads that block on IO.
    pub(super) threads: f64,
}

impl Switches<'_> {
    /// A calibrated block whose CPU was idle for so long, ns; `None`: from thread to thread.
    pub(super) fn calibrated(&self, idle: Option<f64>) -> Option<f64> {
        Some(self.calibration?.block(self.main_class, idle)?.cost.value)
    }

    /// A block that hands the CPU to another thread of the target, ns.
    pub(super) fn near(&self, parts: &Parts, reference: Option<Reference>) -> f64 {
        (parts.nears > MIN_CALLS as f64)
            .then(|| parts.near / parts.nears)
            .or_else(|| self.calibrated(None))
            .or(reference.map(|r| r.per_block))
            .unwrap_or(0.0)
            .max(0.0)
    }

    pub(super) fn sleep(&self, parts: &Parts, near: f64) -> Figure<f64, Note> {
        if parts.aways < MIN_CALLS as f64 {
            return match self.calibrated(Some(self.idle_time())) {
                Some(ns) => Figure::modelled(ns, Note::CalibratedSleep),
                None => Figure::modelled(near, Note::SwitchForSleep),
            };
        }
        // The same two switches, and the way out of idle: dearer than a plain block, even if a few
        // measured ones were not.
        let charge = self.sums.charge_away as f64;
        let away = ((parts.away + charge) / parts.aways).max(near);
        // The target comes back to one of many threads, which others have left cold; a loop comes
        // back to itself. That is no more than so many were calibrated to leave cold: what else
        // makes a switch dear waits for the loop too.
        let crowd = self.calibration.and_then(|c| c.crowd(self.threads));
        let many = crowd.map_or(f64::INFINITY, |cost| cost.value.max(0.0));
        let colder = self.calibrated(None).map_or(0.0, |plain| (near - plain).clamp(0.0, many));
        if parts.nears > MIN_CALLS as f64 && colder > 0.0 {
            Figure::modelled(away - colder, Note::LessCrowd { measured: away, colder })
        } else {
            Figure::measured(away)
        }
    }

    /// A calibrated wake-up like most of the target's, ns.
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

    pub(super) fn wake(&self, near: f64, other_wake: &Figure<f64, Note>) -> Figure<f64, Note> {
        let cold = |c: &PriceList| c.crowd(self.threads).map_or(0.0, |cold| cold.value.max(0.0));
        // A message among so many threads costs no less than in a ring that hardly has a working
        // set. What is not in the block and not in code after it is the waker's, or lies outside of
        // calls: the way back to user mode restores the thread's registers.
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

/// What a wake-up costs the waker, ns: calls that woke a thread less calls at the same site that
/// did not, without the hook that runs for it. With how many calls that rests on.
fn wake_in_place(sites: &[SiteRecord], hook: f64) -> Option<(f64, u64)> {
    let (mut sum, mut calls) = (0.0, 0u64);
    // A call on a file that wakes somebody has ended something that others waited for, a write-back
    // or a lock, and is dearer by that.
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
/// rare, they are of another kind.
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
