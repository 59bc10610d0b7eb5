//! The sweet spots in words.

use super::page::Page;
use crate::{
    calibrate::{Choice, FileInterface, ReadyInterface, SweetSpots},
    machine::Medium,
    text::numbers::{whole_percent, whole_range},
};

pub(super) fn render(page: &mut Page, spots: &SweetSpots) {
    page.title("sweet spots: the least CPU, and by how much; what is within the noise counts as equal");
    for direct in [false, true] {
        let kind = if direct { "O_DIRECT" } else { "cached" };
        let here = spots.files.iter().filter(|spot| spot.direct == direct);
        let here: Vec<_> = here.map(|spot| (spot.depth, &spot.choice)).collect();
        choices(page, &here, FileInterface::name, |depths| format!("{kind}, {depths} at once"));
    }
    for medium in Medium::ALL {
        let here = spots.descriptors.iter().filter(|spot| spot.medium == medium);
        let here: Vec<_> = here.map(|spot| (spot.ready, &spot.choice)).collect();
        choices(page, &here, ReadyInterface::name, |ready| format!("{}s, {ready} of 64 ready", medium.name()));
    }
}

/// A line for each stretch of neighbours that say the same.
fn choices<T: Copy + PartialEq>(
    page: &mut Page,
    choices: &[(u32, &Choice<T>)],
    name: fn(T) -> &'static str,
    place: impl Fn(&str) -> String,
) {
    let same = |a: &Choice<T>, b: &Choice<T>| {
        let level = a.level.len() == b.level.len() && a.level.iter().all(|x| b.level.contains(x));
        a.clear() == b.clear() && level && (!a.clear() || a.next == b.next)
    };
    for stretch in choices.chunk_by(|(_, a), (_, b)| same(a, b)) {
        let (Some(&(from, first)), Some(&(to, _))) = (stretch.first(), stretch.last()) else { continue };
        let place = place(&if from == to { from.to_string() } else { format!("{from} to {to}") });
        let by = stretch.iter().map(|(_, choice)| choice.by);
        let (least, most) = (by.clone().fold(f64::INFINITY, f64::min), by.fold(f64::NEG_INFINITY, f64::max));
        let by = match (whole_percent(least), whole_percent(most)) {
            (least, most) if least == most => least,
            _ => whole_range(least, most),
        };
        let best = name(first.best);
        let text = match first.next {
            None => format!("{best}, the only one there is"),
            Some(next) if first.clear() => format!("{best}, {by} below {}", name(next)),
            Some(_) => {
                let level: Vec<&str> = first.level.iter().map(|&t| name(t)).collect();
                format!("no difference beyond the noise between {}", level.join(", "))
            }
        };
        page.wrapped(&format!("  {place:<32}  "), &text);
    }
}
