//! The pictures of docs/article.md, drawn from kept results alone.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use serde_json::Value;

use super::{fleet::Fleet, kept::Kept};
use crate::{
    harness::{
        plot::{self, Area, FONT, GRID, TEXT, TITLE, plain, range},
        statistics::Interval,
    },
    host::numbers::count,
};

const PAIRS: &str = "docs/pairs/results.json#/runs/0/cells";
const LAB: &str = "docs/lab/results.json#/cells";
const LATENCY: &str = "docs/lab/latency.json";

/// Any colour vision tells these apart (Okabe & Ito 2008).
const BLACK_LINE: RGBColor = RGBColor(0, 0, 0);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const RED: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const PINK: RGBColor = RGBColor(204, 121, 167);

/// A bar: its label, a share with its interval in %, its colour.
struct Bar {
    label: String,
    share: Interval,
    colour: RGBColor,
}

/// A curve through points, and points beside it.
struct Series {
    name: &'static str,
    colour: RGBColor,
    line: Vec<(f64, f64)>,
    dots: Vec<(f64, f64)>,
}

/// What stands around a chart.
struct Frame<'a> {
    caption: &'a str,
    x: &'a str,
    y: &'a str,
    /// Whether the vertical axis has powers of ten.
    by_powers: bool,
}

/// Draws all pictures into a folder.
pub(super) fn draw(kept: &Kept, fleet: &Fleet, folder: &Path) -> Result<Vec<PathBuf>> {
    let path = |name: &str| folder.join(format!("{name}.svg"));
    let python = python(kept)?;
    bars(&path("python"), "One Python server: CPU that its async forms save, measured", &python)?;
    let files = files(kept)?;
    bars(&path("files"), "Programs that read and write files: CPU that async saves, measured", &files)?;
    work(kept, &path("work"))?;
    load(kept, fleet, &path("load"))?;
    paid(fleet, &path("fleet"))?;
    latency(kept, &path("latency"))?;
    Ok(["python", "files", "work", "load", "fleet", "latency"].map(path).to_vec())
}

/// The measured saving of a row, in %.
fn saving(kept: &Kept, cells: &str, id: &str) -> Result<Interval> {
    let end = |name: &str| kept.number(&format!("{cells}/{id}/truth/saving/{name}"));
    Ok(Interval { low: end("low")?, value: end("value")?, high: end("high")? }.percent())
}

fn python(kept: &Kept) -> Result<Vec<Bar>> {
    let loads = [("c64", "64 connections, full"), ("c8", "8 connections, full"), ("c8-r5", "8 connections, 5 % load")];
    let forms = [
        ("streams", "asyncio streams"),
        ("protocols", "asyncio protocols"),
        ("uvloop", "uvloop"),
        ("gevent", "gevent"),
    ];
    let mut bars = Vec::new();
    for ((load, told), colour) in loads.into_iter().zip([BLUE, GREEN, RED]) {
        for (form, name) in forms {
            let share = saving(kept, PAIRS, &format!("python-{load}-{form}"))?;
            bars.push(Bar { label: format!("{told}: {name}"), share, colour });
        }
    }
    Ok(bars)
}

fn files(kept: &Kept) -> Result<Vec<Bar>> {
    let rows = [
        ("fio-read-direct-d16-io_uring", "fio, direct reads, 16 at once: io_uring", BLUE),
        ("fio-read-direct-d128-io_uring", "fio, direct reads, 128 at once: io_uring", BLUE),
        ("fio-write-direct-d16-io_uring", "fio, direct writes, 16 at once: io_uring", BLUE),
        ("nbd-read-d16-native", "qemu-nbd, direct reads, 16: Linux AIO", BLUE),
        ("nbd-read-d16-io_uring", "qemu-nbd, direct reads, 16: io_uring", BLUE),
        ("fio-read-buffered-d16-io_uring", "fio, reads that miss the cache, 16: io_uring", GREEN),
        ("fio-write-buffered-d128-io_uring", "fio, buffered writes, 128: io_uring", GREEN),
        ("node-4-d32-ring", "Node.js, reads from its pool: io_uring", GREEN),
        ("postgres-bitmap-c1-io_uring", "PostgreSQL, bitmap scan: io_uring", RED),
        ("postgres-bitmap-c1-worker", "PostgreSQL, bitmap scan: workers", RED),
        ("postgres-scan-c4-io_uring", "PostgreSQL, sequential scans: io_uring", RED),
        ("postgres-scan-c4-worker", "PostgreSQL, sequential scans: workers", RED),
    ];
    let bar = |(id, label, colour): (&str, &str, RGBColor)| {
        Ok(Bar { label: label.to_owned(), share: saving(kept, PAIRS, id)?, colour })
    };
    rows.into_iter().map(bar).collect()
}

