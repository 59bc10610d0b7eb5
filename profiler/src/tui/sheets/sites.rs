//! The table of call sites that block.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::text::{
    clean::clean,
    numbers::{NA, bytes, maybe, short as count, span},
};
use crate::{
    answer::SiteView,
    cost::Basis,
    tui::table::{Column, Sheet, by_name},
};

/// `read tcp 10.0.0.1:80 ← 10.0.0.2:4711`
pub(in crate::tui) fn name(site: &SiteView) -> String {
    let syscall = clean(&site.syscall);
    let class = site.class.name();
    let what = clean(&site.what());
    if syscall == class { format!("{syscall} {what}") } else { format!("{syscall} {class} {what}") }
}

/// What a block costs; `~` where it is compared with anything but the same site.
fn cost(site: &SiteView, of: fn(crate::cost::DirectCost) -> f64) -> String {
    match site.direct {
        Some(direct) if direct.basis == Basis::SameSite => span(of(direct)),
        Some(direct) => format!("~{}", span(of(direct))),
        None => NA.to_owned(),
    }
}

fn total(site: &SiteView) -> f64 {
    site.direct.map_or(f64::NEG_INFINITY, |d| d.total.value)
}

fn per_call(site: &SiteView) -> f64 {
    site.direct.map_or(f64::NEG_INFINITY, |d| d.per_call)
}

/// The columns of the table of sites.
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
    // By blocked time.
    sorted_by: "for",
    least: 38,
    id: |s| {
        let mut hasher = DefaultHasher::new();
        (&s.syscall, s.class, s.ip, s.tgid).hash(&mut hasher);
        hasher.finish()
    },
    words: |s| format!("{} {} {}", name(s), s.ip, s.tgid),
};
