//! Results as SVG: predicted against measured, the error of every cell, and savings over
//! connections.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::results::Results;
use crate::harness::{
    judge::{self, Judged},
    results::Cell,
    row::Scenario,
    statistics::Interval,
};

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) const FONT: &str = "sans-serif";
pub(super) const TITLE: i32 = 22;
pub(super) const TEXT: i32 = 16;
/// Errors up to this are good, in percentage points.
const GOOD: f64 = 3.0;
pub(super) const GRID: RGBColor = RGBColor(224, 224, 224);
const CONTROL: RGBColor = RGBColor(110, 110, 110);

/// Any colour vision tells these colours apart (Okabe & Ito 2008).
const fn colour(scenario: Option<Scenario>) -> RGBColor {
    match scenario {
        Some(Scenario::Naive) => RGBColor(0, 114, 178),
        Some(Scenario::Runtime) => RGBColor(213, 94, 0),
        Some(Scenario::Tuned) => RGBColor(0, 158, 115),
        None => CONTROL,
    }
}

const fn title(scenario: Option<Scenario>) -> &'static str {
    match scenario {
        Some(Scenario::Naive) => "epoll (naive)",
        Some(Scenario::Runtime) => "tokio (runtime)",
        Some(Scenario::Tuned) => "io_uring (tuned)",
        None => "control",
    }
}

/// A cell and how it was judged.
struct Point<'a> {
    cell: &'a Cell,
    row: Judged,
}

/// Draws everything that the results hold into a folder.
pub(super) fn draw(results: &Results, folder: &Path) -> Result<Vec<PathBuf>> {
    let points: Vec<Point> =
        results.cells.iter().filter_map(|cell| Some(Point { cell, row: judge::judge(cell)? })).collect();
    ensure!(
        points.iter().any(|point| point.row.predicted.is_some()),
        "no cell has both a prediction and a measurement"
    );
    let mut written = Vec::new();
    let mut file = |name: &str, size: (u32, u32), draw: &dyn Fn(&Area) -> Result<()>| -> Result<()> {
        let path = folder.join(name);
        {
            let area = SVGBackend::new(&path, size).into_drawing_area();
            area.fill(&WHITE).map_err(plain)?;
            draw(&area).with_context(|| format!("drawing {name}"))?;
            area.present().map_err(plain).with_context(|| format!("writing {}", path.display()))?;
        }
        written.push(path);
        Ok(())
    };
    file("scatter.svg", (760, 760), &|area| scatter(area, &points))?;
    let height = 110 + 22 * points.iter().filter(|point| point.row.error.is_some()).count() as u32;
    file("errors.svg", (900, height), &|area| errors(area, &points))?;
    let works: BTreeSet<u32> = points.iter().filter_map(|point| Some(point.cell.grid?.1)).collect();
    let sizes = |work| grid(&points, work, None).iter().map(|(connections, _)| *connections).collect::<BTreeSet<u32>>();
    let works: Vec<u32> = works.into_iter().filter(|work| sizes(*work).len() > 1).collect();
    if !works.is_empty() {
        let size = (1140, 60 + 270 * works.len() as u32);
        file("connections.svg", size, &|area| connections(area, &points, &works))?;
    }
    Ok(written)
}

/// An error of the backend, which borrows nothing.
pub(super) fn plain(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

/// The range of some values, a tenth wider on both sides and at least ten points wide.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
    let margin = ((high - low) * 0.08).max(5.0 - (high - low) / 2.0).max(0.5);
    low - margin..high + margin
}

fn all_ends(interval: &Interval) -> [f64; 3] {
    [interval.low, interval.value, interval.high]
}

