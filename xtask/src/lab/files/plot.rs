//! What was found as SVG: CPU and reads a second over the number of reads at once, a panel for each
//! place, and the same of goroutines. The ground is white, whatever the page's is.

use std::path::{Path, PathBuf};

use anyhow::Result;
use plotters::prelude::*;

use super::{
    cell::{Access, BLOCK, Cell, Place, Way},
    goroutines::NUMBERS,
    program::{Kind, Reader, WHERE},
    results::{Results, Row, Subject},
};
use crate::{
    harness::{
        plot::{self, Area, FONT, GRID, TEXT, TITLE, plain},
        statistics::Interval,
    },
    host::numbers::{count, decimal},
};

const CPU: &str = "CPU, µs";
const RATE: &str = "reads/s";
/// Width and height of a panel.
const PANEL: (u32, u32) = (400, 280);
const COLUMNS: usize = 3;
const KEY: u32 = 44;
/// Any colour vision tells these apart (Okabe & Ito 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 0, 0),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
];

/// A line of a panel: its name, and a figure for each number of reads at once.
type Line = (&'static str, Vec<(f64, Interval)>);

#[derive(Clone)]
struct Panel {
    title: String,
    unit: &'static str,
    lines: Vec<Line>,
}

/// Draws files-cpu.svg, files-rate.svg and files-go.svg into a folder.
pub(super) fn draw(results: &Results, folder: &Path) -> Result<Vec<PathBuf>> {
    let names = ["files-cpu.svg", "files-rate.svg", "files-go.svg"].map(|name| folder.join(name));
    let [cpu, rate, go] = &names;
    picture(cpu, "CPU of a read of 4 KiB: median and spread of the runs", &loads(results, CPU, micros))?;
    picture(rate, "Reads of 4 KiB a second: median and spread of the runs", &loads(results, RATE, Row::rate))?;
    let both = [readers(results, RATE, Row::rate), readers(results, CPU, micros)].concat();
    picture(go, "Programs of ours: reads of 4 KiB a second, and CPU of a read", &both)?;
    Ok(names.to_vec())
}

/// CPU of a read, µs.
fn micros(row: &Row) -> Option<Interval> {
    let cpu = row.cpu()?;
    Some(Interval { low: cpu.low / 1e3, value: cpu.value / 1e3, high: cpu.high / 1e3 })
}

/// A panel for each place and access in which several depths were measured.
fn loads(results: &Results, unit: &'static str, pick: impl Fn(&Row) -> Option<Interval>) -> Vec<Panel> {
    let mut depths: Vec<u32> = results
        .rows
        .iter()
        .filter_map(|row| match row.subject {
            Subject::Load(cell) => Some(cell.depth),
            _ => None,
        })
        .collect();
    depths.sort_unstable();
    depths.dedup();
    let panel = |place: Place, access: Access| {
        let line = |way: Way| {
            let at = |&depth: &u32| {
                let row = results.load(Cell { place, access, block: BLOCK, depth, way })?;
                Some((f64::from(depth), pick(row)?))
            };
            (way.title(), depths.iter().filter_map(at).collect::<Vec<_>>())
        };
        let title = format!("{}, {}", place.title(), access.title());
        Panel { title, unit, lines: Way::ALL.map(line).to_vec() }
    };
    let all = Place::ALL.into_iter().flat_map(|place| Access::ALL.map(|access| panel(place, access)));
    all.filter(Panel::has_points).collect()
}

fn readers(results: &Results, unit: &'static str, pick: impl Fn(&Row) -> Option<Interval>) -> Vec<Panel> {
    let panel = |(place, access): (Place, Access)| {
        let line = |kind: Kind| {
            let at = |at_once: u32| {
                let row = results.reader(Reader { place, access, at_once, kind })?;
                Some((f64::from(at_once), pick(row)?))
            };
            (kind.title(), NUMBERS.into_iter().filter_map(at).collect::<Vec<_>>())
        };
        let title = format!("{}, {}", place.title(), access.title());
        Panel { title, unit, lines: Kind::ALL.map(line).to_vec() }
    };
    WHERE.into_iter().map(panel).filter(Panel::has_points).collect()
}

impl Panel {
    fn has_points(&self) -> bool {
        self.lines.iter().any(|(_, points)| !points.is_empty())
    }

    fn points(&self) -> impl Iterator<Item = &(f64, Interval)> {
        self.lines.iter().flat_map(|(_, points)| points)
    }
}

fn picture(path: &Path, heading: &str, panels: &[Panel]) -> Result<()> {
    let columns = if panels.len() == 2 * WHERE.len() { 2 } else { COLUMNS.min(panels.len().max(1)) };
    let rows = panels.len().div_ceil(columns).max(1);
    let size = (PANEL.0 * columns as u32, 44 + KEY + PANEL.1 * rows as u32);
    plot::file(path, size, |area| {
        let area = area.titled(heading, (FONT, TITLE)).map_err(plain)?;
        let (key, below) = area.split_vertically(KEY);
        if let Some(panel) = panels.first() {
            names(&key, panel)?;
        }
        for (panel, part) in panels.iter().zip(below.split_evenly((rows, columns))) {
            draw_panel(&part, panel)?;
        }
        Ok(())
    })
}

/// The names of the lines, in their colours.
fn names(area: &Area, panel: &Panel) -> Result<()> {
    let step = area.dim_in_pixel().0 as i32 / panel.lines.len().max(1) as i32;
    for (i, (name, _)) in panel.lines.iter().enumerate() {
        let (x, colour) = (10 + step * i as i32, COLOURS[i % COLOURS.len()]);
        area.draw(&PathElement::new(vec![(x, 18), (x + 22, 18)], colour.stroke_width(3))).map_err(plain)?;
        area.draw(&Text::new(*name, (x + 28, 10), (FONT, TEXT))).map_err(plain)?;
    }
    Ok(())
}

fn draw_panel(area: &Area, panel: &Panel) -> Result<()> {
    let ends = |pick: fn(f64, f64) -> f64, begin: f64, of: &dyn Fn(&(f64, Interval)) -> f64| {
        panel.points().map(of).fold(begin, pick)
    };
    let left = ends(f64::min, f64::INFINITY, &|(x, _)| *x) / 1.4;
    let right = ends(f64::max, 1.0, &|(x, _)| *x) * 1.4;
    let low = ends(f64::min, f64::INFINITY, &|(_, y)| y.low) / 1.4;
    let high = ends(f64::max, 0.0, &|(_, y)| y.high) * 1.4;
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, TEXT))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(76)
        .build_cartesian_2d((left..right).log_scale(), (low..high).log_scale())
        .map_err(plain)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc("at once")
        .y_desc(panel.unit)
        .x_labels(5)
        .y_labels(6)
        .x_label_formatter(&|x| count(*x))
        .y_label_formatter(&|y| if *y < 10.0 { decimal(*y, 1) } else { count(*y) })
        .label_style((FONT, TEXT - 3))
        .draw()
        .map_err(plain)?;
    for (i, (_, points)) in panel.lines.iter().enumerate() {
        let colour = COLOURS[i % COLOURS.len()];
        chart
            .draw_series(LineSeries::new(points.iter().map(|(x, y)| (*x, y.value)), colour.stroke_width(2)))
            .map_err(plain)?;
        let ranges = points.iter().map(|(x, y)| PathElement::new(vec![(*x, y.low), (*x, y.high)], colour.mix(0.7)));
        chart.draw_series(ranges).map_err(plain)?;
        chart.draw_series(points.iter().map(|(x, y)| Circle::new((*x, y.value), 3, colour.filled()))).map_err(plain)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::file::Scratch;

    #[test]
    fn the_kept_results_are_drawn_with_every_way_and_place() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lab/files.json");
        let folder = Scratch::new("files-plot").unwrap();
        let written = draw(&Results::read(&kept).unwrap(), &folder).unwrap();
        let [cpu, rate, go] = [0, 1, 2].map(|i| std::fs::read_to_string(&written[i]).unwrap());
        for way in Way::ALL {
            assert!(cpu.contains(way.title()) && rate.contains(way.title()), "{way:?}");
        }
        for place in Place::ALL {
            assert!(cpu.contains(place.title()), "{place:?}");
        }
        assert!(go.contains("Go, ReadAt") && go.matches("ext4, a device of 5 ms, direct").count() == 2);
    }
}
