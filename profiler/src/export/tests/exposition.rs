//! Figures for Prometheus: both dialects as reviewed, names that were made to break them, and what
//! the documents, the rules and the dashboard say of them.

use std::collections::BTreeSet;

use super::fixture::machine;
use crate::{
    aggregate::Loss,
    answer::{By, Metrics, Tally},
    event::BlockClass,
    export::exposition::{Dialect, exposition},
    quantity::Nanos,
    words::metrics::Metric,
};

/// What the rows of a machine might have been counted.
fn metrics() -> Metrics {
    let mut top = machine();
    (top.rows[1].container, top.rows[1].cgroup) = (Some("docker:0123abcd".to_owned()), "/a/b.service/c".to_owned());
    let tally = |scale: f64| {
        let mut tally = Tally { cpu: 1.5 * scale, run_delay: 0.25 * scale, calls: 70.0 * scale, ..Tally::default() };
        (tally.voluntary, tally.involuntary, tally.hand_offs) = (20.0 * scale, 3.0 * scale, 2.0 * scale);
        if scale == 3.0 {
            (tally.turns.watched, tally.turns.away, tally.turns.stalls, tally.turns.stood) = (60.0, 12.5, 2, 0.5);
            (tally.turns.buckets[16], tally.turns.buckets[17], tally.turns.buckets[28]) = (900, 50, 2);
        }
        (tally.blocks[BlockClass::Tcp as usize], tally.blocked[BlockClass::Tcp as usize]) =
            (20.0 * scale, 8.125 * scale);
        tally
    };
    Metrics {
        tallies: (1..=top.rows.len()).map(|row| tally(row as f64)).collect(),
        whole: tally(40.0),
        targets: 4 + top.rows.len() as u64,
        lost: vec![(0, Loss::Threads), (12, Loss::Sites)],
        wall: Nanos::from_millis(60_000),
        measured: Nanos::from_millis(45_000),
        programs: Some(Nanos::from_millis(800)),
        own_cpu: Nanos::from_millis(2_500),
        top,
    }
}

#[test]
fn both_dialects_look_as_reviewed() {
    insta::assert_snapshot!("exposition_text", exposition(&metrics(), Dialect::Text));
    insta::assert_snapshot!("exposition_openmetrics", exposition(&metrics(), Dialect::OpenMetrics));
}

/// A sample is a name, labels in quotes, and a number: whatever a process is called.
#[test]
fn names_break_no_line() {
    let mut hostile = metrics();
    let evil = "a\"} 1\n# EOF\nshould_i_async_targets 7\\";
    hostile.top.rows[0].members[0].name = evil.to_owned();
    hostile.top.rows[0].cgroup = evil.repeat(3);
    let text = exposition(&hostile, Dialect::OpenMetrics);
    assert_eq!(text.lines().count(), exposition(&metrics(), Dialect::OpenMetrics).lines().count());
    assert_eq!(text.matches("\n# EOF\n").count(), 1);
    let targets: Vec<&str> = text.lines().filter(|line| line.starts_with("should_i_async_targets ")).collect();
    assert_eq!(targets, ["should_i_async_targets 8"]);
}

#[test]
fn rows_of_containers_and_groups_have_labels_of_their_own() {
    let mut metrics = metrics();
    for row in &mut metrics.top.rows {
        row.by = By::Container;
    }
    let text = exposition(&metrics, Dialect::Text);
    assert!(text.contains("should_i_async_threads{container=\"docker:0123abcd\"} "), "{text}");
    assert!(!text.contains("pid="), "{text}");
    for row in &mut metrics.top.rows {
        row.by = By::Cgroup;
    }
    let text = exposition(&metrics, Dialect::Text);
    assert!(text.contains("should_i_async_threads{cgroup=\"/a/b.service/c\",unit=\"b.service\"} "), "{text}");
}

/// A figure that is none has no line, and a metric without a line is not announced.
#[test]
fn what_is_not_known_is_not_told() {
    let mut metrics = metrics();
    for row in &mut metrics.top.rows {
        (row.saving, row.verdict) = (None, None);
    }
    metrics.programs = None;
    let text = exposition(&metrics, Dialect::Text);
    for metric in [Metric::SAVING, Metric::SAVING_LOW, Metric::ANSWER, Metric::PROGRAMS] {
        assert!(!text.contains(metric.name), "{}", metric.name);
    }
}

#[test]
fn every_metric_is_told_and_stands_in_the_document() {
    let text = exposition(&metrics(), Dialect::Text);
    let document = include_str!("../../../../docs/serve.md");
    for metric in Metric::ALL {
        let (sample, Metric { kind, help, unit, .. }) = (metric.sample(), metric);
        let kind = kind.name();
        assert!(text.contains(&format!("# HELP {sample} {help}\n")), "{sample}");
        let row = format!("| `{sample}` | {kind} |");
        let told = document.lines().find(|line| line.starts_with(&row));
        assert!(told.is_some_and(|line| line.ends_with(&format!("| {help} |"))), "{sample}: {told:?}");
        // OpenMetrics wants names to end with their unit.
        assert!(unit.is_none_or(|unit| metric.name.ends_with(unit)), "{sample}");
    }
    let rows = document.lines().filter(|line| line.starts_with("| `should_i_async_")).count();
    assert_eq!(rows, Metric::ALL.len());
}

#[test]
fn rules_and_dashboard_name_figures_that_are_there() {
    let known: BTreeSet<String> = Metric::ALL.iter().map(Metric::sample).collect();
    let (rules, dashboard) = (
        include_str!("../../../../xtask/packaging/prometheus-rules.yml"),
        include_str!("../../../../xtask/packaging/grafana-dashboard.json"),
    );
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let told = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let told: Vec<&str> = told.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(told.len() >= panels.len() && panels.len() >= 8);
    // The names of recorded rules have a colon before or behind.
    let names = |text: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let words = text.split(move |c: char| !is_part(c)).filter(|word| word.starts_with("should_i_async_"));
        words.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let named: BTreeSet<String> = told.iter().flat_map(|expr| names(expr)).chain(names(rules)).collect();
    assert!(named.len() > 8, "{named:?}");
    let unknown: Vec<&String> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
