//! The log of quality: what was lost or left open, how good the stacks are, what measuring cost,
//! whether the kernel's own counters agree; then notes and messages.

use crate::text::{
    clean::clean,
    numbers::{NA, clock, percent, short as count},
};
use crate::{
    answer::{Check, Counted, Profile, Report},
    feed::Snapshot,
    quantity::Nanos,
    tui::{app::App, page::Page, theme::Ink},
    words,
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
    page.entry("open intervals", &q.open_intervals(), Ink::Plain);
    page.entry("switch-ins", &q.switch_ins(), Ink::Plain);
    page.entry("raced wake-ups", &q.raced(), Ink::Plain);
    page.entry("births and ends", &q.births(), Ink::Plain);
}

fn check(page: &mut Page, report: &Report) {
    let check = &report.check;
    page.title(&words::title(Check::TITLE));
    for (name, c) in check.counted() {
        let text = format!("{} ours, {} the kernel's: {}", count(c.ours), count(c.kernel), words::counts(c));
        page.entry(name.name, &text, if c.difference() == 0 { Ink::Plain } else { Ink::Bad });
    }
    for (name, c) in check.timed() {
        page.entry(name.name, &compared_times(c), Ink::Plain);
    }
    let in_all = check.process_cpu.map_or_else(|| format!("{NA}: {}", report.no_clock()), compared_times);
    page.entry(Check::IN_ALL.name, &in_all, Ink::Plain);
    if let Some(differing) = check.differing() {
        page.wrapped(2, &format!("!! {differing}"), Ink::Bad);
    }
    if let Some(left) = report.left_over() {
        page.wrapped(2, &left, Ink::Plain);
    }
}

fn compared_times(c: Counted) -> String {
    let [ours, kernel] = [c.ours, c.kernel].map(Nanos::from_nanos);
    format!("{ours} ours, {kernel} the kernel's: {}", words::times(c))
}

fn stacks(page: &mut Page, profile: &Profile) {
    page.title("Stacks");
    if let Some(why) = &profile.unavailable {
        page.wrapped(2, &format!("{NA}: {}", clean(why)), Ink::Plain);
        return;
    }
    let q = &profile.quality;
    page.entry("taken", &q.taken(), Ink::Plain);
    page.entry("lost", &count(q.lost), if q.lost > 0 { Ink::Bad } else { Ink::Plain });
    page.entry("truncated", &q.ends(), Ink::Plain);
    page.entry("named", &q.names(), Ink::Plain);
}

fn self_cost(page: &mut Page, report: &Report, snapshot: &Snapshot) {
    page.title("What measuring costs");
    page.entry("events", &report.events(), Ink::Plain);
    page.entry("kernel programs", &report.programs(), Ink::Plain);
    page.entry("the target pays", &report.paid(), Ink::Plain);
    page.entry("others pay", &report.others_pay(), Ink::Plain);
    let last = &snapshot.last.self_cost;
    let seconds = snapshot.interval.as_secs_f64().max(1e-9);
    let now = percent(last.own_cpu.as_secs_f64() / seconds);
    page.entry("the profiler", &format!("{}; {now} of a CPU now", report.profiler()), Ink::Plain);
    page.entry("reference block", &words::reference(report.reference.as_ref()), Ink::Plain);
}

fn target(page: &mut Page, report: &Report) {
    let facts = &report.facts;
    page.title("Target and machine");
    for process in &facts.processes {
        let container = process.container.as_ref().map_or_else(String::new, |c| format!(" in {}", clean(c)));
        page.entry(&process.tgid.to_string(), &format!("{}{container}", clean(&process.command)), Ink::Plain);
    }
    page.entry("machine", &clean(&facts.machine()), Ink::Plain);
    page.entry("time", &report.window.words(), Ink::Plain);
    for note in &facts.notes {
        page.wrapped(2, &clean(note), Ink::Plain);
    }
}
