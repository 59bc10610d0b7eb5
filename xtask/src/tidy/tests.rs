//! Each rule, seen to catch and seen to let pass.

use std::path::Path;

use super::check;
use super::finding::{Finding, Severity};
use super::place::SourceFile;
use super::{rooms, rules};

/// Findings for a file of profiler/src whose doc line is there.
fn findings(path: &str, body: &str) -> Vec<Finding> {
    check::file(Path::new(path), &format!("//! A room.\n{body}"))
}

/// The errors' lines and messages.
fn errors(path: &str, body: &str) -> Vec<(usize, String)> {
    let findings = findings(path, body).into_iter();
    findings.filter(|f| f.severity == Severity::Error).map(|f| (f.line, f.message)).collect()
}

#[track_caller]
fn refused(path: &str, body: &str, part: &str) {
    let errors = errors(path, body);
    assert!(errors.len() == 1 && errors[0].1.contains(part), "{errors:?}");
}

#[track_caller]
fn fine(path: &str, body: &str) {
    assert_eq!(errors(path, body), []);
}

#[test]
fn a_stage_imports_the_one_before_it() {
    fine("profiler/src/answer/ledger.rs", "use crate::aggregate::Window;\nuse crate::quantity::Nanos;");
    refused("profiler/src/answer/ledger.rs", "use crate::kernel::Harvest;", "answer may not import kernel");
    refused("profiler/src/event/mod.rs", "fn f() { crate::answer::g() }", "event may not import answer");
}

#[test]
fn outputs_never_import_each_other() {
    fine("profiler/src/report/text.rs", "use crate::{answer::Ledger, quantity::Nanos};");
    refused(
        "profiler/src/report/text.rs",
        "use crate::{answer::Ledger, export::Pprof};",
        "report may not import export",
    );
    refused("profiler/src/tui/mod.rs", "use crate::report::text;", "tui may not import report");
}

#[test]
fn a_path_counts_however_it_is_written() {
    refused("profiler/src/quantity.rs", "use super::kernel::Loader;", "quantity may not import kernel");
    refused("profiler/src/event/decode.rs", "use super::super::answer::Ledger;", "event may not import answer");
    refused("profiler/src/event/mod.rs", "mod a { use super::super::answer::Ledger; }", "event may not import answer");
    refused("profiler/src/event/mod.rs", "fn f() { println!(\"{}\", crate::tui::X) }", "event may not import tui");
    refused("profiler/src/event/mod.rs", "use {crate::{tui}, core::fmt};", "event may not import tui");
    fine("profiler/src/event/decode.rs", "use super::order::Queue;\nuse self::x::Y;");
    fine("profiler/src/event/mod.rs", "mod answer { pub struct A; }\nuse self::answer::A;");
    fine("profiler/src/main.rs", "use should_i_async::cli;");
}

#[test]
fn the_top_rooms_import_everything() {
    fine("profiler/src/pipeline.rs", "use crate::{kernel, event, aggregate, symbol, answer, report, tui};");
    refused("profiler/src/pipeline.rs", "use crate::main::X;", "pipeline may not import main");
}

#[test]
fn a_new_room_needs_a_rule() {
    refused("profiler/src/attic.rs", "use crate::quantity::Nanos;", "`attic` is not a room");
}

#[test]
fn tests_may_reach_upstream_but_not_downstream() {
    let test = |body: &str| format!("#[cfg(test)]\nmod tests {{ {body} }}");
    fine("profiler/src/answer/mod.rs", &test("use crate::kernel::Harvest; use crate::aggregate::Window;"));
    refused("profiler/src/answer/mod.rs", &test("use crate::report::text;"), "answer may not import report");
    fine("profiler/src/answer/ledger_tests.rs", "use crate::kernel::Harvest;");
}

#[test]
fn heavy_crates_have_one_home() {
    fine("profiler/src/kernel/loader.rs", "use aya::Ebpf;");
    refused("profiler/src/event/mod.rs", "use aya::Ebpf;", "aya is for kernel only, not for event");
    refused("profiler/src/answer/mod.rs", "use ::ratatui::Frame;", "ratatui is for tui only");
    refused("profiler/src/pipeline.rs", "#[derive(clap::Parser)] struct A;", "clap is for cli only");
    fine("profiler/src/cli/mod.rs", "use clap::Parser;");
    refused("profiler/src/answer/mod.rs", "use aya as bpf;", "aya is for kernel only");
    refused("profiler/src/answer/mod.rs", "use profiler_common::Site;", "profiler_common is for kernel and event only");
    fine("profiler/src/pipeline/run.rs", "use anyhow::Context;");
    fine("profiler/src/main.rs", "fn main() -> anyhow::Result<()> { Ok(()) }");
    refused("profiler/src/kernel/mod.rs", "use anyhow::Context;", "anyhow is for cli and pipeline and main only");
}

