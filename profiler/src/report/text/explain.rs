//! `check --explain`: how this very figure came about, step by step.

use super::{
    page::{Ink, Page},
    words::{figure, with_origin},
};
use crate::text::{
    clean::clean,
    numbers::{self, count, percent, range, span},
};
use crate::{
    answer::Report,
    cost,
    event::Family,
    predict::{Scenario, Unsure},
    quantity::Figure,
    words,
};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.title("HOW IT CAME ABOUT", "docs/method.md has the reasons");
    counted(page, report);
    priced(page, report);
    indirect(page, report);
    whole(page, report);
    for scenario in &report.what_if.scenarios {
        sum(page, scenario, report.what_if.cpu);
    }
}

/// Sites whose lines are shown.
const SITES: usize = 5;

/// A share of the CPU from which a doubt is shown.
const SHOWN: f64 = 0.000_05;

fn step(page: &mut Page, number: u32, text: &str) {
    page.wrapped_at(Ink::Plain, &format!("  {number}. "), 5, text);
}

fn detail(page: &mut Page, text: &str) {
    page.wrapped_at(Ink::Plain, "     ", 7, text);
}

fn counted(page: &mut Page, report: &Report) {
    let io = report.wall.blocks_in(Family::BlockingIo);
    let all: u64 = report.wall.classes.iter().map(|l| l.blocks).sum();
    step(
        page,
        1,
        &format!(
            "Counted: {} blocks in {}, {} of them blocking IO ({}).",
            count(all),
            report.window.measured,
            count(io),
            words::BLOCKING_IO
        ),
    );
    for line in report.wall.classes.iter().filter(|l| l.blocks > 0) {
        detail(page, &format!("{}: {} blocks", line.class.name(), count(line.blocks)));
    }
}

fn priced(page: &mut Page, report: &Report) {
    let e = &report.estimators;
    step(page, 2, "Priced: direct cost of one blocking-IO block, by three estimators.");
    let line = |name: &str, f: &Figure<f64, cost::Note>| format!("{name}: {}", with_origin(f, |&ns| span(ns)));
    detail(page, &line("(a) in place", &e.in_place));
    detail(page, &line("(b) sampled", &e.sampled));
    detail(page, &line("(c) calibrated", &e.calibrated));
    if let Some(why) = words::disagreement(&e.disagreements) {
        detail(page, &why);
    }
    let used = report.score.direct.value().map(|&share| {
        format!(
            "Direct part of the score: {} of CPU; the kernel's charge for the way out of idle is in it, the hooks' own run time is not.",
            percent(share)
        )
    });
    if let Some(text) = used {
        detail(page, &text);
    }
    if let Some(priced) = &report.what_if.priced {
        let prices = &priced.prices;
        let blocks = prices.all();
        detail(
            page,
            &format!(
                "Used: {} per block ({}); handed over from thread to thread {}; a sleep of a loop {}.",
                span(blocks.direct / blocks.count.max(1.0)),
                words::base(prices.basis),
                span(prices.near),
                with_origin(&prices.sleep, |&ns| span(ns))
            ),
        );
        detail(
            page,
            &format!(
                "Wake-ups out of blocking IO by its own threads: {}, each costs the waker {}; of other processes by its \
                 calls: {}, {} each without what the hooks add.",
                count(prices.own_wakes as u64),
                with_origin(&prices.wake, |&ns| span(ns)),
                count(prices.other_wakes as u64),
                figure(&prices.other_wake, |&ns| span(ns))
            ),
        );
    }
}

fn indirect(page: &mut Page, report: &Report) {
    step(page, 3, &format!("Indirect: {}.", words::INDIRECT));
    let counted = report.indirect.counted.clone().map_note(cost::Note::Counters);
    let parts = [
        ("user mode, hardware counters", &counted),
        ("user windows", &report.indirect.user),
        ("kernel windows", &report.indirect.kernel),
    ];
    for (name, effect) in parts {
        detail(page, &format!("{name}: {}", with_origin(effect, |e| e.words())));
    }
    let Some(ipc) = report.ipc.value() else { return };
    detail(
        page,
        "Windows after returns, cycles = a + b·instructions; what a block costs is its a less that of a direct call:",
    );
    for site in ipc.sites.iter().filter(|s| s.cost.value().is_some()).take(SITES) {
        detail(page, &format!("{}: {}", clean(&site.name()), site.words()));
    }
    if ipc.cost.value().is_some() {
        detail(page, &format!("Used: {}. The user windows above are shown for comparison.", ipc.cost_words()));
    }
}

fn whole(page: &mut Page, report: &Report) {
    let what_if = &report.what_if;
    step(
        page,
        4,
        &format!(
            "The whole: {} of CPU, {} of it the hooks' own; shares are of the other {}.",
            report.cpu.total,
            span(what_if.hooks),
            span(what_if.cpu)
        ),
    );
    if let Some(refusal) = what_if.refusal() {
        step(page, 5, &format!("What async would give back: {}.", clean(&refusal)));
    }
}

fn sum(page: &mut Page, scenario: &Scenario, cpu: f64) {
    page.wrapped_at(Ink::Plain, "  5. ", 5, &format!("{}: {}.", scenario.way.name(), scenario.way.words()));
    for term in &scenario.terms {
        detail(
            page,
            &format!("{:>10}  {} ({})", numbers::term(term.ns / cpu), clean(&term.what()), clean(&term.how())),
        );
    }
    detail(page, &format!("= {} (90 %: {})", numbers::term(scenario.saving.value), range(scenario.saving)));
    let Unsure { less, more } = scenario.unsure;
    detail(
        page,
        &format!(
            "The interval is {}. That error is {} downwards and {} upwards.",
            words::intervals(scenario.kind),
            percent(less),
            percent(more)
        ),
    );
    for doubt in scenario.doubts.iter().filter(|d| d.change.abs() >= SHOWN) {
        detail(page, &format!("{:>10}  {}", numbers::term(doubt.change), doubt.assumption.if_so()));
    }
    detail(page, &format!("With all of these at their full size: {}.", range(scenario.bounds)));
}
