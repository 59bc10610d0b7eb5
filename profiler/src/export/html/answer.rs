//! The answer: verdict, score, evidence, and what is cheaper than a rewrite.

use maud::{Markup, html};

use super::{
    super::{markup::name, svg},
    words::{figure, interval},
};
use crate::{
    answer::{Answer, Ended, Report},
    event::Family,
    text::numbers::{percent, plural},
    words::{self, InWords, provenance},
};

/// The short form of an answer, and the class it is coloured by.
const fn badge(answer: Answer) -> (&'static str, &'static str) {
    match answer {
        Answer::Yes => ("yes", "yes"),
        Answer::YesTuned => ("only with io_uring", "yes"),
        Answer::Unsure => ("perhaps", "unsure"),
        Answer::UnknownProgram => ("unknown kind of program", "unsure"),
        Answer::Files => ("no: files", "no"),
        Answer::Blocking => ("the saving is not known", "unsure"),
        Answer::NotEnoughData => ("not enough data", "unsure"),
        Answer::AlreadyAsync => ("no: already async", "no"),
        Answer::NoBlockingIo => ("no: no blocking IO", "no"),
        Answer::ParkedTasks => ("no: its runtime parks its tasks", "no"),
        Answer::CpuBound => ("no: CPU-bound", "no"),
        Answer::CostsLittle => ("no: it costs little", "no"),
        Answer::LowConcurrency => ("no: low concurrency", "no"),
        Answer::Locks => ("no: it waits on locks", "no"),
        Answer::HandOver => ("threads hand work over", "unsure"),
    }
}

pub(super) fn render(report: &Report) -> Markup {
    let verdict = &report.verdict;
    let (words, class) = badge(verdict.answer);
    html! {
        p class="target" { (target(report)) }
        "\n"
        h1 { span class={ "badge " (class) } { (words) } " " (name(&verdict.sentence())) }
        "\n" (score(report)) (list("evidence", &verdict.evidence_lines()))
        @if !verdict.advice.is_empty() {
            h2 { "Cheaper first" }
            "\n" (list("advice", &verdict.advice_lines()))
        }
    }
}

fn target(report: &Report) -> Markup {
    let (facts, window) = (&report.facts, &report.window);
    let command = match facts.processes.as_slice() {
        [process] => Some(&process.command).filter(|command| !command.is_empty()),
        _ => None,
    };
    let windows = || format!(" of {}, in {}", window.wall, plural(window.windows.into(), "window", "windows"));
    html! {
        strong { (svg::target(report)) }
        @for process in facts.processes.iter().take(8) {
            " · PID " (process.tgid)
            @if let Some(container) = &process.container { ", container " (name(container)) }
        }
        @if let Some(command) = command { " · " code { (name(command)) } }
        @if let Some(runtime) = &facts.runtime { " · runs in " (name(&words::runtime(runtime))) }
        " · measured " (window.measured.to_string())
        @if window.windows > 1 { (windows()) }
        @if window.ended != Ended::Unknown { " (" (window.ended.in_words()) ")" }
        " · " (plural(report.threads.len() as u64, "thread", "threads"))
        @if !facts.kernel.is_empty() { " · Linux " (name(&facts.kernel)) }
        " · " (plural(facts.cpus.into(), "CPU", "CPUs")) ", " (facts.allowed_cpus) " allowed"
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
                    "indirect: what runs slower after blocks" br;
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