#[test]
fn serde_is_for_outputs_tests_and_recordings() {
    fine("profiler/src/report/json.rs", "use serde::Serialize;");
    fine("profiler/src/event/recorded.rs", "use serde::Deserialize;");
    fine("profiler/src/process/mod.rs", "#[cfg(test)]\nuse serde::Deserialize;");
    refused("profiler/src/event/mod.rs", "mod recorded { use serde_json::Value; }", "serde_json is for report and");
    fine("profiler/src/answer/mod.rs", "#[derive(serde::Serialize)] struct A;");
    refused(
        "profiler/src/process/mod.rs",
        "#[derive(serde::Serialize)] struct A;",
        "serde is for report and export and",
    );
    refused("profiler/src/answer/mod.rs", "use rmp_serde::Serializer;", "rmp_serde is for record only");
    refused(
        "profiler/src/answer/recorded.rs",
        "use serde_json::Value;",
        "serde_json is for report and export and calibrate and process only",
    );
}

#[test]
fn pure_rooms_do_no_io_and_read_no_clock() {
    refused("profiler/src/event/mod.rs", "use std::{fs, fmt};", "mentions std::fs");
    refused(
        "profiler/src/answer/mod.rs",
        "use std::time::Instant; fn f() { Instant::now(); }",
        "mentions Instant::now",
    );
    refused("profiler/src/answer/mod.rs", "use std::time::SystemTime;", "mentions SystemTime");
    refused("profiler/src/aggregate/mod.rs", "fn f() { libc::getpid(); }", "mentions libc");
    refused("profiler/src/aggregate/mod.rs", "fn f() { std::thread::sleep(x) }", "mentions std::thread::sleep");
    fine("profiler/src/kernel/mod.rs", "use std::fs; use std::time::Instant; fn f() { Instant::now(); }");
    fine("profiler/src/event/mod.rs", "use std::time::Duration; #[test] fn f() { std::fs::read(x); }");
    fine("profiler/src/answer/mod.rs", "// std::fs in a comment\nconst A: &str = \"std::fs\";");
}

#[test]
fn a_file_opens_with_its_purpose() {
    let opening = |text: &str| check::file(Path::new("xtask/src/a.rs"), text).len();
    assert_eq!(opening("//! What it is for.\n"), 0);
    assert_eq!(opening("// A comment.\n"), 1);
    assert_eq!(opening("use std::fs;\n"), 1);
}

#[test]
fn long_files_are_reported_and_longer_ones_refused() {
    let lines = |count: usize| "const A: u8 = 0;\n".repeat(count);
    assert!(findings("xtask/src/a.rs", &lines(rules::LINES_WARN - 1)).is_empty());
    assert_eq!(findings("xtask/src/a.rs", &lines(rules::LINES_WARN))[0].severity, Severity::Warning);
    assert_eq!(findings("xtask/src/a.rs", &lines(rules::LINES_MOST))[0].severity, Severity::Error);
    assert_eq!(findings("profiler/tests/a.rs", &lines(rules::LINES_MOST))[0].severity, Severity::Warning);
    let tested = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(rules::LINES_MOST));
    assert!(findings("xtask/src/a.rs", &tested).is_empty());
}

#[test]
fn nothing_is_put_off() {
    let put_off = rules::PUT_OFF[0];
    refused("xtask/src/a.rs", &format!("// {put_off}: later"), put_off);
    refused("xtask/src/a.rs", &format!("fn f() {{ {}!() }}", rules::STUB_MACROS[0]), "work not done");
    fine("xtask/src/a.rs", &format!("// {put_off}S is another word\nfn f(a: bool) -> bool {{ !a }}"));
}

#[test]
fn unsafe_says_why_it_is_sound() {
    let noted = "fn f() {\n    // SAFETY: a is valid.\n    let b = g(\n        unsafe { *a },\n    );\n}";
    fine("profiler/src/kernel/mod.rs", noted);
    fine("profiler/src/kernel/mod.rs", "// SAFETY: no references.\n#[derive(Clone)]\nunsafe impl Pod for A {}");
    refused("profiler/src/kernel/mod.rs", "fn f() {\n    unsafe { *a };\n}", "without a `// SAFETY:`");
    let other = "fn f() {\n    // SAFETY: for a.\n    unsafe { *a };\n    unsafe { *b };\n}";
    assert_eq!(errors("profiler/src/kernel/mod.rs", other).iter().map(|e| e.0).collect::<Vec<_>>(), [5]);
    fine("profiler/src/kernel/mod.rs", "unsafe fn f() {}");
    fine("xtask/src/a.rs", "fn f() { unsafe { *a }; }");
}

