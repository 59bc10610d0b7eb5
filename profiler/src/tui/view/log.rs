//! The log of quality: what was lost or left open, how good the stacks are, what measuring cost,
//! whether the kernel's own counters agree; then notes and what was told.

use crate::text::{
    clean::clean,
    numbers::{NA, bytes, clock, difference, percent, plural, ratio, short as count, span},
};
use crate::{
    answer::{Counted, Profile, Report},
    feed::Snapshot,
    quantity::Nanos,
    tui::{
        app::App,
        page::Page,
        text::{figure, origin},
        theme::Ink,
    },
};

pub(super) fn write(page: &mut Page, app: &App, snapshot: &Snapshot) {
    let report = &snapshot.whole;
    losses(page, report);
    check(page, report);
    stacks(page, &snapshot.profile);
    self_cost(page, report, snapshot);
    target(page, report);
    page.title("Told");
    if app.messages.is_empty() {
        page.wrapped(2, "nothing yet", Ink::Plain);
    }
    for message in app.messages.iter().rev() {
        page.entry(&clock(message.at), &message.text, if message.bad { Ink::Bad } else { Ink::Plain });
    }
}

fn losses(page: &mut Page, report: &Report) {
    let q = &report.quality;
    page.title("Losses");
    let lost = || q.losses().into_iter().chain(q.evidence_losses());
    if lost().all(|(n, _)| n == 0) {
        page.wrapped(2, "none", Ink::Plain);
    }
    for (n, what) in lost().filter(|&(n, _)| n > 0) {
        page.wrapped(2, &format!("!! {} {}", count(n), what.words()), Ink::Bad);
    }
    let open = format!(
        "{} threads asleep at the start, {} open at the end, {} without any event",
        count(q.open_at_start),
        count(q.open_at_end),
        count(q.silent)
    );
    page.entry("open intervals", &open, Ink::Plain);
    let switch_ins =
        format!("{} that the kernel did not tell of; booked as run-queue delay", count(q.missed_switch_ins));
    page.entry("switch-ins", &switch_ins, Ink::Plain);
    let raced = format!("{} seen before the switch-out they answer", count(q.raced_wakes));
    page.entry("raced wake-ups", &raced, Ink::Plain);
    let births = format!("{} births, {} exits, {} execs", count(q.forks), count(q.exits), count(q.execs));
    page.entry("births and ends", &births, Ink::Plain);
}

fn check(page: &mut Page, report: &Report) {
    let check = &report.check;
    page.title("Against the kernel's own counters");
    let counted = |page: &mut Page, name: &str, c: Counted| {
        let text = format!("{} here, {} there: {}", count(c.ours), count(c.kernel), difference(c.difference()));
        page.entry(name, &text, if c.difference() == 0 { Ink::Plain } else { Ink::Bad });
    };
    counted(page, "voluntary switches", check.voluntary);
    counted(page, "involuntary switches", check.involuntary);
    counted(page, "blocks, all classes", check.blocks);
    let time = |page: &mut Page, name: &str, c: Counted| {
        let share = c.ratio().map_or_else(|| NA.to_owned(), percent);
        let text = format!("{} here, {} there: {share}", Nanos::from_nanos(c.ours), Nanos::from_nanos(c.kernel));
        page.entry(name, &text, Ink::Plain);
    };
    time(page, "CPU at switches", check.cpu);
    match check.process_cpu {
        Some(c) => time(page, "CPU of the processes", c),
        None => page.entry(
            "CPU of the processes",
            &format!("{NA}: processes came or went, or could not be read"),
            Ink::Plain,
        ),
    }
    page.entry("charged at switch-in", &span(check.charge as f64), Ink::Plain);
    if !check.threads_that_differ.is_empty() {
        let some: Vec<String> = check.threads_that_differ.iter().take(20).map(u32::to_string).collect();
        let more = if check.threads_that_differ.len() > some.len() { " …" } else { "" };
        page.wrapped(2, &format!("!! counts differ in threads {}{more}", some.join(" ")), Ink::Bad);
    }
    let unknown = format!("{} of the wall time unknown, {} counted twice", report.wall.unknown, report.wall.excess);
    page.entry("ledger", &unknown, Ink::Plain);
}

fn stacks(page: &mut Page, profile: &Profile) {
    page.title("Stacks");
    if let Some(why) = &profile.unavailable {
        page.wrapped(2, &format!("{NA}: {}", clean(why)), Ink::Plain);
        return;
    }
    let q = &profile.quality;
    let of = |n: u64, all: u64| format!("{} ({})", count(n), ratio(n, all));
    page.entry(
        "taken",
        &format!("{} at blocks, {} by the CPU clock", count(q.samples), count(q.clock_samples)),
        Ink::Plain,
    );
    page.entry("lost", &count(q.lost), if q.lost > 0 { Ink::Bad } else { Ink::Plain });
    page.entry("truncated", &format!("{}: the outer end was not reached", of(q.truncated(), q.all())), Ink::Plain);
    page.entry("innermost app frame", &format!("named in {} of those at blocks", of(q.named, q.samples)), Ink::Plain);
    page.entry("with a waker", &of(q.with_waker, q.samples), Ink::Plain);
}

fn self_cost(page: &mut Page, report: &Report, snapshot: &Snapshot) {
    let own = &report.self_cost;
    page.title("What measuring costs");
    let with = |shown: String, origin: String| format!("{shown} ({origin})");
    page.entry("share of target's CPU", &with(figure(&own.share, |&s| percent(s)), origin(&own.share)), Ink::Plain);
    page.entry("per event", &with(figure(&own.per_event, |&ns| span(ns)), origin(&own.per_event)), Ink::Plain);
    page.entry("events", &count(own.events), Ink::Plain);
    let last = &snapshot.last.self_cost;
    let seconds = snapshot.interval.as_secs_f64().max(1e-9);
    let text = format!(
        "{} of CPU since the start, {} of a CPU now, {} of memory at most",
        own.daemon_cpu,
        percent(last.daemon_cpu.as_secs_f64() / seconds),
        bytes(own.daemon_bytes)
    );
    page.entry("the profiler", &text, Ink::Plain);
    let reference = match &report.reference {
        Some(r) => {
            format!("{} ± {} on a pipe, from {} blocks", span(r.per_block), span(r.standard_error), count(r.blocks))
        }
        None => format!("{NA}: not measured"),
    };
    page.entry("reference block", &reference, Ink::Plain);
}

fn target(page: &mut Page, report: &Report) {
    let facts = &report.facts;
    page.title("Target and machine");
    for process in &facts.processes {
        let container = process.container.as_ref().map_or_else(String::new, |c| format!(" in {}", clean(c)));
        page.entry(&process.tgid.to_string(), &format!("{}{container}", clean(&process.command)), Ink::Plain);
    }
    let machine = format!(
        "kernel {}, {} of {} CPUs allowed, programs attached as {}",
        clean(&facts.kernel),
        facts.allowed_cpus,
        facts.cpus,
        clean(&facts.form)
    );
    page.entry("machine", &machine, Ink::Plain);
    let windows = plural(report.window.windows.into(), "window", "windows");
    let window = format!("{} measured of {}, in {windows}", report.window.measured, report.window.wall);
    page.entry("measured", &window, Ink::Plain);
    for note in &facts.notes {
        page.wrapped(2, &clean(note), Ink::Plain);
    }
}
