//! The state at a glance:
//!
//! ```text
//! Yes: about 28 % (7–47 %) of its CPU would come back with an event loop: 8 connection threads …
//! blocking-IO overhead ~22.1 % (90 %: 20.8–23.4 %) · indirect ~2.0 %   ▃▄▄▅▅▆▅▅ now ~22.5 %
//! 41.2 k/s events · 20.1 k/s blocks on IO · self-cost ~1.3 % of its CPU · profiler 0.4 % of a CPU
//! CPU  1.310 now, top 1.400, column 1.00 s                                 now    whole
//! ++++++++++++++++++++++++++++                    █ user mode              42.0 %   41.8 %
//! ############################                    ▒ syscall work           30.1 %   30.9 %
//! ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒                    # blocking IO, direct   ~22.5 %  ~22.1 %
//! ████████████████████████████                    + other switches         ~5.4 %   ~5.2 %
//! WALL  where the time of 15 threads went, since the start
//! on a CPU          ██▏  4.5 %
//! blocked on tcp    ##################################  91.2 %
//! · evidence
//! ```

use ratatui::{buffer::Buffer, layout::Rect};

use super::ledgers::{WIDE, cpu_bar, cpu_chart, cpu_legend, legend_lines, wall, wall_bar, wall_lines};
use crate::text::{
    clean::clean,
    fit::{cut, width, wrap},
    numbers::{percent, range, rate, span},
};
use crate::{
    answer::Report,
    event::Family,
    feed::Snapshot,
    predict::WhatIf,
    tui::{
        app::App,
        pen::Pen,
        text::{figure, origin},
        theme::Ink,
    },
};

/// From this height on the CPU ledger is a chart over time; below it is one bar.
const TALL: u16 = 18;
/// If less than this part of the time was measured, the programs were attached for windows only.
const SAMPLED: f64 = 0.9;

pub(super) fn draw(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let (width, height) = (pen.width(), pen.height());
    let regions = regions(app, snapshot, width, height);
    // Drawn on a sheet that is long enough for everything; the screen shows a part of it.
    let length: u16 = regions.iter().map(|r| r.height).sum();
    let area = Rect { x: 0, y: 0, width, height: length };
    let mut sheet = Buffer::empty(area);
    let mut row = 0;
    for region in &regions {
        let mut all = Pen::new(&mut sheet, area, pen.theme);
        (region.draw)(&mut all.part(row, 0, region.height, width), app, snapshot);
        row += region.height;
    }
    let scroll = app.scroll();
    scroll.page.set(usize::from(height));
    scroll.lines.set(usize::from(length));
    scroll.by(0);
    pen.paste(&sheet, scroll.offset.get() as u16);
}

