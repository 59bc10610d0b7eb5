//! The target: who was measured, how long, how.

use super::page::{Ink, Page};
use crate::answer::Report;
use crate::text::{clean::clean, numbers::plural};
use crate::words;

pub(super) fn render(page: &mut Page, report: &Report) {
    let facts = &report.facts;
    page.title("TARGET", "");
    if facts.processes.is_empty() {
        page.line(Ink::Plain, "  nothing is known of its processes");
    }
    for process in &facts.processes {
        let mut text = format!("{}  PID {}", clean(&process.name), process.tgid);
        // The first PID is the one just printed: that of the outermost namespace.
        if let Some((_, inner)) = process.ns_pids.split_first().filter(|(_, inner)| !inner.is_empty()) {
            let pids: Vec<String> = inner.iter().map(u32::to_string).collect();
            text.push_str(&format!(" (in its own PID namespace: {})", pids.join(", ")));
        }
        if let Some(container) = &process.container {
            text.push_str(&format!(", container {}", clean(container)));
        }
        page.wrapped_at(Ink::Plain, "  ", 4, &text);
        if !process.command.is_empty() {
            page.wrapped(Ink::Dim, "    ", &clean(&process.command));
        }
    }
    if let Some(runtime) = &facts.runtime {
        page.wrapped(Ink::Plain, "  ", &format!("runs in {}", clean(&words::runtime(runtime))));
    }
    let threads = plural(report.threads.len() as u64, "thread", "threads");
    page.wrapped(Ink::Plain, "  ", &format!("{} · {threads} seen", report.window.words()));
    page.wrapped(Ink::Plain, "  ", &clean(&facts.machine()));
    for note in &facts.notes {
        page.wrapped(Ink::Plain, "  note: ", &clean(note));
    }
}
