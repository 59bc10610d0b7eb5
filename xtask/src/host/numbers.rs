//! Numbers in the tables and messages of this program: one format for each quantity. Costs of hooks
//! keep one digit behind the point, because their differences are of single nanoseconds.

/// What stands where there is no number.
pub(crate) const NA: &str = "n/a";

const MIB: f64 = 1_048_576.0;

/// A number with so many digits behind its point; what rounds to nothing has no sign.
pub(crate) fn decimal(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return NA.to_owned();
    }
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(bare) if bare.bytes().all(|b| matches!(b, b'0' | b'.')) => bare.to_owned(),
        _ => text,
    }
}

/// A difference: a number that always has its sign.
pub(crate) fn signed(value: f64, digits: usize) -> String {
    let text = decimal(value, digits);
    if text.starts_with('-') || !value.is_finite() { text } else { format!("+{text}") }
}

/// A count with its thousands apart: `123,456`.
pub(crate) fn count(value: f64) -> String {
    if !value.is_finite() {
        return NA.to_owned();
    }
    let digits = decimal(value.abs(), 0);
    let mut text = if value <= -0.5 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `+7.3 %` of a ratio 1.073.
pub(crate) fn increase(ratio: f64) -> String {
    format!("{} %", signed((ratio - 1.0) * 100.0, 1))
}

/// `1.90 %` of 0.019: a share that should be tiny.
pub(crate) fn residual(share: f64) -> String {
    format!("{} %", decimal(share * 100.0, 2))
}

/// `74 %` of 0.74.
pub(crate) fn whole_percent(share: f64) -> String {
    format!("{} %", decimal(share * 100.0, 0))
}

/// Percentage points.
pub(crate) fn points(points: f64) -> String {
    format!("{} points", decimal(points, 1))
}

/// `12.3 %` of 0.123.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", decimal(share * 100.0, 1))
}

/// Whole nanoseconds.
pub(crate) fn nanos(ns: f64) -> String {
    format!("{} ns", count(ns))
}

/// Nanoseconds of a hook.
pub(crate) fn hook_nanos(ns: f64) -> String {
    format!("{} ns", decimal(ns, 1))
}

/// A difference between the costs of two hooks.
pub(crate) fn hook_difference(ns: f64) -> String {
    format!("{} ns", signed(ns, 1))
}

/// A number of seconds, as milliseconds.
pub(crate) fn millis(seconds: f64) -> String {
    format!("{} ms", count(seconds * 1e3))
}

/// Whole seconds.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{} s", count(seconds))
}

/// Seconds with their tenths.
pub(crate) fn tenths(seconds: f64) -> String {
    format!("{} s", decimal(seconds, 1))
}

/// Seconds of something short, with their hundredths.
pub(crate) fn hundredths(seconds: f64) -> String {
    format!("{} s", decimal(seconds, 2))
}

/// A rate, in events per second.
pub(crate) fn per_second(rate: f64) -> String {
    format!("{}/s", count(rate))
}

/// Cores' worth of CPU.
pub(crate) fn cores(cores: f64) -> String {
    decimal(cores, 2)
}

/// Bytes in the unit that fits, from KiB on.
pub(crate) fn bytes(n: f64) -> String {
    if n < MIB { format!("{} KiB", decimal(n / 1024.0, 0)) } else { format!("{} MiB", decimal(n / MIB, 1)) }
}

/// A value with both ends of its interval, or of the spread of its rounds, each printed by `each`:
/// `28.1 % (25.0–31.0 %)`. Where an end has a sign, `to` stands between them. The unit stands once
/// where both ends have the same.
pub(crate) fn with_range([low, value, high]: [f64; 3], each: impl Fn(f64) -> String) -> String {
    let [low, value, high] = [low, value, high].map(each);
    let has_sign = [&low, &high].iter().any(|end| end.starts_with(['+', '-']));
    let joint = if has_sign { " to " } else { "–" };
    let unit = |end: &str| end.trim_start_matches(|c: char| "+-.,".contains(c) || c.is_ascii_digit()).to_owned();
    let low = if unit(&low) == unit(&high) { low.trim_end_matches(&unit(&low)) } else { &low };
    format!("{value} ({low}{joint}{high})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_with_their_units() {
        assert_eq!((increase(1.0731), residual(0.019)), ("+7.3 %".into(), "1.90 %".into()));
        assert_eq!(
            [count(1_234_567.4), count(12.0), count(-123_456.0), count(-0.2)],
            ["1,234,567", "12", "-123,456", "0"]
        );
        assert_eq!((bytes(1_572_864.0), bytes(32_768.0)), ("1.5 MiB".into(), "32 KiB".into()));
        assert_eq!(
            (nanos(140.4), hook_nanos(140.44), millis(0.25)),
            ("140 ns".into(), "140.4 ns".into(), "250 ms".into())
        );
    }

    #[test]
    fn thousands_stand_apart_in_every_unit() {
        assert_eq!(
            [nanos(15_815.2), millis(1.139), seconds(4_321.0), per_second(187_396.4)],
            ["15,815 ns", "1,139 ms", "4,321 s", "187,396/s"]
        );
    }

    #[test]
    fn a_range_has_one_form_with_its_unit_and_its_signs() {
        assert_eq!(with_range([0.25, 0.281, 0.31], percent), "28.1 % (25.0–31.0 %)");
        assert_eq!(with_range([-0.04, -0.0, 0.1], percent), "0.0 % (-4.0 to 10.0 %)");
        assert_eq!(with_range([1.06, 1.073, 1.08], increase), "+7.3 % (+6.0 to +8.0 %)");
        assert_eq!(with_range([1_000.0, 2_000.0, 3_000.0], per_second), "2,000/s (1,000–3,000/s)");
        assert_eq!(with_range([1_024.0, 65_536.0, 2_097_152.0], bytes), "64 KiB (1 KiB–2.0 MiB)");
        assert_eq!(with_range([-0.04, -0.0, 0.04], |points| decimal(points, 1)), "0.0 (0.0–0.0)");
    }

    #[test]
    fn what_is_no_number_says_so() {
        assert_eq!([decimal(f64::NAN, 1), signed(f64::INFINITY, 1), count(f64::NAN)], [NA; 3]);
    }

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!((decimal(-0.04, 1), signed(-0.04, 1)), ("0.0".into(), "+0.0".into()));
        assert_eq!((hook_difference(-0.01), hook_difference(-0.06)), ("+0.0 ns".into(), "-0.1 ns".into()));
    }
}
