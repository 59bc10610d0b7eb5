//! text/diff: two recordings side by side, and a prediction held against what came.

use std::fmt::Write as _;

use crate::text::{
    clean::clean,
    numbers::{self, NA, percent, span},
};
use crate::{
    answer::{Change, Diff, Measure, PredictionCheck},
    quantity::{Estimate, Nanos},
    words::{self, InWords},
};

fn amount(measure: Measure, value: f64) -> String {
    if measure.is_time() {
        return span(value);
    }
    numbers::amount(value)
}

fn range(interval: Estimate, base: f64) -> String {
    format!("({})", numbers::change_range(interval.scaled(1.0 / base)))
}

fn judgement(change: &Change) -> &'static str {
    match (change.difference, change.is_beyond_noise()) {
        // Its interval says why.
        (None, _) => "",
        (_, false) => "within the noise",
        (_, true) if change.after > change.before => "more",
        (_, true) => "less",
    }
}

/// The comparison as text. `names`: what the two are called.
pub fn diff(diff: &Diff, names: (&str, &str)) -> String {
    let mut out = String::new();
    let (first, second) = (clean(names.0), clean(names.1));
    let unit = diff.per.unit();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "before  {first}  ({} × {unit})", amount(Measure::Calls, diff.units.0));
    let _ = writeln!(out, "after   {second}  ({} × {unit})", amount(Measure::Calls, diff.units.1));
    let _ = writeln!(out, "per {unit}: {}\n", diff.why.in_words());
    let _ = writeln!(
        out,
        "{:<28} {:>12} {:>12} {:>10}  90 % interval of the change",
        format!("per {unit}"),
        "before",
        "after",
        "change"
    );
    for change in &diff.changes {
        let (relative, interval) = match (change.relative(), change.difference) {
            (Some(share), Some(d)) => (numbers::change(share), range(d, change.before)),
            (Some(share), None) => (numbers::change(share), format!("{NA}: {}", words::TOO_FEW_PARTS)),
            (None, _) => (NA.to_owned(), NA.to_owned()),
        };
        let line = format!(
            "{:<28} {:>12} {:>12} {:>10}  {interval}  {}",
            change.measure.name(),
            amount(change.measure, change.before),
            amount(change.measure, change.after),
            relative,
            judgement(change),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str(
        "\nThe noise is that of each recording's own seconds. Two runs of one program can differ by more: compare several \
         pairs\nbefore you act on a small change. The direct cost is the mean of a whole recording times the blocks.\n",
    );
    out
}

/// What was predicted, and what came.
pub fn prediction_check(check: &PredictionCheck, names: (&str, &str)) -> String {
    let mut out = String::new();
    let (first, second) = (clean(names.0), clean(names.1));
    let cpu = |v: f64| Nanos::from_nanos(v.max(0.0).round() as u64);
    // Writing to a String cannot fail.
    let _ =
        writeln!(out, "blocking  {first}  {} of CPU per {}", cpu(check.sides.0.cpu_per_unit), check.unit.per.0.unit());
    let _ =
        writeln!(out, "async     {second}  {} of CPU per {}", cpu(check.sides.1.cpu_per_unit), check.unit.per.1.unit());
    let _ = writeln!(out, "per {}: {}\n", check.unit.per.0.unit(), check.unit.why.in_words());
    match &check.predicted {
        Ok(s) => {
            let _ = writeln!(
                out,
                "predicted ({})  saves {} of its CPU ({})",
                check.way.words(),
                percent(s.value),
                numbers::range(*s)
            );
        }
        Err(why) => {
            let _ = writeln!(out, "predicted ({})  {NA}: {}", check.way.words(), why.in_words());
        }
    }
    let interval = check
        .interval
        .map_or_else(|| format!(" ({NA}: {})", words::TOO_FEW_PARTS), |i| format!(" ({})", numbers::range(i)));
    let _ = writeln!(out, "measured                saves {}{interval}", percent(check.measured));
    if let Ok(s) = &check.predicted {
        let _ = writeln!(
            out,
            "error                   {}; the measured saving lies {} the predicted interval",
            numbers::points(s.value - check.measured),
            if s.contains(check.measured) { "inside" } else { "outside" },
        );
    }
    out.push_str("\nBoth are only comparable if they did the same work, and each was measured while it did.\n");
    out
}
