//! Figures and names as text that fits: units, cuts, wraps; and names that the target chose, made safe for a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::words::{InWords, note};
use crate::{
    quantity::{Figure, Nanos, Provenance},
    text::numbers,
};

#[cfg(test)]
use crate::text::numbers::bytes;
pub(super) use crate::text::numbers::short as count;

/// What stands where a figure cannot be had.
pub(super) const NA: &str = "n/a";
/// What stands where there was nothing to count.
pub(super) const NOTHING: &str = "–";

/// Columns on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Without anything that could move the cursor or turn the direction of writing.
pub(super) fn clean(text: &str) -> String {
    let shown = |c: char| match (c, c.width()) {
        ('\u{ad}' | '\u{2028}' | '\u{2029}', _) | (_, None) => Some('\u{fffd}'),
        (_, Some(0)) => None,
        (c, Some(_)) => Some(c),
    };
    text.chars().filter_map(shown).collect()
}

/// The longest beginning of so many columns.
fn fitting(chars: impl Iterator<Item = char>, columns: usize) -> Vec<char> {
    let mut room = columns;
    let fits = |c: &char| {
        let needs = c.width().unwrap_or(0);
        let fits = needs <= room;
        room = if fits { room - needs } else { 0 };
        fits
    };
    chars.take_while(fits).collect()
}

/// Cut at its end, with a mark, where it does not fit.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    match columns {
        0 => String::new(),
        _ => fitting(text.chars(), columns - 1).into_iter().chain(['…']).collect(),
    }
}

/// Cut in its middle: of a path or an address the ends say most.
pub(super) fn cut_middle(text: &str, columns: usize) -> String {
    if width(text) <= columns || columns < 3 {
        return cut(text, columns);
    }
    let behind = columns / 2;
    let mut end = fitting(text.chars().rev(), behind);
    end.reverse();
    fitting(text.chars(), columns - 1 - behind).into_iter().chain(['…']).chain(end).collect()
}

/// Cut or filled up to exactly so many columns.
pub(super) fn fit(text: &str, columns: usize, right: bool) -> String {
    let text = cut(text, columns);
    let pad = " ".repeat(columns.saturating_sub(width(&text)));
    if right { pad + &text } else { text + &pad }
}

/// Lines of at most so many columns, broken at spaces where that is possible; at least one line.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= columns {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        // A word that is too long for any line is broken where it must be.
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(0) > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// Events per second.
pub(super) fn rate(n: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return NA.to_owned();
    }
    per_second(n as f64 / seconds)
}

/// Likewise, where it is divided already.
pub(super) fn per_second(rate: f64) -> String {
    match rate {
        r if !r.is_finite() => NA.to_owned(),
        r if r >= 1e6 => format!("{:.1} M/s", r / 1e6),
        r if r >= 1e4 => format!("{:.1} k/s", r / 1e3),
        r if r >= 10.0 || r == 0.0 => format!("{}/s", count(r.round() as u64)),
        r => format!("{r:.1}/s"),
    }
}

/// A share in percent; what is there and too small to print is `<0.1 %`, not 0.
pub(super) fn percent(ratio: f64) -> String {
    numbers::share(ratio, 1).unwrap_or_else(|| NA.to_owned())
}

/// Signed nanoseconds.
pub(super) fn span(ns: f64) -> String {
    numbers::span(ns).unwrap_or_else(|| NA.to_owned())
}

/// A part of a whole.
pub(super) fn share(part: Nanos, whole: Nanos) -> String {
    if whole == Nanos::ZERO { NOTHING.to_owned() } else { percent(part.as_nanos() as f64 / whole.as_nanos() as f64) }
}

/// A time where there is one.
pub(super) fn maybe(time: Option<Nanos>) -> String {
    time.map_or_else(|| NOTHING.to_owned(), |t| t.to_string())
}

/// A mean where something was counted.
pub(super) fn mean(sum: Nanos, count: u64) -> String {
    maybe(sum.as_nanos().checked_div(count).map(Nanos::from_nanos))
}

