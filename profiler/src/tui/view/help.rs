//! The help: the keymap as it is, and what the marks on the screen mean.

use crate::tui::{
    keymap::{KEYMAP, Place},
    page::Page,
    text::{fit, width},
    theme::Ink,
};

/// What is not a key.
const MARKS: [(&str, &str); 5] = [
    ("~", "modelled: derived from measurements by an assumption that is named with it"),
    ("n/a", "not to be had here, and why; never 0"),
    ("–", "nothing to count"),
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
