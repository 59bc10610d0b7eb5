//! Quality and self-cost: what was lost, and what measuring cost.

use super::{
    options::TextOptions,
    page::{Ink, Page},
};
use crate::{aggregate::Quality, answer::Report, text::numbers::count, words};

const LEAD: usize = 18;

pub(super) fn render(page: &mut Page, report: &Report, options: &TextOptions) {
    let quality = &report.quality;
    page.title("QUALITY AND SELF-COST", "");
    losses(page, quality);
    line(page, "open intervals", &quality.open_intervals());
    if quality.missed_switch_ins > 0 || options.verbose {
        line(page, "switch-ins", &quality.switch_ins());
    }
    if quality.raced_wakes > 0 || options.verbose {
        line(page, "raced wake-ups", &quality.raced());
    }
    if quality.forks + quality.execs + quality.exits > 0 {
        line(page, "births and ends", &quality.births());
    }
    line(page, "events", &report.events());
    line(page, "kernel programs", &report.programs());
    line(page, "the target pays", &report.paid());
    line(page, "others pay", &report.others_pay());
    line(page, "the profiler", &report.profiler());
    line(page, "reference block", &words::reference(report.reference.as_ref()));
}

fn line(page: &mut Page, name: &str, text: &str) {
    page.wrapped(Ink::Plain, &format!("  {name:<LEAD$}"), text);
}

/// Every loss stands on a line of its own, so that nobody overlooks it.
fn losses(page: &mut Page, quality: &Quality) {
    let lost = quality.losses();
    if lost.iter().all(|&(n, _)| n == 0) {
        return line(page, "losses", "none");
    }
    for (n, what) in lost.into_iter().filter(|&(n, _)| n > 0) {
        page.wrapped(Ink::Bold, &format!("  {:<LEAD$}", "!! LOST"), &format!("{} {}", count(n), what.words()));
    }
}
