//! Quality, self-cost, and the check against the kernel's own counters.

use super::{super::markup::Markup, words::told};
use crate::text::numbers::{self, NA, bytes, count, part, percent, plural, span};
use crate::{
    answer::{Counted, Profile, Report},
    quantity::Nanos,
};

fn line(page: &mut Markup, name: &'static str, text: &str) {
    page.raw("<dt>").raw(name).raw("</dt><dd>").name(text).raw("</dd>\n");
}

pub(super) fn render(page: &mut Markup, report: &Report, profile: &Profile) {
    page.raw("<section id=\"quality\"><h2>Quality and self-cost</h2>\n<dl>\n");
    losses(page, report, profile);
    let q = &report.quality;
    let open = plural(q.open_at_start, "thread", "threads");
    line(
        page,
        "open intervals",
        &format!(
            "{open} asleep when it began, {} still open at its end, {} without any event",
            count(q.open_at_end),
            count(q.silent)
        ),
    );
    line(
        page,
        "switch-ins",
        &format!("{} of which the kernel did not tell; booked as run-queue delay", count(q.missed_switch_ins)),
    );
    line(
        page,
        "births and ends",
        &format!(
            "{} born, {} gone, {} executed",
            plural(q.forks, "thread", "threads"),
            count(q.exits),
            plural(q.execs, "program", "programs")
        ),
    );
    let own = &report.self_cost;
    line(page, "events", &format!("{}; each: {}", count(own.events), told(&own.per_event, |&ns| span(ns))));
    let share = told(&own.share, |&r| format!("{} of the target's CPU", percent(r)));
    line(page, "kernel programs", &share);
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
    page.raw("</dl>\n");
    check(page, report);
    page.raw("</section>\n");
}

/// Every loss on a line of its own that cannot be overlooked.
fn losses(page: &mut Markup, report: &Report, profile: &Profile) {
    let q = &report.quality;
    let stacks = (profile.quality.lost, "stacks that found no room");
    let lost = || q.losses().into_iter().chain(q.evidence_losses()).chain([stacks]);
    if lost().all(|(n, _)| n == 0) {
        return line(page, "losses", "none");
    }
    for (n, what) in lost().filter(|&(n, _)| n > 0) {
        page.raw("<dt class=\"lost\">lost</dt><dd class=\"lost\">").text(&count(n)).raw(" ").raw(what).raw("</dd>\n");
    }
}

fn check(page: &mut Markup, report: &Report) {
    let check = &report.check;
    page.raw(
        "<h3>Against the kernel's own counters</h3>\n<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th></th>\
         <th scope=\"col\" class=\"n\">ours</th><th scope=\"col\" class=\"n\">kernel</th>\
         <th scope=\"col\" class=\"n\">difference</th></tr></thead><tbody>\n",
    );
    let mut row = |name: &'static str, cells: [String; 3]| {
        page.raw("<tr><th scope=\"row\">").raw(name).raw("</th>");
        for cell in cells {
            page.raw("<td class=\"n\">").text(&cell).raw("</td>");
        }
        page.raw("</tr>\n");
    };
    let counts = |c: Counted| [count(c.ours), count(c.kernel), numbers::difference(c.difference())];
    let times = |c: Counted| {
        let [ours, kernel] = [c.ours, c.kernel].map(|ns| Nanos::from_nanos(ns).to_string());
        [ours, kernel, difference(c, |d| c.ratio().map_or_else(|| span(d as f64), percent))]
    };
    row("voluntary switches", counts(check.voluntary));
    row("involuntary switches", counts(check.involuntary));
    row("blocks of all classes, against voluntary switches", counts(check.blocks));
    row("CPU by the tracepoints, against sum_exec_runtime", times(check.cpu));
    let charged = Counted { ours: check.cpu.ours.saturating_add_signed(check.charge), ..check.cpu };
    row("the same with what the kernel charges otherwise", times(charged));
    row(
        "CPU in all, against the process's CPU clock",
        match check.process_cpu {
            Some(cpu) => times(cpu),
            None => [report.cpu.total.to_string(), format!("{NA}: processes came or went"), NA.to_owned()],
        },
    );
    page.raw("</tbody></table></div>\n<p class=\"note\">");
    let left = report.wall.unknown + report.wall.excess;
    page.text(&format!(
        "Left over: {} of the wall time unknown or counted twice, {} of the CPU as rest.",
        part(left.as_nanos() as f64, report.wall.total),
        part(report.cpu.rest.round(), report.cpu.total)
    ));
    if !check.threads_that_differ.is_empty() {
        let threads = plural(check.threads_that_differ.len() as u64, "thread", "threads");
        page.raw(" <strong class=\"lost\">Counts differ in ").text(&threads).raw(".</strong>");
    }
    page.raw("</p>\n");
}

fn difference(counted: Counted, words: impl FnOnce(i64) -> String) -> String {
    match counted.difference() {
        0 => "exact".to_owned(),
        d => words(d),
    }
}
