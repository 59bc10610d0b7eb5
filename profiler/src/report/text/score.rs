//! The answer: verdict and score.

use super::page::{Ink, Page};
use crate::text::{
    clean::clean,
    numbers::{percent, range},
};
use crate::{
    answer::Report,
    event::Family,
    quantity::Figure,
    words::{InWords, note, provenance},
};

pub(super) fn render(page: &mut Page, report: &Report) {
    page.wrapped(Ink::Bold, "", &clean(&report.verdict.sentence()));
    page.line(Ink::Plain, "");
    page.wrapped_at(Ink::Plain, "blocking-IO overhead  ", 22, &sentence(report));
    for line in report.verdict.evidence_lines() {
        page.wrapped_at(Ink::Plain, "  · ", 4, &clean(&line));
    }
}

fn sentence(report: &Report) -> String {
    let score = &report.score;
    let mut text = String::new();
    match score.direct.value() {
        Some(&ratio) => {
            text.push_str(&format!("{} of CPU", percent(ratio)));
            // Where nothing blocked on IO the share is exactly zero. An interval would make it look
            // uncertain.
            if let Some(interval) = score.interval.filter(|_| report.wall.blocks_in(Family::BlockingIo) > 0) {
                text.push_str(&format!(" (90 %: {})", range(interval)));
            }
            text.push_str(&format!("; direct part {}", origin(&score.direct)));
        }
        None => text.push_str(&origin(&score.direct)),
    }
    match score.indirect.value() {
        Some(&ratio) => text.push_str(&format!("; indirect part {}, {}", percent(ratio), origin(&score.indirect))),
        None => text.push_str(&format!("; indirect part {}", origin(&score.indirect))),
    }
    text
}

/// `measured`, `modelled (why)`, `n/a: why`.
fn origin<T, N: InWords>(figure: &Figure<T, N>) -> String {
    if figure.value().is_none() {
        return clean(&provenance(figure));
    }
    let name = figure.provenance().name();
    let note = clean(&note(figure));
    if note.is_empty() { name.to_owned() } else { format!("{name} ({note})") }
}
