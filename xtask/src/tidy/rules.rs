//! The house rules as data: each row carries its reason, so that these tables are their
//! documentation. [`rooms`](super::rooms) has those about the rooms of the profiler.

use std::fmt::Write;

use super::rooms::{self, May};

/// The rules that have names, so that a rule which older code does not keep yet can wait in
/// [`PENDING`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Any rule that has long been enforced.
    House,
    /// The files of a room do not depend on each other in a circle.
    Circles,
    /// No room re-exports what another one defines.
    Reexports,
    /// The silent rooms make no sentences.
    Sentences,
    /// Comments are not too wide.
    Columns,
    /// Functions are not too long.
    Functions,
    /// What a rule names exists.
    Stale,
    /// The kernel's layout ends in one room.
    Wire,
    /// Only who composes adds context to errors.
    Context,
}

/// A rule that is not enforced yet.
pub(super) struct Pending {
    pub(super) rule: Rule,
    /// The breaches that are left. More of them are an error. A circle that falls into two counts
    /// as two.
    pub(super) most: usize,
}

/// The rules that are not enforced yet. `cargo xtask tidy --all` prints their breaches.
pub(super) const PENDING: &[Pending] = &[];

/// Folders that hold Rust sources.
pub(super) const SOURCE_FOLDERS: &[&str] = &["profiler", "profiler-common", "profiler-ebpf", "xtask"];

/// What may stand at the top of the repository, beside files and dotfiles.
pub(super) const TOP_LEVEL: &[&str] =
    &["profiler", "profiler-ebpf", "profiler-common", "xtask", "fuzz", "docs", "target"];

/// Lines of code, tests not counted, from which a file is reported, and from which it is refused.
pub(super) const LINES_WARN: usize = 400;
pub(super) const LINES_MOST: usize = 600;

/// Macros that stand for work not done.
pub(super) const STUB_MACROS: &[&str] = &["todo", "unimplemented"];

/// Words that put work off. Written in halves, or this file would breach its own rule.
pub(super) const PUT_OFF: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// A crate whose modules are looked at together.
pub(super) struct Crate {
    /// Relative to the repository.
    pub(super) folder: &'static str,
    /// The file of its root module.
    pub(super) root: &'static str,
    /// Whether the modules below the root are rooms. If not, the crate is one room.
    pub(super) has_rooms: bool,
}

/// The crates whose files have an order.
pub(super) const CRATES: &[Crate] = &[
    Crate { folder: "profiler/src", root: "lib.rs", has_rooms: true },
    Crate { folder: "profiler-common/src", root: "lib.rs", has_rooms: false },
    Crate { folder: "profiler-ebpf/src", root: "main.rs", has_rooms: false },
    Crate { folder: "xtask/src", root: "main.rs", has_rooms: true },
    Crate { folder: "xtask/workloads/crowd", root: "main.rs", has_rooms: false },
    Crate { folder: "xtask/workloads/lab", root: "main.rs", has_rooms: false },
    Crate { folder: "xtask/workloads/storage", root: "main.rs", has_rooms: false },
    Crate { folder: "xtask/workloads/truth", root: "main.rs", has_rooms: false },
];

/// Columns of a comment line, with what stands before it.
pub(super) const COMMENT_COLUMNS: usize = 100;

/// Lines of a function, from `fn` to its closing brace. Tests may be longer.
pub(super) const FUNCTION_LINES: usize = 60;

/// A function that may be longer.
pub(super) struct Long {
    pub(super) file: &'static str,
    /// A method with its type: `Type::method`.
    pub(super) function: &'static str,
    pub(super) why: &'static str,
}

/// How many functions may be longer.
pub(super) const MOST_LONG: usize = 10;

/// The functions that may be longer.
pub(super) const LONG: &[Long] = &[Long {
    file: "profiler/src/kernel/offsets.rs",
    function: "resolve",
    why: "a line for each field; in parts, the compiler would not say which one is missing",
}];

/// Macros that make text.
pub(super) const SENTENCE_MACROS: &[&str] =
    &["format", "format_args", "write", "writeln", "print", "println", "eprint", "eprintln"];

/// So many words are a sentence, which two outputs do not have each for themselves.
pub(super) const SENTENCE_WORDS: usize = 4;

/// So many words in a row are too many for two outputs, even where their texts differ before or
/// behind them.
pub(super) const PART_WORDS: usize = 7;

/// The rules in words.
pub(super) fn as_text() -> String {
    let mut text = String::from("Rooms of profiler/src, and what each may import:\n");
    // Writing to a String cannot fail.
    for room in rooms::ROOMS {
        let may = match room.may {
            May::Only([]) => "nothing".to_owned(),
            May::Only(rooms) => rooms.join(", "),
            May::All => "every room".to_owned(),
        };
        let _ = writeln!(text, "  {}: {may} ({})", room.name, room.why);
    }
    text.push_str("Crates, and the rooms that may use them:\n");
    for home in rooms::HOMES {
        let tests = if home.tests_may { ", tests" } else { "" };
        let _ = writeln!(text, "  {}: {}{tests} ({})", home.krate, home.rooms.join(", "), home.why);
    }
    let _ = writeln!(text, "No IO and no clock in {}:", rooms::PURE_ROOMS.join(", "));
    for impure in rooms::IMPURE {
        let _ = writeln!(text, "  {} ({})", impure.path.join("::"), impure.why);
    }
    let _ = writeln!(text, "No {}! in {},", SENTENCE_MACROS.join("!, "), rooms::SILENT_ROOMS.join(", "));
    let _ = writeln!(text, "but in Display in {}, where a number is printed with its unit,", rooms::NUMBERS_IN);
    text.push_str("and no text in what they show but these names:\n");
    for name in rooms::TARGET_NAMES {
        let _ = writeln!(text, "  {} ({})", name.name, name.why);
    }
    let _ = writeln!(text, "No text of {} words or more in these rooms, but in", rooms::PHRASE_WORDS);
    for phrase in rooms::PHRASES {
        let _ = writeln!(text, "  {} ({})", phrase.file, phrase.why);
    }
    let _ = writeln!(text, "Digits of a number are chosen in {} alone.", rooms::NUMBERS_OF.join(" and "));
    text.push_str("Functions that may be longer than others:\n");
    for long in LONG {
        let _ = writeln!(text, "  {} in {} ({})", long.function, long.file, long.why);
    }
    everywhere(&mut text);
    text
}

fn everywhere(text: &mut String) {
    let folders: Vec<&str> = CRATES.iter().map(|krate| krate.folder).collect();
    let _ = writeln!(
        text,
        "Types of {} end in {}: what it shows has types of its own.\n\
         No room re-exports what another one defines. No circle between the files of a room, in {}.\n\
         No text of {SENTENCE_WORDS} words or more in two of the outputs, or in one and `words`, and no {PART_WORDS} words in a row.\n\
         Everywhere: a `//!` line first; {LINES_WARN} lines of code are many, {LINES_MOST} too many; comments within \
         {COMMENT_COLUMNS} columns; functions within {FUNCTION_LINES} lines, but at most {MOST_LONG}; no {}!; no {}; \
         a SAFETY comment before every unsafe block of profiler/; what a rule names exists, and what it allows is used.\nTop-level folders: {}.",
        rooms::WIRE_CRATE,
        rooms::WIRE_ENDS_IN,
        folders.join(", "),
        STUB_MACROS.join("!, no "),
        PUT_OFF.join(", no "),
        TOP_LEVEL.join(", ")
    );
    for pending in PENDING {
        let _ = writeln!(text, "Not enforced yet: {:?} (at most {}).", pending.rule, pending.most);
    }
}