/// Seconds as a clock shows them: `12.3 s`, `4:05`, `1:02:03`.
pub(super) fn clock(at: Nanos) -> String {
    let seconds = at.as_secs_f64();
    let whole = seconds as u64;
    match whole {
        0..100 => format!("{seconds:.1} s"),
        100..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// A figure: `~` before what is modelled, and a word for what is not to be had.
pub(super) fn figure<T, N>(figure: &Figure<T, N>, words: impl FnOnce(&T) -> String) -> String {
    match (figure.value(), figure.provenance()) {
        (None, _) => NA.to_owned(),
        (Some(value), Provenance::Modelled) => format!("~{}", words(value)),
        (Some(value), _) => words(value),
    }
}

/// Where a figure comes from: `measured`, `modelled: why`, `n/a: why`.
pub(super) fn origin<T, N: InWords>(figure: &Figure<T, N>) -> String {
    let name = if figure.value().is_none() { NA } else { figure.provenance().name() };
    match note(figure).as_str() {
        "" => name.to_owned(),
        note => format!("{name}: {}", clean(note)),
    }
}

/// A module's name in brackets; some have theirs already.
pub(super) fn bracketed(module: &str) -> String {
    match module {
        "" => String::new(),
        name if name.starts_with('[') => format!(" {}", clean(name)),
        name => format!(" [{}]", clean(name)),
    }
}

/// Whether `text` holds `wanted`; capitals count only where `wanted` has some.
pub(super) fn holds(text: &str, wanted: &str) -> bool {
    if wanted.is_empty() {
        return false;
    }
    if wanted.chars().any(char::is_uppercase) { text.contains(wanted) } else { text.to_lowercase().contains(wanted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Note;

    #[test]
    fn cuts_and_wraps_count_columns() {
        for columns in 0..20 {
            for text in ["漢a字b漢c字", "/var/lib/postgresql/data/base", "", "a b c d e f g h i j k l"] {
                assert!(width(&cut(text, columns)) <= columns);
                assert!(width(&cut_middle(text, columns)) <= columns);
                assert_eq!(width(&fit(text, columns, true)), columns);
                if columns >= 2 {
                    let lines = wrap(text, columns);
                    assert!(lines.iter().all(|l| width(l) <= columns), "{lines:?}");
                    assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
                }
            }
        }
        assert_eq!(cut_middle("/var/lib/postgresql/data/base", 13), "/var/l…a/base");
    }

    #[test]
    fn figures_read_well_and_what_is_missing_is_no_number() {
        assert_eq!((count(0), count(1_234_567), count(12_345_678)), ("0".into(), "1,234,567".into(), "12.3 M".into()));
        assert_eq!(
            (percent(0.0), percent(0.0001), percent(-0.0001)),
            ("0 %".into(), "<0.1 %".into(), ">-0.1 %".into())
        );
        assert_eq!((percent(f64::NAN), span(f64::NAN), rate(3, 0.0)), (NA.into(), NA.into(), NA.into()));
        assert_eq!((bytes(1023), bytes(1024), bytes(1 << 20)), ("1023 B".into(), "1.0 KiB".into(), "1.0 MiB".into()));
        assert_eq!(
            (clock(Nanos::from_millis(12_340)), clock(Nanos::from_millis(3_723_000))),
            ("12.3 s".into(), "1:02:03".into())
        );
        let none: Figure<f64, _> = Figure::unavailable(Note::NoCalibration);
        assert_eq!((figure(&none, |v| v.to_string()), origin(&none)), (NA.into(), "n/a: no calibration".into()));
        assert_eq!(figure(&Figure::modelled(0.5, Note::SmallWorkingSets), |&v| percent(v)), "~50.0 %");
    }

    #[test]
    fn nothing_that_moves_the_cursor_survives() {
        let name = clean("a\x1b[2Jb\nc\r\u{9b}\u{202e}d\u{200b}\u{2028}e");
        assert!(
            !name.chars().any(char::is_control) && !name.contains(['\u{202e}', '\u{200b}', '\u{2028}']),
            "{name:?}"
        );
    }

    #[test]
    fn a_search_without_capitals_ignores_them() {
        assert!(holds("Read TCP", "tcp") && !holds("read tcp", "TCP") && !holds("anything", ""));
    }
}
