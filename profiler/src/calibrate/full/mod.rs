//! The full calibration: what `calibrate` measures beyond the essentials, by size, by requests at
//! once, by working set and by interface. Each part has its own time limit.

mod budget;
mod calls;
mod descriptors;
mod disk;
mod interrupts;
mod posix;
mod sizes;
mod steady;
mod working_set;

use std::{path::Path, time::Duration};

pub(super) use budget::{Budget, Cell};
pub(super) use steady::requests;

use crate::calibrate::{
    error::CalibrateError,
    essentials,
    result::{Essentials, Full},
    rig::{
        clock,
        pace::Pacer,
        scratch::{self, Files},
    },
};

/// Measures everything, the essentials first. Files go to `dir`, and `progress` gets the name of
/// each part.
///
/// # Errors
/// No thread, no file, or essentials that cannot be had.
pub fn measure(
    dir: Option<&Path>,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(Essentials, Full), CalibrateError> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("calibrate".into())
            .spawn_scoped(scope, || on_this_thread(dir, progress))
            .map_err(CalibrateError::system("no thread for the calibration"))?
            .join()
            .map_err(|_| CalibrateError::Failed("the calibration's thread panicked".into()))?
    })
}

fn on_this_thread(
    dir: Option<&Path>,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(Essentials, Full), CalibrateError> {
    let begun = clock::wall();
    let allowed = clock::allowed().map_err(CalibrateError::system("reading the CPUs that may be used"))?;
    let (first, second) = clock::two_cpus(&allowed);
    let pin = |cpus: &[usize]| clock::pin(cpus).map_err(CalibrateError::system("pinning a thread"));
    // The files come first, so that a folder that cannot be written is found at once.
    progress("files to read and write");
    let files = Files::make(dir).map_err(CalibrateError::system("making a file to read and write"))?;
    progress("essentials");
    let essentials = essentials::on_this_thread(essentials::Effort::Thorough, Duration::MAX)?;
    pin(&[first])?;
    progress("syscalls, threads, epoll");
    let calls = calls::measure(dir, Pacer::at(essentials.pace));
    progress("reads and writes by size");
    let sizes = sizes::measure(&files);
    progress("timer interrupts");
    let interrupts = interrupts::measure(first);
    progress("descriptors by interface");
    let descriptors = descriptors::measure();
    progress("blocks by working set");
    let working_sets = working_set::measure(first, second);
    pin(&allowed)?;
    clock::preempt_as_usual();
    progress("files by interface");
    let disk = disk::measure(&files);
    progress("files by requests in flight");
    let steady = steady::measure(&files);
    let full = Full {
        file_system: scratch::file_system(&files.cached),
        open_close: calls.open_close,
        pipe_again: calls.pipe_again,
        thread: calls.thread,
        sizes,
        working_sets,
        epoll: calls.epoll,
        disk,
        steady,
        descriptors,
        interrupts,
        took: clock::wall() - begun,
    };
    Ok((essentials, full))
}
