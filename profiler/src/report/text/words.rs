//! Figures in words: counts, shares, spans, provenance.

use super::clean::clean;
use crate::{
    model::{Family, Figure, Provenance},
    units::Nanos,
};

/// What stands where there is no figure because there was nothing to measure.
pub(super) const NOTHING: &str = "–";

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

/// A count for a column: exact up to seven digits.
pub(super) fn short(n: u64) -> String {
    match n {
        0..10_000_000 => count(n),
        10_000_000..10_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        _ => format!("{:.1} G", n as f64 / 1e9),
    }
}

/// A count and its noun.
pub(super) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A share in percent; what is there and too small to print is `<0.1 %`, not 0.
pub(super) fn percent(ratio: f64) -> String {
    share(ratio, 1, 0.1)
}

/// A share that should be tiny, one digit finer.
pub(super) fn residual(ratio: f64) -> String {
    share(ratio, 2, 0.01)
}

fn share(ratio: f64, digits: usize, step: f64) -> String {
    if !ratio.is_finite() {
        return NOTHING.to_owned();
    }
    let percent = ratio * 100.0;
    if percent == 0.0 {
        "0 %".to_owned()
    } else if percent.abs() < step / 2.0 {
        if percent < 0.0 { format!(">-{step} %") } else { format!("<{step} %") }
    } else {
        format!("{percent:.digits$} %")
    }
}

/// A part of a whole in percent; nothing where the whole is.
pub(super) fn part(part: f64, whole: Nanos) -> String {
    if whole == Nanos::ZERO { NOTHING.to_owned() } else { percent(part / whole.as_nanos() as f64) }
}

/// Signed nanoseconds.
pub(super) fn span(ns: f64) -> String {
    if !ns.is_finite() {
        return NOTHING.to_owned();
    }
    let size = Nanos::from_nanos(ns.abs().round() as u64);
    if ns < 0.0 && size > Nanos::ZERO { format!("-{size}") } else { size.to_string() }
}

/// A time where there is one.
pub(super) fn maybe(time: Option<Nanos>) -> String {
    time.map_or_else(|| NOTHING.to_owned(), |t| t.to_string())
}

/// A mean where something was counted.
pub(super) fn mean(sum: Nanos, count: u64) -> String {
    maybe(sum.as_nanos().checked_div(count).map(Nanos::from_nanos))
}

/// Bytes in the unit that fits.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or(""))
}

/// `measured`, or `modelled: why`.
pub(super) fn provenance<T>(figure: &Figure<T>) -> String {
    let name = figure.provenance().name();
    match (figure.provenance(), figure.note()) {
        (_, "") => name.to_owned(),
        // The word stands where the figure would.
        (Provenance::Unavailable, note) => clean(note),
        (_, note) => format!("{name}: {}", clean(note)),
    }
}

/// A figure, or the word that there is none.
pub(super) fn figure<T>(figure: &Figure<T>, words: impl FnOnce(&T) -> String) -> String {
    figure.value().map_or_else(|| Provenance::Unavailable.name().to_owned(), words)
}

/// A family's name.
pub(super) const fn family(family: Family) -> &'static str {
    match family {
        Family::BlockingIo => "blocking IO",
        Family::EventWait => "event wait",
        Family::Lock => "lock",
        Family::Timer => "timer",
        Family::Accept => "accept",
        Family::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_shares_and_sizes_read_well() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((short(9_999_999), short(12_345_678)), ("9,999,999".into(), "12.3 M".into()));
        assert_eq!(
            (percent(0.0), percent(0.0001), percent(-0.0001)),
            ("0 %".into(), "<0.1 %".into(), ">-0.1 %".into())
        );
        assert_eq!((percent(0.123), percent(f64::NAN)), ("12.3 %".into(), NOTHING.into()));
        assert_eq!((span(-1_500.0), span(-0.2), span(f64::NAN)), ("-1.50 µs".into(), "0 ns".into(), NOTHING.into()));
        assert_eq!((bytes(1023), bytes(1024), bytes(1 << 20)), ("1023 B".into(), "1.0 KiB".into(), "1.0 MiB".into()));
    }

    #[test]
    fn what_is_unavailable_is_a_word_and_never_a_number() {
        let none: Figure<u64> = Figure::unavailable("no PMU");
        assert_eq!((figure(&none, u64::to_string), provenance(&none)), ("unavailable".into(), "no PMU".into()));
    }
}