#[test]
fn digits_are_chosen_in_one_place() {
    for text in ["{:.1} %", "{x:>6.2}", "{:+.*}", "a {} b {value:.digits$}"] {
        let body = format!("fn f() {{ g(\"{text}\") }}");
        refused("profiler/src/words/verdict.rs", &body, "digits of a number are chosen in text");
        fine("profiler/src/text/numbers.rs", &body);
        refused("xtask/src/lab/table.rs", &body, "digits of a number are chosen in xtask/src/host/numbers.rs");
        fine("xtask/src/host/numbers.rs", &body);
        fine("profiler/src/words/verdict.rs", &format!("#[cfg(test)]\nmod tests {{ {body} }}"));
    }
    fine("profiler/src/words/verdict.rs", "/// `{:.1}`\nfn f() { g(\"{:>8} {} {0:?} .ipc{opacity: .18} a.b\", 1.5) }");
}

#[test]
fn a_silent_room_has_no_phrases() {
    refused("profiler/src/cost/direct.rs", "const A: &str = \"a read that waits\";", "a phrase in cost");
    fine("profiler/src/cost/direct.rs", "/// A read that waits for data.\nconst A: &str = \"LLC misses\";");
    fine("profiler/src/words/cost.rs", "const A: &str = \"a read that waits\";");
    fine("profiler/src/answer/profile.rs", "const A: &str = \"[no stack taken]\";");
}

#[test]
fn no_sentence_stands_in_two_outputs() {
    let found = |text: &str| {
        let body = format!("fn f() {{ g(\"{text}\") }}");
        let files = [("profiler/src/report/text.rs", body.as_str()), ("profiler/src/tui/view.rs", body.as_str())];
        super::twice::check(&sources(&files)).len()
    };
    assert_eq!(found("{} of its calls were seen"), 1);
    let other = |first: &str, second: &str| {
        let [first, second] = [first, second].map(|text| format!("const A: &str = \"{text}\";"));
        let files = [("profiler/src/words/a.rs", first.as_str()), ("profiler/src/tui/view.rs", second.as_str())];
        super::twice::check(&sources(&files)).into_iter().map(|finding| finding.file).collect::<Vec<_>>()
    };
    let view = [std::path::PathBuf::from("profiler/src/tui/view.rs")];
    assert_eq!(other("none of its calls blocked", "None of its calls blocked."), view, "`words` has said it first");
    assert_eq!(other("so, {} and one two three four five six seven", "one two three four five six seven, too"), view);
    assert!(other("one two three four five six", "one two three four five six too").is_empty(), "short enough");
    assert_eq!((found("three words here"), found("<p class={} a b c>")), (0, 0));
    let one =
        [("profiler/src/report/text.rs", "const A: [&str; 2] = [\"one of these is it\", \"one of these is it\"];")];
    assert_eq!(super::twice::check(&sources(&one)).len(), 0, "a room may repeat itself");
}

#[test]
fn an_allowance_that_nobody_uses_is_a_breach() {
    const ROOMS: &[rooms::Room] = &[
        rooms::Room { name: "event", may: rooms::May::Only(&[]), why: "" },
        rooms::Room { name: "cost", may: rooms::May::Only(&["event", "text"]), why: "" },
    ];
    const HOMES: &[rooms::Home] = &[rooms::Home { krate: "aya", rooms: &["event", "cost"], tests_may: true, why: "" }];
    let mut uses = check::Uses::default();
    uses.add(Path::new("profiler/src/event/mod.rs"), "use aya::Ebpf;");
    uses.add(Path::new("profiler/src/cost.rs"), "use crate::event;\n#[cfg(test)]\nmod tests { use crate::text::a; }");
    uses.add(Path::new("profiler/src/cost/tests.rs"), "use aya::Ebpf;");
    let unused: Vec<String> = uses.unused(ROOMS, HOMES).into_iter().map(|finding| finding.message).collect();
    assert_eq!(unused, ["cost may import text, and does not", "cost may use aya, and does not"]);
}

#[test]
fn the_top_level_is_closed() {
    let names = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), true)).collect::<Vec<_>>();
    assert!(check::top_level(&names(&["profiler", "docs", ".ci", "target"])).is_empty());
    assert_eq!(check::top_level(&names(&["scripts"])).len(), 1);
    assert!(check::top_level(&[("README.md".into(), false)]).is_empty());
}

#[test]
fn every_named_room_exists_in_the_table() {
    let known: Vec<&str> = rooms::ROOMS.iter().map(|room| room.name).collect();
    let homes = rooms::HOMES.iter().flat_map(|home| home.rooms);
    let imported = rooms::ROOMS.iter().flat_map(|room| match room.may {
        rooms::May::Only(rooms) => rooms,
        rooms::May::All => &[],
    });
    for name in homes.chain(imported).chain(rooms::PURE_ROOMS) {
        assert!(known.contains(name), "{name}");
    }
}

mod circles;
mod doors;
mod limits;
mod stale;
mod trail;
mod verdict;

/// Files of a repository, each with its doc line.
fn sources(files: &[(&str, &str)]) -> Vec<SourceFile> {
    let parse = |(path, body): &(&str, &str)| {
        SourceFile::parse(Path::new(path), &format!("//! A file.\n{body}")).expect("a test's source is Rust")
    };
    files.iter().map(parse).collect()
}
