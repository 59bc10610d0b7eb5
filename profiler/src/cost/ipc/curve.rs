//! The recovery curve: how many cycles the first so many instructions after a return took, and what
//! that says of their IPC.

use super::{
    before::Before,
    note::Note,
    sums::{Centred, Random, normal},
};
use crate::{
    event::{Pairs, ipc_layout},
    quantity::{Estimate, Figure, Uncertain, bootstrap},
};

/// Samples that a point needs; neighbouring bins are pooled until they have as many.
pub const MIN_SAMPLES: u64 = 30;
/// Points that a steady state is read from.
const TAIL: usize = 3;
/// The steady state is that of the last two doublings of the instructions.
const TAIL_RATIO: f64 = 4.0;
/// What counts as recovered: this share of the steady IPC.
pub const RECOVERED: f64 = 0.95;
/// The 99th percentile of the standard normal distribution.
const SURELY: f64 = 2.326_347_9;

/// A point of the curve: the samples of one bin, or of neighbouring bins together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Samples that fell into this bin.
    pub samples: u64,
    /// Their mean instructions since the return.
    pub instructions: f64,
    /// Their mean cycles since the return.
    pub cycles: f64,
    /// Where the local IPC belongs: the middle, in instructions since the return, of what lies
    /// between the point before and this one.
    pub middle: f64,
    /// IPC between the point before (or the return) and this one; none where noise is larger than
    /// the step.
    pub local: Option<Estimate>,
    /// IPC from the return to here.
    pub cumulative: Option<Estimate>,
}

/// The curve of one kind of return.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What came before the return.
    pub before: Before,
    /// Samples that the curve is made of.
    pub samples: u64,
    /// Its points, the one nearest to the return first.
    pub points: Vec<Point>,
    /// IPC of the last two doublings.
    pub steady: Figure<Estimate, Note>,
    /// Cycles that were lost until then: what the way to the steady state took beyond the steady
    /// IPC.
    pub lost: Figure<Estimate, Note>,
    /// Instructions since the return from which on the IPC is [`RECOVERED`] of the steady one.
    pub recovered: Figure<Estimate, Note>,
}

/// A point under way: mean instructions, mean cycles, and their sums.
struct Knot {
    sums: Centred,
    /// Variance of the mean cycles at these instructions.
    variance: f64,
}

/// Bins, pooled from the return on until each has enough samples; what is left over goes to the
/// last.
fn pooled(bins: &[Pairs]) -> Vec<Pairs> {
    let mut points: Vec<Pairs> = Vec::new();
    let mut open = Pairs::ZERO;
    for bin in bins.iter().filter(|b| b.count > 0) {
        open.merge(bin);
        if open.count >= MIN_SAMPLES {
            points.push(std::mem::take(&mut open));
        }
    }
    if let (Some(last), true) = (points.last_mut(), open.count > 0) {
        last.merge(&open);
    }
    points
}

fn knots(bins: &[Pairs]) -> Vec<Knot> {
    let mut knots: Vec<Knot> = Vec::new();
    for sums in pooled(bins).iter().filter_map(Centred::from_pairs) {
        let (x, y) = knots.last().map_or((0.0, 0.0), |k| (k.sums.x, k.sums.y));
        if sums.x <= x {
            continue;
        }
        let slope = (sums.y - y) / (sums.x - x);
        knots.push(Knot { sums, variance: sums.variance_along(slope) });
    }
    knots
}

fn points(knots: &[Knot]) -> Vec<Point> {
    let mut points = Vec::with_capacity(knots.len());
    let mut before: Option<&Knot> = None;
    for knot in knots {
        let (x, y, variance) = before.map_or((0.0, 0.0, 0.0), |k| (k.sums.x, k.sums.y, k.variance));
        let (step, cycles) = (knot.sums.x - x, knot.sums.y - y);
        let local = (cycles > 0.0).then(|| {
            let ipc = step / cycles;
            // Delta method: var(1/c) = var(c)/c⁴.
            let variance = (variance + knot.variance) / (step * step) * ipc.powi(4);
            Uncertain { value: ipc, variance }.by_student(knot.sums.n - 1.0)
        });
        points.push(Point {
            samples: knot.sums.n as u64,
            instructions: knot.sums.x,
            cycles: knot.sums.y,
            middle: if before.is_some() { (x * knot.sums.x).sqrt() } else { knot.sums.x / 2.0 },
            local,
            cumulative: knot.sums.ipc(),
        });
        before = Some(knot);
    }
    points
}

/// Where the steady state is read: its first knot.
fn tail(x: &[f64]) -> Option<usize> {
    let from = x.last()? / TAIL_RATIO;
    let first = x.iter().position(|&x| x >= from)?;
    (x.len() - first >= TAIL && first > 0).then_some(first)
}

/// Weighted least squares of the cycles at a curve's end, a + b·instructions: (a, b).
fn line(x: &[f64], y: &[f64], variance: &[f64]) -> Option<(Uncertain, Uncertain)> {
    let weight: f64 = variance.iter().map(|v| 1.0 / v).sum();
    let mean = |of: &[f64]| of.iter().zip(variance).map(|(u, v)| u / v).sum::<f64>() / weight;
    let (mx, my) = (mean(x), mean(y));
    let xx: f64 = x.iter().zip(variance).map(|(x, v)| (x - mx).powi(2) / v).sum();
    let xy: f64 = x.iter().zip(y).zip(variance).map(|((x, y), v)| (x - mx) * (y - my) / v).sum();
    let b = xy / xx;
    (xx > 0.0 && b > 0.0).then(|| {
        let a = Uncertain { value: my - b * mx, variance: 1.0 / weight + mx * mx / xx };
        (a, Uncertain { value: b, variance: 1.0 / xx })
    })
}

