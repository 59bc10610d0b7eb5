//! The two ledgers: a bar for the whole, a row with a bar for each line. What is left over is a
//! line too.

use super::{
    super::markup::Markup,
    words::{provenance, told},
};
use crate::answer::Note;
use crate::text::numbers::{NA, count, part, percent, plural, span};
use crate::{
    answer::{Report, WallLine},
    event::Family,
    quantity::{Figure, Nanos},
};

/// A line of a ledger.
struct Line {
    name: String,
    /// Colour class.
    class: &'static str,
    value: Figure<f64, Note>,
    blocks: Option<u64>,
    delay: Option<Nanos>,
    note: String,
}

impl Line {
    fn new(name: impl Into<String>, class: &'static str, value: Figure<f64, Note>) -> Self {
        let note = provenance(&value);
        Self { name: name.into(), class, value, blocks: None, delay: None, note }
    }
}

fn whole(page: &mut Markup, lines: &[Line], total: Nanos) {
    page.raw("<div class=\"stack\" aria-hidden=\"true\">");
    let total = total.as_nanos() as f64;
    for line in lines {
        let share = line.value.value().map_or(0.0, |ns| ns / total * 100.0);
        // What is negative has no width; its number is in the table.
        if share > 0.0 {
            page.raw("<i class=\"").raw(line.class).raw("\" style=\"width:").number((share * 100.0).round() / 100.0);
            page.raw("%\" title=\"").text(&line.name).raw("\"></i>");
        }
    }
    page.raw("</div>\n");
}

fn row(page: &mut Markup, line: &Line, total: Nanos, wall: bool) {
    page.raw("<tr><th scope=\"row\"><i class=\"dot ").raw(line.class).raw("\"></i>").text(&line.name).raw("</th>");
    match line.value.value() {
        Some(&ns) => {
            let share = (ns / total.as_nanos() as f64 * 100.0).clamp(0.0, 100.0);
            page.raw("<td class=\"n\">").text(&span(ns)).raw("</td><td class=\"n\">").text(&part(ns, total));
            page.raw("</td><td class=\"bar\"><i class=\"").raw(line.class).raw("\" style=\"width:");
            page.number((share * 100.0).round() / 100.0).raw("%\"></i></td>");
        }
        None => {
            page.raw("<td class=\"n\">").raw(NA).raw("</td><td class=\"n\">").raw(NA).raw("</td><td></td>");
        }
    }
    if wall {
        let words = [line.blocks.map(count), line.delay.map(|d| d.to_string())];
        for text in words {
            page.raw("<td class=\"n\">").text(text.as_deref().unwrap_or("")).raw("</td>");
        }
    } else {
        page.raw("<td>").name(&line.note).raw("</td>");
    }
    page.raw("</tr>\n");
}

pub(super) fn cpu(page: &mut Markup, report: &Report) {
    let cpu = &report.cpu;
    page.raw("<section id=\"cpu\"><h2>CPU: where its processor time went</h2>\n");
    if cpu.total == Nanos::ZERO {
        page.raw("<p>").raw(NA).raw(": the target used no CPU.</p></section>\n");
        return;
    }
    let time = |f: &Figure<Nanos, Note>| f.map(|t| t.as_nanos() as f64);
    let mut rest = Line::new("rest", "rest", Figure::measured(cpu.rest.round()));
    rest.note = match (cpu.blocking_io.value(), cpu.other_switches.value()) {
        (Some(_), Some(_)) => "total less the lines above".to_owned(),
        _ => "what was charged at switch-in is in it".to_owned(),
    };
    let mut lines = vec![
        Line::new("user mode", "user", time(&cpu.user)),
        Line::new("syscall work", "calls", time(&cpu.calls)),
        Line::new("blocking-IO blocks, direct", "io", cpu.blocking_io.clone()),
        Line::new("other switches", "switches", cpu.other_switches.clone()),
    ];
    let uncharged =
        |line: &Figure<f64, Note>| Line::new("stolen or interrupted: not charged", "uncharged", line.clone());
    lines.extend(cpu.uncharged_line().map(uncharged));
    lines.extend([Line::new("softirq", "softirq", time(&cpu.softirq)), rest]);
    whole(page, &lines, cpu.total);
    page.raw(
        "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">line</th><th scope=\"col\" class=\"n\">\
         time</th><th scope=\"col\" class=\"n\">share</th><th></th><th scope=\"col\">provenance</th></tr></thead><tbody>\n",
    );
    lines.iter().for_each(|line| row(page, line, cpu.total, false));
    page.raw("</tbody><tfoot><tr><th scope=\"row\">total</th><td class=\"n\">").text(&cpu.total.to_string());
    page.raw("</td><td class=\"n\">100.0 %</td><td></td><td>").text(&match cpu.charge {
        0 => "all of it seen by the tracepoints".to_owned(),
        c if c > 0 => {
            format!(
                "{} by the tracepoints, {} charged by the kernel on the way out of idle",
                cpu.on_cpu,
                span(c as f64)
            )
        }
        c => format!("{} by the tracepoints, less {} that the kernel did not charge", cpu.on_cpu, span(-c as f64)),
    });
    page.raw("</td></tr></tfoot></table></div></section>\n");
}

