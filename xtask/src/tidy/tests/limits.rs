//! Comments and functions have a size, and silent rooms make no sentences.

use super::super::finding::Finding;
use super::super::limits::{columns, functions, sentences};
use super::super::rooms::TargetName;
use super::super::rules::{COMMENT_COLUMNS, FUNCTION_LINES, Long, MOST_LONG, Rule};
use super::sources;

fn messages(findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().map(|finding| finding.message).collect()
}

#[test]
fn comments_are_not_too_wide() {
    let width = |text: &str| columns(&sources(&[("xtask/src/a.rs", text)])[0]).len();
    for mark in ["//", "///", "    //"] {
        let comment = |columns: usize| format!("{mark} {}\nfn f() {{}}", "é".repeat(columns - mark.len() - 1));
        assert_eq!(width(&comment(COMMENT_COLUMNS)), 0);
        assert_eq!(width(&comment(COMMENT_COLUMNS + 1)), 1);
    }
    assert_eq!(width(&format!("const A: &str = \"{}\";", "a".repeat(COMMENT_COLUMNS))), 0);
}

/// A function of so many lines.
fn function(name: &str, lines: usize) -> String {
    format!("fn {name}() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
}

const OF_A: Long = Long { file: "xtask/src/a.rs", function: "S::f", why: "one list" };

#[test]
fn functions_are_not_too_long() {
    let found = |path: &str, body: &str| messages(functions(&sources(&[(path, body)]), &[]));
    assert!(found("xtask/src/a.rs", &function("f", FUNCTION_LINES)).is_empty());
    assert_eq!(found("xtask/src/a.rs", &function("f", FUNCTION_LINES + 1)).len(), 1);
    let method = format!("struct S;\nimpl S {{\n{}}}", function("f", FUNCTION_LINES + 1));
    assert!(found("xtask/src/a.rs", &method)[0].starts_with("`S::f` has 61 lines"));
    let provided = format!("trait T {{\n{}}}", function("f", FUNCTION_LINES + 1));
    assert!(found("xtask/src/a.rs", &provided)[0].starts_with("`T::f`"));
    // What stands before `fn` does not count.
    assert!(found("xtask/src/a.rs", &format!("/// One.\n#[inline]\npub {}", function("f", FUNCTION_LINES))).is_empty());
}

#[test]
fn tests_may_be_long() {
    let long = function("f", FUNCTION_LINES + 1);
    let found = |path: &str, body: &str| functions(&sources(&[(path, body)]), &[]).len();
    assert_eq!(found("xtask/src/a.rs", &format!("#[test]\n{long}")), 0);
    assert_eq!(found("xtask/src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}")), 0);
    assert_eq!(found("profiler/tests/a.rs", &long), 0);
    assert_eq!(found("profiler/benches/a.rs", &long), 1);
}

#[test]
fn an_exception_is_needed_or_an_error() {
    let method = |lines| format!("struct S;\nimpl S {{\n{}}}", function("f", lines));
    let found = |lines| functions(&sources(&[("xtask/src/a.rs", &method(lines))]), &[OF_A]);
    assert!(found(FUNCTION_LINES + 1).is_empty());
    assert_eq!(found(FUNCTION_LINES)[0].rule, Rule::Stale);
    let elsewhere = functions(&sources(&[("xtask/src/b.rs", &method(FUNCTION_LINES + 1))]), &[OF_A]);
    assert_eq!(elsewhere.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Functions, Rule::Stale]);
}

#[test]
fn exceptions_are_few() {
    let names: Vec<&'static str> = "abcdefghijk".split("").filter(|name| !name.is_empty()).collect();
    let body: String = names.iter().map(|name| function(name, FUNCTION_LINES + 1)).collect();
    let list: Vec<Long> = names.iter().map(|function| Long { function, ..OF_A }).collect();
    let found = |many: usize| messages(functions(&sources(&[("xtask/src/a.rs", &body)]), &list[..many]));
    assert!(found(MOST_LONG + 1)[0].contains("11 long functions are excepted"));
    // The eleventh function itself.
    assert_eq!(found(MOST_LONG).len(), 1);
}

const NAMES: &[TargetName] =
    &[TargetName { name: "thread", why: "a test" }, TargetName { name: "D::name", why: "a test" }];
const NAMED: &str = "pub struct T { pub thread: String } pub struct D { pub name: String }\n";

fn silent(body: &str) -> Vec<String> {
    let body = format!("{NAMED}{body}");
    messages(sentences(&sources(&[("profiler/src/cost/mod.rs", &body)]), &["cost"], "quantity", NAMES))
}

#[track_caller]
fn speaks(body: &str, part: &str) {
    let found = silent(body);
    assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
}

#[test]
fn silent_rooms_make_no_sentences() {
    speaks("fn f() { let a = format!(\"a\"); }", "`format!` in cost");
    speaks("impl fmt::Display for A { fn fmt(&self, f: F) -> R { write!(f, \"a\") } }", "`write!`");
    speaks("fn f() { vec![std::format!(\"a\")]; }", "`format!`");
    speaks("pub struct A { pub why: String }", "`A::why`");
    speaks("pub enum A { Refused(Box<str>) }", "`A::Refused::0`");
    speaks("pub(crate) fn f() -> Vec<String> { Vec::new() }", "`f::f`");
    speaks("pub struct A; impl A { pub fn f(note: impl Into<String>) {} }", "`A::f::note`");
    speaks("pub struct A { pub name: String }", "`A::name`");
}

#[test]
fn silent_rooms_may_name_the_target_and_test_themselves() {
    let fine = |body: &str| assert!(silent(body).is_empty(), "{body}");
    fine("pub struct A { why: String } fn f() -> String { String::new() }");
    fine("pub fn f(name: &str) -> &'static str { assert!(name == \"a\", \"{name}\"); \"a\" }");
    fine("#[cfg(test)] mod tests { pub fn f() -> String { format!(\"a\") } }");
    fine("pub struct B { pub thread: Option<String> }");
    let elsewhere = sources(&[("profiler/src/words/mod.rs", "pub fn f() -> String { format!(\"a\") }")]);
    assert!(sentences(&elsewhere, &["cost"], "quantity", &[]).is_empty());
}

#[test]
fn a_quantity_prints_itself_and_says_nothing_else() {
    let found = |body: &str| {
        let sources = sources(&[("profiler/src/quantity/nanos.rs", body)]);
        messages(sentences(&sources, &["quantity"], "quantity", &[]))
    };
    let display = "impl fmt::Display for A { fn fmt(&self, f: F) -> R { f.pad(&format!(\"{} ns\", self.0)) } }";
    assert!(found(display).is_empty());
    assert_eq!(found(&format!("{display}\nfn f() {{ format!(\"a\"); }}")).len(), 1);
    assert_eq!(found("impl fmt::Debug for A { fn fmt(&self, f: F) -> R { write!(f, \"a\") } }").len(), 1);
}

#[test]
fn a_name_that_no_longer_exists_is_an_error() {
    let found = sentences(&sources(&[("profiler/src/cost/mod.rs", "")]), &["cost"], "quantity", NAMES);
    assert!(found.len() == 2 && found.iter().all(|finding| finding.rule == Rule::Stale), "{found:?}");
}
