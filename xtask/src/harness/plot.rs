//! What was found as SVG: predicted against measured, and the error of every cell.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    judge::{self, Judged},
    missed::Residuals,
    results::Cell,
    row::Scenario,
    statistics::Interval,
};

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const TITLE: i32 = 22;
pub(crate) const TEXT: i32 = 16;
/// Errors up to this are good, in percentage points.
const GOOD: f64 = 3.0;
pub(crate) const GRID: RGBColor = RGBColor(224, 224, 224);
const CONTROL: RGBColor = RGBColor(110, 110, 110);

/// Any colour vision tells these colours apart (Okabe & Ito 2008).
pub(crate) const fn colour(scenario: Option<Scenario>) -> RGBColor {
    match scenario {
        Some(Scenario::Level) => RGBColor(0, 0, 0),
        Some(Scenario::Naive) => RGBColor(0, 114, 178),
        Some(Scenario::Runtime) => RGBColor(213, 94, 0),
        Some(Scenario::Tuned | Scenario::Deep32 | Scenario::Deep128 | Scenario::Aio) => RGBColor(0, 158, 115),
        Some(Scenario::Pooled | Scenario::Shared | Scenario::Workers | Scenario::Inline) => RGBColor(240, 228, 66),
        Some(Scenario::Streams | Scenario::Protocols | Scenario::Uvloop) => RGBColor(204, 121, 167),
        Some(Scenario::Gevent) => RGBColor(230, 159, 0),
        Some(Scenario::Virtual | Scenario::Tasks | Scenario::Selector) => RGBColor(86, 180, 233),
        None => CONTROL,
    }
}

pub(crate) const fn title(scenario: Option<Scenario>) -> &'static str {
    match scenario {
        Some(Scenario::Level) => "epoll (level)",
        Some(Scenario::Naive) => "epoll (naive)",
        Some(Scenario::Runtime) => "tokio (runtime)",
        Some(Scenario::Tuned) => "io_uring (tuned)",
        Some(Scenario::Deep32) => "io_uring, 32 at once",
        Some(Scenario::Deep128) => "io_uring, 128 at once",
        Some(Scenario::Aio) => "Linux AIO",
        Some(Scenario::Workers) => "workers for files",
        Some(Scenario::Inline) => "on the calling thread",
        Some(Scenario::Pooled) => "loop with a pool",
        Some(Scenario::Shared) => "loop that threads share",
        Some(Scenario::Streams) => "asyncio streams",
        Some(Scenario::Protocols) => "asyncio protocols",
        Some(Scenario::Uvloop) => "uvloop",
        Some(Scenario::Gevent) => "gevent",
        Some(Scenario::Virtual) => "virtual threads",
        Some(Scenario::Tasks) => "a virtual thread a task",
        Some(Scenario::Selector) => "selector loop",
        None => "control",
    }
}

/// A cell and how it was judged.
pub(crate) struct Point<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) row: Judged,
}

/// The cells that can be judged.
pub(crate) fn points<'a>(cells: &'a [Cell], missed: &Residuals) -> Result<Vec<Point<'a>>> {
    let judged = |cell| Some(Point { cell, row: judge::judge(cell, missed, 0.0)? });
    let points: Vec<Point> = cells.iter().filter_map(judged).collect();
    ensure!(
        points.iter().any(|point| point.row.predicted.is_some()),
        "no cell has both a prediction and a measurement"
    );
    Ok(points)
}

/// Draws a picture into a file.
pub(crate) fn file(path: &Path, size: (u32, u32), draw: impl FnOnce(&Area) -> Result<()>) -> Result<()> {
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE).map_err(plain)?;
    draw(&area).with_context(|| format!("drawing {}", path.display()))?;
    area.present().map_err(plain).with_context(|| format!("writing {}", path.display()))
}

/// Draws scatter.svg and errors.svg into a folder.
pub(crate) fn draw(points: &[Point], folder: &Path) -> Result<Vec<PathBuf>> {
    let (together, apart) = (folder.join("scatter.svg"), folder.join("errors.svg"));
    file(&together, (760, 760), |area| scatter(area, points))?;
    let height = 110 + 22 * points.iter().filter(|point| point.row.error.is_some()).count() as u32;
    file(&apart, (900, height), |area| errors(area, points))?;
    Ok(vec![together, apart])
}

/// An error of the backend, which borrows nothing.
pub(crate) fn plain(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

/// The range of some values, a tenth wider on both sides and at least ten points wide.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let margin = ((high - low) * 0.08).max(5.0 - (high - low) / 2.0).max(0.5);
    low - margin..high + margin
}

