//! Numbers as people read them: the same on every screen and in every file. Where there is no number there are no words:
//! each output has its own for that.

use crate::quantity::Nanos;

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

/// A count for a column: exact up to seven digits.
pub fn short(n: u64) -> String {
    match n {
        0..10_000_000 => count(n),
        10_000_000..10_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        _ => format!("{:.1} G", n as f64 / 1e9),
    }
}

/// A count and its noun.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A share in percent with so many digits; what is there and too small to print is `<0.1 %`, not 0. `None`: no number.
pub fn share(ratio: f64, digits: usize) -> Option<String> {
    let percent = ratio * 100.0;
    let step = 0.1f64.powi(digits as i32);
    if !percent.is_finite() {
        return None;
    }
    Some(if percent == 0.0 {
        "0 %".to_owned()
    } else if percent.abs() < step / 2.0 {
        if percent < 0.0 { format!(">-{step:.digits$} %") } else { format!("<{step:.digits$} %") }
    } else {
        format!("{percent:.digits$} %")
    })
}

/// A part of a whole in percent; `None` where the whole is nothing.
pub fn part(part: f64, whole: Nanos) -> Option<String> {
    if whole == Nanos::ZERO { None } else { share(part / whole.as_nanos() as f64, 1) }
}

/// Signed nanoseconds in the unit that fits; `None`: no number.
pub fn span(ns: f64) -> Option<String> {
    if !ns.is_finite() {
        return None;
    }
    let size = Nanos::from_nanos(ns.abs().round() as u64);
    Some(if ns < 0.0 && size > Nanos::ZERO { format!("-{size}") } else { size.to_string() })
}

/// Bytes in the unit that fits.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = n as f64;
    let mut name = "B";
    for unit in UNITS {
        // What would be printed as 1024.0 is the next unit's.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    if name == "B" { format!("{n} B") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_shares_and_sizes_read_well() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((short(9_999_999), short(12_345_678)), ("9,999,999".into(), "12.3 M".into()));
        assert_eq!(
            (plural(1, "thread", "threads"), plural(0, "thread", "threads")),
            ("1 thread".into(), "0 threads".into())
        );
        let one = |ratio| share(ratio, 1).unwrap();
        assert_eq!((one(0.0), one(0.0001), one(-0.0001)), ("0 %".into(), "<0.1 %".into(), ">-0.1 %".into()));
        assert_eq!((one(0.123), share(f64::NAN, 1)), ("12.3 %".into(), None));
        assert_eq!(share(0.000_01, 2), Some("<0.01 %".into()));
        assert_eq!((span(-1_500.0), span(-0.2), span(f64::NAN)), (Some("-1.50 µs".into()), Some("0 ns".into()), None));
        assert_eq!((bytes(1023), bytes(1024), bytes(1 << 20)), ("1023 B".into(), "1.0 KiB".into(), "1.0 MiB".into()));
    }
}
