//! kernel/spare: second copies of the programs on system calls, for runs that the kernel leaves out
//! of the first.
//!
//! Since 7.0 a program on a system call can lose the CPU while the kernel counts it as running;
//! then it does not run for the thread that the CPU turns to, until it has the CPU again. A spare
//! is another program to the kernel: it sees by the thread's state that the first one did not run,
//! and does its work. It costs a run at every call, so it is attached only once runs have been left
//! out.

use std::collections::HashMap;

use super::{
    error::LoadError,
    hooks::Hook,
    sampler::SAMPLER,
    session::Session,
    statistics::{self, ProgramCost},
};

impl Session {
    /// Attaches the spares if the kernel has left out runs. To be called a few times a second while
    /// events count.
    ///
    /// # Errors
    /// A tracepoint that refuses.
    pub fn call_spares(&mut self) -> Result<(), LoadError> {
        if self.spares.0.is_some() || self.hooks_with_spares().next().is_none() {
            return Ok(());
        }
        let missed: HashMap<&'static str, u64> =
            self.hooks_with_spares().filter_map(|hook| Some((hook.program, self.cost(hook.program)?.missed))).collect();
        if missed.values().all(|&n| n == 0) {
            return Ok(());
        }
        log::info!("the kernel left out program runs ({missed:?}): spares attached");
        self.spares.0 = Some(missed);
        self.attach_spares()
    }

    /// What the programs cost so far, a spare with its first, and the one on the CPU clock last;
    /// zero runs while the kernel keeps no statistics.
    pub fn costs(&self) -> Vec<ProgramCost> {
        let cost = |hook: &Hook| {
            let first = self.cost(hook.program)?;
            let before = self.spares.0.as_ref().and_then(|missed| missed.get(hook.program));
            Some(match (before, hook.spare.and_then(|spare| self.cost(spare))) {
                (Some(&before), Some(spare)) => first.with(before, &spare),
                _ => first,
            })
        };
        let sampler = self.program_cost(SAMPLER).map(|cost| ProgramCost { missed: 0, ..cost });
        self.loaded.hooks.iter().filter_map(cost).chain(sampler).collect()
    }

    /// System calls that began while the kernel kept statistics, anybody's; `None` where it keeps
    /// none of this program.
    pub fn calls_of_all(&self) -> Option<u64> {
        self.cost("sia_sys_enter").map(|cost| cost.runs)
    }

    fn cost(&self, program: &str) -> Option<ProgramCost> {
        self.program_cost(&self.loaded.form.program_name(program))
    }

    fn program_cost(&self, name: &str) -> Option<ProgramCost> {
        let fd = match self.loaded.ebpf.program(name)? {
            aya::programs::Program::BtfTracePoint(p) => p.fd().ok()?.try_clone().ok()?,
            aya::programs::Program::RawTracePoint(p) => p.fd().ok()?.try_clone().ok()?,
            aya::programs::Program::PerfEvent(p) => p.fd().ok()?.try_clone().ok()?,
            _ => return None,
        };
        Some(statistics::read(name, fd))
    }
}

impl ProgramCost {
    /// Adds the spare, which came when `before` runs had been left out. Since then an event is lost
    /// only if both were left out: at most as often as the rarer of the two.
    fn with(self, before: u64, spare: &Self) -> Self {
        let since = self.missed.saturating_sub(before).min(spare.missed);
        Self { time: self.time + spare.time, missed: before + since, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Nanos;

    #[test]
    fn what_both_left_out_is_lost_and_the_time_of_both_is_spent() {
        let cost = |time, missed| ProgramCost { name: "p".into(), runs: 10, time: Nanos::from_nanos(time), missed };
        assert_eq!(cost(1_000, 50).with(20, &cost(100, 3)), cost(1_100, 23));
        assert_eq!(cost(1_000, 21).with(20, &cost(100, 3)), cost(1_100, 21));
    }
}
