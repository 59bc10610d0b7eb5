//! Flame graphs as SVG, with search and zoom in any browser, drawn by inferno.

use std::cmp::Ordering;

use inferno::{
    differential,
    flamegraph::{self, Options, Palette, color::MultiPalette},
};

use super::{
    ExportError,
    folded::{self, Names},
};
use crate::answer::{Profile, Report, Stalls, Weight};
use crate::text::{clean, fit, numbers::amount};

/// Characters of the verdict that fit below the title.
const SUBTITLE: usize = 150;
/// The larger side of a difference is scaled to about so many units: whole numbers are drawn, and
/// small ones are noise.
const UNITS: f64 = 1e12;

/// What turns the nanoseconds of two measurements into figures that can be compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale<'a> {
    /// Factor for the first: one by its requests, or by its CPU-seconds.
    pub before: f64,
    /// Factor for the second.
    pub after: f64,
    /// What the product is called: `ns per request`.
    pub unit: &'a str,
}

/// Whose stacks give a difference its widths. What only the other one has is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widths {
    /// Those of the first measurement.
    Before,
    /// Those of the second measurement.
    After,
}

/// A flame graph of one weight. The same input gives the same bytes.
pub fn flame(profile: &Profile, report: &Report, weight: Weight) -> Result<String, ExportError> {
    let title = format!("{}: {}", weight.title(), target(report));
    picture(profile, weight, title, subtitle(report), || ExportError::no_stacks(profile, weight))
}

/// A flame graph of stalls: the time in which loops stood still, by what they did instead.
pub fn stalls(stalls: &Stalls) -> Result<String, ExportError> {
    let said = clean::line(&stalls.sentence());
    let (title, subtitle) = (clean::line(&stalls.flame_title()), fit::cut_chars(&said, SUBTITLE));
    picture(&stalls.profile(), Weight::Blocked, title, subtitle, || ExportError::NoStacks(said))
}

fn picture(
    profile: &Profile,
    weight: Weight,
    title: String,
    subtitle: String,
    nothing: impl FnOnce() -> ExportError,
) -> Result<String, ExportError> {
    let lines = folded::lines(profile, weight, Names::Annotated);
    let lines: Vec<String> = lines.into_iter().map(|(stack, ns)| format!("{stack} {ns}")).collect();
    if lines.is_empty() {
        return Err(nothing());
    }
    let mut options = options(title);
    options.subtitle = Some(subtitle);
    options.count_name = "ns".to_owned();
    draw(&mut options, &lines)
}

/// Red where the second measurement has more on a stack, blue where it has less, both scaled.
/// `title` names the two.
pub fn diff(
    before: &Profile,
    after: &Profile,
    weight: Weight,
    scale: Scale<'_>,
    widths: Widths,
    title: &str,
) -> Result<String, ExportError> {
    for factor in [scale.before, scale.after] {
        if !(factor.is_finite() && factor > 0.0) {
            return Err(ExportError::Factor(factor));
        }
    }
    let [first, second] = [before, after].map(|p| folded::lines(p, weight, Names::Annotated));
    let total = |lines: &[(String, u64)], factor: f64| lines.iter().map(|(_, ns)| *ns as f64).sum::<f64>() * factor;
    let (from, to) = (total(&first, scale.before), total(&second, scale.after));
    let (drawn, profile) = match widths {
        Widths::Before => (from, before),
        Widths::After => (to, after),
    };
    if drawn <= 0.0 {
        return Err(ExportError::no_stacks(profile, weight));
    }
    let zoom = 10f64.powf((UNITS / from.max(to)).log10().floor());
    let text = |lines: Vec<(String, u64)>, factor: f64| -> String {
        lines
            .into_iter()
            .map(|(stack, ns)| format!("{stack} {}\n", (ns as f64 * factor * zoom).round() as u64))
            .collect()
    };
    let (first, second) = (text(first, scale.before), text(second, scale.after));
    let lines = match widths {
        Widths::Before => side_by_side(&second, &first)?,
        Widths::After => side_by_side(&first, &second)?,
    };
    // A stack's two figures stand at the end of its line, the one that it is drawn by last.
    let only = |line: &String| line.strip_suffix(" 0")?.rsplit_once(' ')?.1.parse::<f64>().ok();
    // Not `sum`, which calls the sum of nothing -0.
    let undrawn = lines.iter().filter_map(only).fold(0.0, |a, b| a + b);

    let mut options = options(clean::line(title));
    let unit = clean::line(scale.unit);
    options.subtitle = Some(fit::cut_chars(
        &format!(
            "{}: {} → {} {unit} · red: more, blue: less · as wide as {}; {} only {} is not drawn",
            weight.title(),
            amount(from),
            amount(to),
            if widths == Widths::Before { "before" } else { "after" },
            amount(undrawn / zoom),
            if widths == Widths::Before { "after" } else { "before" },
        ),
        SUBTITLE,
    ));
    options.count_name = unit;
    options.factor = 1.0 / zoom;
    options.negate_differentials = widths == Widths::Before;
    draw(&mut options, &lines)
}

/// Lines with two counts each: that of the left, and that of the right, which the drawing is as
/// wide as. In the order of their frames.
fn side_by_side(left: &str, right: &str) -> Result<Vec<String>, ExportError> {
    let mut merged = Vec::new();
    differential::from_readers(differential::Options::default(), left.as_bytes(), right.as_bytes(), &mut merged)?;
    let mut lines: Vec<String> = String::from_utf8_lossy(&merged).lines().map(str::to_owned).collect();
    lines.sort_unstable_by(|a, b| by_frames(a, b));
    Ok(lines)
}

fn options(title: String) -> Options<'static> {
    let mut options = Options::default();
    options.title = title;
    // Orange for the kernel, green for JITs, aqua for inlined frames, by the annotations.
    options.colors = Palette::Multi(MultiPalette::Java);
    // Colours by name and not by chance.
    options.deterministic = true;
    // The only mode that takes lines in the order given, if from the end: sorted by their text,
    // stacks with a common beginning would not stand together.
    options.flame_chart = true;
    options
}

fn draw(options: &mut Options<'_>, lines: &[String]) -> Result<String, ExportError> {
    let mut out = Vec::new();
    flamegraph::from_lines(options, lines.iter().rev().map(String::as_str), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn by_frames(a: &str, b: &str) -> Ordering {
    let stack = |line: &str| line.rsplitn(3, ' ').last().map(str::len).unwrap_or_default();
    a[..stack(a)].split(';').cmp(b[..stack(b)].split(';'))
}

/// `echo-server`, `nginx and 3 more`.
pub(super) fn target(report: &Report) -> String {
    match report.facts.processes.as_slice() {
        [] => "unknown target".to_owned(),
        [one] => clean::line(&one.name),
        [first, more @ ..] => format!("{} and {} more", clean::line(&first.name), more.len()),
    }
}

fn subtitle(report: &Report) -> String {
    let mut parts = Vec::new();
    if let Some(process) = report.facts.processes.first() {
        parts.push(format!("PID {}", process.tgid));
    }
    if !report.facts.kernel.is_empty() {
        parts.push(format!("Linux {}", clean::line(&report.facts.kernel)));
    }
    parts.push(report.window.measured.to_string());
    parts.push(clean::line(&report.verdict.sentence()));
    fit::cut_chars(&parts.join(" · "), SUBTITLE)
}