fn scatter(area: &Area, points: &[Point]) -> Result<()> {
    let both: Vec<(&Point, Interval)> = points.iter().filter_map(|p| Some((p, p.row.predicted?))).collect();
    let span = range(both.iter().flat_map(|(p, predicted)| [predicted.ends(), p.row.measured.ends()]).flatten());
    let mut chart = ChartBuilder::on(area)
        .caption("CPU that async saves: predicted and measured", (FONT, TITLE))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(58)
        .build_cartesian_2d(span.clone(), span.clone())
        .map_err(plain)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc("measured, % of the blocking version's CPU")
        .y_desc("predicted, % of the blocking version's CPU")
        .label_style((FONT, TEXT))
        .draw()
        .map_err(plain)?;
    let (low, high) = (span.start, span.end);
    let band = [(low, low - GOOD), (high, high - GOOD), (high, high + GOOD), (low, low + GOOD)];
    let clip = |(x, y): (f64, f64)| (x, y.clamp(low, high));
    chart
        .draw_series([Polygon::new(band.map(clip).to_vec(), BLACK.mix(0.07).filled())])
        .map_err(plain)?
        .label("within ±3 points")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], BLACK.mix(0.12).filled()));
    chart.draw_series([PathElement::new(vec![(low, low), (high, high)], BLACK.mix(0.6))]).map_err(plain)?;
    for scenario in Scenario::ALL.map(Some).into_iter().chain([None]) {
        let colour = colour(scenario);
        let shown = || both.iter().filter(|(p, _)| p.cell.scenario == scenario && p.row.control == scenario.is_none());
        if shown().next().is_none() {
            continue;
        }
        chart
            .draw_series(shown().flat_map(|(p, predicted)| {
                let (x, y) = (p.row.measured, predicted);
                [
                    PathElement::new(vec![(x.value, y.low), (x.value, y.high)], colour.mix(0.55)),
                    PathElement::new(vec![(x.low, y.value), (x.high, y.value)], colour.mix(0.55)),
                ]
            }))
            .map_err(plain)?;
        chart
            .draw_series(
                shown().map(|(p, predicted)| Circle::new((p.row.measured.value, predicted.value), 4, colour.filled())),
            )
            .map_err(plain)?
            .label(title(scenario))
            .legend(move |(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, TEXT))
        .draw()
        .map_err(plain)
}

fn errors(area: &Area, points: &[Point]) -> Result<()> {
    let found: Vec<(&Point, f64)> = points.iter().filter_map(|p| Some((p, p.row.error?))).collect();
    let span = range(found.iter().map(|(_, error)| *error));
    let mut chart = ChartBuilder::on(area)
        .caption("Error of every cell: predicted less measured", (FONT, TITLE))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(250)
        .build_cartesian_2d(span.clone(), 0.0..found.len() as f64)
        .map_err(plain)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc("percentage points of the blocking version's CPU; grey: within ±3")
        .label_style((FONT, TEXT))
        .draw()
        .map_err(plain)?;
    let band = [((-GOOD).max(span.start), 0.0), (GOOD.min(span.end), found.len() as f64)];
    chart.draw_series([Rectangle::new(band, BLACK.mix(0.07).filled())]).map_err(plain)?;
    // The first cell is at the top.
    let at = |i: usize| (found.len() - 1 - i) as f64;
    for scenario in Scenario::ALL.map(Some).into_iter().chain([None]) {
        let colour = colour(scenario);
        let shown = || found.iter().enumerate().filter(|(_, (p, _))| p.cell.scenario == scenario);
        if shown().next().is_none() {
            continue;
        }
        let bars = shown().map(|(i, (_, error))| {
            Rectangle::new([(0.0, at(i) + 0.25), (*error, at(i) + 0.75)], colour.mix(0.6).filled())
        });
        chart.draw_series(bars).map_err(plain)?;
        // A bar without length would not be seen.
        chart
            .draw_series(shown().map(|(i, (_, error))| Circle::new((*error, at(i) + 0.5), 4, colour.filled())))
            .map_err(plain)?
            .label(title(scenario))
            .legend(move |(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
    }
    chart
        .draw_series([PathElement::new(vec![(0.0, 0.0), (0.0, found.len() as f64)], BLACK.mix(0.6))])
        .map_err(plain)?;
    // The legend is beside the controls, whose bars are short.
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, TEXT))
        .draw()
        .map_err(plain)?;
    let style = TextStyle::from((FONT, TEXT).into_font()).pos(Pos::new(HPos::Right, VPos::Center));
    for (i, (p, _)) in found.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(span.start, at(i) + 0.5));
        area.draw_text(&p.cell.id, &style, (x - 8, y)).map_err(plain)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_values_and_nothing() {
        let span = range([3.0, 40.0].into_iter());
        assert!(span.contains(&0.0) && span.contains(&40.0));
        let narrow = range([0.1].into_iter());
        assert!(narrow.end - narrow.start >= 9.9);
    }
}
