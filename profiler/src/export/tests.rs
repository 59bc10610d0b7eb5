//! Exports of profiles whose sums are known, read back by readers of their own.

pub(in crate::export) mod build;
mod exposition;
#[path = "../report/tests/fixture.rs"]
#[allow(dead_code, clippy::duplicate_mod, reason = "that room's windows, of which not all are wanted here")]
mod fixture;
mod folded;
mod html;
mod pprof;
mod recovery;
mod speedscope;
mod svg;

use std::path::Path;

use super::Format;

#[test]
fn the_ending_names_the_format_and_the_longest_one_wins() {
    for (name, format) in [
        ("out.svg", Some(Format::Svg)),
        ("dir.json/out.HTML", Some(Format::Html)),
        ("a.json", Some(Format::Json)),
        ("a.ipc.svg", Some(Format::Ipc)),
        ("ipc.svg", Some(Format::Svg)),
        ("a.speedscope.json", Some(Format::Speedscope)),
        ("a.b.folded", Some(Format::Folded)),
        ("a.pb.gz", Some(Format::Pprof)),
        ("a.txt", Some(Format::Text)),
        ("a.gz", None),
        ("svg", None),
        (".svg", None),
        ("", None),
    ] {
        assert_eq!(Format::from_path(Path::new(name)), format, "{name}");
    }
    assert!(Format::endings().starts_with(".txt, .json, "), "{}", Format::endings());
    assert!(Format::endings().split(", ").eq(Format::ALL.map(Format::ending)));
    for format in Format::ALL {
        assert_eq!(Format::from_path(Path::new(&format!("x{}", format.ending()))), Some(format));
    }
}

#[test]
fn each_format_is_in_the_documents() {
    let document = include_str!("../../../docs/exports.md");
    let readme = include_str!("../../../README.md");
    for format in Format::ALL {
        assert!(document.contains(&format!("\n| `{}` |", format.ending())), "{format:?}");
        // There the first one stands in the command.
        let ending = format!("{} ", format.ending());
        let line = readme.lines().find(|line| line.contains("report a.sia -o")).unwrap();
        assert!(format!("{line} ").contains(&ending), "{format:?} in README.md");
    }
}
