//! Blocking sites: the table, and behind each row its stacks and costs.

use crate::text::{
    clean::clean,
    numbers::{NA, bytes, maybe, rate, ratio, short as count},
};
use crate::{
    answer::{Profile, SiteView, Stack, Weight},
    feed::Snapshot,
    quantity::Nanos,
    symbol::Frame,
    tui::{
        app::{App, SiteKey},
        page::Page,
        pen::Pen,
        sheets::sites::{SHEET, name},
        text::bracketed,
        theme::Ink,
    },
    words,
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App) {
    if let Some(report) = app.report() {
        if report.sites.is_empty() {
            pen.text(0, 0, &format!("{NA}: {}", words::NO_CALL), Ink::Dim);
            return;
        }
        app.sites.draw(pen, &SHEET, &report.sites, &app.searched());
    }
}

/// A site in full.
pub(super) fn detail(page: &mut Page, key: &SiteKey, app: &App, snapshot: &Snapshot) {
    let report = &snapshot.whole;
    let Some((index, site)) = key.find(report).and_then(|i| Some((i, report.sites.get(i)?))) else {
        page.wrapped(0, "this site is no part of what is measured now; Esc goes back", Ink::Plain);
        return;
    };
    page.title(&name(site));
    figures(page, site);
    if let Some(last) = key.find(&snapshot.last).and_then(|i| snapshot.last.sites.get(i)) {
        let seconds = snapshot.interval.as_secs_f64();
        let text = format!(
            "{} calls, {} blocked, for {}",
            rate(last.calls, seconds),
            rate(last.blocked_calls, seconds),
            last.blocked
        );
        page.entry("last interval", &text, Ink::Plain);
    }
    stacks(page, index, &snapshot.profile, app.flame.weight);
}

fn figures(page: &mut Page, site: &SiteView) {
    let mut line = |name: &str, text: &str| page.entry(name, text, Ink::Plain);
    let unknown = || format!("{NA}: the call has none, or it was closed before it could be looked up");
    let descriptor = if site.descriptor.is_empty() { unknown() } else { clean(&site.descriptor) };
    line("descriptor", &descriptor);
    line("where", &format!("{} in process {}", site.ip, site.tgid));
    line(
        "calls",
        &format!(
            "{}, {} of them blocked ({} blocks), {} errors, {}",
            count(site.calls),
            count(site.blocked_calls),
            count(site.blocks),
            count(site.errors),
            bytes(site.bytes)
        ),
    );
    line(
        "blocked",
        &format!(
            "{} in all; mean {}, p99 {} ({}); then run-queue delay {}",
            site.blocked,
            maybe(site.blocked_mean),
            maybe(site.blocked_p99),
            words::TO_A_FACTOR_OF_TWO,
            maybe(site.run_delay_mean)
        ),
    );
    line("direct cost", &site.cost_words());
    line(
        "kernel CPU of a call",
        &format!(
            "{} where it blocked ({} before the block), {} where it did not",
            maybe(site.cpu_blocked_mean),
            maybe(site.cpu_before_mean),
            maybe(site.cpu_direct_mean)
        ),
    );
    line("user window", &site.user_windows());
}

/// Stacks shown at most.
const MOST: usize = 20;

fn stacks(page: &mut Page, index: usize, profile: &Profile, weight: Weight) {
    if let Some(why) = &profile.unavailable {
        page.title("Stacks");
        page.wrapped(2, &format!("{NA}: {}", clean(why)), Ink::Plain);
        return;
    }
    // The weight of the flame graph, unless it says nothing of blocks.
    let weight = if weight == Weight::Cpu { Weight::Blocked } else { weight };
    let mut here: Vec<&Stack> = profile.stacks.iter().filter(|s| s.site == Some(index)).collect();
    here.sort_by_key(|s| std::cmp::Reverse(s.weights.part(weight)));
    let total: u64 = here.iter().map(|s| s.weights.part(weight)).sum();
    page.title(&format!("Stacks, by: {} (w in the flame graph chooses)", weight.title()));
    if here.is_empty() {
        page.wrapped(2, &format!("{NA}: {}", words::NO_STACK_HERE), Ink::Plain);
    }
    for stack in here.iter().take(MOST) {
        let own = stack.weights.part(weight);
        let part = ratio(own, total);
        let samples = match stack.samples {
            0 => "not sampled".to_owned(),
            n => format!("{} samples", count(n)),
        };
        page.wrapped(2, &format!("{part}  {}  {samples}", Nanos::from_nanos(own)), Ink::Bold);
        for frame in stack.frames.iter().rev().filter_map(|&f| profile.frame(f)) {
            self::frame(page, frame);
        }
        if !stack.waker.is_empty() {
            page.wrapped(4, "-- woken by --", Ink::Dim);
        }
        for frame in stack.waker.iter().filter_map(|&f| profile.frame(f)) {
            self::frame(page, frame);
        }
    }
    if here.len() > MOST {
        page.wrapped(2, &format!("… and {} stacks more", count((here.len() - MOST) as u64)), Ink::Dim);
    }
}

/// Draws one frame: `serve  server.rs:41 [echo-server]`.
fn frame(page: &mut Page, frame: &Frame) {
    let mut text = clean(&frame.name);
    if let Some((file, line)) = &frame.source {
        text.push_str(&format!("  {}:{line}", clean(file)));
    }
    text.push_str(&bracketed(&frame.module));
    if frame.inlined {
        text.push_str(" (inlined)");
    }
    page.wrapped(4, &text, if frame.named { Ink::Plain } else { Ink::Dim });
}
