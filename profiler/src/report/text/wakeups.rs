//! The wake-ups: from whom, and how many threads were busy already.

use super::{
    page::{Ink, Page},
    words::{figure, provenance},
};
use crate::answer::Report;
use crate::text::numbers::{count, percent, span};

pub(super) fn render(page: &mut Page, report: &Report) {
    let wakeups = &report.wakeups;
    let all = wakeups.same_process + wakeups.other_process + wakeups.kernel;
    page.title("WAKE-UPS", "");
    if wakeups.others > 0 || wakeups.same_process > 0 {
        let cost = figure(&wakeups.cost, |&ns| span(ns));
        page.wrapped_at(
            Ink::Plain,
            "  ",
            4,
            &format!(
                "caused by its calls: {} of other processes, {} of its own threads; each costs the waker {cost} ({})",
                count(wakeups.others),
                count(wakeups.same_process),
                provenance(&wakeups.cost)
            ),
        );
    }
    if all == 0 {
        page.line(Ink::Plain, "  no thread was woken");
        return;
    }
    let share = |n: u64| percent(n as f64 / all as f64);
    page.wrapped_at(
        Ink::Plain,
        "  ",
        4,
        &format!(
            "received: {} wake-ups, {} by the same process, {} by another process, {} by an interrupt or the kernel",
            count(all),
            share(wakeups.same_process),
            share(wakeups.other_process),
            share(wakeups.kernel)
        ),
    );
    let Some(alone) = wakeups.alone() else { return };
    page.wrapped_at(
        Ink::Plain,
        "  ",
        4,
        &format!("at {} of them no other thread of the target was running or runnable", percent(alone)),
    );
    let seen: u64 = wakeups.concurrency.iter().sum();
    let bars: Vec<String> = wakeups
        .concurrency
        .iter()
        .enumerate()
        .filter(|&(_, &n)| n > 0)
        .map(|(i, &n)| format!("{}: {}", bucket(i, wakeups.concurrency.len()), percent(n as f64 / seen as f64)))
        .collect();
    page.wrapped_at(Ink::Plain, "  other threads busy  ", 4, &bars.join(" · "));
}

/// 0 to 7 exactly, then powers of two, the last one open.
fn bucket(i: usize, buckets: usize) -> String {
    if i < 8 {
        return i.to_string();
    }
    let low = 1u64 << (i - 5).min(62);
    if i + 1 == buckets { format!("{low}+") } else { format!("{low}–{}", 2 * low - 1) }
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_are_named_as_the_programs_fill_them() {
        let names: Vec<String> = (6..11).chain([15]).map(|i| bucket(i, 16)).collect();
        assert_eq!(names, ["6", "7", "8–15", "16–31", "32–63", "1024+"]);
    }
}
