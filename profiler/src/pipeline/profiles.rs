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
    process::{self, Target, TargetSpec},
    quantity::Tgid,
};

/// What takes them.
pub struct Profiles {
    /// With what is measured otherwise.
    request: Request,
    /// Whom it may be of.
    spec: TargetSpec,
}

impl Profiles {
    /// Of the targets of this request.
    pub fn new(request: &Request, spec: &TargetSpec) -> Self {
        // Stacks need no prices, and whoever waits for a profile does not wait for these.
        let plain = Request { price: false, stalls: None, snapshots: false, max_sites: None, ..request.clone() };
        Self { request: Request { stacks: true, ..plain }, spec: spec.clone() }
    }

    /// Whom a profile is of.
    fn target(&self, pid: Option<u32>) -> Result<Target, NoProfile> {
        let Some(pid) = pid else {
            let whole = if self.spec.everyone { None } else { Some(process::resolve(&self.spec)) };
            return whole.ok_or(NoProfile::WhichProcess)?.map_err(|error| NoProfile::Failed(error.to_string()));
        };
        let named = TargetSpec { pids: vec![pid], ..TargetSpec::default() };
        let mut whole = process::resolve(&self.spec).map_err(|error| NoProfile::Failed(error.to_string()))?;
        if !whole.tgids().any(|tgid| tgid == Tgid::from_raw(pid)) {
            return Err(NoProfile::NoTarget);
        }
        if whole.threads_only.is_some() {
            whole.processes.retain(|process| process.tgid == Tgid::from_raw(pid));
            return Ok(whole);
        }
        process::resolve(&named).map_err(|error| NoProfile::Failed(error.to_string()))
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
