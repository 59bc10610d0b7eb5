//! The help: the keymap as it is, and what the marks on the screen mean.

use crate::text::{
    fit::{fit, width},
    numbers::NA,
};
use crate::tui::{
    keymap::{KEYMAP, Place},
    page::Page,
    theme::Ink,
};

/// What is not a key.
const MARKS: [(&str, &str); 4] = [
    ("~", "modelled: derived from measurements by an assumption that is named with it"),
    (NA, "no figure, and why: nothing to count, or not available here; never 0"),
    ("whole", "figures of everything since the start; `t` shows those of the last interval"),
    ("_[k] _[j] _[i]", "frames of the kernel, of a JIT compiler, inlined"),
];

pub(in crate::tui) fn write(page: &mut Page, places: &[Place]) {
    for place in places {
        page.title(place.title());
        for binding in KEYMAP.iter().filter(|b| b.place == *place) {
            entry(page, &binding.names(), binding.words);
        }
    }
    page.title("Marks");
    for (mark, words) in MARKS {
        entry(page, mark, words);
    }
}

fn entry(page: &mut Page, keys: &str, words: &str) {
    let names = if page.width() < 60 { 12 } else { 22 };
    // More keys than there is room for stand above what they do.
    if width(keys) > names {
        page.wrapped(2, keys, Ink::Bold);
        return page.columns((&fit("", names, false), Ink::Bold), words, Ink::Plain);
    }
    page.columns((&fit(keys, names, false), Ink::Bold), words, Ink::Plain);
}
