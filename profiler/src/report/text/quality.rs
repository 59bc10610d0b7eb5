//! Quality and self-cost: what was lost, and what measuring cost.

use super::{
    options::TextOptions,
    page::{Ink, Page},
    words::{figure, provenance},
};
use crate::text::numbers::{NA, bytes, count, percent, plural, span};
use crate::{aggregate::Quality, answer::Report, quantity::Provenance};

const LEAD: usize = 18;

pub(super) fn render(page: &mut Page, report: &Report, options: &TextOptions) {
    let quality = &report.quality;
    page.title("QUALITY AND SELF-COST", "");
    losses(page, quality);
    line(
        page,
        "open intervals",
        &format!(
            "{} asleep when it began, {} still open at its end, {} without any event",
            plural(quality.open_at_start, "thread", "threads"),
            count(quality.open_at_end),
            count(quality.silent)
        ),
    );
    if quality.missed_switch_ins > 0 || options.verbose {
        let text =
            format!("{} of which the kernel did not tell; booked as run-queue delay", count(quality.missed_switch_ins));
        line(page, "switch-ins", &text);
    }
    if quality.raced_wakes > 0 || options.verbose {
        line(page, "raced wake-ups", &format!("{} seen before the switch-out they answer", count(quality.raced_wakes)));
    }
    if quality.forks + quality.execs + quality.exits > 0 {
        line(
            page,
            "births and ends",
            &format!(
                "{} born, {} gone, {} executed",
                plural(quality.forks, "thread", "threads"),
                count(quality.exits),
                plural(quality.execs, "program", "programs")
            ),
        );
    }
    let own = &report.self_cost;
    let per_event = match own.per_event.value() {
        Some(&ns) => format!("{} each, {}", span(ns), provenance(&own.per_event)),
        None => format!("cost of each {NA}: {}", provenance(&own.per_event)),
    };
    line(page, "events", &format!("{}; {per_event}", count(own.events)));
    let share = figure(&own.share, |&r| format!("{} of the target's CPU", percent(r)));
    let joint = if own.share.provenance() == Provenance::Unavailable { ": " } else { "; " };
    line(page, "kernel programs", &format!("{share}{joint}{}", provenance(&own.share)));
    line(page, "the profiler", &format!("{} of CPU, {} of memory at most", own.daemon_cpu, bytes(own.daemon_bytes)));
    let reference = match &report.reference {
        Some(r) => format!(
            "{} ± {} of kernel CPU, from {} on a pipe of the profiler's own",
            span(r.per_block),
            span(r.standard_error),
            plural(r.blocks, "block", "blocks")
        ),
        None => format!("{NA}: not measured"),
    };
    line(page, "reference block", &reference);
}

fn line(page: &mut Page, name: &str, text: &str) {
    page.wrapped(Ink::Plain, &format!("  {name:<LEAD$}"), text);
}

/// Every loss, each on a line of its own that cannot be overlooked.
fn losses(page: &mut Page, quality: &Quality) {
    let lost = quality.losses();
    if lost.iter().all(|&(n, _)| n == 0) {
        return line(page, "losses", "none");
    }
    for (n, what) in lost.into_iter().filter(|&(n, _)| n > 0) {
        page.wrapped(Ink::Bold, &format!("  {:<LEAD$}", "!! LOST"), &format!("{} {}", count(n), what.words()));
    }
}
