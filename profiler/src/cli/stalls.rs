//! `stalls`: who blocked the loop.

use anyhow::{Context as _, Result};

use super::{
    check::{on_target, stop_flag},
    flags::StallsFlags,
    live, output,
};
use crate::{
    answer::{Caught, Stalls},
    pipeline::{self, Catch, Measurement, Request, outputs, stalls::StallWatch},
    report, tui, words,
};

pub(super) fn run(flags: &StallsFlags) -> Result<()> {
    if flags.live {
        return watch(flags);
    }
    output::log_to_stderr(flags.verbose);
    let (stop, over) = (stop_flag()?, flags.over()?);
    for path in &flags.output {
        outputs::stalls_format(path)?;
        output::writable(path)?;
    }
    let Measurement { window, inputs, caught, .. } =
        on_target(&flags.selection(), &flags.command, |request, progress| {
            let request = Request { price: false, stalls: Some(Catch { over, stacks: true }), ..request.clone() };
            pipeline::measure(&request, &stop, progress)
        })?;
    let stalls = Stalls::new(Caught { over, ..caught.unwrap_or_default() }, &window, &inputs);
    show(&stalls, flags)?;
    for path in &flags.output {
        let bytes = outputs::write_stalls(path, &stalls)?;
        output::say(&words::wrote(path, bytes));
    }
    Ok(())
}

/// Shows them on a screen as they come.
fn watch(flags: &StallsFlags) -> Result<()> {
    let stop = live::stop_of_screen(words::NO_TERMINAL_FOR_STALLS)?;
    let request = flags.selection().request(None)?;
    let stalls = Some(Catch { over: flags.over()?, stacks: true });
    let mut watch = StallWatch::begin(Request { price: false, stalls, duration: None, ..request })?;
    let shown = tui::watch_stalls(&mut watch, &stop);
    // An error of the measurement comes first: it explains more than one of the terminal.
    watch.end()?;
    shown.context(live::SCREEN)
}

fn show(stalls: &Stalls, flags: &StallsFlags) -> Result<()> {
    if flags.json {
        return output::print(&report::stalls_json(stalls));
    }
    let options = report::TextOptions {
        width: output::width(),
        verbose: flags.verbose > 0,
        color: output::wants_color(),
        ..Default::default()
    };
    output::print(&report::stalls(stalls, &options))
}