/// A part of the screen, its height settled.
struct Region {
    height: u16,
    draw: fn(&mut Pen<'_>, &App, &Snapshot),
}

fn regions(app: &App, snapshot: &Snapshot, width: u16, height: u16) -> Vec<Region> {
    let report = &snapshot.whole;
    let lines = |texts: &[String]| texts.iter().map(|t| wrap(t, usize::from(width)).len() as u16).sum::<u16>();
    let sentence = lines(&[clean(&report.verdict.sentence())]);
    let wall_height = wall_lines(app, snapshot).len() as u16 + 1;
    let region = |height, draw| Region { height, draw };
    if height < TALL {
        // The state in seven lines; what they leave out is below.
        return vec![
            region(sentence.min(2), verdict),
            region(1, score),
            region(1, cpu_bar),
            region(1, cpu_legend),
            region(1, wall_bar),
            region(1, rates_short),
            region(1, nothing),
            region(wall_height, wall),
            region(lines(&[rates_text(snapshot)]), rates),
            region(if sentence > 2 { sentence } else { 0 }, verdict),
            region(lines(&evidence_texts(report)), evidence),
        ];
    }
    let (score_lines, rates_lines) = (if width < WIDE { 2 } else { 1 }, lines(&[rates_text(snapshot)]) + 1);
    let legend = if width >= WIDE { 0 } else { legend_lines(app, snapshot, width).len() as u16 };
    let others = sentence + score_lines + rates_lines + wall_height + lines(&evidence_texts(report)) + legend + 3;
    vec![
        region(sentence, verdict),
        region(score_lines, score),
        region(rates_lines, rates),
        region(height.saturating_sub(others).clamp(6, 16) + legend + 2, cpu_chart),
        region(wall_height + 1, wall),
        region(lines(&evidence_texts(report)), evidence),
    ]
}

fn nothing(_: &mut Pen<'_>, _: &App, _: &Snapshot) {}

fn verdict(pen: &mut Pen<'_>, _: &App, snapshot: &Snapshot) {
    let text = clean(&snapshot.whole.verdict.sentence());
    let lines = wrap(&text, pen.width().into());
    for (row, line) in lines.iter().enumerate().take(pen.height().into()) {
        pen.text(row as u16, 0, line, Ink::Bold);
    }
    if lines.len() > pen.height().into() {
        pen.right(pen.height().saturating_sub(1), "…", Ink::Bold);
    }
}

/// `~22.1 % (90 %: 20.8–23.4 %)`
fn score_text(report: &Report, narrow: bool) -> String {
    let score = &report.score;
    let mut text = figure(&score.direct, |&d| percent(d));
    if score.direct.value().is_none() {
        return origin(&score.direct);
    }
    // Where nothing blocked on IO the share is exactly zero. An interval would make it look
    // uncertain.
    if let Some(interval) = score.interval.filter(|_| report.wall.blocks_in(Family::BlockingIo) > 0) {
        let level = if narrow { "" } else { "90 %: " };
        text.push_str(&format!(" ({level}{})", range(interval)));
    }
    text
}

fn score(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot) {
    let narrow = pen.width() < WIDE;
    let name = if narrow { "overhead " } else { "blocking-IO overhead " };
    let column = pen.text(0, 0, name, Ink::Bold);
    let mut column = pen.text(0, column, &score_text(&snapshot.whole, narrow), Ink::Part(2));
    if !narrow {
        let indirect = format!(" · indirect {}", figure(&snapshot.whole.score.indirect, |&i| percent(i)));
        column = pen.text(0, column, &indirect, Ink::Plain);
    }
    let (row, from) = if pen.height() > 1 { (1, 0) } else { (0, column + 2) };
    trend(pen, app, snapshot, row, from);
}

/// The score of each interval: `▁▂▅▇ now 12.8 %`.
fn trend(pen: &mut Pen<'_>, app: &App, snapshot: &Snapshot, row: u16, from: u16) {
    const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let now = match pen.width() {
        0..60 if row == 0 => String::new(),
        _ => format!(" now {}", figure(&snapshot.last.score.direct, |&d| percent(d))),
    };
    let room = pen.width().saturating_sub(from + width(&now) as u16).min(60);
    let mut column = from;
    if room >= 4 {
        let shown = app.history.until(snapshot.at, usize::from(room));
        let most = shown.iter().filter_map(|e| e.score).fold(0.01, f64::max);
        for entry in shown {
            // An interval without a score leaves a gap: it is not 0.
            let glyph = entry.score.map_or(" ", |score| {
                let step = (score.max(0.0) / most * 7.0).round() as usize;
                BARS.get(step).copied().unwrap_or("█")
            });
            column = pen.text(row, column, glyph, Ink::Part(2));
        }
    }
    let text = if column == from { now.trim_start() } else { &now };
    pen.text(row, column, text, Ink::Plain);
}

/// Share of the target's CPU that the programs use in the mean, where they are attached for windows
/// only: as if the target used its CPU between windows as it does in them.
fn share_over_all_time(report: &Report) -> Option<f64> {
    let window = &report.window;
    let part = window.measured.as_secs_f64() / window.wall.as_secs_f64();
    report.self_cost.share.value().filter(|_| part < SAMPLED).map(|share| share * part)
}

/// What the programs cost the target, followed by `of` what it is a share. If they are attached for
/// windows only, it is their share in windows and the mean over all time.
fn self_cost(snapshot: &Snapshot, of: &str) -> String {
    let share = &snapshot.last.self_cost.share;
    match (share.value(), share_over_all_time(&snapshot.whole)) {
        (None, _) => origin(share),
        (Some(_), None) => figure(share, |&s| format!("{}{of}", percent(s))),
        (Some(_), Some(mean)) => {
            let windows = figure(share, |&s| format!("{}{of} in windows", percent(s)));
            format!("{windows}, ~{} over all time", percent(mean))
        }
    }
}

fn rates_text(snapshot: &Snapshot) -> String {
    let last = &snapshot.last;
    let seconds = snapshot.interval.as_secs_f64();
    let own = &last.self_cost;
    let blocks = last.wall.blocks_in(Family::BlockingIo);
    let share = self_cost(snapshot, " of its CPU");
    let profiler = percent(own.own_cpu.as_secs_f64() / seconds.max(1e-9));
    format!(
        "{} events · {} IO blocks · self-cost {share} · profiler {profiler} of a CPU",
        rate(own.events, seconds),
        rate(blocks, seconds)
    )
}

fn rates(pen: &mut Pen<'_>, _: &App, snapshot: &Snapshot) {
    for (row, line) in wrap(&rates_text(snapshot), pen.width().into()).iter().enumerate() {
        pen.text(row as u16, 0, line, Ink::Plain);
    }
}

/// Events and self-cost, where there is one line for them. Where the line is too short for both
/// shares of the self-cost, the one over all time stays.
fn rates_short(pen: &mut Pen<'_>, _: &App, snapshot: &Snapshot) {
    let last = &snapshot.last;
    let seconds = snapshot.interval.as_secs_f64();
    let text = |share: &str| format!("{} events · self-cost {share}", rate(last.self_cost.events, seconds));
    let (room, both) = (usize::from(pen.width()), text(&self_cost(snapshot, "")));
    let one = match share_over_all_time(&snapshot.whole) {
        Some(mean) => format!("~{} over all time", percent(mean)),
        None => figure(&last.self_cost.share, |&s| percent(s)),
    };
    let text = if width(&both) <= room { both } else { text(&one) };
    pen.text(0, 0, &cut(&text, room), Ink::Plain);
}

/// What the verdict rests on, and what is cheaper than a rewrite.
fn evidence_texts(report: &Report) -> Vec<String> {
    let mut texts: Vec<String> =
        report.verdict.evidence_lines().iter().map(|line| format!("· {}", clean(line))).collect();
    let indirect = report.indirect.total();
    texts.push(match indirect.value() {
        Some(_) => {
            let cost = figure(&indirect, |e| span(e.per_block));
            format!("· indirect cost: {cost} after each block; {}", origin(&indirect))
        }
        None => format!("· indirect cost: {}", origin(&indirect)),
    });
    texts.extend(report.load.value().map(|load| format!("· load average: {}", load.sentence())));
    // Other ways have a view of their own.
    texts.extend(report.capacity.as_ref().map(|capacity| format!("· capacity: {}", capacity.now())));
    texts.extend(report.latency.value().map(|latency| format!("· latency: {}; {}", latency.now(), latency.scope())));
    texts.extend(report.memory.value().map(|memory| format!("· memory: {}", memory.sentence())));
    texts.extend(report.verdict.advice_lines().iter().map(|line| format!("· {}: {}", WhatIf::CHEAPER, clean(line))));
    texts
}

fn evidence(pen: &mut Pen<'_>, _: &App, snapshot: &Snapshot) {
    let width = pen.width().into();
    let lines = evidence_texts(&snapshot.whole).into_iter().flat_map(|text| wrap(&text, width));
    for (row, line) in lines.enumerate() {
        pen.text(row as u16, 0, &line, Ink::Plain);
    }
}
