//! Results as SVG: what every suite draws, and savings over connections.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Result;
use plotters::prelude::*;

use super::results::Results;
use crate::harness::{
    missed::Residuals,
    plot::{self, Area, FONT, GRID, Point, TEXT, TITLE, colour, plain, range, title},
    row::Scenario,
    statistics::Interval,
};

/// Draws everything that the results hold into a folder.
pub(super) fn draw(results: &Results, missed: &Residuals, folder: &Path) -> Result<Vec<PathBuf>> {
    let points = plot::points(&results.cells, missed)?;
    let mut written = plot::draw(&points, folder)?;
    let works: BTreeSet<u32> = points.iter().filter_map(|point| Some(point.cell.grid?.1)).collect();
    let sizes = |work| grid(&points, work, None).iter().map(|(connections, _)| *connections).collect::<BTreeSet<u32>>();
    let works: Vec<u32> = works.into_iter().filter(|work| sizes(*work).len() > 1).collect();
    if !works.is_empty() {
        let path = folder.join("connections.svg");
        plot::file(&path, (1140, 60 + 270 * works.len() as u32), |area| connections(area, &points, &works))?;
        written.push(path);
    }
    Ok(written)
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
            [predicted.ends(), p.row.measured.ends()].into_iter().flatten().collect::<Vec<_>>()
        });
        let span = range(values);
        for (panel, scenario) in panels.split_evenly((1, Scenario::NATIVE.len())).iter().zip(Scenario::NATIVE) {
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
    use crate::harness::results::{Cell, Settings};

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
            exact: true,
            first_twin_unix_ns: None,
        };
        let mut results = Results::new(&[], settings);
        for (w, work) in [0, 10, 50, 500].into_iter().enumerate() {
            for (c, connections) in [1, 2, 8, 64, 512].into_iter().enumerate() {
                for (s, scenario) in Scenario::NATIVE.into_iter().enumerate() {
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
        let written = draw(&results(), &Residuals::default(), &folder).unwrap();
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
        assert!(draw(&results, &Residuals::default(), &folder).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