/// Cycles per instruction from knot to knot that never rise: neighbours that do are pooled
/// (isotonic regression). A pipeline warms up; what looks like cooling down is noise, or another
/// kind of window.
fn falling(x: &[f64], y: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    let (mut px, mut py) = (0.0, 0.0);
    for (&x, &y) in x.iter().zip(y) {
        blocks.push((x - px, y - py, 1));
        (px, py) = (x, y);
        while let [.., (ax, ay, an), (bx, by, bn)] = blocks[..] {
            if by / bx <= ay / ax {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((ax + bx, ay + by, an + bn));
        }
    }
    blocks.into_iter().flat_map(|(x, y, n)| std::iter::repeat_n(y / x, n)).collect()
}

/// Instructions at which the cycles per instruction come down to `bound`; 0: they were never above
/// it.
fn crossing(x: &[f64], y: &[f64], bound: f64) -> Option<f64> {
    let slopes = falling(x, y);
    let at = slopes.iter().position(|&c| c <= bound)?;
    if at == 0 {
        return Some(0.0);
    }
    let middle = |i: usize| if i == 0 { x[0] / 2.0 } else { (x[i - 1] * x[i]).sqrt() };
    let (above, below) = (slopes[at - 1], slopes[at]);
    let share = if above > below { (above - bound) / (above - below) } else { 1.0 };
    Some(middle(at - 1) * (middle(at) / middle(at - 1)).powf(share))
}

/// Whether the IPC of the last doubling is still clearly above that of the doubling before.
fn still_rising(x: &[f64], y: &[f64], variance: &[f64], first: usize) -> bool {
    let last = x.len() - 1;
    let half = x[last] / 2.0;
    let middle = (first + 1..last).min_by(|&i, &j| (x[i] - half).abs().total_cmp(&(x[j] - half).abs()));
    let Some(middle) = middle else { return false };
    let (left, right) = (x[middle] - x[first], x[last] - x[middle]);
    let (before, after) = ((y[middle] - y[first]) / left, (y[last] - y[middle]) / right);
    let spread = variance[first] / (left * left)
        + variance[middle] * (1.0 / left + 1.0 / right).powi(2)
        + variance[last] / (right * right);
    before - after > SURELY * spread.sqrt() && before * RECOVERED > after
}

impl Curve {
    pub(crate) fn new(before: Before, bins: &[Pairs]) -> Self {
        debug_assert_eq!(bins.len(), ipc_layout::BINS);
        let knots = knots(bins);
        let samples = bins.iter().map(|b| b.count).sum();
        let [steady, lost, recovered] = read(&knots).unwrap_or_else(|why| {
            [Figure::unavailable(why.clone()), Figure::unavailable(why.clone()), Figure::unavailable(why)]
        });
        Self { before, samples, points: points(&knots), steady, lost, recovered }
    }
}

/// Steady IPC, cycles lost until then, instructions until it is reached.
fn read(knots: &[Knot]) -> Result<[Figure<Estimate, Note>; 3], Note> {
    let x: Vec<f64> = knots.iter().map(|k| k.sums.x).collect();
    let y: Vec<f64> = knots.iter().map(|k| k.sums.y).collect();
    let variance: Vec<f64> = knots.iter().map(|k| k.variance).collect();
    let first = tail(&x).ok_or(Note::FewSamples)?;
    let freedom = (x.len() - first) as f64 * (MIN_SAMPLES - 1) as f64;
    let (a, b) = line(&x[first..], &y[first..], &variance[first..]).ok_or(Note::NoRise)?;
    if still_rising(&x, &y, &variance, first) {
        return Err(Note::StillRising);
    }
    let ipc = Uncertain { value: 1.0 / b.value, variance: b.variance / b.value.powi(4) };
    let [steady, lost] = [ipc, a].map(|found| Figure::measured(found.by_student(freedom)));
    Ok([steady, lost, recovered(&x, &y, &variance, first, b.value)])
}

/// Where the curve has recovered; the interval by drawing the points anew from what is known of
/// them.
fn recovered(x: &[f64], y: &[f64], variance: &[f64], first: usize, b: f64) -> Figure<Estimate, Note> {
    let at = |y: &[f64], b: f64| crossing(x, y, b / RECOVERED);
    let Some(value) = at(y, b) else {
        return Figure::unavailable(Note::NotRecovered);
    };
    if value == 0.0 {
        return Figure::unavailable(Note::NoFall);
    }
    let mut random = Random::new(x.len() as u64);
    let draws: Vec<f64> = (0..bootstrap::RESAMPLES)
        .map(|_| {
            let drawn: Vec<f64> = y.iter().zip(variance).map(|(y, v)| y + v.sqrt() * normal(&mut random)).collect();
            let steady = line(&x[first..], &drawn[first..], &variance[first..]);
            steady.and_then(|(_, b)| at(&drawn, b.value)).unwrap_or(f64::INFINITY)
        })
        .collect();
    match bootstrap::interval(value, draws) {
        Some(Estimate { low: 0.0, .. }) => Figure::unavailable(Note::FallTooNoisy),
        Some(Estimate { low, high, .. }) if high.is_finite() => {
            Figure::measured(Estimate { value, low: low.min(value), high: high.max(value) })
        }
        _ => Figure::unavailable(Note::RecoveryTooNoisy),
    }
}
