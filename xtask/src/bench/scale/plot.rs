//! Growth as SVG: each figure over the size, both on logarithmic axes.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use super::results::{Kind, Results, Series};
use crate::{
    bench::figures::Spread,
    harness::plot::{self, Area, FONT, GRID, TEXT, TITLE, plain},
    host::numbers::count,
};

/// Any colour vision tells it from the grid (Okabe & Ito 2008).
const LINE: RGBColor = RGBColor(0, 114, 178);
/// The slope of n, for the eye.
const SLOPE: RGBColor = RGBColor(213, 94, 0);
/// Width and height of a panel.
const PANEL: (u32, u32) = (250, 200);

/// Draws a row of panels for each series. The ground is white whatever the page's is.
pub(super) fn draw(results: &Results, path: &Path) -> Result<()> {
    let columns = results.series.iter().map(|series| series.kinds().len()).max().unwrap_or(1).max(1);
    let rows = results.series.len().max(1);
    let size = (40 + PANEL.0 * columns as u32, 50 + PANEL.1 * rows as u32);
    plot::file(path, size, |area| {
        let heading = "By size: median and range of the rounds; the thin line grows in proportion to the size";
        let area = area.titled(heading, (FONT, TITLE)).map_err(plain)?;
        let panels = area.split_evenly((rows, columns));
        for (series, panels) in results.series.iter().zip(panels.chunks(columns)) {
            for (kind, panel) in series.kinds().into_iter().zip(panels) {
                panel_of(panel, series, kind)?;
            }
        }
        Ok(())
    })
}

fn panel_of(area: &Area, series: &Series, kind: Kind) -> Result<()> {
    let all: Vec<(f64, Spread)> =
        series.by_size(kind).into_iter().filter_map(|(size, spread)| Some((size as f64, spread?))).collect();
    let shown: Vec<(f64, Spread)> = all.into_iter().filter(|(_, spread)| spread.min > 0.0).collect();
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return Ok(()) };
    let low = shown.iter().map(|(_, s)| s.min).fold(f64::INFINITY, f64::min) / 2.0;
    let high = shown.iter().map(|(_, s)| s.max).fold(0.0, f64::max) * 2.0;
    let mut chart = ChartBuilder::on(area)
        .caption(kind.title().replace('`', ""), (FONT, TEXT))
        .margin(6)
        .x_label_area_size(34)
        .y_label_area_size(70)
        .build_cartesian_2d((first.0 / 1.5..last.0 * 1.5).log_scale(), (low..high).log_scale())
        .map_err(plain)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc(series.axis.title().to_lowercase())
        .x_labels(4)
        .x_label_formatter(&|x| count(*x))
        .y_labels(4)
        .y_label_formatter(&|y| kind.print(*y))
        .label_style((FONT, TEXT - 4))
        .draw()
        .map_err(plain)?;
    let slope = [first, last].map(|(x, _)| (*x, first.1.median * x / first.0));
    chart.draw_series([PathElement::new(slope.to_vec(), SLOPE.mix(0.6))]).map_err(plain)?;
    let ranges = shown.iter().map(|(x, s)| PathElement::new(vec![(*x, s.min), (*x, s.max)], LINE.mix(0.6)));
    chart.draw_series(ranges).map_err(plain)?;
    chart
        .draw_series(LineSeries::new(shown.iter().map(|(x, s)| (*x, s.median)), LINE.stroke_width(2)))
        .map_err(plain)?;
    chart.draw_series(shown.iter().map(|(x, s)| Circle::new((*x, s.median), 3, LINE.filled()))).map_err(plain)?;
    Ok(())
}
