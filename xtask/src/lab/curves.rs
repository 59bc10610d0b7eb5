//! Recovery curves as SVG: a panel per rate of calls and of blocks, a curve per working set.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use plotters::prelude::*;

use super::sweep::{Cell, Point, Results};
use crate::{
    harness::plot::{Area, FONT, GRID, TEXT, TITLE, plain},
    host::numbers::{bytes, count},
};

const PANEL: (u32, u32) = (430, 310);

/// Colours from a small to a large working set. Any colour vision tells them apart (Okabe & Ito
/// 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];

/// The scale that all panels have in common, so that they can be compared.
struct Scale {
    left: f64,
    right: f64,
    top: f64,
    sets: Vec<u64>,
}

impl Scale {
    fn from_cells(cells: &[Cell]) -> Result<Self> {
        let points = || cells.iter().flat_map(|c| c.blocked.iter().chain(&c.direct)).filter(|p| p.at >= 1.0);
        ensure!(points().next().is_some(), "no curve was measured: too few overflow samples in every cell");
        let sets: BTreeSet<u64> = cells.iter().map(|c| c.working_set).collect();
        Ok(Self {
            left: points().map(|p| p.at).fold(f64::INFINITY, f64::min),
            right: 1.1 * points().map(|p| p.at).fold(10.0, f64::max),
            top: 1.1 * points().map(|p| p.ipc).fold(0.1, f64::max),
            sets: sets.into_iter().collect(),
        })
    }

    fn colour(&self, working_set: u64) -> RGBColor {
        let i = self.sets.iter().position(|s| *s == working_set).unwrap_or(0);
        COLOURS[i % COLOURS.len()]
    }
}

/// Draws the results into a file.
pub(super) fn draw(results: &Results, path: &Path) -> Result<()> {
    let scale = Scale::from_cells(&results.cells)?;
    let touches: BTreeSet<u64> = results.cells.iter().map(|c| c.touches).collect();
    let blocks: BTreeSet<u32> = results.cells.iter().map(|c| c.one_blocks_in).collect();
    let size = (PANEL.0 * blocks.len() as u32, 60 + PANEL.1 * touches.len() as u32);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE).map_err(plain)?;
    let heading = "User-mode IPC since a return: after blocks (line, band: 90 %), after direct calls (thin)";
    let area_below = area.titled(heading, (FONT, TITLE)).map_err(plain)?;
    for (row, &touches) in area_below.split_evenly((touches.len(), 1)).iter().zip(&touches) {
        for (panel, &blocks) in row.split_evenly((1, blocks.len())).iter().zip(&blocks) {
            let cells: Vec<&Cell> =
                results.cells.iter().filter(|c| (c.touches, c.one_blocks_in) == (touches, blocks)).collect();
            panel_of(panel, &cells, &scale, &panel_title(touches, blocks))?;
        }
    }
    area.present().map_err(plain).with_context(|| format!("writing {}", path.display()))
}

fn panel_title(touches: u64, blocks: u32) -> String {
    format!("{} touches a window, 1 of {blocks} calls blocks", count(touches as f64))
}

fn panel_of(area: &Area, cells: &[&Cell], scale: &Scale, title: &str) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, TEXT))
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((scale.left..scale.right).log_scale(), 0.0..scale.top)
        .map_err(plain)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc("instructions since the return")
        .y_desc("IPC")
        .x_label_formatter(&|x| count(*x))
        .label_style((FONT, TEXT - 2))
        .draw()
        .map_err(plain)?;
    for cell in cells {
        let colour = scale.colour(cell.working_set);
        let seen = |points: &[Point]| -> Vec<Point> { points.iter().copied().filter(|p| p.at >= 1.0).collect() };
        let (blocked, direct) = (seen(&cell.blocked), seen(&cell.direct));
        let clip = |ipc: f64| ipc.clamp(0.0, scale.top);
        let outline =
            blocked.iter().map(|p| (p.at, clip(p.high))).chain(blocked.iter().rev().map(|p| (p.at, clip(p.low))));
        chart.draw_series([Polygon::new(outline.collect::<Vec<_>>(), colour.mix(0.15).filled())]).map_err(plain)?;
        chart.draw_series(LineSeries::new(direct.iter().map(|p| (p.at, p.ipc)), colour.mix(0.6))).map_err(plain)?;
        chart
            .draw_series(LineSeries::new(blocked.iter().map(|p| (p.at, p.ipc)), colour.stroke_width(2)))
            .map_err(plain)?
            .label(bytes(cell.working_set as f64))
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, TEXT - 2))
        .draw()
        .map_err(plain)
}

#[cfg(test)]
mod tests {
    use super::{super::sweep::tests::results, *};

    #[test]
    fn every_panel_has_a_curve_per_working_set_and_nothing_is_drawn_of_nothing() {
        let path = std::env::temp_dir().join(format!("lab-curves-{}.svg", std::process::id()));
        let mut results = results();
        draw(&results, &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        for part in ["100 touches a window, 1 of 2 calls", "1,000 touches a window, 1 of 8 calls", "16 KiB", "4.0 MiB"]
        {
            assert!(svg.contains(part), "{part}");
        }
        // A line after blocks and one after direct calls for each cell, and their keys.
        assert!(svg.matches("<polyline").count() >= 2 * results.cells.len());
        results.cells.iter_mut().for_each(|c| (c.blocked, c.direct) = (Vec::new(), Vec::new()));
        assert!(draw(&results, &path).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
