//! The target: who was measured, how long, how.

use super::page::{Ink, Page};
use crate::answer::Ended;
use crate::answer::Report;
use crate::text::{clean::clean, numbers::plural};
use crate::words::{self, InWords};

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
    let window = &report.window;
    let mut how = if window.windows > 1 {
        format!(
            "sampled: measured {} of {}, in {}",
            window.measured,
            window.wall,
            plural(window.windows.into(), "window", "windows")
        )
    } else {
        format!("measured for {}", window.measured)
    };
    if window.ended != Ended::Unknown {
        how.push_str(&format!(" ({})", window.ended.in_words()));
    }
    how.push_str(&format!(" · {} seen", plural(report.threads.len() as u64, "thread", "threads")));
    page.wrapped(Ink::Plain, "  ", &how);
    let mut machine = format!("kernel {} · {}", clean(&facts.kernel), plural(facts.cpus.into(), "CPU", "CPUs"));
    if !facts.form.is_empty() {
        machine.push_str(&format!(" · attached by {}", clean(&facts.form)));
    }
    page.wrapped(Ink::Plain, "  ", &machine);
    for note in &facts.notes {
        page.wrapped(Ink::Plain, "  note: ", &clean(note));
    }
}
