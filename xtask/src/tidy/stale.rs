//! Holds the tables of rules against the tree: a rule that names what no longer exists guards
//! nothing.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::place::{Place, SourceFile};
use super::rooms::{self, Home, Impure, May, Phrase, Room};
use super::rules::{self, Crate};

/// A folder that builds make.
const BUILD_FOLDER: &str = "target";

/// The tables that name modules or folders.
pub(super) struct Tables {
    pub(super) rooms: &'static [Room],
    pub(super) homes: &'static [Home],
    pub(super) pure: &'static [&'static str],
    pub(super) impure: &'static [Impure],
    pub(super) silent: &'static [&'static str],
    pub(super) numbers_in: &'static str,
    pub(super) numbers_of: &'static [&'static str],
    pub(super) numbers_of_automation: &'static str,
    pub(super) wire_ends_in: &'static str,
    pub(super) phrases: &'static [Phrase],
    pub(super) crates: &'static [Crate],
    pub(super) folders: &'static [&'static str],
    pub(super) top_level: &'static [&'static str],
}

impl Tables {
    /// Those of this repository.
    pub(super) const TODAY: Self = Self {
        rooms: rooms::ROOMS,
        homes: rooms::HOMES,
        pure: rooms::PURE_ROOMS,
        impure: rooms::IMPURE,
        silent: rooms::SILENT_ROOMS,
        numbers_in: rooms::NUMBERS_IN,
        numbers_of: rooms::NUMBERS_OF,
        numbers_of_automation: rooms::NUMBERS_OF_AUTOMATION.1,
        wire_ends_in: rooms::WIRE_ENDS_IN,
        phrases: rooms::PHRASES,
        crates: rules::CRATES,
        folders: rules::SOURCE_FOLDERS,
        top_level: rules::TOP_LEVEL,
    };

    /// The rooms that are named, each with the table that names it.
    fn named_rooms(&self) -> Vec<(&'static str, String)> {
        let mut named = Vec::new();
        for room in self.rooms {
            named.push((room.name, "the table of rooms".to_owned()));
            if let May::Only(others) = room.may {
                named.extend(others.iter().map(|other| (*other, format!("what {} may import", room.name))));
            }
        }
        for home in self.homes {
            named.extend(home.rooms.iter().map(|room| (*room, format!("the home of {}", home.krate))));
        }
        named.extend(self.pure.iter().map(|room| (*room, "the pure rooms".to_owned())));
        named.extend(self.silent.iter().map(|room| (*room, "the silent rooms".to_owned())));
        named.push((self.numbers_in, "the room that prints numbers".to_owned()));
        named.extend(self.numbers_of.iter().map(|room| (*room, "the rooms that choose digits".to_owned())));
        named.push((self.wire_ends_in, "the end of the wire".to_owned()));
        // A reason names a room as a folder: `kernel/`.
        let reasons = self.rooms.iter().map(|room| room.why).chain(self.homes.iter().map(|home| home.why));
        for why in reasons.chain(self.impure.iter().map(|impure| impure.why)) {
            named.extend(why.split_whitespace().filter_map(|word| Some((word.strip_suffix('/')?, format!("“{why}”")))));
        }
        named
    }
}

/// Checks the tables; `top` are the names at the repository's top, each with whether it is a
/// folder.
pub(super) fn check(tables: &Tables, sources: &[SourceFile], top: &[(String, bool)]) -> Vec<Finding> {
    let places = sources.iter().map(|source| Place::new(&source.path));
    let exist: BTreeSet<String> = places.filter_map(|place| place.room).collect();
    let mut messages = Vec::new();
    for (room, table) in tables.named_rooms() {
        if !exist.contains(room) {
            messages.push(format!("{table}: no room `{room}` in profiler/src"));
        }
    }
    for room in exist.iter().filter(|room| !tables.rooms.iter().any(|row| row.name == **room)) {
        messages.push(format!("the table of rooms has no row for `{room}`"));
    }
    let phrases = tables.phrases.iter().map(|phrase| ("the files with phrases", phrase.file));
    for (table, file) in phrases.chain([("the file that chooses digits", tables.numbers_of_automation)]) {
        if !sources.iter().any(|source| source.path == std::path::Path::new(file)) {
            messages.push(format!("{table}: no {file}"));
        }
    }
    for krate in tables.crates {
        let root = std::path::Path::new(krate.folder).join(krate.root);
        if !sources.iter().any(|source| source.path == root) {
            messages.push(format!("the crates: no {}", root.display()));
        }
    }
    for folder in tables.folders.iter().filter(|folder| !sources.iter().any(|source| source.path.starts_with(folder))) {
        messages.push(format!("the folders of sources: no source in {folder}/"));
    }
    for folder in tables.top_level.iter().filter(|folder| **folder != BUILD_FOLDER) {
        if !top.iter().any(|(name, is_dir)| *is_dir && name == folder) {
            messages.push(format!("the top level: no folder {folder}/"));
        }
    }
    messages.into_iter().map(Finding::of_tables).collect()
}
