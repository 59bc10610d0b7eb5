//! Profiles for those who fetch them: each is a measurement of its own, with stacks.

use std::sync::{Arc, atomic::AtomicBool};

use super::{
    measure,
    measurement::{Request, in_one_line},
    recording::{Unseen, in_one_part, report_of},
};
use crate::{
    answer::Profile,
    export::pprof,
    feed::{NoProfile, ProfileOrder, Profiler},
    process::{Target, Wanted},
    quantity::Tgid,
};

/// What takes them.
pub struct Profiles {
    /// With what is measured otherwise.
    request: Request,
    /// Whom it may be of.
    wanted: Wanted,
}

impl Profiles {
    /// Of the targets of this request.
    pub fn new(request: &Request, wanted: Wanted) -> Self {
        // Stacks need no prices, and whoever waits for a profile does not wait for these.
        let plain = Request { price: false, stalls: None, snapshots: false, max_sites: None, ..request.clone() };
        Self { request: Request { stacks: true, ..plain }, wanted }
    }

    /// Whom a profile is of.
    fn target(&self, pid: Option<u32>) -> Result<Target, NoProfile> {
        if pid.is_none() && self.wanted.is_everyone() {
            return Err(NoProfile::WhichProcess);
        }
        let mut target = self.wanted.now(&self.request.target).ok_or(NoProfile::NoTarget)?;
        if let Some(pid) = pid {
            target.processes.retain(|process| process.tgid == Tgid::from_raw(pid));
            target.groups.clear();
        }
        if target.processes.is_empty() { Err(NoProfile::NoTarget) } else { Ok(target) }
    }
}

impl Profiler for Profiles {
    fn profile(&self, order: &ProfileOrder, stop: &Arc<AtomicBool>) -> Result<Vec<u8>, NoProfile> {
        let target = self.target(order.pid)?;
        let follow = self.request.follow && order.pid.is_none();
        let request = Request { target, follow, duration: Some(order.length), ..self.request.clone() };
        let measured = measure(&request, stop, &mut Unseen).map_err(|error| NoProfile::Failed(in_one_line(&error)))?;
        let recording = in_one_part(measured);
        let report = report_of(&recording);
        let profile = Profile::new(&report, &recording.window, &recording.sampled);
        pprof::encode(&profile, &report, order.first).map_err(|error| NoProfile::Failed(error.to_string()))
    }
}
