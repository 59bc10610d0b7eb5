//! What needs no comparison: run time of the programs, CPU and memory of the daemon, time until it
//! measures.

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use super::{figures::Spread, kernel, load::Server, observer::Observer};
use crate::host::{
    child::{self, Running},
    clocks,
};

/// Threads of the large target.
pub(super) const MANY: u64 = 10_000;
/// Upper bounds of waits, seconds.
const WATCHDOG: u64 = 600;

/// Mean run time of each program under load, ns, and of all of them by run.
#[derive(Default)]
pub(super) struct RunTime {
    /// Program → runs per second and mean run time of each round.
    pub(super) programs: BTreeMap<String, Vec<(f64, f64)>>,
    /// Mean of all runs, by round.
    pub(super) means: Vec<f64>,
    /// What `check` itself said, by round.
    pub(super) own: Vec<f64>,
}

/// Measures run times in one more round.
pub(super) fn run_time(own: &Path, observer: Observer, seconds: u64, into: &mut RunTime) -> Result<()> {
    let statistics = kernel::statistics()?;
    let server = Server::start(own, seconds)?;
    let load = server.load(own, seconds)?;
    let watching = observer.start(own, server.pid(), seconds + 60)?;
    let pid = watching.pid().context("no observer")?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let served = load.count(
        |_| {
            before = kernel::costs(pid);
            Ok(())
        },
        |_| {
            after = kernel::costs(pid);
            Ok(())
        },
    )?;
    drop(statistics);
    let said = watching.end(|| {})?;
    let (mut runs, mut time) = (0, Duration::ZERO);
    for (a, b) in before.iter().zip(&after).filter(|(a, b)| a.name == b.name && b.runs > a.runs) {
        let (r, t) = (b.runs - a.runs, b.time.saturating_sub(a.time));
        let each = (r as f64 / served.length.as_secs_f64(), t.as_secs_f64() * 1e9 / r as f64);
        into.programs.entry(a.name.clone()).or_default().push(each);
        runs += r;
        time += t;
    }
    ensure!(runs > 0, "the kernel counted no run of a program");
    into.means.push(time.as_secs_f64() * 1e9 / runs as f64);
    into.own.extend(said.and_then(|said| own_figure(&said.stdout)));
    Ok(())
}

/// The mean run time in `check --json`.
fn own_figure(json: &str) -> Option<f64> {
    let report: serde_json::Value = serde_json::from_str(json).ok()?;
    let figure = report.pointer("/self_cost")?.as_object()?.iter().find(|(key, _)| key.starts_with("per_event"))?.1;
    figure.as_f64().or_else(|| figure.get("value")?.as_f64())
}

/// What the daemon used while two threads switched as fast as they can.
pub(super) struct Daemon {
    /// Switches per second that were reached.
    pub(super) switches: Option<Spread>,
    /// Share of a core while it measured.
    pub(super) share: Option<Spread>,
    /// CPU before and after: loading, verification, report; seconds.
    pub(super) around: Option<Spread>,
}

pub(super) fn daemon(own: &Path, truth: &Path, rounds: u32, seconds: u64) -> Result<Daemon> {
    let (mut rates, mut shares, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let ms = (seconds * 1000).to_string();
        let mut target = workload(truth, &["pingpong", "--ms", &ms])?;
        let watching = Observer::Check.start(own, target.pid(), WATCHDOG)?;
        let pid = watching.pid().context("no observer")?;
        let read = |target: u32| -> Result<(f64, f64, f64)> {
            let switches = clocks::switches(target)? as f64;
            Ok((clocks::monotonic() as f64 / 1e9, switches, clocks::process_cpu(pid)?.as_secs_f64()))
        };
        let from = read(target.pid())?;
        target.enter()?;
        target.next_line(Duration::from_secs(seconds + 30))?;
        let to = read(target.pid())?;
        let mut last = to.2;
        watching.end(|| last = clocks::process_cpu(pid).map_or(last, |cpu| cpu.as_secs_f64()))?;
        let length = to.0 - from.0;
        rates.push((to.1 - from.1) / length);
        shares.push((to.2 - from.2) / length);
        rest.push(from.2 + last - to.2);
    }
    Ok(Daemon {
        switches: Spread::from_values(rates),
        share: Spread::from_values(shares),
        around: Spread::from_values(rest),
    })
}

