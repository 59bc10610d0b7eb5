//! Numbers as people read them: the same on every screen and in every file. Each kind of quantity
//! has one format:
//!
//! | kind | format | functions |
//! |---|---|---|
//! | a count | whole, thousands apart: `28,000` | [`count`], [`whole`], [`plural`] |
//! | a count in a narrow column | exact up to seven digits: `12.3 M` | [`short`] |
//! | a mean of counts | digits by its size: `0.1250`, `12.50`, `1,250` | [`amount`] |
//! | a ratio of counts | digits by what it is: `0.07` sleeps per block | [`decimal`] |
//! | a rate | three digits: `0.3/s`, `1,234/s`, `28.0 k/s` | [`per_second`], [`rate`] |
//! | CPU-seconds a second | three digits behind the point: `0.229` | [`cpus`] |
//! | a span of time | three digits: `873 ns`, `1.50 s` | `Nanos`, [`span`], [`mean`] |
//! | time on a clock | a span up to 100 s, then `4:05`, `1:02:03` | [`clock`] |
//! | the age of what is kept | whole, in one unit: `40 s`, `2 h` | [`age`] |
//! | bytes | by 1024, three digits, none if it is whole: `4 KiB` | [`bytes`] |
//! | a share | percent, one digit: `<0.1 %`, `12.3 %` | [`percent`], [`share`], [`ratio`] |
//! | a share that should be tiny | one digit finer | [`residual`] |
//! | a share in a sentence | whole percent, or of 100 | [`whole_percent`], [`of_hundred`] |
//! | a difference of shares | as a share, with its sign | [`change`], [`term`], [`points`] |
//! | an interval | both ends in one unit, with as many digits | names that end in `range` |
//!
//! An interval is `1.0–3.0 %`, and `-1.0 to 3.0 %` where a dash would hide a sign. Its ends are
//! rounded, so a small one may be 0.0. A share that is not zero is never printed as zero. What is
//! missing has one word, [`NA`].

use crate::quantity::{Estimate, Nanos};

/// What stands where there is no number. Why there is none stands beside it, where that is known.
pub const NA: &str = "n/a";

/// A count with its thousands apart.
pub fn count(n: u64) -> String {
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

/// A number of things that is not exactly whole, rounded; never negative.
pub fn whole(n: f64) -> String {
    if n.is_finite() { count(n.max(0.0).round() as u64) } else { NA.to_owned() }
}

/// A count that may be negative, rounded.
fn signed_count(n: f64) -> String {
    let sign = if n <= -0.5 { "-" } else { "" };
    format!("{sign}{}", count(n.abs().round() as u64))
}

/// Digits behind the point of a number of up to three digits before it, so that it has three in
/// all.
fn digits_of(value: f64) -> usize {
    match value.abs() {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    }
}

/// A number of up to three digits before its point, printed with three in all.
fn three_digits(value: f64) -> String {
    format!("{value:.*}", digits_of(value))
}

/// A count for a column: exact up to seven digits.
pub fn short(n: u64) -> String {
    match n {
        0..10_000_000 => count(n),
        10_000_000..999_500_000 => format!("{} M", three_digits(n as f64 / 1e6)),
        _ => format!("{} G", three_digits(n as f64 / 1e9)),
    }
}

/// A count and its noun.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A difference of counts: with its sign, `exact` where there is none.
pub fn difference(n: i64) -> String {
    match n {
        0 => "exact".to_owned(),
        n if n < 0 => format!("-{}", count(n.unsigned_abs())),
        n => format!("+{}", count(n.unsigned_abs())),
    }
}

/// A ratio in percent with so many digits.
fn with_digits(ratio: f64, digits: usize) -> String {
    let percent = ratio * 100.0;
    let step = 0.1f64.powi(digits as i32);
    match percent.abs() {
        p if !p.is_finite() => NA.to_owned(),
        0.0 => format!("{:.digits$} %", 0.0),
        p if p < step / 2.0 && percent < 0.0 => format!(">-{step:.digits$} %"),
        p if p < step / 2.0 => format!("<{step:.digits$} %"),
        _ => format!("{percent:.digits$} %"),
    }
}

/// A ratio in percent. A ratio that is too small to print is `<0.1 %`, not 0.
pub fn percent(ratio: f64) -> String {
    with_digits(ratio, 1)
}

/// A ratio that should be tiny, one digit finer.
pub fn residual(ratio: f64) -> String {
    with_digits(ratio, 2)
}

/// A number with so many digits behind its point; what rounds to nothing has no sign.
pub fn decimal(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return NA.to_owned();
    }
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(bare) if bare.bytes().all(|b| matches!(b, b'0' | b'.')) => bare.to_owned(),
        _ => text,
    }
}

