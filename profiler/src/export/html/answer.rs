//! The answer: verdict, score, evidence, and what is cheaper than a rewrite.

use super::{
    super::markup::Markup,
    svg,
    words::{figure, interval, provenance},
};
use crate::answer::Ended;
use crate::text::numbers::{percent, plural};
use crate::words::InWords;
use crate::{
    answer::{Answer, Report},
    event::Family,
};

/// The short form of an answer, and the class it is coloured by.
const fn badge(answer: Answer) -> (&'static str, &'static str) {
    match answer {
        Answer::Yes => ("yes", "yes"),
        Answer::YesTuned => ("only with io_uring", "yes"),
        Answer::Unsure => ("perhaps", "unsure"),
        Answer::Files => ("files: not with epoll", "unsure"),
        Answer::Blocking => ("the saving is not known", "unsure"),
        Answer::NotEnoughData => ("not enough data", "unsure"),
        Answer::AlreadyAsync => ("no: already async", "no"),
        Answer::NoBlockingIo => ("no: no blocking IO", "no"),
        Answer::CpuBound => ("no: CPU-bound", "no"),
        Answer::CostsLittle => ("no: it costs little", "no"),
        Answer::LowConcurrency => ("no: low concurrency", "no"),
        Answer::Locks => ("no: it waits on locks", "no"),
    }
}

pub(super) fn render(page: &mut Markup, report: &Report) {
    let (words, class) = badge(report.verdict.answer);
    page.raw("<p class=\"target\">");
    target(page, report);
    page.raw("</p>\n<h1><span class=\"badge ").raw(class).raw("\">").raw(words).raw("</span> ");
    page.name(&report.verdict.sentence()).raw("</h1>\n");
    score(page, report);
    list(page, "evidence", &report.verdict.evidence_lines());
    if !report.verdict.advice.is_empty() {
        page.raw("<h2>Cheaper first</h2>\n");
        list(page, "advice", &report.verdict.advice_lines());
    }
}

fn target(page: &mut Markup, report: &Report) {
    page.raw("<strong>").text(&svg::target(report)).raw("</strong>");
    let facts = &report.facts;
    for process in facts.processes.iter().take(8) {
        page.raw(" · PID ").text(&process.tgid.to_string());
        if let Some(container) = &process.container {
            page.raw(", container ").name(container);
        }
    }
    if let [process] = facts.processes.as_slice()
        && !process.command.is_empty()
    {
        page.raw(" · <code>").name(&process.command).raw("</code>");
    }
    let window = &report.window;
    page.raw(" · measured ").text(&window.measured.to_string());
    if window.windows > 1 {
        page.text(&format!(" of {}, in {}", window.wall, plural(window.windows.into(), "window", "windows")));
    }
    if window.ended != Ended::Unknown {
        page.raw(" (").text(&window.ended.in_words()).raw(")");
    }
    page.raw(" · ").text(&plural(report.threads.len() as u64, "thread", "threads"));
    if !facts.kernel.is_empty() {
        page.raw(" · Linux ").name(&facts.kernel);
    }
    page.raw(" · ").text(&plural(facts.cpus.into(), "CPU", "CPUs"));
    page.raw(", ").text(&facts.allowed_cpus.to_string()).raw(" allowed");
    for note in &facts.notes {
        page.raw("<br>note: ").name(note);
    }
}

fn score(page: &mut Markup, report: &Report) {
    let score = &report.score;
    page.raw("<div class=\"score\"><div><span class=\"big\">").text(&figure(&score.direct, |&r| percent(r)));
    page.raw("</span> <span>blocking-IO overhead: direct cost as a share of its CPU<br><small>");
    // Where nothing blocked on IO the share is exactly nothing; an interval would only look
    // uncertain.
    let blocked = report.wall.blocks_in(Family::BlockingIo) > 0;
    if let Some(i) = score.interval.filter(|_| blocked && score.direct.value().is_some()) {
        page.text(&interval(i)).raw(" · ");
    }
    page.name(&provenance(&score.direct)).raw("</small></span></div>\n<div><span class=\"big\">");
    page.text(&figure(&score.indirect, |&r| percent(r)));
    page.raw("</span> <span>indirect: what runs slower after blocks<br><small>");
    page.name(&provenance(&score.indirect)).raw("</small></span></div></div>\n");
}

fn list(page: &mut Markup, class: &'static str, lines: &[String]) {
    page.raw("<ul class=\"").raw(class).raw("\">");
    for line in lines {
        page.raw("<li>").name(line).raw("</li>");
    }
    page.raw("</ul>\n");
}
