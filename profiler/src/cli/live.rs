//! `live`: a process, or a recording, on one screen.

use std::{
    collections::HashMap,
    io::IsTerminal as _,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{exit::CliError, flags::LiveFlags};
use crate::{
    kernel::preflight,
    pipeline::{Request, live, playback::Playback},
    process,
    quantity::Nanos,
    record::Recording,
    tui::{self, ProcessRow, Title},
    words,
};

pub(super) fn run(flags: &LiveFlags) -> Result<()> {
    let stop = stop_of_screen(words::NO_TERMINAL)?;
    let worth = flags.worth.share()?;
    if let Some(file) = &flags.file {
        return play(file, flags.read.most(), worth, &stop);
    }
    let chosen;
    let pids = if flags.target.is_empty() {
        let Some(pid) = choose(&stop)? else { return Ok(()) };
        chosen = [pid];
        &chosen[..]
    } else {
        &flags.target.pid[..]
    };
    let request = Request { worth, ..flags.target.selection_of(pids).request(None)? };
    watch(request, &stop)
}

/// Set by a signal that ends a screen; fails with `without` where there is no terminal for one.
pub(super) fn stop_of_screen(without: &str) -> Result<Arc<AtomicBool>> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!(CliError::Usage(without.into()));
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot catch signals")?;
    }
    Ok(stop)
}

/// What a message says was being done.
pub(super) const SCREEN: &str = "the terminal failed";

pub(super) fn watch(request: Request, stop: &Arc<AtomicBool>) -> Result<()> {
    let name = request.target.processes.first().map_or_else(String::new, |p| format!("{} ({})", p.comm, p.tgid));
    let more = request.target.processes.len().saturating_sub(1);
    let title = Title {
        name: if more > 0 { format!("{name} and {more} more") } else { name },
        pid: request.target.processes.first().map(|p| p.tgid.as_raw()),
        interval: live::INTERVAL,
        ipc_reason: Some(preflight::pmu_words()),
    };
    let mut feed = live::Live::begin(request, Arc::new(AtomicBool::new(false)));
    let shown = tui::run(&mut feed, &title, stop);
    // An error of the measurement comes first: it explains more than one of the terminal.
    feed.end()?;
    shown.context(SCREEN)
}

fn play(file: &Path, most: u64, worth: Option<f64>, stop: &AtomicBool) -> Result<()> {
    let mut recording = Recording::read_up_to(file, most)?;
    recording.inputs.worth = worth;
    let mut feed = Playback::new(recording);
    let title = Title {
        name: file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        pid: feed.report().facts.processes.first().map(|p| p.tgid),
        interval: live::INTERVAL,
        // The recording says why, for the machine that it was made on.
        ipc_reason: None,
    };
    tui::run(&mut feed, &title, stop).context(SCREEN)
}

/// Lets the user choose a process.
fn choose(stop: &AtomicBool) -> Result<Option<u32>> {
    let users = users();
    let mut before: HashMap<(u32, u64), (Nanos, Option<u64>)> = HashMap::new();
    let mut at = Instant::now();
    let mut list = || {
        let listed = process::list();
        let seconds = at.elapsed().as_secs_f64().max(0.001);
        at = Instant::now();
        let rows = listed
            .iter()
            .map(|p| {
                let known = before.get(&(p.pid, p.started));
                let user = users.get(&p.uid).cloned().unwrap_or_else(|| p.uid.to_string());
                ProcessRow {
                    pid: p.pid,
                    user,
                    threads: p.threads,
                    cpu: known.map(|(cpu, _)| p.cpu.saturating_sub(*cpu).as_secs_f64() / seconds),
                    switches: known
                        .and_then(|(_, v)| Some(p.voluntary?.saturating_sub((*v)?)))
                        .map(|n| n as f64 / seconds),
                    command: p.command.clone(),
                }
            })
            .collect();
        before = listed.iter().map(|p| ((p.pid, p.started), (p.cpu, p.voluntary))).collect();
        rows
    };
    tui::choose(&mut list, stop).context(SCREEN)
}

/// Names of users by number.
fn users() -> HashMap<u32, String> {
    let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
        })
        .collect()
}
