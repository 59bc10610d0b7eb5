//! `demo`: a small blocking server under load, measured like any other process.

use anyhow::{Context as _, Result, bail};

use super::{
    check,
    exit::CliError,
    flags::DemoFlags,
    output::{self, ProgressLine, View},
    settings,
};
use crate::{
    demo::Children,
    pipeline::{self, Request},
    process::{self, TargetSpec},
};

/// What a message says was being done.
pub(super) const FAILED: &str = "the demo failed";

pub(super) fn run(flags: &DemoFlags) -> Result<()> {
    if !(1..=4_096).contains(&flags.connections) {
        bail!(CliError::Usage(format!("--connections {} is out of range: give 1 to 4096", flags.connections)));
    }
    let duration = settings::duration(&flags.duration)?;
    if duration.as_secs_f64() > 3_600.0 {
        bail!(CliError::Usage("the demo lasts an hour at most: give a shorter -d".into()));
    }
    let stop = check::stop_flag()?;
    let children = Children::start(flags.connections, duration.as_secs_f64().ceil() as u64 + 20).context(FAILED)?;
    let spec = TargetSpec { pids: vec![children.server_pid()], ..TargetSpec::default() };
    // The demo shows the exact figures; what they cost stands in the report.
    let request = Request { duration: Some(duration), price: true, ..Request::exact(process::resolve(&spec)?) };
    let found = pipeline::measure(&request, &stop, &mut ProgressLine::new())?;
    drop(children);
    output::show(&found.report(), &View { json: flags.json, ..Default::default() })
}
