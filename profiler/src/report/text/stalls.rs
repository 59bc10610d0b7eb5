//! report/text/stalls: who blocked the loop.

use super::{
    options::TextOptions,
    page::{Ink, Page},
    table::{Side, Table},
};
use crate::{
    answer::{Stall, Stalls},
    text::clean::clean,
    text::numbers::plural,
    words,
};

/// Loops and causes that are listed unless everything is asked for.
const FEW: usize = 10;
/// The worst stalls that are shown.
const WORST: usize = 3;
/// Frames of a stack that are shown.
const FRAMES: usize = 12;

/// Stalls as text.
pub fn stalls(stalls: &Stalls, options: &TextOptions) -> String {
    let mut page = Page::new(options.width.max(TextOptions::MIN_WIDTH), options.color);
    page.wrapped(Ink::Bold, "", &stalls.title());
    page.wrapped(Ink::Bold, "  ", &stalls.sentence());
    for line in stalls.losses_words() {
        page.wrapped(Ink::Bold, "  ", &line);
    }
    let few = if options.verbose { usize::MAX } else { FEW };
    loops(&mut page, stalls, few);
    causes(&mut page, stalls, few);
    worst(&mut page, stalls, if options.verbose { FEW } else { WORST });
    page.title("COST", "");
    page.wrapped_at(Ink::Plain, "  ", 4, &stalls.overhead_words());
    page.finish()
}

fn loops(page: &mut Page, stalls: &Stalls, few: usize) {
    if stalls.loops.is_empty() {
        return;
    }
    page.title("LOOPS", "");
    let mut header = words::LOOP_HEAD.map(|name| (name, Side::Right));
    header[0].1 = Side::Left;
    let mut table = Table::new(header, 0);
    stalls.loops.iter().take(few).for_each(|of| table.row(of.cells()));
    page.table(&table.lines(2, page.width()));
    more(page, stalls.loops.len().saturating_sub(few), "loop", "loops");
    page.wrapped_at(Ink::Dim, "  ", 4, words::LOOP_COLUMNS);
    if stalls.loops.iter().any(|of| of.shared) {
        page.wrapped_at(Ink::Plain, "  ", 4, words::SHARED_LOOP);
    }
}

fn causes(page: &mut Page, stalls: &Stalls, few: usize) {
    if stalls.causes.is_empty() {
        return;
    }
    page.title("INSTEAD", words::INSTEAD);
    let mut header = words::CAUSE_HEAD.map(|name| (name, Side::Right));
    (header[0].1, header[1].1) = (Side::Left, Side::Left);
    let mut table = Table::new(header, 1);
    let stood = stalls.stood();
    stalls.causes.iter().take(few).for_each(|cause| table.row(cause.cells(stood)));
    page.table(&table.lines(2, page.width()));
    more(page, stalls.causes.len().saturating_sub(few), "row", "rows");
    page.wrapped_at(Ink::Dim, "  ", 4, words::CAUSE_COLUMNS);
}

fn more(page: &mut Page, rest: usize, one: &str, many: &str) {
    if rest > 0 {
        page.line(Ink::Plain, &format!("  {} more (-v shows all)", plural(rest as u64, one, many)));
    }
}

fn worst(page: &mut Page, stalls: &Stalls, most: usize) {
    if stalls.stalls.is_empty() {
        return;
    }
    page.title("WORST", "");
    for stall in stalls.stalls.iter().take(most) {
        page.wrapped_at(Ink::Plain, "  ", 4, &stall.heading(stalls));
        page.wrapped_at(Ink::Plain, "    ", 6, &stall.parts_words());
        stack(page, stalls, stall);
    }
}

/// The functions that most of a stall was spent below, the innermost first.
fn stack(page: &mut Page, stalls: &Stalls, stall: &Stall) {
    let (frames, waker) = stalls.stack_of(stall);
    let shown = frames.len().min(FRAMES);
    for frame in &frames[..shown] {
        page.line(Ink::Plain, &format!("      {}", clean(frame)));
    }
    if shown < frames.len() {
        page.line(
            Ink::Dim,
            &format!("      … {} further out", plural((frames.len() - shown) as u64, "frame", "frames")),
        );
    }
    if let Some(by) = waker.last() {
        page.line(Ink::Dim, &format!("      woken by {}", clean(by)));
    }
}
