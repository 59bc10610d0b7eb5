//! The tables: sites, threads, devices.

use maud::{Markup, html};

use super::super::markup::{Cell, Table};
use crate::text::numbers::{NA, bytes, count, span, span_range};
use crate::words::{self, InWords as _};
use crate::{
    answer::{Report, SiteView},
    quantity::Nanos,
};

/// Rows that a page holds; the JSON report has all of them.
const MOST_SITES: usize = 200;
const MOST_THREADS: usize = 50;

fn number(n: u64) -> Cell {
    Cell::figure(count(n), n as f64)
}

fn time(t: Nanos) -> Cell {
    Cell::figure(t.to_string(), t.as_nanos() as f64)
}

fn maybe(t: Option<Nanos>, why_not: &str) -> Cell {
    t.map_or_else(|| Cell::none(NA, why_not), time)
}

/// A section with a table, and what follows it; `None`: there is nothing to show, for this reason.
fn section(id: &str, title: &str, body: Result<Markup, &str>) -> Markup {
    html! {
        section id=(id) {
            h2 { (title) }
            "\n"
            @match body {
                Ok(body) => (body),
                Err(why) => p { (NA) ": " (why) "." },
            }
        }
        "\n"
    }
}

/// What is in the JSON report only.
fn more(text: Option<String>) -> Markup {
    html! { @if let Some(text) = text { p class="note" { (text) ": see the JSON report." } } }
}

pub(super) fn sites(report: &Report) -> Markup {
    let body = if report.sites.is_empty() { Err(words::NO_CALL) } else { Ok(site_table(report)) };
    section("sites", "Sites: which calls blocked", body)
}

fn site_table(report: &Report) -> Markup {
    let mut table = Table::new([
        ("syscall", "the call"),
        ("class", "what it waits for"),
        ("descriptor", "of the last call, or the address after the syscall instruction"),
        ("calls", "calls that returned"),
        ("blocked", "calls that blocked"),
        ("blocked time", "sum over its blocks"),
        ("mean", "mean blocked time of a call that blocked"),
        ("p99", words::BLOCKED_P99),
        ("run-queue", "mean run-queue delay of a call that blocked"),
        ("CPU blocked", words::CPU_BLOCKED),
        ("CPU not", words::CPU_NOT_BLOCKED),
        ("cost per call", words::COST_PER_CALL),
        ("cost", "direct cost of all its blocks, with its 90 % interval"),
        ("against", "what the cost is based on"),
        ("bytes", "bytes moved"),
        ("errors", "calls that returned an error"),
    ]);
    for site in report.sites.iter().take(MOST_SITES) {
        table.row(site_row(site));
    }
    let rest = report.sites.get(MOST_SITES..).filter(|rest| !rest.is_empty()).map(|rest| {
        let blocked: Nanos = rest.iter().map(|s| s.blocked).sum();
        words::more_sites(rest.len(), blocked)
    });
    let caption = format!("{}; click on a column's name to sort by it", words::title(words::SITES_ORDER));
    html! { (table.render(&caption)) (more(rest)) }
}

fn site_row(site: &SiteView) -> [Cell; 16] {
    let blocked = site.blocked_calls > 0;
    let no_base = site.without_cost();
    let (per_call, cost, against) = match &site.direct {
        Some(d) => {
            let range = format!("{} ({})", span(d.total.value), span_range(d.total));
            (Cell::figure(span(d.per_call), d.per_call), Cell::figure(range, d.total.value), Cell::word(d.basis.name()))
        }
        None => (Cell::none(NA, no_base), Cell::none(NA, no_base), Cell::word(format!("{NA}: {no_base}"))),
    };
    let why = if blocked { words::NOT_MEASURED } else { words::NO_CALL_BLOCKED };
    [
        Cell::word(&site.syscall),
        Cell::word(site.class.name()),
        Cell::word(site.what()),
        number(site.calls),
        number(site.blocked_calls),
        time(site.blocked),
        maybe(site.blocked_mean, why),
        maybe(site.blocked_p99, why),
        maybe(site.run_delay_mean, why),
        maybe(site.cpu_blocked_mean, why),
        maybe(site.cpu_direct_mean, words::ALL_CALLS_BLOCKED),
        per_call,
        cost,
        against,
        Cell::figure(bytes(site.bytes), site.bytes as f64),
        number(site.errors),
    ]
}

