//! text/diff: two recordings side by side, and a prediction held against what came.

use std::fmt::Write as _;

use crate::text::{
    clean::clean,
    fit::wrap,
    numbers::{self, NA, percent},
};
use crate::{
    answer::{Diff, PredictionCheck},
    quantity::Nanos,
    words::{self, InWords},
};

/// Columns of the lines below the table, which is as wide.
const NOISE_COLUMNS: usize = 118;

/// The comparison as text. `names`: what the two are called.
pub fn diff(diff: &Diff, names: (&str, &str)) -> String {
    let mut out = String::new();
    let (first, second) = (clean(names.0), clean(names.1));
    let unit = diff.per.unit();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "before  {first}  ({})", diff.units_in_words(diff.units.0));
    let _ = writeln!(out, "after   {second}  ({})", diff.units_in_words(diff.units.1));
    let _ = writeln!(out, "{}\n", diff.unit_in_words());
    let _ = writeln!(
        out,
        "{:<28} {:>12} {:>12} {:>10}  90 % interval of the change",
        format!("per {unit}"),
        "before",
        "after",
        "change"
    );
    for change in &diff.changes {
        let ((relative, interval), [before, after]) = (change.in_percent(), change.amounts());
        let line = format!(
            "{:<28} {:>12} {:>12} {:>10}  {interval}  {}",
            change.measure.name(),
            before,
            after,
            relative,
            change.judgement(),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = write!(out, "\n{}\n", wrap(words::DIFF_NOISE, NOISE_COLUMNS).join("\n"));
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