/// A number of any size: from 100 on as a count, below it with digits behind the point.
pub fn amount(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => NA.to_owned(),
        0.0 => "0".to_owned(),
        v if v >= 100.0 => signed_count(value),
        v if v >= 1.0 => decimal(value, 2),
        _ => decimal(value, 4),
    }
}

/// A number that always has its sign: a difference, or a term of a sum.
fn with_sign(value: f64, digits: usize) -> String {
    let text = decimal(value, digits);
    if value.is_finite() && !text.starts_with('-') { format!("+{text}") } else { text }
}

/// A change in percent, with its sign.
pub fn change(ratio: f64) -> String {
    format!("{} %", with_sign(ratio * 100.0, 1))
}

/// A term of a sum in percent, with its sign, one digit finer.
pub fn term(ratio: f64) -> String {
    format!("{} %", with_sign(ratio * 100.0, 2))
}

/// A difference of two percentages.
pub fn points(ratio: f64) -> String {
    format!("{} points", with_sign(ratio * 100.0, 1))
}

/// A ratio in whole percent, for sentences.
pub fn whole_percent(ratio: f64) -> String {
    format!("{} %", decimal(ratio * 100.0, 0))
}

/// So many of a hundred, for sentences.
pub fn of_hundred(ratio: f64) -> String {
    format!("{} of 100", decimal(ratio * 100.0, 0))
}

/// Both ends of an interval; a dash would hide the sign of the second.
fn ends(low: f64, high: f64, end: impl Fn(f64) -> String) -> String {
    if !low.is_finite() || !high.is_finite() {
        return NA.to_owned();
    }
    let joint = if low < 0.0 || high < 0.0 { " to " } else { "–" };
    format!("{}{joint}{}", end(low), end(high))
}

fn percent_ends(low: f64, high: f64, digits: usize) -> String {
    format!("{} %", ends(low * 100.0, high * 100.0, |percent| decimal(percent, digits)))
}

/// The interval of a ratio in percent.
pub fn range(ratio: Estimate) -> String {
    percent_ends(ratio.low, ratio.high, 1)
}

/// The interval of a change in percent, with both signs.
pub fn change_range(ratio: Estimate) -> String {
    format!("{} to {} %", with_sign(ratio.low * 100.0, 1), with_sign(ratio.high * 100.0, 1))
}

