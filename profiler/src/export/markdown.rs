//! Markdown as GitHub, GitLab and Gitea read it (GitHub Flavored Markdown): a report, or how two
//! recordings differ, as a comment on a pull request or the summary of a CI job. The answer and
//! what it rests on; tables that few will read are folded. The rest is in the other formats.

use crate::{
    answer::{CpuLedger, Diff, Report, SiteView},
    predict::{Scenario, WhatIf},
    quantity::Nanos,
    text::{
        clean,
        numbers::{NA, count, maybe, part, plural, span},
    },
    words::{self, InWords as _},
};

/// Sites that are shown.
const MOST_SITES: usize = 10;
/// Processes that are named.
const MOST_PROCESSES: usize = 8;

/// The report.
pub fn report(report: &Report) -> String {
    let mut page = Page::default();
    page.line(&format!("**{}**", safe(&report.verdict.sentence())));
    page.line("");
    page.list(&report.verdict.evidence_lines());
    what_if(&mut page, report);
    page.folded(&format!("CPU: {}", CpuLedger::TITLE), |page| ledger(page, report));
    page.folded("Calls that blocked", |page| sites(page, report));
    target(&mut page, report);
    page.0
}

/// How two recordings differ. `names`: what the two are called.
pub fn diff(diff: &Diff, names: (&str, &str)) -> String {
    let mut page = Page::default();
    for (which, name, units) in [("before", names.0, diff.units.0), ("after", names.1, diff.units.1)] {
        page.line(&format!("- {which}: {} ({})", safe(name), safe(&diff.units_in_words(units))));
    }
    page.line(&format!("- {}", safe(&diff.unit_in_words())));
    page.line("");
    let unit = safe(&format!("per {}", diff.per.unit()));
    page.head(&[&unit, "before", "after", "change", "90 % interval", ""], 1..5);
    for change in &diff.changes {
        let (relative, interval) = change.in_percent();
        let judgement = if change.is_beyond_noise() {
            format!("**{}**", change.judgement())
        } else {
            change.judgement().to_owned()
        };
        let [before, after] = change.amounts();
        page.row(&[safe(change.measure.name()), before, after, relative, interval, judgement]);
    }
    page.line("");
    page.line(words::DIFF_NOISE);
    page.0
}

fn what_if(page: &mut Page, report: &Report) {
    let what_if = &report.what_if;
    page.line("");
    page.line(&format!("### What if: {}", WhatIf::TITLE));
    page.line("");
    if let Some(refusal) = what_if.refusal() {
        page.line(&safe(&refusal));
    } else {
        page.head(&Scenario::COLUMNS, 1..6);
        for scenario in &what_if.scenarios {
            let [figures @ .., does] = scenario.cells();
            page.row(&[&figures[..], &[safe(&does)]].concat());
        }
        page.line("");
        page.line(&safe(&what_if.basis(what_if.loops)));
    }
    let caveats: Vec<String> = what_if.caveats.iter().map(|caveat| caveat.in_words()).collect();
    if !caveats.is_empty() {
        page.line("");
        page.list(&caveats);
    }
    if !report.verdict.advice.is_empty() {
        page.line("");
        page.line(&format!("{}:", words::title(WhatIf::CHEAPER)));
        page.line("");
        page.list(&report.verdict.advice_lines());
    }
}

fn ledger(page: &mut Page, report: &Report) {
    let cpu = &report.cpu;
    if cpu.total == Nanos::ZERO {
        page.line(&format!("{NA}: {}", words::NO_CPU));
        return;
    }
    page.head(&["", "time", "share", "provenance"], 1..3);
    for (name, line) in cpu.lines() {
        let value = line.value().copied();
        let share = value.map_or_else(|| NA.to_owned(), |ns| part(ns, cpu.whole()));
        page.row(&[safe(name), value.map_or_else(|| NA.to_owned(), span), share, safe(&words::provenance(&line))]);
    }
    page.row(&["total".to_owned(), cpu.total.to_string(), String::new(), safe(&cpu.composition())]);
}

fn sites(page: &mut Page, report: &Report) {
    let blocked: Vec<&SiteView> = report.sites.iter().filter(|site| site.blocked_calls > 0).collect();
    if blocked.is_empty() {
        page.line(words::NO_CALL_BLOCKED);
        return;
    }
    page.head(&["call", "waits for", "calls", "blocked", "blocked time", "mean", "cost per call"], 2..7);
    for site in blocked.iter().take(MOST_SITES) {
        page.row(&[
            safe(&site.syscall),
            format!("{}: {}", site.class.name(), safe(&site.what())),
            count(site.calls),
            count(site.blocked_calls),
            site.blocked.to_string(),
            maybe(site.blocked_mean),
            site.direct.map_or_else(|| NA.to_owned(), |direct| span(direct.per_call)),
        ]);
    }
    if let Some(rest) = blocked.get(MOST_SITES..).filter(|rest| !rest.is_empty()) {
        let time: Nanos = rest.iter().map(|site| site.blocked).sum();
        page.line("");
        page.line(&words::more_sites(rest.len(), time));
    }
}

