//! No room shows what another one defines, and none the wire.

use super::super::doors::{reexports, wire};
use super::super::rules::CRATES;
use super::super::tree::Tree;
use super::sources;

/// Messages on a file of event/, beside a kernel/ that defines `Raw`.
fn found(body: &str) -> (Vec<String>, Vec<String>) {
    let sources = sources(&[
        ("profiler/src/lib.rs", "pub mod event; pub mod kernel;"),
        ("profiler/src/kernel/mod.rs", "pub struct Raw;"),
        ("profiler/src/event/mod.rs", body),
        ("profiler/src/event/a.rs", "pub struct A; mod b { pub struct B; } pub use self::b::B;"),
    ]);
    let tree = Tree::new(&CRATES[0], &sources);
    let messages = |findings: Vec<super::Finding>| findings.into_iter().map(|finding| finding.message).collect();
    (messages(reexports(&tree)), messages(wire(&tree)))
}

#[track_caller]
fn reexported(body: &str, part: &str) {
    let (found, _) = found(body);
    assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
}

#[track_caller]
fn shown(body: &str, part: &str) {
    let (_, found) = found(body);
    assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
}

#[test]
fn a_name_has_one_home() {
    reexported("pub use crate::kernel::Raw;", "event re-exports `crate::kernel::Raw` of kernel");
    reexported("pub(crate) use super::kernel;", "of kernel");
    reexported("use crate::kernel; pub use kernel::Raw as Done;", "of kernel");
    reexported("pub use crate::kernel::*;", "of kernel");
    reexported("pub use profiler_common::site::Site;", "of profiler_common");
    reexported("pub use aya;", "re-exports `aya` of aya");
    reexported("mod inner { pub(super) use crate::kernel::Raw; }", "of kernel");
}

#[test]
fn a_room_opens_doors_to_its_own() {
    assert!(found("mod a; pub use a::{A, B}; pub(crate) use self::a as c; use crate::kernel::Raw;").0.is_empty());
    assert!(found("#[cfg(test)] pub(crate) use crate::kernel::Raw;").0.is_empty());
}

#[test]
fn the_wire_ends_in_event() {
    shown("use profiler_common::Site; pub struct S { pub site: Option<Site> }", "`S` shows `Site` of profiler_common");
    shown("pub fn f(a: &[profiler_common::Site]) {}", "in `a`");
    shown("use profiler_common as wire; pub enum E { One(wire::Site) }", "`E::One`");
    shown("pub struct S; impl S { pub(crate) fn f(&self) -> profiler_common::Site { todo() } }", "`S::f`");
    shown("pub type T = profiler_common::Site;", "`T`");
}

#[test]
fn inside_event_the_wire_may_be_named() {
    let fine = |body: &str| assert!(found(body).1.is_empty(), "{body}");
    fine("use profiler_common::Site; pub struct S { site: Site } fn f(a: Site) {}");
    fine("pub struct S; impl From<profiler_common::Site> for S { fn from(a: profiler_common::Site) -> S { S } }");
    fine("pub struct S; impl S { pub fn from_wire(a: &profiler_common::Site) -> S { S } }");
    fine("pub struct S { pub buckets: [u64; profiler_common::BUCKETS] }");
    fine("use crate::kernel::Raw; pub fn f(a: Raw) {}");
}
