//! The list of the machine, as it is read and as it is promised.

use unicode_width::UnicodeWidthStr;

use super::super::{TextOptions, top, top_json, top_schema};
use super::fixture::machine;
use crate::{
    answer::By,
    quantity::{Figure, Nanos},
};

#[test]
fn the_list_looks_as_reviewed() {
    insta::assert_snapshot!("top", top(&machine(), 3, &TextOptions::default()));
    insta::assert_snapshot!("top_wide", top(&machine(), 20, &TextOptions { width: 160, ..TextOptions::default() }));
}

#[test]
fn no_line_is_wider_than_the_page_whatever_it_says() {
    let mut machine = machine();
    (machine.by, machine.rows[0].by) = (By::Cgroup, By::Cgroup);
    machine.rows[0].cgroup = "/漢字\x1b[31m".repeat(40);
    for width in [80, 100, 132] {
        let text = top(&machine, 20, &TextOptions { width, ..TextOptions::default() });
        assert!(text.lines().all(|line| line.width() <= width), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}

#[test]
fn the_most_costly_comes_first_and_no_cost_is_not_nothing() {
    let mut machine = machine();
    let costs: Vec<f64> = machine.rows.iter().map(|row| row.cost.value().copied().unwrap_or(0.0)).collect();
    assert!(costs.windows(2).all(|pair| pair[0] >= pair[1]) && costs[0] > 0.0, "{costs:?}");
    machine.rows[0].cost = Figure::unavailable(crate::answer::Note::NotCounted);
    let machine = machine.ranked();
    assert!(machine.rows[0].cost.value().is_some());
    let (first, json) = (&machine.rows[0], top_json(&machine));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&top_schema()).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(json["rows"][0]["cost_cpus"]["value"].as_f64(), first.cost.value().copied());
    let without = json["rows"].as_array().unwrap().iter().find(|row| row["cost_cpus"]["value"].is_null()).unwrap();
    assert!(without["cost_cpus"]["note"].is_string(), "{without:#}");
    assert_eq!(json["wall_ns"]["value"].as_u64(), Some(Nanos::from_millis(10_000).as_nanos()));
}
