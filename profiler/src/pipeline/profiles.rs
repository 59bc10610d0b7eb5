//! Profiles for those who fetch them: each is a measurement of its own, with stacks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    measure,
    measurement::{Measurement, Request, in_one_line},
    outputs::{self, Shown},
    recording::Unseen,
    top::{Measured, Meter},
};
use crate::{
    answer::{Profile, Report},
    export::pprof,
    feed::{Form, NoProfile, ProfileOrder, Profiler},
    process::{self, Process, Target, TargetSpec},
    quantity::Tgid,
    words,
};

/// What takes them.
pub struct Profiles {
    /// With what is measured otherwise.
    request: Request,
    /// Whom it may be of.
    measured: Measured,
    /// Whether that is every process of the machine.
    everyone: bool,
}

impl Profiles {
    /// Of what this meter measures, as this request has it.
    pub fn new(request: &Request, meter: &Meter, everyone: bool) -> Self {
        let plain = Request { price: false, stalls: None, snapshots: false, max_sites: None, ..request.clone() };
        Self { request: Request { stacks: true, ..plain }, measured: meter.measured(), everyone }
    }

    /// Whom a profile is of. A stranger that has a number by now is nobody's target.
    fn target(&self, pid: Option<u32>) -> Result<Target, NoProfile> {
        if pid.is_none() && self.everyone {
            return Err(NoProfile::WhichProcess);
        }
        let measured = self.measured.lock().map(|measured| measured.clone()).unwrap_or_default();
        let is_it = |process: &&Process| pid.is_none_or(|pid| process.tgid == Tgid::from_raw(pid));
        let there = measured.iter().filter(is_it).filter(|process| process::is_alive(process));
        let pids: Vec<u32> = there.map(|process| process.tgid.as_raw()).collect();
        if pids.is_empty() {
            return Err(NoProfile::NoTarget);
        }
        let target = process::resolve(&TargetSpec { pids, ..TargetSpec::default() });
        let target = target.map_err(|error| NoProfile::Failed(error.to_string()))?;
        Ok(Target { threads_only: self.request.target.threads_only.clone(), ..target })
    }
}

impl Profiler for Profiles {
    fn profile(&self, order: &ProfileOrder, stop: &Arc<AtomicBool>) -> Result<Vec<u8>, NoProfile> {
        let target = self.target(order.pid)?;
        let follow = self.request.follow && order.pid.is_none();
        let length = Some(order.length);
        // A page says what async would give back; stacks alone need no prices.
        let price = order.form == Form::Page;
        let request = Request { target, follow, price, duration: length, ..self.request.clone() };
        let measured = measure(&request, stop, &mut Unseen).map_err(|error| NoProfile::Failed(in_one_line(&error)))?;
        if stop.load(Ordering::Relaxed) {
            return Err(NoProfile::Failed(words::serve::NOBODY_WAITS.to_owned()));
        }
        let Measurement { window, inputs, sampled, .. } = measured;
        let (report, engine) = Report::with_engine(&window, inputs);
        let profile = Profile::new(&report, &window, &sampled.unwrap_or_default());
        match order.form {
            Form::Pprof(first) => {
                pprof::encode(&profile, &report, first).map_err(|error| NoProfile::Failed(error.to_string()))
            }
            Form::Page => {
                let shown = Shown { report: &report, engine: engine.as_ref(), profile: &profile };
                Ok(outputs::page(&shown).into_bytes())
            }
        }
    }
}