/// The interval of signed nanoseconds, in the unit and with the digits of the larger end.
pub fn span_range(ns: Estimate) -> String {
    let largest = ns.low.abs().max(ns.high.abs());
    let (unit, name) = match largest {
        v if v < 999.5 => (1.0, "ns"),
        v if v < 999_500.0 => (1e3, "µs"),
        v if v < 999_500_000.0 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let digits = if name == "ns" { 0 } else { digits_of(largest / unit) };
    format!("{} {name}", ends(ns.low, ns.high, |end| decimal(end / unit, digits)))
}

/// The interval of a number with so many digits.
pub fn decimal_range(value: Estimate, digits: usize) -> String {
    ends(value.low, value.high, |end| decimal(end, digits))
}

/// A number with so many digits, and its interval: `1.99 (1.97–2.01)`.
pub fn decimal_in_range(value: Estimate, digits: usize) -> String {
    format!("{} ({})", decimal(value.value, digits), decimal_range(value, digits))
}

/// A count and its interval, rounded.
pub fn count_in_range(n: Estimate) -> String {
    format!("{} ({})", signed_count(n.value), ends(n.low, n.high, signed_count))
}

/// An interval of a ratio in whole percent, for sentences.
pub fn whole_range(low: f64, high: f64) -> String {
    let whole = |ratio: f64| (ratio * 100.0).round() / 100.0;
    percent_ends(whole(low), whole(high), 0)
}

/// So many of so many, in percent.
pub fn ratio(part: u64, whole: u64) -> String {
    percent(part as f64 / whole as f64)
}

/// A part of a time in percent, in nanoseconds: it may be negative.
pub fn part(part: f64, whole: Nanos) -> String {
    if whole == Nanos::ZERO { NA.to_owned() } else { percent(part / whole.as_nanos() as f64) }
}

/// A part of a time in percent.
pub fn share(time: Nanos, whole: Nanos) -> String {
    part(time.as_nanos() as f64, whole)
}

/// Signed nanoseconds in the unit that fits.
pub fn span(ns: f64) -> String {
    if !ns.is_finite() {
        return NA.to_owned();
    }
    let size = Nanos::from_nanos(ns.abs().round() as u64);
    if ns < 0.0 && size > Nanos::ZERO { format!("-{size}") } else { size.to_string() }
}

/// A time where there is one.
pub fn maybe(time: Option<Nanos>) -> String {
    time.map_or_else(|| NA.to_owned(), |t| t.to_string())
}

/// A mean where something was counted.
pub fn mean(sum: Nanos, count: u64) -> String {
    maybe(sum.as_nanos().checked_div(count).map(Nanos::from_nanos))
}

/// From here on a clock shows minutes: what a span would print as 100 s.
const MINUTES_FROM: Nanos = Nanos::from_millis(99_950);

/// Time on a clock: a span at first, then minutes and hours: `12.3 s`, `4:05`, `1:02:03`.
pub fn clock(at: Nanos) -> String {
    let whole = at.as_nanos() / 1_000_000_000;
    match whole {
        _ if at == Nanos::ZERO => "0 s".to_owned(),
        _ if at < MINUTES_FROM => at.to_string(),
        0..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// How old something is that is kept, in one unit.
pub fn age(seconds: u64) -> String {
    match seconds {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", count(s / 86_400)),
    }
}

/// So many in so many seconds, as a rate.
pub fn rate(n: u64, seconds: f64) -> String {
    if seconds > 0.0 { per_second(n as f64 / seconds) } else { NA.to_owned() }
}

/// A rate in events per second.
pub fn per_second(rate: f64) -> String {
    match rate {
        r if !r.is_finite() => NA.to_owned(),
        r if r >= 999_500.0 => format!("{} M/s", three_digits(r / 1e6)),
        r if r >= 1e4 => format!("{} k/s", three_digits(r / 1e3)),
        r if r >= 10.0 || r == 0.0 => format!("{}/s", count(r.round() as u64)),
        r => format!("{r:.1}/s"),
    }
}

/// CPU-seconds a second: how many CPUs are kept busy.
pub fn cpus(load: f64) -> String {
    decimal(load, CPU_DIGITS)
}

/// The interval of CPU-seconds a second.
pub fn cpus_range(load: Estimate) -> String {
    decimal_range(load, CPU_DIGITS)
}

/// Digits behind the point of CPU-seconds a second.
const CPU_DIGITS: usize = 3;

/// Bytes in the unit that fits; a whole number of them has no digits behind a point.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = n as f64;
    let mut name = "B";
    let mut exact = true;
    for unit in UNITS {
        // A value that would be printed as 1024 is 1.00 of the next unit.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        exact = value.fract() == 0.0;
        name = unit;
    }
    if exact { format!("{value} {name}") } else { format!("{} {name}", three_digits(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_shares_and_sizes_read_well() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((short(9_999_999), short(12_345_678)), ("9,999,999".into(), "12.3 M".into()));
        assert_eq!((short(999_499_999), short(999_500_000)), ("999 M".into(), "1.00 G".into()));
        assert_eq!(
            (plural(1, "thread", "threads"), plural(0, "thread", "threads")),
            ("1 thread".into(), "0 threads".into())
        );
        assert_eq!(
            (difference(0), difference(-1_234), difference(1_234)),
            ("exact".into(), "-1,234".into(), "+1,234".into())
        );
        assert_eq!(
            (percent(0.0), percent(0.0001), percent(-0.0001)),
            ("0.0 %".into(), "<0.1 %".into(), ">-0.1 %".into())
        );
        assert_eq!((percent(0.123), residual(0.000_01)), ("12.3 %".into(), "<0.01 %".into()));
        assert_eq!((ratio(1, 8), part(-1.0, Nanos::from_nanos(2))), ("12.5 %".into(), "-50.0 %".into()));
        assert_eq!((span(-1_500.0), span(-0.2)), ("-1.50 µs".into(), "0 ns".into()));
        assert_eq!((bytes(1023), bytes(4096), bytes(1 << 20)), ("1023 B".into(), "4 KiB".into(), "1 MiB".into()));
        assert_eq!((bytes(1_048_575), bytes(12_900_000)), ("1.00 MiB".into(), "12.3 MiB".into()));
    }

    #[test]
    fn signs_stand_where_they_say_something() {
        assert_eq!((decimal(-0.04, 1), decimal(-0.06, 1), decimal(2.0, 0)), ("0.0".into(), "-0.1".into(), "2".into()));
        assert_eq!(
            (change(0.123), change(-0.0001), term(-0.00123)),
            ("+12.3 %".into(), "+0.0 %".into(), "-0.12 %".into())
        );
        assert_eq!(
            (points(0.01), whole_percent(-0.004), of_hundred(0.5)),
            ("+1.0 points".into(), "0 %".into(), "50 of 100".into())
        );
        let around = |half| range(Estimate::with_half_width(0.02, half));
        assert_eq!((around(0.01), around(0.03)), ("1.0–3.0 %".into(), "-1.0 to 5.0 %".into()));
        assert_eq!((whole_range(-0.001, 0.07), whole_range(-0.2, -0.1)), ("0–7 %".into(), "-20 to -10 %".into()));
    }

    #[test]
    fn rates_have_three_digits() {
        let rates = [0.0, 0.26, 9.96, 1_234.0, 41_234.0, 417_812.0, 999_700.0];
        assert_eq!(
            rates.map(per_second),
            ["0/s", "0.3/s", "10.0/s", "1,234/s", "41.2 k/s", "418 k/s", "1.00 M/s"].map(str::to_owned)
        );
    }

    #[test]
    fn a_clock_shows_spans_until_it_shows_minutes() {
        let at = [0, 500, 1_500, 12_340, 99_949, 99_950, 245_000, 3_723_000];
        let shown = at.map(|ms| clock(Nanos::from_millis(ms)));
        assert_eq!(shown, ["0 s", "500 ms", "1.50 s", "12.3 s", "99.9 s", "1:39", "4:05", "1:02:03"]);
        assert_eq!([40, 300, 7_300, 200_000].map(age), ["40 s", "5 min", "2 h", "2 days"]);
    }

    #[test]
    fn both_ends_of_an_interval_have_one_unit_and_as_many_digits() {
        let between = |low, high| Estimate { value: low, low, high };
        let spans = [(40.0, 980.0), (980.0, 1_234.0), (-8_340.0, 12_300.0), (1e9, 2.5e9), (-900.0, -1.0)];
        assert_eq!(
            spans.map(|(low, high)| span_range(between(low, high))),
            ["40–980 ns", "0.98–1.23 µs", "-8.3 to 12.3 µs", "1.00–2.50 s", "-900 to -1 ns"]
        );
        assert_eq!(change_range(between(-0.051, 0.0)), "-5.1 to +0.0 %");
        assert_eq!(range(between(-0.051, 0.0)), "-5.1 to 0.0 %");
        assert_eq!(decimal_in_range(between(1.97, 2.01), 3), "1.970 (1.970–2.010)");
        assert_eq!(count_in_range(between(-3.4, 1_234.0)), "-3 (-3 to 1,234)");
        assert_eq!((cpus(0.81), cpus_range(between(0.8, 0.9))), ("0.810".into(), "0.800–0.900".into()));
        assert_eq!((whole(27_999.6), whole(-1.0)), ("28,000".into(), "0".into()));
    }

    #[test]
    fn what_is_missing_is_one_word_and_no_number() {
        let nothing = Nanos::ZERO;
        for text in [
            percent(f64::NAN),
            residual(f64::INFINITY),
            decimal(f64::NAN, 2),
            ratio(0, 0),
            ratio(1, 0),
            part(3.0, nothing),
            share(nothing, nothing),
            span(f64::NAN),
            maybe(None),
            mean(nothing, 0),
            rate(3, 0.0),
            per_second(f64::NAN),
            whole(f64::NAN),
            cpus(f64::NAN),
            amount(f64::NAN),
            decimal_range(Estimate { value: 1.0, low: f64::NAN, high: 2.0 }, 1),
        ] {
            assert_eq!(text, NA);
        }
    }
}
