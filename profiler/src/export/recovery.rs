//! The recovery curve as SVG: IPC over the instructions since a return, one curve per kind of
//! return, with 90 % intervals.
//!
//! The same drawing stands in the page and in a file of its own; it follows the reader's light or
//! dark setting.

use maud::{Markup, PreEscaped, html};

use super::{ExportError, markup::Number, svg::target};
use crate::{
    answer::Report,
    cost::ipc::{Before, Curve, Ipc},
    quantity::Estimate,
    text::{
        clean, fit,
        numbers::{decimal, plural, whole},
    },
    words::{SINCE_THE_RETURN, SURVIVORS, note},
};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;
/// Characters that fit below the title.
const SUBTITLE: usize = 120;
/// The corners of what the axes enclose.
const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 18.0;
const TOP: f64 = 74.0;
const BOTTOM: f64 = HEIGHT - 62.0;

const STYLE: &str = "<style>.ipc{font:13px system-ui,sans-serif;fill:#1c1e21}.ipc .paper{fill:#fff}\
    .ipc .grid{stroke:#d8dbe0;stroke-width:1}.ipc .axis{stroke:#5c6370;stroke-width:1}.ipc .dim{fill:#5c6370;font-size:12px}\
    .ipc .h{font-size:16px;font-weight:600}.ipc .end{text-anchor:end}.ipc .mid{text-anchor:middle}\
    .ipc .band{opacity: .18}.ipc .line{fill:none;stroke-width:2}.ipc .steady{stroke-width:1;stroke-dasharray:5 4}\
    .ipc .blocked{fill:#d55e00;stroke:#d55e00}.ipc .direct{fill:#0072b2;stroke:#0072b2}\
    .ipc .preempted{fill:#009e73;stroke:#009e73}.ipc .unknown{fill:#8c8c9c;stroke:#8c8c9c}.ipc .band{stroke:none}\
    .ipc .line{fill:none}@media(prefers-color-scheme:dark){.ipc{fill:#e4e6ea}.ipc .paper{fill:#16181c}\
    .ipc .grid{stroke:#353a42}.ipc .axis{stroke:#9aa2ae}.ipc .dim{fill:#9aa2ae}}</style>\n";

/// Both axes: powers of ten to the right, IPC from 0 upwards.
struct Axes {
    low: f64,
    high: f64,
    top: f64,
}

/// Points that have a local IPC: (middle, IPC).
fn local_points(curve: &Curve) -> impl Iterator<Item = (f64, Estimate)> + '_ {
    curve.points.iter().filter_map(|p| Some((p.middle.max(1.0), p.local?)))
}

impl Axes {
    fn over(curves: &[Curve]) -> Option<Self> {
        let all = || curves.iter().flat_map(local_points);
        let low = all().map(|(x, _)| x.log10()).fold(f64::INFINITY, f64::min).floor();
        let high = all().map(|(x, _)| x.log10()).fold(f64::NEG_INFINITY, f64::max);
        // A point that hardly anything is known of does not make the others flat.
        let top = all().map(|(_, y)| y.value.max(y.high.min(1.3 * y.value))).fold(0.0, f64::max);
        let good = low.is_finite() && high.is_finite() && top > 0.0 && top.is_finite();
        good.then(|| Self { low, high: high.max(low + 1.0), top: 1.05 * top })
    }

    /// To a tenth of a pixel.
    fn x(&self, instructions: f64) -> f64 {
        let share = (instructions.max(1.0).log10() - self.low) / (self.high - self.low);
        round(LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT))
    }

    fn y(&self, ipc: f64) -> f64 {
        round(BOTTOM - (ipc / self.top).clamp(0.0, 1.0) * (BOTTOM - TOP))
    }
}

fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

/// The class that colours a kind.
fn class(before: Before) -> &'static str {
    before.key()
}

/// Draws the curves; `None` where no point has an IPC. `space` is the namespace, which a page has
/// by itself.
pub(super) fn draw(ipc: &Ipc, title: &str, subtitle: &str, space: Option<&str>) -> Option<Markup> {
    let axes = Axes::over(&ipc.curves)?;
    Some(html! {
        svg xmlns=[space] class="ipc" role="img" viewBox={ "0 0 " (Number(WIDTH)) " " (Number(HEIGHT)) }
            width="100%" style={ "max-width:" (Number(WIDTH)) "px" }
        {
            "\n" title { (title) }
            "\n" (PreEscaped(STYLE))
            rect class="paper" width=(Number(WIDTH)) height=(Number(HEIGHT)) {}
            "\n" (text("h", LEFT, 22.0, title))
            @if !subtitle.is_empty() { (text("dim", LEFT, 40.0, subtitle)) }
            (grid(&axes))
            (legend(ipc))
            // The most important last: on top.
            @for curve in ipc.curves.iter().rev() { (one(&axes, curve)) }
        }
        "\n"
    })
}

