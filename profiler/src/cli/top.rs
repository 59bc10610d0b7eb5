//! `top`: every process of the machine, by what blocking costs it.

use anyhow::{Context as _, Result};

use super::{
    check::stop_flag,
    flags::TopFlags,
    live,
    output::{self, ProgressLine},
};
use crate::{
    answer::{By, TopRow},
    pipeline::{
        self, Request, in_one_line,
        top::{Glances, Roster},
    },
    process::{self, Name, Process, TargetSpec},
    quantity::Tgid,
    report, tui, words,
};

pub(super) fn run(flags: &TopFlags) -> Result<()> {
    if flags.once {
        output::log_to_stderr(flags.verbose);
        return once(flags, &flags.request()?, flags.by());
    }
    flags.only_once()?;
    let stop = live::stop_of_screen(words::NO_TERMINAL_FOR_TOP)?;
    let (mut by, mut said) = (flags.by(), None);
    loop {
        let mut glances = Glances::begin(flags.request()?, by)?;
        let chosen = tui::glance(&mut glances, by, said.take(), &stop);
        let chosen = match chosen {
            Ok(Some(row)) => row,
            // An error of the measurement comes first: it explains more than one of the terminal.
            none => return glances.end().and(none.map(drop).context(live::SCREEN)),
        };
        // What the row needs, programs of the kernel and memory, this one has until it is over.
        glances.leave();
        by = chosen.by;
        // It may have gone since: the machine is still there, and the list says what went wrong.
        let watched = flags.request_of(&spec(chosen)).and_then(|request| live::watch(request, &stop));
        said = watched.err().map(|error| in_one_line(&error));
    }
}

/// One measurement, and one list.
fn once(flags: &TopFlags, request: &Request, by: By) -> Result<()> {
    let stop = stop_flag()?;
    let measured = pipeline::measure(request, &stop, &mut ProgressLine::new())?;
    let top = Roster::new(&request.target).top(measured.window, &measured.inputs, by);
    if flags.json {
        return output::print(&report::top_json(&top));
    }
    let width = output::columns().unwrap_or(LIST_WIDTH);
    let options = report::TextOptions { width, color: output::wants_color(), ..Default::default() };
    output::print(&report::top(&top, flags.rows.unwrap_or(ROWS), &options))
}

/// How many rows are printed unless the user says so.
const ROWS: usize = 20;
/// A list that is read on no terminal is as wide as its columns need.
const LIST_WIDTH: usize = 132;

/// What a row names as a target of `live`.
fn spec(row: TopRow) -> TargetSpec {
    // Those that have gone are no targets, but where nobody is left the first one says so.
    let lives = |pid: &u32| Process::read(Tgid::from_raw(*pid)).is_ok_and(|process| process::is_alive(&process));
    let mut pids: Vec<u32> = row.members.iter().map(|member| member.pid).filter(lives).collect();
    if pids.is_empty() {
        pids.extend(row.members.first().map(|member| member.pid));
    }
    match (row.by, row.container) {
        (By::Container, Some(container)) => {
            let id = container.split_once(':').map_or(&*container, |(_, id)| id).to_owned();
            TargetSpec { names: vec![Name::Container(id)], ..TargetSpec::default() }
        }
        (By::Cgroup, _) if !row.cgroup.trim_matches('/').is_empty() => {
            TargetSpec { names: vec![Name::Cgroup(row.cgroup)], ..TargetSpec::default() }
        }
        _ => TargetSpec { pids, ..TargetSpec::default() },
    }
}
