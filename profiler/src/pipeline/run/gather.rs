//! Puts a measurement's result together, at its end and for snapshots: the windows, and the facts
//! that the kernel programs do not see.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    super::{
        facts,
        facts::{daemon_cost, process_cpu},
        measurement::{Failure, Measurement, Progress},
        prices::{self, Priced, Pricing},
        reference,
        stacks::{Stacks, without_room},
        stalls::Stalls,
    },
    Run, SNAPSHOT_EVENTS,
};
use crate::{
    aggregate::Window,
    answer::{self, ChildrenFacts, Ended, Inputs, WindowFacts},
    event::{self, Living},
    kernel::{self, LoadError},
    process::{Children, Process},
    quantity::{Nanos, Tid},
};

impl Run<'_> {
    /// Detaches the programs and adds everything up.
    pub(in crate::pipeline) fn finish(
        mut self,
        ended: Ended,
        processes: &[Process],
        stop: &AtomicBool,
        progress: &mut dyn Progress,
    ) -> Result<Measurement, Failure> {
        self.load.look(kernel::now());
        if self.open {
            self.read_sites()?;
            self.governor.ends(&mut self.session, kernel::now());
            self.session.finish();
        }
        let cpu_after = process_cpu(&self.request.target);
        self.memory.look_now(&self.session, &self.request.target);
        self.quotas
            .enter(self.request.target.tgids().chain(self.arrivals.entered().iter().map(|process| process.tgid)));
        self.quotas.look(kernel::now());
        let children = self.children_since(ended);
        if self.open {
            self.stretches.end(&self.request.target, self.pace.as_ref());
        }
        self.session.detach();
        self.lookups.finish();
        let daemon = daemon_cost();
        progress.done();
        if self.open {
            self.take_window()?;
        }
        self.flush_log();
        let stacks = self.stacks.take();
        let Some(total) = self.windows.total.take() else {
            return Err(Failure::Load(LoadError::Object("no window".into())));
        };
        answer::possible(&total, kernel::possible_cpus()).map_err(Failure::Impossible)?;
        let sampled = stacks.map(|stacks| stacks.finish(&total));
        let caught = self.stalls.take().map(Stalls::finish);
        let sampled = sampled.or_else(|| self.request.stacks.then(without_room));
        let after = self.stretches.after(self.request, self.pace.as_ref());
        // What follows measures this process, which takes yardsticks of its own.
        self.pace = None;
        if !self.request.snapshots {
            self.reference = reference::measure(&mut self.session).ok();
        }
        let priced = self.last_prices(ended, stop, progress);
        let names = std::mem::take(&mut self.names).fresh(&total);
        self.allowed.ask(&self.request.target);
        let mut inputs = self.inputs(&total, names, ended, processes, cpu_after, daemon);
        inputs.children = children;
        inputs.baselines.extend(after);
        inputs.price(self.with_runtime(priced));
        Ok(Measurement { wire: self.wire, window: total, inputs, sampled, caught })
    }

    /// Everything so far, while events go on counting.
    pub(super) fn so_far(&mut self, processes: &[Process]) -> Result<Option<Measurement>, Failure> {
        let open = if self.open {
            let mut harvest = self.session.peek()?;
            harvest.spans = self.session.newest_spans(SNAPSHOT_EVENTS);
            let living = Living::new(&self.session, harvest.epoch);
            let mut batch = event::decode(harvest)?;
            let silent = self.silents.find_living(&batch, &living)?;
            batch.go_on_until(kernel::now());
            Some(Window::close_living(batch, living.records(), &silent)?)
        } else {
            None
        };
        let windows = u32::from(open.is_some());
        let total = match (open, &self.windows.total) {
            (Some(open), Some(closed)) => Some(open.after(closed)),
            (open, closed) => open.or_else(|| closed.clone()),
        };
        let cpu = process_cpu(&self.request.target);
        let Some(total) = total else { return Ok(None) };
        let names = self.names.update(&total);
        self.allowed.refresh(&self.request.target);
        let mut inputs = self.inputs(&total, names, Ended::Measuring, processes, cpu, daemon_cost());
        inputs.children = self.children_since(Ended::Measuring);
        inputs.window.windows += windows;
        let known = self.pricing.as_mut().and_then(Pricing::known);
        inputs.price(self.with_runtime(known));
        let sampled = self.stacks.as_mut().and_then(Stacks::latest);
        let caught = self.stalls.as_ref().map(|stalls| stalls.so_far(&self.session, kernel::now()));
        Ok(Some(Measurement { wire: None, window: total, inputs, sampled, caught }))
    }

    /// The prices with those of what the target runs in, and of the file system that it uses.
    fn with_runtime(&self, priced: Option<Priced>) -> Option<Priced> {
        priced.map(|priced| priced.map(|list| self.lookups.found().price(self.runtimes.price(list))))
    }

    /// The prices, where the request asks for them. If they are still being measured, waits up to
    /// `PATIENCE` for them, or `SHORT_PATIENCE` where a screen is watching.
    fn last_prices(&mut self, ended: Ended, stop: &AtomicBool, progress: &mut dyn Progress) -> Option<Priced> {
        let patience = if self.request.snapshots { prices::SHORT_PATIENCE } else { prices::PATIENCE };
        let mut pricing = self.pricing.take().or_else(|| self.request.price.then(Pricing::begin))?;
        if pricing.is_coming() {
            progress.pricing(patience);
        }
        // The Ctrl-C that ended the measurement does not end the wait; a later one does.
        let priced = pricing.wait(patience, || ended != Ended::Interrupted && stop.load(Ordering::Relaxed));
        progress.done();
        Some(priced)
    }

    /// Whether the clocks of the target's processes ran for what was measured, and nothing else.
    fn is_whole(&self, total: &Window) -> bool {
        let came = total.quality.forks > 0 && self.request.follow || !self.arrivals.entered().is_empty();
        // They go on between windows.
        !came && self.rested.is_none() && self.request.target.threads_only.is_none()
    }

    fn inputs(
        &self,
        total: &Window,
        thread_names: HashMap<Tid, String>,
        ended: Ended,
        processes: &[Process],
        cpu_after: Option<Nanos>,
        daemon: (Nanos, u64),
    ) -> Inputs {
        let pace = if self.open { self.paced_so_far() } else { self.paced }.pace();
        let found = self.lookups.found();
        let processes: Vec<Process> = processes.iter().chain(self.arrivals.entered()).cloned().collect();
        let cpu = self.cpu_before.zip(cpu_after).map(|(a, b)| b.saturating_sub(a));
        Inputs {
            no_counters: total.ipc.is_none().then(facts::why_no_counters),
            facts: facts::facts(
                &self.request.target,
                &processes,
                self.session.form(),
                self.allowed.found,
                self.began_at,
                self.runtimes.runtime(),
                &self.quotas,
            ),
            window: WindowFacts {
                wall: self.rested.unwrap_or(total.end).max(total.end).saturating_sub(self.first),
                measured: total.measured,
                windows: self.windows.count,
                ended,
            },
            descriptors: found.names,
            direct_files: found.direct.into_iter().collect(),
            by_workers: found.by_workers.into_iter().collect(),
            thread_names,
            connections: Some(found.connections.into_values().collect()),
            device_names: facts::device_names(),
            reference: self.reference,
            baselines: self.stretches.between.clone(),
            watched: self.stretches.watched.clone(),
            toll: self.governor.toll(),
            bystanders: self.governor.bystanders(),
            pace,
            calibration: None,
            no_calibration: None,
            process_cpu: cpu.filter(|_| self.is_whole(total)),
            children: None,
            hook_entry: self.governor.hook(pace),
            own_cpu: daemon.0.saturating_sub(self.daemon_before),
            own_bytes: daemon.1,
            load_averages: Some(self.load.averages()),
            memory: self.memory.found(),
            loads: self.windows.loads.clone(),
            shares: self.windows.shares.clone(),
            slices: self.slices.kept(),
            worth: self.request.worth,
        }
    }

    /// What the processes below the target used since the beginning. For a screen only those are
    /// asked that were there then.
    fn children_since(&self, ended: Ended) -> Option<ChildrenFacts> {
        let before = self.children.as_ref()?;
        let tgids = self.request.target.tgids();
        let now = if ended == Ended::Measuring { before.again(tgids) } else { Children::below(tgids) };
        Some(ChildrenFacts { count: now.count(), cpu: now.since(before) })
    }
}
