//! Blocking sites: the table, and behind each row its stacks and costs.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    answer::{Profile, SiteView, Stack, Weight},
    cost::Basis,
    feed::Snapshot,
    quantity::Nanos,
    symbol::Frame,
    text::numbers::{bytes, short as count},
    tui::{
        app::{App, SiteKey},
        page::Page,
        pen::Pen,
        table::{Column, Sheet, by_name},
        text::{NA, NOTHING, bracketed, clean, maybe, percent, rate, span},
        theme::Ink,
    },
};

/// Sorted by blocked time at first.
pub(in crate::tui) const SORTED_BY: usize = 2;

/// `read tcp 10.0.0.1:80 ← 10.0.0.2:4711`
fn name(site: &SiteView) -> String {
    let syscall = clean(&site.syscall);
    let class = site.class.name();
    let what = if site.descriptor.is_empty() { format!("at {}", site.ip) } else { clean(&site.descriptor) };
    if syscall == class { format!("{syscall} {what}") } else { format!("{syscall} {class} {what}") }
}

/// What a block costs; `~` where it is compared with anything but the same site.
fn cost(site: &SiteView, of: fn(crate::cost::DirectCost) -> f64) -> String {
    match site.direct {
        Some(direct) if direct.basis == Basis::SameSite => span(of(direct)),
        Some(direct) => format!("~{}", span(of(direct))),
        None if site.blocked_calls == 0 => NOTHING.to_owned(),
        None => NA.to_owned(),
    }
}

fn total(site: &SiteView) -> f64 {
    site.direct.map_or(f64::NEG_INFINITY, |d| d.total.value)
}

fn per_call(site: &SiteView) -> f64 {
    site.direct.map_or(f64::NEG_INFINITY, |d| d.per_call)
}

/// The table.
pub(in crate::tui) static SHEET: Sheet<SiteView> = Sheet {
    columns: &[
        Column {
            name: "call, class, descriptor",
            width: 0,
            right: false,
            rank: 0,
            largest_first: false,
            text: name,
            order: |a, b| by_name(&name(a), &name(b)),
        },
        Column::number("blocked", 9, 2, |s| count(s.blocked_calls), |a, b| a.blocked_calls.cmp(&b.blocked_calls)),
        Column::number("for", 8, 0, |s| s.blocked.to_string(), |a, b| a.blocked.cmp(&b.blocked)),
        Column::number("cost", 9, 1, |s| cost(s, |d| d.per_call), |a, b| per_call(a).total_cmp(&per_call(b))),
        Column::number("in all", 9, 3, |s| cost(s, |d| d.total.value), |a, b| total(a).total_cmp(&total(b))),
        Column::number("mean", 8, 4, |s| maybe(s.blocked_mean), |a, b| a.blocked_mean.cmp(&b.blocked_mean)),
        Column::number("p99", 8, 6, |s| maybe(s.blocked_p99), |a, b| a.blocked_p99.cmp(&b.blocked_p99)),
        Column::number("calls", 9, 5, |s| count(s.calls), |a, b| a.calls.cmp(&b.calls)),
        Column::number("run-q", 8, 7, |s| maybe(s.run_delay_mean), |a, b| a.run_delay_mean.cmp(&b.run_delay_mean)),
        Column::number(
            "CPU blk",
            8,
            8,
            |s| maybe(s.cpu_blocked_mean),
            |a, b| a.cpu_blocked_mean.cmp(&b.cpu_blocked_mean),
        ),
        Column::number("CPU not", 8, 9, |s| maybe(s.cpu_direct_mean), |a, b| a.cpu_direct_mean.cmp(&b.cpu_direct_mean)),
        Column::number("bytes", 10, 10, |s| bytes(s.bytes), |a, b| a.bytes.cmp(&b.bytes)),
        Column::number("errors", 8, 11, |s| count(s.errors), |a, b| a.errors.cmp(&b.errors)),
    ],
    least: 38,
    id: |s| {
        let mut hasher = DefaultHasher::new();
        (&s.syscall, s.class, s.ip, s.tgid).hash(&mut hasher);
        hasher.finish()
    },
    words: |s| format!("{} {} {}", name(s), s.ip, s.tgid),
};

pub(super) fn draw(pen: &mut Pen<'_>, app: &App) {
    if let Some(report) = app.report() {
        if report.sites.is_empty() {
            pen.text(0, 0, "no call was seen", Ink::Dim);
            return;
        }
        app.sites.draw(pen, &SHEET, &report.sites, &app.searched());
    }
}

/// A site in full.
pub(super) fn detail(page: &mut Page, key: &SiteKey, app: &App, snapshot: &Snapshot) {
    let report = &snapshot.whole;
    let Some((index, site)) = key.find(report).and_then(|i| Some((i, report.sites.get(i)?))) else {
        page.wrapped(0, "this site is not in what is measured now; Esc goes back", Ink::Plain);
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
            "{} in all; mean {}, p99 {} (to a factor of two); then run-queue delay {}",
            site.blocked,
            maybe(site.blocked_mean),
            maybe(site.blocked_p99),
            maybe(site.run_delay_mean)
        ),
    );
    let direct = match site.direct {
        Some(direct) => format!(
            "{} per call that blocked, {} in all ({} to {}, 90 %); {}, against: {}",
            span(direct.per_call),
            span(direct.total.value),
            span(direct.total.low),
            span(direct.total.high),
            if direct.basis == Basis::SameSite { "measured" } else { "modelled" },
            direct.basis.name()
        ),
        None if site.blocked_calls == 0 => "none: no call blocked".to_owned(),
        None => format!("{NA}: there is nothing to compare its blocking calls with"),
    };
    line("direct cost", &direct);
    line(
        "kernel CPU of a call",
        &format!(
            "{} where it blocked ({} before the block), {} where it did not",
            maybe(site.cpu_blocked_mean),
            maybe(site.cpu_before_mean),
            maybe(site.cpu_direct_mean)
        ),
    );
    line(
        "user window after it",
        &format!(
            "{} where it blocked, {} where it did not; {} left out (preempted)",
            maybe(site.user_after_blocked),
            maybe(site.user_after_direct),
            count(site.windows_preempted)
        ),
    );
}

/// Stacks shown at most.
const MOST: usize = 20;

fn stacks(page: &mut Page, index: usize, profile: &Profile, weight: Weight) {
    if let Some(why) = &profile.unavailable {
        page.title("Stacks");
        page.wrapped(2, &format!("{NA}: {}", clean(why)), Ink::Plain);
        return;
    }
    // What is asked for in the flame graph, unless it says nothing of blocks.
    let weight = if weight == Weight::Cpu { Weight::Blocked } else { weight };
    let mut here: Vec<&Stack> = profile.stacks.iter().filter(|s| s.site == Some(index)).collect();
    here.sort_by_key(|s| std::cmp::Reverse(s.weights.of(weight)));
    let total: u64 = here.iter().map(|s| s.weights.of(weight)).sum();
    page.title(&format!("Stacks, by: {} (w in the flame graph chooses)", weight.title()));
    if here.is_empty() {
        page.wrapped(2, "none was taken here", Ink::Plain);
    }
    for stack in here.iter().take(MOST) {
        let own = stack.weights.of(weight);
        let part = if total > 0 { percent(own as f64 / total as f64) } else { NOTHING.to_owned() };
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

/// `serve  server.rs:41 [echo-server]`
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
