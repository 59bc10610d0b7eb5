//! Figures in words. A missing one is `n/a`, with its reason, and never a number.

use crate::{
    model::{Figure, Interval, Provenance},
    units::Nanos,
};

/// What stands where there is no figure.
pub(super) const NONE: &str = "n/a";

/// A count with its thousands apart.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share in percent; what is there and too small to print is `<0.1 %`, not 0.
pub(super) fn percent(ratio: f64) -> String {
    match ratio * 100.0 {
        p if !p.is_finite() => NONE.to_owned(),
        0.0 => "0 %".to_owned(),
        p if p.abs() < 0.05 => if p < 0.0 { ">-0.1 %" } else { "<0.1 %" }.to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// A 90 % interval of a share.
pub(super) fn interval(i: Interval) -> String {
    format!("90 % interval {:.1} to {:.1} %", i.low * 100.0, i.high * 100.0)
}

/// A part of a whole in percent; `n/a` where the whole is nothing.
pub(super) fn part(part: f64, whole: Nanos) -> String {
    if whole == Nanos::ZERO { NONE.to_owned() } else { percent(part / whole.as_nanos() as f64) }
}

/// Signed nanoseconds.
pub(super) fn span(ns: f64) -> String {
    if !ns.is_finite() {
        return NONE.to_owned();
    }
    let size = Nanos::from_nanos(ns.abs().round() as u64);
    if ns < 0.0 && size > Nanos::ZERO { format!("-{size}") } else { size.to_string() }
}

/// Bytes in the unit that fits.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = n as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}

/// `1 thread`, `2 threads`.
pub(super) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// `measured`, `modelled: how`, `n/a: why`.
pub(super) fn provenance<T>(figure: &Figure<T>) -> String {
    let name = if figure.provenance() == Provenance::Unavailable { NONE } else { figure.provenance().name() };
    if figure.note().is_empty() { name.to_owned() } else { format!("{name}: {}", figure.note()) }
}

/// A figure, or `n/a`.
pub(super) fn figure<T>(figure: &Figure<T>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| NONE.to_owned(), words)
}

/// A figure with where it comes from; without one only the reason.
pub(super) fn told<T>(f: &Figure<T>, words: impl FnOnce(&T) -> String) -> String {
    f.value().map_or_else(|| provenance(f), |value| format!("{} ({})", words(value), provenance(f)))
}