fn bars(path: &Path, caption: &str, bars: &[Bar]) -> Result<()> {
    let span = range(bars.iter().flat_map(|bar| bar.share.ends()));
    plot::file(path, (900, 110 + 26 * bars.len() as u32), |area| {
        let mut chart = ChartBuilder::on(area)
            .caption(caption, (FONT, TITLE))
            .margin(16)
            .x_label_area_size(46)
            .y_label_area_size(330)
            .build_cartesian_2d(span.clone(), 0.0..bars.len() as f64)
            .map_err(plain)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(WHITE)
            .bold_line_style(GRID)
            .x_desc("% of the blocking form's CPU per operation; line: 90 % interval")
            .x_label_formatter(&|x| count(*x))
            .label_style((FONT, TEXT))
            .draw()
            .map_err(plain)?;
        let at = |i: usize| (bars.len() - 1 - i) as f64;
        let style = TextStyle::from((FONT, TEXT).into_font()).pos(Pos::new(HPos::Right, VPos::Center));
        for (i, bar) in bars.iter().enumerate() {
            let Interval { low, value, high } = bar.share;
            let body = Rectangle::new([(0.0, at(i) + 0.2), (value, at(i) + 0.8)], bar.colour.mix(0.6).filled());
            chart.draw_series([body]).map_err(plain)?;
            let line = PathElement::new(vec![(low, at(i) + 0.5), (high, at(i) + 0.5)], BLACK.stroke_width(2));
            chart.draw_series([line]).map_err(plain)?;
            let (x, y) = chart.backend_coord(&(span.start, at(i) + 0.5));
            area.draw_text(&bar.label, &style, (x - 8, y)).map_err(plain)?;
        }
        let zero = PathElement::new(vec![(0.0, 0.0), (0.0, bars.len() as f64)], BLACK.mix(0.6));
        chart.draw_series([zero]).map_err(plain)?;
        Ok(())
    })
}

/// Savings by what a request costs besides, at 64 connections.
fn work(kept: &Kept, path: &Path) -> Result<()> {
    let works = ["0", "10", "50", "500"];
    let mut series = Vec::new();
    for (suffix, name, colour) in [("epoll", "epoll", BLUE), ("tokio", "tokio", RED), ("uring", "io_uring", GREEN)] {
        let at = |work: &str| Ok(saving(kept, LAB, &format!("echo-closed-c64-w{work}us-{suffix}"))?.value);
        let values = works.into_iter().map(at).collect::<Result<Vec<f64>>>()?;
        let line: Vec<(f64, f64)> = values.into_iter().enumerate().map(|(i, value)| (i as f64, value)).collect();
        series.push(Series { name, colour, dots: line.clone(), line });
    }
    let frame = Frame {
        caption: "An echo server, 64 connections: the same saving in ns is less and less of a request",
        x: "own work of a request, µs",
        y: "CPU saved, measured, %",
        by_powers: false,
    };
    plot::file(path, (860, 420), |area| {
        let place = |x: &f64| works.get(x.round() as usize).filter(|_| (x - x.round()).abs() < 0.01);
        let label = |x: &f64| place(x).map_or_else(String::new, |work| (*work).to_owned());
        chart(area, &frame, (-0.3..3.3, 0.0..40.0), &series, (4, &label))
    })
}

/// CPU of a request by how many come to one process: simulated, and what the open loop measured.
fn load(kept: &Kept, fleet: &Fleet, path: &Path) -> Result<()> {
    let mut series = Vec::new();
    for (form, (suffix, side, colour)) in fleet.forms.iter().zip([
        ("epoll", "blocking", BLACK_LINE),
        ("epoll", "twin", BLUE),
        ("tokio", "twin", RED),
        ("uring", "twin", GREEN),
    ]) {
        let line = (1..=46).filter_map(|k| {
            let rate = f64::from(k) * 1_000.0;
            Some((rate, form.cpu_ns(rate)? / 1e3))
        });
        let dot = |percent: &str| {
            let of = |what: &str| {
                kept.number(&format!("{LAB}/echo-open-p{percent}-c64-w10us-{suffix}/truth/{side}/*/{what}"))
            };
            Ok((of("operations_per_s")?, of("cpu_per_operation_ns")? / 1e3))
        };
        let dots = ["10", "50", "80"].into_iter().map(dot).collect::<Result<_>>()?;
        let name = ["threads", "epoll", "tokio", "io_uring"].into_iter().find(|name| *name == form.name);
        series.push(Series { name: name.context("an unknown form")?, colour, line: line.collect(), dots });
    }
    let frame = Frame {
        caption: "CPU of a request by load: simulated from two prices (lines), measured (points)",
        x: "requests per second, one process on one CPU",
        y: "CPU of a request, µs",
        by_powers: false,
    };
    plot::file(path, (860, 420), |area| chart(area, &frame, (0.0..47_000.0, 10.0..40.0), &series, (8, &|x| count(*x))))
}

