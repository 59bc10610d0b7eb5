//! No circle between the files of a room.

use super::super::circles::check;
use super::super::rules::CRATES;
use super::super::tree::Tree;
use super::sources;

/// What is said of the circles among these files of profiler/src.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let named: Vec<(String, &str)> = files.iter().map(|(name, body)| (format!("profiler/src/{name}"), *body)).collect();
    let named: Vec<(&str, &str)> = named.iter().map(|(name, body)| (name.as_str(), *body)).collect();
    check(&Tree::new(&CRATES[0], &sources(&named))).into_iter().map(|finding| finding.message).collect()
}

/// Two files of a room with this module root.
fn pair(root: &str, a: &str, b: &str) -> Vec<String> {
    circles(&[("room/mod.rs", root), ("room/a.rs", a), ("room/b.rs", b), ("lib.rs", "pub mod room;")])
}

const ROOT: &str = "mod a; mod b;";

#[test]
fn two_files_that_need_each_other_are_a_circle() {
    let found = pair(ROOT, "use super::b::B; pub struct A(B);", "pub struct B; fn f() { crate::room::a::A::new() }");
    assert_eq!(
        found,
        [
            "a circle of 2 files: room/a.rs, room/b.rs\n    room/a.rs needs room/b.rs: B\n    room/b.rs needs room/a.rs: A"
        ]
    );
}

#[test]
fn one_way_is_no_circle() {
    assert!(pair(ROOT, "use super::b::B; pub struct A(B);", "pub struct B;").is_empty());
    assert!(pair(ROOT, "use self::inner::X; mod inner { pub struct X; }", "use super::a;").is_empty());
}

#[test]
fn other_rooms_may_be_what_they_are() {
    let files =
        [("one/mod.rs", "use crate::two::B; pub struct A;"), ("two/mod.rs", "use crate::one::A; pub struct B;")];
    assert!(circles(&files).is_empty());
}

#[test]
fn a_reexport_leads_to_where_the_name_is_defined() {
    let root = "mod a; mod b; pub use a::A; pub use b::{B as C};";
    assert_eq!(pair(root, "use super::C; pub struct A;", "use crate::room::A; pub struct B;").len(), 1);
    // Through the root's private import, too, and through its globs.
    let root = "mod a; mod b; pub use a::*; pub use b::B;";
    assert_eq!(pair(root, "use super::B; pub struct A;", "use super::*; pub struct B(A);").len(), 1);
    assert!(pair(root, "use super::B; pub struct A;", "use super::*; pub struct B;").is_empty());
}

#[test]
fn a_door_is_no_need_but_a_use_is() {
    let a = "use super::Shared; pub struct A; pub fn f() {}";
    let root = |rest: &str| format!("mod a; mod b; pub struct Shared; {rest}");
    assert!(pair(&root("pub use a::A;"), a, "").is_empty());
    assert!(pair(&root("pub(crate) use self::a::A;"), a, "").is_empty());
    assert_eq!(pair(&root("use a::A;"), a, "").len(), 1);
    assert_eq!(pair(&root("fn g() { a::f() }"), a, "").len(), 1);
    assert_eq!(pair(&root("pub use a::A; fn g(a: A) {}"), a, "").len(), 1);
}

#[test]
fn a_file_and_its_child_are_two_files() {
    let files = |child| [("room.rs", "mod child; pub struct A; fn f() { child::g() }"), ("room/child.rs", child)];
    assert_eq!(circles(&files("use super::A; pub fn g() {}")).len(), 1);
    assert!(circles(&files("pub fn g() {}")).is_empty());
}

#[test]
fn a_variable_is_not_the_function_of_its_name() {
    let root = "mod a; mod b; pub use a::count; pub struct Shared; fn f() -> u8 { let count = 1; count }";
    assert!(pair(root, "use super::Shared; pub fn count() {}", "").is_empty());
}

#[test]
fn names_count_in_macros_and_attributes() {
    let a = "pub struct A; use super::b::B;";
    assert_eq!(pair(ROOT, a, "pub struct B; fn f() { println!(\"{}\", super::a::A.x) }").len(), 1);
    assert_eq!(pair(ROOT, a, "#[arg(default = super::a::A)] pub struct B;").len(), 1);
    assert_eq!(pair("mod a; mod b;", "macro_rules! m { () => {} } use super::b::B;", "pub struct B; m!();").len(), 1);
}

#[test]
fn what_a_macro_makes_is_defined_where_it_is_called() {
    assert_eq!(pair(ROOT, "id!(A); use super::b::B;", "use super::a::A; pub struct B;").len(), 1);
}

#[test]
fn tests_make_no_circle() {
    let a = "use super::b::B; pub struct A;";
    assert!(pair(ROOT, a, "pub struct B; #[cfg(test)] mod tests { use super::super::a::A; }").is_empty());
    assert!(pair(ROOT, a, "pub struct B; #[cfg(test)] use super::a::A;").is_empty());
    assert!(pair("mod a; #[cfg(test)] mod b;", a, "pub struct B; use super::a::A;").is_empty());
}

#[test]
fn a_crate_without_rooms_is_one_room() {
    let krate = CRATES.iter().find(|krate| krate.folder == "profiler-ebpf/src").expect("a crate of that name");
    let main = ("profiler-ebpf/src/main.rs", "mod a; pub const N: u8 = 0; fn f() { a::g() }");
    let files = |a| sources(&[main, ("profiler-ebpf/src/a.rs", a)]);
    assert_eq!(check(&Tree::new(krate, &files("pub fn g() -> u8 { crate::N }"))).len(), 1);
    assert!(check(&Tree::new(krate, &files("pub fn g() {}"))).is_empty());
}

#[test]
fn the_automation_is_held_to_it_as_the_product_is() {
    // A folder of xtask/src is a room; each of the workloads is one room.
    for (folder, a, b) in [
        ("xtask/src", "lab/a.rs", "lab/b.rs"),
        ("xtask/workloads/lab", "echo/a.rs", "b.rs"),
        ("xtask/workloads/truth", "a.rs", "b.rs"),
    ] {
        let krate = CRATES.iter().find(|krate| krate.folder == folder).expect("a crate of that name");
        let module = |name: &str| format!("crate::{}", name.trim_end_matches(".rs").replace('/', "::"));
        let needs = |other: &str| format!("use {}::f; pub fn f() {{}}", module(other));
        let files = [
            (format!("{folder}/main.rs"), "mod lab; mod echo; mod a; mod b;".to_owned()),
            (format!("{folder}/lab/mod.rs"), "mod a; mod b;".to_owned()),
            (format!("{folder}/echo/mod.rs"), "mod a;".to_owned()),
            (format!("{folder}/{a}"), needs(b)),
            (format!("{folder}/{b}"), needs(a)),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, body)| (path.as_str(), body.as_str())).collect();
        assert_eq!(check(&Tree::new(krate, &sources(&files))).len(), 1, "{folder}");
    }
}