/// Who was measured and how long, and what was lost.
fn target(page: &mut Page, report: &Report) {
    let facts = &report.facts;
    let named = facts.processes.iter().take(MOST_PROCESSES);
    let mut names: Vec<String> =
        named.map(|process| format!("{} (PID {})", safe(&process.name), process.tgid)).collect();
    if let Some(more) = facts.processes.len().checked_sub(MOST_PROCESSES).filter(|&more| more > 0) {
        names.push(words::more_processes(more));
    }
    let threads = plural(report.threads.len() as u64, "thread", "threads");
    page.line("");
    page.line(&format!(
        "Measured: {} · {} · {threads} seen · {}",
        names.join(", "),
        report.window.words(),
        safe(&facts.machine())
    ));
    let lost = report.quality.losses().into_iter().filter(|&(n, _)| n > 0);
    let lost = lost.map(|(n, what)| format!("LOST: {} {}", count(n), what.words()));
    let lines: Vec<String> = lost.chain(facts.notes.iter().map(|note| format!("note: {note}"))).collect();
    if !lines.is_empty() {
        page.line("");
        page.list(&lines);
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn list(&mut self, lines: &[String]) {
        for line in lines {
            self.line(&format!("- {}", safe(line)));
        }
    }

    /// The head of a table; the columns in `numbers` are aligned to the right.
    fn head(&mut self, names: &[&str], numbers: std::ops::Range<usize>) {
        self.line(&format!("| {} |", names.join(" | ")));
        let rule = |at: usize| if numbers.contains(&at) { "---:" } else { "---" };
        let rules: Vec<&str> = (0..names.len()).map(rule).collect();
        self.line(&format!("| {} |", rules.join(" | ")));
    }

    fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    /// A part that is shown when its heading is clicked. It takes a blank line to begin Markdown
    /// inside HTML.
    fn folded(&mut self, heading: &str, part: impl FnOnce(&mut Self)) {
        self.line(&format!("\n<details><summary>{heading}</summary>\n"));
        part(self);
        self.line("\n</details>");
    }
}

/// Text in which names of the target's may stand: one line without markup. Nobody is called by
/// `@name`, and no `#12`, `GH-12`, `!12`, `%12`, address, formula or `:smile:` becomes what it is
/// elsewhere: these are made after backslashes are gone, so a space without width divides them.
fn safe(text: &str) -> String {
    let text = clean::line(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let behind = &text[at + c.len_utf8()..];
        let number = behind.starts_with(|c: char| c.is_ascii_digit());
        match c {
            '$' => out.extend(['\\', '$', NO_SPACE]),
            '!' | '%' if number => out.extend([c, NO_SPACE]),
            '-' if number && out.to_ascii_lowercase().ends_with("gh") => out.extend(['-', NO_SPACE]),
            ':' if is_emoji(behind) => out.extend([':', NO_SPACE]),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' => out.extend(['\\', c]),
            '@' => out.extend(['@', NO_SPACE]),
            '#' => out.extend(['\\', '#', NO_SPACE]),
            '/' if before == ':' => out.extend([NO_SPACE, '/']),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.extend([NO_SPACE, '.']),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// Whether a colon before this text makes an emoji of it: `smile: …`.
fn is_emoji(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"_+-".contains(c));
    end.is_some_and(|end| end > 0 && text[end..].starts_with(':'))
}

/// Zero width space.
const NO_SPACE: char = '\u{200b}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_cell_and_call_nobody() {
        assert_eq!(safe("a|b\nc"), "a\\|b c");
        assert_eq!(safe("<img src=x> `x` **y** _z_"), "\\<img src=x\\> \\`x\\` \\*\\*y\\*\\* \\_z\\_");
        assert_eq!(safe("@all #12"), "@\u{200b}all \\#\u{200b}12");
        assert_eq!(safe("GH-12 !1 %2 5 % a-1"), "GH-\u{200b}12 !\u{200b}1 %\u{200b}2 5 % a-1");
        assert_eq!(safe(":+1: $x$ 1.2.3.4:80 a: b"), ":\u{200b}+1: \\$\u{200b}x\\$\u{200b} 1.2.3.4:80 a: b");
        assert_eq!(safe("https://a.b www.c.d"), "https:\u{200b}//a.b www\u{200b}.c.d");
        assert_eq!(safe("[x](y) &amp; \\"), "\\[x\\](y) \\&amp; \\\\");
    }
}