pub(super) fn threads(report: &Report) -> Markup {
    let body = if report.threads.is_empty() { Err(words::NO_THREAD) } else { Ok(thread_table(report)) };
    section("threads", "Threads", body)
}

fn thread_table(report: &Report) -> Markup {
    let mut table = Table::new([
        ("thread", "its id"),
        ("process", "its process"),
        ("name", "as the thread calls itself"),
        ("role", "what it is in its program"),
        (words::TOLD_FROM, "what shows its role"),
        ("wall", "time it was there"),
        ("CPU", "on a CPU"),
        ("user", "of that, in user mode"),
        ("run-queue", "run-queue delay"),
        ("blocked", "blocked time"),
        ("mostly on", "what it was blocked on longest"),
        ("voluntary", "switches because it blocked"),
        ("involuntary", "switches because it was preempted"),
        ("calls", "syscalls that returned"),
        ("burst", words::BURST),
        ("at the end", "how the measurement left it"),
    ]);
    for t in report.threads.iter().take(MOST_THREADS) {
        let name = if t.name.is_empty() { words::NO_NAME } else { t.name.as_str() };
        table.row([
            Cell::figure(t.tid.to_string(), f64::from(t.tid.as_raw())),
            Cell::figure(t.tgid.to_string(), f64::from(t.tgid.as_raw())),
            Cell::word(name),
            Cell::word(t.role.role.name()),
            Cell::word(t.role.basis.in_words()),
            time(t.wall),
            time(t.cpu),
            time(t.user),
            time(t.run_delay),
            time(t.blocked),
            t.mostly.map_or_else(|| Cell::none(NA, words::NEVER_BLOCKED), |c| Cell::word(c.name())),
            number(t.voluntary),
            number(t.involuntary),
            number(t.calls),
            maybe(t.burst_mean, words::NEVER_BLOCKED),
            Cell::word(t.open_end.in_words()),
        ]);
    }
    let rest = report.threads.get(MOST_THREADS..).filter(|rest| !rest.is_empty()).map(|rest| {
        let cpu: Nanos = rest.iter().map(|t| t.cpu).sum();
        words::more_threads(rest.len(), cpu)
    });
    html! { (table.render(&words::title(words::THREADS_ORDER))) (more(rest)) }
}

pub(super) fn devices(report: &Report) -> Markup {
    if report.devices.is_empty() {
        return Markup::default();
    }
    let mut table = Table::new([
        ("device", "its name"),
        ("requests", "the target's own, completed"),
        ("reads", "of that, reads"),
        ("bytes", "moved by them"),
        ("queued", "mean time from insert to issue"),
        ("served", "mean time from issue to completion"),
        ("p50", words::SERVED_QUANTILE),
        ("p99", words::SERVED_QUANTILE),
        ("others'", "requests that were not the target's, writeback included"),
    ]);
    for device in &report.devices {
        let own = &device.record.target;
        let mean = |sum: Nanos| sum.as_nanos().checked_div(own.requests).map(Nanos::from_nanos);
        let why = words::NO_REQUEST;
        table.row([
            Cell::word(&device.name),
            number(own.requests),
            number(own.reads),
            Cell::figure(bytes(own.bytes), own.bytes as f64),
            maybe(mean(own.queue_time), why),
            maybe(mean(own.service_time), why),
            maybe(device.service_p50, why),
            maybe(device.service_p99, why),
            number(device.record.others.requests),
        ]);
    }
    let body = html! {
        (table.render(&words::title(words::OWN_REQUESTS)))
        p class="note" {
            (report.device_time()) "."
        }
    };
    section("devices", "Devices", Ok(body))
}