/// What 10,000 threads take.
pub(super) struct Large {
    /// Threads of the target, as the kernel counts them.
    pub(super) threads: u64,
    /// Largest resident size of the daemon before it makes its report, bytes.
    pub(super) rss_measuring: Spread,
    /// Largest resident size of the daemon, its report included, bytes.
    pub(super) rss: Spread,
    /// From its exec until events count, seconds.
    pub(super) start: Spread,
    /// From SIGINT until it has gone, seconds.
    pub(super) end: Spread,
}

pub(super) fn large(own: &Path, truth: &Path, rounds: u32) -> Result<Large> {
    let (mut measuring, mut rss, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut threads = 0;
    for _ in 0..rounds {
        let mut target = workload(truth, &["many-threads", "--threads", &MANY.to_string()])?;
        threads = clocks::threads(target.pid()).context("the target is gone")?;
        let (took, running) = start(own, &["-p", &target.pid().to_string()])?;
        starts.push(took);
        target.enter()?;
        target.next_line(Duration::from_secs(120))?;
        let pid = running.pid();
        let mut peak = clocks::peak_rss(pid).unwrap_or(0);
        measuring.push(peak as f64);
        let begun = clocks::monotonic();
        running.end(|| peak = peak.max(clocks::peak_rss(pid).unwrap_or(0)));
        ends.push((clocks::monotonic() - begun) as f64 / 1e9);
        rss.push(peak as f64);
    }
    let spread = |values: Vec<f64>| Spread::from_values(values).context("no rounds");
    Ok(Large {
        threads,
        rss_measuring: spread(measuring)?,
        rss: spread(rss)?,
        start: spread(starts)?,
        end: spread(ends)?,
    })
}

/// From exec until events count, for a target of few threads; seconds.
pub(super) fn starts(own: &Path, rounds: u32) -> Result<Spread> {
    let mut starts = Vec::new();
    let server = Server::start(own, u64::from(rounds) * 5)?;
    for _ in 0..rounds {
        let (took, running) = start(own, &["-p", &server.pid().to_string()])?;
        starts.push(took);
        running.end(|| {});
    }
    Spread::from_values(starts).context("no rounds")
}

/// Starts `check` on a target, given as its arguments; from just before its exec to the moment it
/// says in its control page, seconds.
pub(super) fn start(own: &Path, target: &[&str]) -> Result<(f64, Running)> {
    let begun = clocks::monotonic();
    let mut command = Command::new(own);
    command.args(["check", "--exact", "--json", "-d", &WATCHDOG.to_string()]).args(target);
    let mut running = Running::start(&mut command)?;
    let mut since = None;
    // Asked rarely, so as not to disturb it: the page says since when events count. Twice, because
    // `check` first counts events of its own threads, for some 20 ms.
    child::wait_until("`check` did not begin", Duration::from_secs(30), || {
        child::pause(Duration::from_millis(90))?;
        running.check_alive()?;
        let last = since;
        since = kernel::Page::find(running.pid())?.map(|page| page.counting_since()).transpose()?.flatten();
        Ok(since.is_some() && since == last)
    })?;
    let since = since.context("`check` did not begin")?;
    Ok((since.saturating_sub(begun) as f64 / 1e9, running))
}

/// A workload, ready and waiting for an empty line.
fn workload(truth: &Path, args: &[&str]) -> Result<Running> {
    let mut command = Command::new(truth);
    command.args(args).args(["--timeout-s", &WATCHDOG.to_string()]);
    let mut running = Running::start(&mut command)?;
    let line = running.next_line(Duration::from_secs(120))?;
    ensure!(line == "ready", "the workload printed {line:?}");
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_figure_may_be_plain_or_with_its_provenance() {
        assert_eq!(own_figure(r#"{"self_cost":{"per_event_ns":{"value":88.5}}}"#), Some(88.5));
        assert_eq!(own_figure(r#"{"self_cost":{"per_event_ns":88.5}}"#), Some(88.5));
        assert_eq!(own_figure(r#"{"self_cost":{"per_event_ns":{"value":null}}}"#), None);
        assert_eq!(own_figure("not json"), None);
    }
}