/// A family's name and colour class.
const fn family(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::BlockingIo => ("blocking IO", "io"),
        Family::EventWait => ("event wait", "events"),
        Family::Lock => ("lock", "lock"),
        Family::Timer => ("timer", "timer"),
        Family::Accept => ("accept", "accept"),
        Family::Other => ("other", "other"),
    }
}

pub(super) fn wall(page: &mut Markup, report: &Report) {
    let wall = &report.wall;
    page.raw("<section id=\"wall\"><h2>Wall: where the time of its threads went</h2>\n");
    if wall.total == Nanos::ZERO {
        page.raw("<p>").raw(NA).raw(": no thread was measured.</p></section>\n");
        return;
    }
    let plain =
        |name: &str, class: &'static str, time: Nanos| Line::new(name, class, Figure::measured(time.as_nanos() as f64));
    let mut lines = vec![
        plain("on a CPU", "user", wall.on_cpu),
        plain("run-queue delay: after wake-ups", "delay", wall.run_delay),
        plain("run-queue delay: after preemptions", "delay", wall.preempted),
        plain("run-queue delay: before first runs", "delay", wall.born),
    ];
    lines.extend(wall.classes.iter().map(|WallLine { class, blocks, blocked, run_delay }| {
        let (name, colour) = family(class.family());
        Line {
            blocks: Some(*blocks),
            delay: Some(*run_delay),
            ..plain(&format!("blocked: {name}, {}", class.name()), colour, *blocked)
        }
    }));
    lines.push(plain("unknown", "rest", wall.unknown));
    whole(page, &lines, wall.total);
    lines.push(plain("counted twice", "rest", wall.excess));
    page.raw(
        "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">line</th><th scope=\"col\" class=\"n\">\
         time</th><th scope=\"col\" class=\"n\">share</th><th></th><th scope=\"col\" class=\"n\">blocks</th>\
         <th scope=\"col\" class=\"n\">run-queue delay after</th></tr></thead><tbody>\n",
    );
    lines.iter().for_each(|line| row(page, line, wall.total, true));
    page.raw("</tbody><tfoot><tr><th scope=\"row\">total, ").text(&plural(
        report.threads.len() as u64,
        "thread",
        "threads",
    ));
    page.raw("</th><td class=\"n\">").text(&wall.total.to_string());
    page.raw("</td><td class=\"n\">100.0 %</td><td></td><td></td><td></td></tr></tfoot></table></div>\n");
    page.raw("<p class=\"note\">Neither blocked time nor run-queue delay is CPU.");
    if wall.blocks_in(Family::BlockingIo) == 0 {
        page.raw(" No block on a descriptor began here.");
    }
    page.raw("</p>\n<p class=\"note\">").name(&wakeups(report)).raw("</p></section>\n");
}

fn wakeups(report: &Report) -> String {
    let w = &report.wakeups;
    let alone = match w.alone() {
        Some(share) => format!("at {} of them no other thread of it ran or could run", percent(share)),
        None => format!("how many threads could run then is {NA}: it had no wake-ups"),
    };
    format!(
        "Its threads were woken by each other {} times, by other processes {} times, by interrupts and kernel threads {} times; \
         {alone}. It woke others {} times. What a wake-up costs the one who wakes: {}.",
        count(w.same_process),
        count(w.other_process),
        count(w.kernel),
        count(w.others),
        told(&w.cost, |&ns| span(ns))
    )
}
