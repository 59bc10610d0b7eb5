//! Decides which of the findings are printed, and which of them fail.

use super::finding::{Finding, Severity};
use super::rules::Pending;

/// What is printed at the end.
pub(super) struct Verdict {
    pub(super) shown: Vec<Finding>,
    /// One line for each rule that is not enforced yet.
    pub(super) pending: Vec<String>,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

impl Verdict {
    /// Sorts the findings; with `all`, those of rules that are not enforced yet are shown one by
    /// one.
    pub(super) fn new(findings: Vec<Finding>, pending: &[Pending], all: bool) -> Self {
        let (waiting, mut shown): (Vec<Finding>, Vec<Finding>) =
            findings.into_iter().partition(|finding| pending.iter().any(|pending| pending.rule == finding.rule));
        let mut errors = shown.iter().filter(|finding| finding.severity == Severity::Error).count();
        let mut warnings = shown.len() - errors;
        let mut lines = Vec::new();
        for Pending { rule, most } in pending {
            let count = waiting.iter().filter(|finding| finding.rule == *rule).count();
            let severity = if count > *most { Severity::Error } else { Severity::Warning };
            let more = match count {
                0 => "enforce it from now on",
                _ if count > *most => "do not add to them",
                _ if count < *most => "lower the number in rules.rs",
                _ => "`--all` lists them",
            };
            lines.push(format!("{severity}: {rule:?} is not enforced yet: {count} breaches, {most} at most: {more}"));
            errors += usize::from(severity == Severity::Error);
            warnings += usize::from(severity == Severity::Warning);
        }
        if all {
            shown.extend(waiting.into_iter().map(|finding| Finding { severity: Severity::Warning, ..finding }));
        }
        Self { shown, pending: lines, errors, warnings }
    }
}
