//! `check`: one measurement, one verdict.

use std::{
    ffi::OsString,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{
    command::Command,
    flags::CheckFlags,
    output::{self, ProgressLine},
    settings::Selection,
};
use crate::pipeline::{
    self, Progress, Request,
    recording::{in_one_part, report_of},
};

pub(super) fn run(flags: &CheckFlags) -> Result<()> {
    output::log_to_stderr(flags.verbose);
    let stop = stop_flag()?;
    let worth = flags.worth.share()?;
    if let Some(path) = &flags.record {
        output::writable(path)?;
    }
    let measured = on_target(&flags.selection(), &flags.command, |request, progress| {
        pipeline::measure(&Request { worth, ..request.clone() }, &stop, progress)
    })?;
    let Some(path) = &flags.record else {
        return output::show(&measured.report(), &flags.view());
    };
    let recording = in_one_part(measured);
    // The report is printed even if the recording cannot be written.
    let written = recording.write(path);
    output::show(&report_of(&recording), &flags.view())?;
    written?;
    Ok(())
}

/// Measures what the flags name: a target that lives, or a command that is started once events
/// count and that ends with the measurement.
pub(super) fn on_target<T>(
    selection: &Selection<'_>,
    command: &[OsString],
    measure: impl FnOnce(&Request, &mut dyn Progress) -> Result<T>,
) -> Result<T> {
    if command.is_empty() {
        return measure(&selection.request(None)?, &mut ProgressLine::new());
    }
    // Flags are checked before the command is started: what it does may not be undone.
    selection.check_before_command()?;
    let command = Command::spawn(command)?;
    let request = selection.request(Some(command.pid()))?;
    let mut started = Ok(());
    let found = measure(&request, &mut ProgressLine::new().on_begin(|| started = command.release()));
    started?;
    found
}

/// Set by the first Ctrl-C or SIGTERM; the second one ends the process at once, and the kernel
/// detaches everything.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("cannot catch signals")?;
    }
    Ok(stop)
}
