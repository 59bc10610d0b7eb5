//! What a rule names exists.

use super::super::rooms::{Home, Impure, May, Phrase, Room};
use super::super::rules::Crate;
use super::super::stale::{Tables, check};
use super::sources;

const ROOMS: &[Room] = &[
    Room { name: "lib", may: May::All, why: "" },
    Room { name: "event", may: May::Only(&[]), why: "" },
    Room { name: "cost", may: May::Only(&["event"]), why: "processes belong to event/" },
];

const TABLES: Tables = Tables {
    rooms: ROOMS,
    homes: &[Home { krate: "aya", rooms: &["event"], tests_may: false, why: "" }],
    pure: &["event"],
    impure: &[Impure { path: &["libc"], why: "/proc belongs to event/" }],
    silent: &["cost"],
    numbers_in: "cost",
    numbers_of: &["event"],
    numbers_of_automation: "profiler/src/cost.rs",
    wire_ends_in: "event",
    phrases: &[Phrase { file: "profiler/src/cost.rs", why: "" }],
    crates: &[Crate { folder: "profiler/src", root: "lib.rs", has_rooms: true }],
    folders: &["profiler"],
    top_level: &["profiler", "target"],
};

fn found(tables: &Tables) -> Vec<String> {
    let files = ["profiler/src/lib.rs", "profiler/src/event/mod.rs", "profiler/src/cost.rs"];
    let sources = sources(&files.map(|file| (file, "")));
    check(tables, &sources, &[("profiler".into(), true)]).into_iter().map(|finding| finding.message).collect()
}

#[track_caller]
fn stale(tables: &Tables, part: &str) {
    let found = found(tables);
    assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
}

#[test]
fn rules_that_name_what_exists_are_fine() {
    assert_eq!(found(&TABLES), [""; 0]);
}

#[test]
fn a_rule_that_names_a_gone_room_is_stale() {
    const GONE: &[Room] = &[
        Room { name: "lib", may: May::All, why: "" },
        Room { name: "event", may: May::Only(&["attic"]), why: "" },
        Room { name: "cost", may: May::All, why: "" },
    ];
    const BESIDE: &[Room] = &[
        Room { name: "lib", may: May::All, why: "" },
        Room { name: "event", may: May::All, why: "" },
        Room { name: "cost", may: May::All, why: "" },
        Room { name: "attic", may: May::All, why: "" },
    ];
    stale(&Tables { rooms: BESIDE, ..TABLES }, "the table of rooms: no room `attic`");
    stale(&Tables { rooms: GONE, ..TABLES }, "what event may import: no room `attic`");
    stale(&Tables { rooms: &ROOMS[..2], ..TABLES }, "no row for `cost`");
    const HOMES: &[Home] = &[Home { krate: "aya", rooms: &["attic"], tests_may: false, why: "" }];
    stale(&Tables { homes: HOMES, ..TABLES }, "the home of aya: no room `attic`");
    stale(&Tables { pure: &["attic"], ..TABLES }, "the pure rooms: no room `attic`");
    stale(&Tables { silent: &["attic"], ..TABLES }, "the silent rooms: no room `attic`");
    stale(&Tables { numbers_in: "attic", ..TABLES }, "the room that prints numbers: no room `attic`");
    stale(&Tables { numbers_of: &["attic"], ..TABLES }, "the rooms that choose digits: no room `attic`");
    stale(&Tables { wire_ends_in: "attic", ..TABLES }, "the end of the wire: no room `attic`");
    const REASON: &[Impure] = &[Impure { path: &["libc"], why: "syscalls belong to attic/" }];
    stale(&Tables { impure: REASON, ..TABLES }, "no room `attic`");
}

#[test]
fn a_rule_that_names_a_gone_folder_is_stale() {
    const GONE: &[Crate] = &[Crate { folder: "attic/src", root: "lib.rs", has_rooms: false }];
    stale(&Tables { crates: GONE, ..TABLES }, "no attic/src/lib.rs");
    const FILE: &[Phrase] = &[Phrase { file: "attic.rs", why: "" }];
    stale(&Tables { phrases: FILE, ..TABLES }, "the files with phrases: no attic.rs");
    stale(&Tables { numbers_of_automation: "attic.rs", ..TABLES }, "chooses digits: no attic.rs");
    stale(&Tables { folders: &["attic"], ..TABLES }, "no source in attic/");
    stale(&Tables { top_level: &["attic"], ..TABLES }, "no folder attic/");
}
