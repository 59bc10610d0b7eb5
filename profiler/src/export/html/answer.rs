//! The answer: verdict, score, evidence, and what is cheaper than a rewrite.

use maud::{Markup, html};

use super::{
    super::{markup::name, svg},
    words::{figure, interval},
};
use crate::{
    answer::{Answer, Decision, Report},
    event::Family,
    predict::WhatIf,
    text::numbers::{percent, plural},
    words::{self, provenance},
};

/// The class that an answer is coloured by.
const fn colour(answer: Answer) -> &'static str {
    match answer.decision() {
        Decision::Yes => "yes",
        Decision::No => "no",
        Decision::Perhaps | Decision::Abstains => "unsure",
    }
}

pub(super) fn render(report: &Report) -> Markup {
    let verdict = &report.verdict;
    html! {
        p class="target" { (target(report)) }
        "\n"
        h1 {
            span class={ "badge " (colour(verdict.answer)) } { (verdict.answer.short()) }
            " " (name(&verdict.sentence()))
        }
        "\n" (score(report)) (list("evidence", &verdict.evidence_lines()))
        @if !verdict.advice.is_empty() {
            h2 { (words::title(WhatIf::CHEAPER)) }
            "\n" (list("advice", &verdict.advice_lines()))
        }
    }
}

fn target(report: &Report) -> Markup {
    let facts = &report.facts;
    let command = match facts.processes.as_slice() {
        [process] => Some(&process.command).filter(|command| !command.is_empty()),
        _ => None,
    };
    html! {
        strong { (svg::target(report)) }
        @for process in facts.processes.iter().take(8) {
            " · PID " (process.tgid)
            @if let Some(container) = &process.container { ", container " (name(container)) }
        }
        @if let Some(command) = command { " · " code { (name(command)) } }
        @if let Some(runtime) = &facts.runtime { " · runs in " (name(&words::runtime(runtime))) }
        " · " (report.window.words())
        " · " (plural(report.threads.len() as u64, "thread", "threads")) " seen"
        " · " (name(&facts.machine()))
        @for note in &facts.notes { br; "note: " (name(note)) }
    }
}

fn score(report: &Report) -> Markup {
    let score = &report.score;
    // Where nothing blocked on IO the share is exactly zero. An interval would make it look
    // uncertain.
    let blocked = report.wall.blocks_in(Family::BlockingIo) > 0;
    let bounds = score.interval.filter(|_| blocked && score.direct.value().is_some());
    html! {
        div class="score" {
            div {
                span class="big" { (figure(&score.direct, |&r| percent(r))) }
                " "
                span {
                    "blocking-IO overhead: direct cost as a share of its CPU" br;
                    small {
                        @if let Some(bounds) = bounds { (interval(bounds)) " · " }
                        (name(&provenance(&score.direct)))
                    }
                }
            }
            "\n"
            div {
                span class="big" { (figure(&score.indirect, |&r| percent(r))) }
                " "
                span {
                    "indirect: " (words::INDIRECT) br;
                    small { (name(&provenance(&score.indirect))) }
                }
            }
        }
        "\n"
    }
}

fn list(class: &str, lines: &[String]) -> Markup {
    html! { ul class=(class) { @for line in lines { li { (name(line)) } } } "\n" }
}
