//! The blocking sites: which calls waited, on what, and what that cost.

use super::{
    options::TextOptions,
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::text::{
    clean::clean,
    fit::{cut_middle, width},
    numbers::{NA, bytes, maybe, plural, short, span},
};
use crate::{
    answer::{Report, SiteView},
    quantity::Nanos,
    words,
};

pub(super) fn render(page: &mut Page, report: &Report, options: &TextOptions) {
    let (blocked, never): (Vec<&SiteView>, Vec<&SiteView>) =
        report.sites.iter().partition(|s| s.blocked_calls > 0 || s.blocks > 0);
    page.title("BLOCKING SITES", if blocked.is_empty() { "" } else { words::SITES_ORDER });
    // The honest line where there is nothing of what the tool is about.
    if let Some(none) = report.no_io() {
        page.wrapped(Ink::Plain, "  ", none);
    }
    let shown: Vec<&SiteView> = blocked.iter().take(options.top_sites).copied().collect();
    list(page, &shown, options.verbose);
    if !shown.is_empty() {
        page.wrapped_at(Ink::Dim, "  ", 4, words::SITE_COLUMNS);
    }
    let more = blocked.len() - shown.len();
    if more > 0 {
        let time: Nanos = blocked.iter().skip(shown.len()).map(|s| s.blocked).sum();
        page.wrapped(Ink::Plain, "  ", &words::more_sites(more, time));
    }
    if never.is_empty() {
        return;
    }
    let calls = plural(never.iter().map(|s| s.calls).sum(), "call", "calls");
    let sites = plural(never.len() as u64, "site", "sites");
    page.wrapped(Ink::Plain, "  ", &format!("{sites} never blocked ({calls})"));
    if options.verbose {
        list(page, &never, true);
    }
}

fn list(page: &mut Page, sites: &[&SiteView], verbose: bool) {
    if sites.is_empty() {
        return;
    }
    let mut table = Table::new(
        [
            ("calls", Side::Right),
            ("blocked", Side::Right),
            ("mean", Side::Right),
            ("p99", Side::Right),
            ("run-q", Side::Right),
            ("CPU blk", Side::Right),
            ("CPU not", Side::Right),
            ("cost", Side::Right),
            ("against", Side::Left),
        ],
        8,
    );
    for site in sites {
        table.row([
            short(site.calls),
            short(site.blocked_calls),
            maybe(site.blocked_mean),
            maybe(site.blocked_p99),
            maybe(site.run_delay_mean),
            maybe(site.cpu_blocked_mean),
            maybe(site.cpu_direct_mean),
            site.direct.map_or_else(|| NA.to_owned(), |d| span(d.per_call)),
            match site.direct {
                Some(direct) => direct.basis.short().to_owned(),
                None => NA.to_owned(),
            },
        ]);
    }
    let lines = table.lines(4, page.width());
    let mut lines = lines.iter();
    if let Some(header) = lines.next() {
        page.line(Ink::Dim, header);
    }
    for (site, line) in sites.iter().zip(lines) {
        name(page, site);
        page.line(Ink::Plain, line);
        if verbose {
            extra(page, site);
        }
    }
}

/// `read  tcp  10.0.0.1:80 ← 10.0.0.2:4711          12.3 s blocked`
fn name(page: &mut Page, site: &SiteView) {
    // If the class says no more than the call's name, it is left out.
    let class = site.class.name();
    let syscall = clean(&site.syscall);
    let call = if syscall == class { syscall } else { format!("{syscall}  {class}") };
    let sum = if site.blocks > 0 { format!("{} blocked", site.blocked) } else { String::new() };
    let room = page.width().saturating_sub(width(&call) + width(&sum) + 6);
    let what = clean(&site.what());
    let what = cut_middle(&what, room);
    let pad = " ".repeat(room.saturating_sub(width(&what)));
    page.line(Ink::Bold, &format!("  {call}  {what}{pad}  {sum}"));
}

fn extra(page: &mut Page, site: &SiteView) {
    let mut text = format!(
        "at {}, process {}; {}, {}, {}",
        site.ip,
        site.tgid,
        plural(site.blocks, "block", "blocks"),
        plural(site.errors, "error", "errors"),
        bytes(site.bytes),
    );
    if let Some(before) = site.cpu_before_mean {
        text.push_str(&format!("; kernel CPU before the first block {before}"));
    }
    text.push_str(&format!("; user window {}", site.user_windows()));
    if site.direct.is_some() {
        text.push_str(&format!("; direct cost {}", site.cost_words()));
    }
    page.wrapped(Ink::Dim, "      ", &text);
}