/// What a million requests cost, used and paid for.
fn paid(fleet: &Fleet, path: &Path) -> Result<()> {
    let mut series = Vec::new();
    for (form, colour) in fleet.forms.iter().zip([BLACK_LINE, BLUE, RED, GREEN]) {
        let name = ["threads", "epoll", "tokio", "io_uring"].into_iter().find(|name| *name == form.name);
        let line = form.at.iter().map(|point| (point.rate.log10(), point.paid_s.log10())).collect();
        let dots = form.at.iter().map(|point| (point.rate.log10(), point.used_s.log10())).collect();
        series.push(Series { name: name.context("an unknown form")?, colour, line, dots });
    }
    let frame = Frame {
        caption: "A million requests: CPU-seconds paid for (lines) and used (points), simulated",
        x: "requests per second to all processes",
        y: "CPU-seconds",
        by_powers: true,
    };
    plot::file(path, (860, 420), |area| {
        let label = |x: &f64| if (x - x.round()).abs() < 0.01 { count(10_f64.powf(*x)) } else { String::new() };
        chart(area, &frame, (1.9..6.1, 1.0..4.2), &series, (5, &label))
    })
}

/// The slowest in a hundred: today, and as one loop.
fn latency(kept: &Kept, path: &Path) -> Result<()> {
    let all = kept.json(LATENCY)?;
    let cells = all["cells"].as_array().context("no cells")?;
    let ms = |value: &Value, i: usize| value[i].as_f64().map(|ns| ns / 1e6).context("no quantile");
    let points = |key: &str, i: usize| {
        let at = |(n, cell): (usize, &Value)| Ok((n as f64, ms(&cell[key], i)?));
        cells.iter().enumerate().map(at).collect::<Result<Vec<(f64, f64)>>>()
    };
    let series = [
        Series { name: "half of them, threads", colour: BLUE, line: vec![], dots: points("now", 0)? },
        Series { name: "half of them, one loop", colour: PINK, line: vec![], dots: points("other", 0)? },
        Series { name: "99 of 100, threads", colour: BLACK_LINE, line: vec![], dots: points("now", 1)? },
        Series { name: "99 of 100, one loop", colour: RED, line: vec![], dots: points("other", 1)? },
    ];
    let name = |x: &f64| {
        let cell = cells.get(x.round() as usize).filter(|_| (x - x.round()).abs() < 0.01);
        cell.map_or_else(String::new, |cell| format!("{}×{}", cell["connections"], cell["work_us"]))
    };
    let frame = Frame {
        caption: "How long clients wait: a thread per connection, and the same server as one loop, measured",
        x: "connections × µs of work; one request in five waits 2 ms for another service",
        y: "ms",
        by_powers: false,
    };
    let (last, high) = (cells.len() as f64 - 0.5, 9.0);
    plot::file(path, (980, 420), |area| chart(area, &frame, (-0.5..last, 0.0..high), &series, (cells.len(), &name)))
}

type Span = std::ops::Range<f64>;

/// A chart of curves and points with a legend.
fn chart(
    area: &Area,
    frame: &Frame,
    (x, y): (Span, Span),
    series: &[Series],
    (labels, label): (usize, &dyn Fn(&f64) -> String),
) -> Result<()> {
    let power = |y: &f64| if (y - y.round()).abs() < 0.01 { count(10_f64.powf(*y)) } else { String::new() };
    let plain_number = |y: &f64| count(*y);
    let mut chart = ChartBuilder::on(area)
        .caption(frame.caption, (FONT, TITLE - 2))
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d(x, y)
        .map_err(plain)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .x_desc(frame.x)
        .y_desc(frame.y)
        .x_labels(labels)
        .x_label_formatter(&label)
        .y_label_formatter(if frame.by_powers { &power } else { &plain_number })
        .label_style((FONT, TEXT - 1))
        .draw()
        .map_err(plain)?;
    for one in series {
        let colour = one.colour;
        chart.draw_series(LineSeries::new(one.line.iter().copied(), colour.stroke_width(2))).map_err(plain)?;
        chart
            .draw_series(one.dots.iter().map(|dot| Circle::new(*dot, 4, colour.filled())))
            .map_err(plain)?
            .label(one.name)
            .legend(move |(x, y)| Circle::new((x + 9, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font((FONT, TEXT - 1))
        .draw()
        .map_err(plain)
}