fn scatter(area: &Area, points: &[Point]) -> Result<()> {
    let both: Vec<(&Point, Interval)> = points.iter().filter_map(|p| Some((p, p.row.predicted?))).collect();
    let span = range(both.iter().flat_map(|(p, predicted)| [all_ends(predicted), all_ends(&p.row.measured)]).flatten());
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
        .label("within ± 3 points")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], BLACK.mix(0.12).filled()));
    chart.draw_series([PathElement::new(vec![(low, low), (high, high)], BLACK.mix(0.6))]).map_err(plain)?;
    for scenario in Scenario::ALL.map(Some).into_iter().chain([None]) {
        let colour = colour(scenario);
        let of = || both.iter().filter(|(p, _)| p.cell.scenario == scenario && p.row.control == scenario.is_none());
        if of().next().is_none() {
            continue;
        }
        chart
            .draw_series(of().flat_map(|(p, predicted)| {
                let (x, y) = (p.row.measured, predicted);
                [
                    PathElement::new(vec![(x.value, y.low), (x.value, y.high)], colour.mix(0.55)),
                    PathElement::new(vec![(x.low, y.value), (x.high, y.value)], colour.mix(0.55)),
                ]
            }))
            .map_err(plain)?;
        chart
            .draw_series(
                of().map(|(p, predicted)| Circle::new((p.row.measured.value, predicted.value), 4, colour.filled())),
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
        .x_desc("percentage points of the blocking version's CPU; grey: within ± 3")
        .label_style((FONT, TEXT))
        .draw()
        .map_err(plain)?;
    let band = [((-GOOD).max(span.start), 0.0), (GOOD.min(span.end), found.len() as f64)];
    chart.draw_series([Rectangle::new(band, BLACK.mix(0.07).filled())]).map_err(plain)?;
    // The first cell is at the top.
    let at = |i: usize| (found.len() - 1 - i) as f64;
    for scenario in Scenario::ALL.map(Some).into_iter().chain([None]) {
        let colour = colour(scenario);
        let of = || found.iter().enumerate().filter(|(_, (p, _))| p.cell.scenario == scenario);
        if of().next().is_none() {
            continue;
        }
        let bars = of().map(|(i, (_, error))| {
            Rectangle::new([(0.0, at(i) + 0.25), (*error, at(i) + 0.75)], colour.mix(0.6).filled())
        });
        chart.draw_series(bars).map_err(plain)?;
        // A bar without length would not be seen.
        chart
            .draw_series(of().map(|(i, (_, error))| Circle::new((*error, at(i) + 0.5), 4, colour.filled())))
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

/// Points of the echo grid with this work, by connections.
fn grid<'a, 'b>(points: &'b [Point<'a>], work: u32, scenario: Option<Scenario>) -> Vec<(u32, &'b Point<'a>)> {
    let wanted = |p: &&Point| scenario.is_none() || p.cell.scenario == scenario;
    let mut found: Vec<(u32, &Point)> =
        points.iter().filter(wanted).filter_map(|p| Some((p.cell.grid.filter(|(_, w)| *w == work)?.0, p))).collect();
    found.sort_by_key(|(connections, _)| *connections);
    found
}

fn connections(area: &Area, points: &[Point], works: &[u32]) -> Result<()> {
    let heading =
        "Echo server, closed loop: CPU that async saves, predicted (line, band: interval) and measured (points)";
    let area = area.titled(heading, (FONT, TITLE)).map_err(plain)?;
    for (panels, &work) in area.split_evenly((works.len(), 1)).iter().zip(works) {
        // One scale per row, so that the columns can be compared.
        let values = grid(points, work, None).into_iter().flat_map(|(_, p)| {
            let predicted = p.row.predicted.unwrap_or(p.row.measured);
            [all_ends(&predicted), all_ends(&p.row.measured)].into_iter().flatten().collect::<Vec<_>>()
        });
        let span = range(values);
        for (panel, scenario) in panels.split_evenly((1, Scenario::ALL.len())).iter().zip(Scenario::ALL) {
            panel_of(panel, &grid(points, work, Some(scenario)), work, scenario, span.clone())?;
        }
    }
    Ok(())
}

fn panel_of(
    area: &Area,
    found: &[(u32, &Point)],
    work: u32,
    scenario: Scenario,
    span: std::ops::Range<f64>,
) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let colour = colour(Some(scenario));
    let last = found.len() as i32 - 1;
    let name = |x: &f64| {
        let i = x.round();
        let near = (x - i).abs() < 0.01 && i >= 0.0;
        near.then(|| found.get(i as usize))
            .flatten()
            .map(|(connections, _)| connections.to_string())
            .unwrap_or_default()
    };
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{}, work {work} µs", title(Some(scenario))), (FONT, TEXT))
        .margin(8)
        .x_label_area_size(38)
        .y_label_area_size(64)
        .build_cartesian_2d(-0.5..f64::from(last) + 0.5, span)
        .map_err(plain)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc("connections")
        .y_desc("saving, %")
        .disable_x_mesh()
        .x_labels(12)
        .x_label_formatter(&name)
        .y_labels(6)
        .label_style((FONT, TEXT - 1))
        .draw()
        .map_err(plain)?;
    let edge = [(-0.5, 0.0), (f64::from(last) + 0.5, 0.0)];
    chart.draw_series([PathElement::new(edge.to_vec(), BLACK.mix(0.5))]).map_err(plain)?;
    let places = || found.iter().enumerate().map(|(i, (_, p))| (i as f64, p));
    let predicted: Vec<(f64, Interval)> = places().filter_map(|(x, p)| Some((x, p.row.predicted?))).collect();
    let outline = predicted.iter().map(|(x, p)| (*x, p.low)).chain(predicted.iter().rev().map(|(x, p)| (*x, p.high)));
    chart.draw_series([Polygon::new(outline.collect::<Vec<_>>(), colour.mix(0.2).filled())]).map_err(plain)?;
    chart
        .draw_series(LineSeries::new(predicted.iter().map(|(x, p)| (*x, p.value)), colour.stroke_width(2)))
        .map_err(plain)?;
    chart
        .draw_series(places().map(|(x, p)| {
            let m = p.row.measured;
            ErrorBar::new_vertical(x, m.low, m.value, m.high, BLACK.filled(), 8)
        }))
        .map_err(plain)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::judge::tests::cell;
    use crate::harness::results::Settings;

    /// A run over the whole echo grid, with a control.
    pub(super) fn results() -> Results {
        let settings = Settings {
            quick: false,
            only: None,
            checks: 3,
            repeats: 5,
            seed: 1,
            turns: 16,
            turn_s: 0.15,
            check_s: 3.0,
            first_twin_unix_ns: None,
        };
        let mut results = Results::new(&[], settings);
        for (w, work) in [0, 10, 50, 500].into_iter().enumerate() {
            for (c, connections) in [1, 2, 8, 64, 512].into_iter().enumerate() {
                for (s, scenario) in Scenario::ALL.into_iter().enumerate() {
                    if work == 50 && connections != 64 {
                        continue;
                    }
                    let truth = 0.08 * c as f64 / (w as f64 + 1.0) - 0.03 + 0.02 * s as f64;
                    let wrong = 0.01 * (s as f64 - 1.0) * c as f64;
                    let id = format!("echo-closed-c{connections}-w{work}us-{}", ["epoll", "tokio", "uring"][s]);
                    results.cells.push(Cell {
                        scenario: Some(scenario),
                        grid: Some((connections, work)),
                        ..cell(
                            &id,
                            Some([truth + wrong - 0.03, truth + wrong, truth + wrong + 0.04]),
                            [truth - 0.01, truth, truth + 0.01],
                        )
                    });
                }
            }
        }
        results.cells.push(cell("control-lock", Some([0.0; 3]), [0.0; 3]));
        results
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lab-plot-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn every_plot_names_what_it_shows() {
        let folder = folder("all");
        let written = draw(&results(), &folder).unwrap();
        let text = |i: usize| std::fs::read_to_string(&written[i]).unwrap();
        assert_eq!(written.len(), 3);
        assert!(text(0).contains("predicted, % of the blocking") && text(0).contains("tokio (runtime)"));
        assert_eq!(text(1).matches("echo-closed-").count(), 48);
        assert!(text(1).contains("control-lock"));
        // Work of 50 µs has one point: no curve.
        assert!(text(2).contains("work 500 µs") && !text(2).contains("work 50 µs") && text(2).contains("512"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let mut results = results();
        results.cells.clear();
        let folder = folder("none");
        assert!(draw(&results, &folder).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_range_holds_its_values_and_nothing() {
        let span = range([3.0, 40.0].into_iter());
        assert!(span.contains(&0.0) && span.contains(&40.0));
        let narrow = range([0.1].into_iter());
        assert!(narrow.end - narrow.start >= 9.9);
    }
}