fn text(class: &str, x: f64, y: f64, text: &str) -> Markup {
    html! { text class=(class) x=(Number(x)) y=(Number(y)) { (text) } "\n" }
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> Markup {
    html! {
        line class=(class) x1=(Number(from.0)) y1=(Number(from.1)) x2=(Number(to.0)) y2=(Number(to.1)) {}
        "\n"
    }
}

/// Steps of 1, 2 or 5 that divide the axis into about six.
fn step(top: f64) -> f64 {
    let rough = top / 6.0;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|n| n * power).find(|s| *s >= rough).unwrap_or(10.0 * power)
}

/// The lines at powers of ten, and ticks between them.
fn powers(axes: &Axes) -> Markup {
    let bottom = |x: f64| (x, BOTTOM);
    html! {
        @for power in axes.low as i32..=axes.high as i32 {
            @let value = 10f64.powi(power);
            @let x = axes.x(value);
            (line("grid", (x, TOP), bottom(x)))
            (text("dim mid", x, BOTTOM + 17.0, &(value as u64).to_string()))
            @for minor in (2..10).map(|n| value * f64::from(n)).filter(|minor| minor.log10() <= axes.high) {
                (line("axis", bottom(axes.x(minor)), (axes.x(minor), BOTTOM + 3.0)))
            }
        }
    }
}

fn grid(axes: &Axes) -> Markup {
    let step = step(axes.top);
    let ticks = (axes.top / step) as usize;
    let middle = f64::midpoint(LEFT, RIGHT);
    html! {
        (powers(axes))
        @for n in 0..=ticks.min(20) {
            @let value = n as f64 * step;
            (line("grid", (LEFT, axes.y(value)), (RIGHT, axes.y(value))))
            (text("dim end", LEFT - 7.0, axes.y(value) + 4.0, &decimal(value, 2)))
        }
        (line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM)))
        (line("axis", (LEFT, TOP), (LEFT, BOTTOM)))
        (text("mid", middle, BOTTOM + 36.0, SINCE_THE_RETURN))
        (text("dim mid", middle, BOTTOM + 54.0, SURVIVORS))
        (text("", 8.0, TOP - 8.0, "IPC (user mode), band: 90 %"))
    }
}

fn legend(ipc: &Ipc) -> Markup {
    let left = RIGHT - 150.0 * ipc.curves.len() as f64;
    html! {
        @for (i, curve) in ipc.curves.iter().enumerate() {
            @let x = left + 150.0 * i as f64;
            rect class=(class(curve.before)) x=(Number(x)) y=(Number(TOP - 19.0)) width="12" height="12" {}
            "\n"
            (text("", x + 18.0, TOP - 8.0, &format!("after a {}", curve.before.name())))
        }
    }
}

/// The places as a `points` attribute has them.
fn points(places: impl Iterator<Item = (f64, f64)>) -> String {
    places.map(|(x, y)| format!("{x},{y} ")).collect()
}

fn one(axes: &Axes, curve: &Curve) -> Markup {
    let places: Vec<(f64, Estimate)> = local_points(curve).collect();
    let upper = places.iter().map(|(x, y)| (axes.x(*x), axes.y(y.high)));
    let lower = places.iter().rev().map(|(x, y)| (axes.x(*x), axes.y(y.low)));
    let middle = places.iter().map(|(x, y)| (axes.x(*x), axes.y(y.value)));
    let marks = curve.points.iter().filter_map(|point| {
        let local = point.local?;
        let words = format!(
            "around {} instructions after a {}: IPC {}, {}",
            whole(point.middle),
            curve.before.name(),
            local.words(3),
            plural(point.samples, "sample", "samples")
        );
        Some((axes.x(point.middle), axes.y(local.value), words))
    });
    html! {
        g class=(class(curve.before)) {
            "\n" polygon class="band" points=(points(upper.chain(lower))) {}
            "\n" polyline class="line" points=(points(middle)) {}
            "\n"
            @if let Some(steady) = curve.steady.value() {
                (line("steady", (LEFT, axes.y(steady.value)), (RIGHT, axes.y(steady.value))))
            }
            @for (x, y, words) in marks {
                circle r="3" cx=(Number(x)) cy=(Number(y)) { title { (words) } }
                "\n"
            }
        }
        "\n"
    }
}

const NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// A file of its own.
///
/// # Errors
/// Without counters, or without samples for a curve; the error says why.
pub fn picture(report: &Report) -> Result<String, ExportError> {
    let ipc = report.ipc.value().ok_or_else(|| ExportError::NoCurve(clean::line(&note(&report.ipc))))?;
    let title = format!("IPC after returns: {}", target(report));
    let subtitle = fit::cut_chars(&ipc.coverage(), SUBTITLE);
    let picture =
        draw(ipc, &title, &subtitle, Some(NAMESPACE)).ok_or_else(|| ExportError::NoCurve(ipc.no_curve().to_owned()))?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", picture.into_string()))
}
