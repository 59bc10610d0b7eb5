//! pipeline: the composition root. Target → kernel session → windows → report; the only place that
//! has a clock, a target and a model at once.

mod ask;
mod background;
mod baseline;
mod facts;
mod filing;
pub mod live;
mod load;
mod lookups;
mod measurement;
mod memory;
mod names;
mod others;
pub mod outputs;
mod pace;
pub mod playback;
mod prices;
pub mod profiles;
pub mod recording;
mod reference;
mod run;
pub(crate) mod runtimes;
mod sampling;
mod slices;
mod stacks;
pub mod stalls;
mod streaming;
mod toll;
pub mod top;
mod traces;

use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};

pub use measurement::{Catch, Failure, Measurement, Progress, Request, in_one_line};

use crate::process::Process;
use run::Run;

/// Measures. `stop` ends the measurement early; it is then as good as any other of that length.
///
/// # Errors
/// A [`Failure`], with what was being done. Nothing stays attached, whatever happens.
pub fn measure(request: &Request, stop: &AtomicBool, progress: &mut dyn Progress) -> Result<Measurement> {
    let mut run = Run::begin(request)?;
    progress.begun();
    // With `-- CMD` the process has become the command only now.
    let processes: Vec<_> =
        request.target.processes.iter().map(|p| Process::read(p.tgid).unwrap_or_else(|_| p.clone())).collect();
    let ended = run.until_the_end(stop, &processes, progress).context("the measurement broke off")?;
    run.finish(ended, &processes, stop, progress).context("the measurement could not be read at its end")
}
