//! A rule that is not enforced yet lets its old breaches pass, and no new ones.

use std::path::PathBuf;

use super::super::finding::{Finding, Severity};
use super::super::rules::{Pending, Rule};
use super::super::verdict::Verdict;

fn breach(rule: Rule) -> Finding {
    Finding { rule, severity: Severity::Error, file: PathBuf::from("a.rs"), line: 1, message: "a".into() }
}

fn verdict(breaches: usize, all: bool) -> Verdict {
    let findings = (0..breaches).map(|_| breach(Rule::Circles)).collect();
    Verdict::new(findings, &[Pending { rule: Rule::Circles, most: 2 }], all)
}

#[test]
fn old_breaches_are_one_line() {
    let verdict = verdict(2, false);
    assert_eq!((verdict.errors, verdict.warnings, verdict.shown.len()), (0, 1, 0));
    assert_eq!(verdict.pending, ["warning: Circles is not enforced yet: 2 breaches, 2 at most: `--all` lists them"]);
}

#[test]
fn all_of_them_can_be_seen() {
    let verdict = verdict(2, true);
    assert!(verdict.shown.len() == 2 && verdict.shown.iter().all(|finding| finding.severity == Severity::Warning));
    assert_eq!(verdict.errors, 0);
}

#[test]
fn a_new_breach_is_an_error() {
    assert_eq!(verdict(3, false).errors, 1);
}

#[test]
fn a_number_is_lowered_when_breaches_go() {
    assert!(verdict(1, false).pending[0].contains("lower the number"));
    assert!(verdict(0, false).pending[0].contains("enforce it"));
}

#[test]
fn an_enforced_rule_fails() {
    let verdict = Verdict::new(vec![breach(Rule::Circles)], &[], false);
    assert_eq!((verdict.errors, verdict.shown.len()), (1, 1));
}
