//! The recovery curve: drawn where the figures are, and with a reason where there is none.

use super::fixture;
use crate::{
    answer::Profile,
    cost::ipc::Before,
    export::{html, recovery::picture},
};

/// What stands in an attribute of the elements that begin with this.
fn attributes(svg: &str, element: &str, key: &str) -> Vec<String> {
    let mark = format!("{key}=\"");
    svg.split(&format!("<{element} "))
        .skip(1)
        .filter_map(|rest| Some(rest.split('>').next()?.split_once(&mark)?.1.split('"').next()?.to_owned()))
        .collect()
}

#[test]
fn points_stand_where_the_figures_are() {
    let report = fixture::counted().report();
    let svg = picture(&report).unwrap();
    let ipc = report.ipc.value().unwrap();
    let drawn: usize = ipc.curves.iter().flat_map(|c| &c.points).filter(|p| p.local.is_some()).count();
    let (xs, ys) = (attributes(&svg, "circle", "cx"), attributes(&svg, "circle", "cy"));
    assert_eq!((xs.len(), ys.len()), (drawn, drawn));
    // The curve on top is drawn last: after blocks.
    let number = |text: &String| text.parse::<f64>().unwrap();
    let curve = ipc.curve(Before::Blocked).unwrap();
    let places: Vec<(f64, f64)> = xs.iter().zip(&ys).map(|(x, y)| (number(x), number(y))).collect();
    let own = &places[places.len() - curve.points.iter().filter(|p| p.local.is_some()).count()..];
    let truth: Vec<(f64, f64)> = curve.points.iter().filter_map(|p| Some((p.middle, p.local?.value))).collect();
    // Equal ratios of instructions are equal distances, and so are equal differences of the IPC.
    let (first, last) = (0, truth.len() - 1);
    let scale = (own[last].0 - own[first].0) / (truth[last].0 / truth[first].0).log10();
    let rise = (own[last].1 - own[first].1) / (truth[last].1 - truth[first].1);
    for (at, of) in own.iter().zip(&truth) {
        let x = own[first].0 + scale * (of.0 / truth[first].0).log10();
        let y = own[first].1 + rise * (of.1 - truth[first].1);
        assert!((at.0 - x).abs() < 0.3 && (at.1 - y).abs() < 0.3, "{at:?}: {x} {y}");
    }
    assert!(rise < 0.0 && scale > 0.0);
    assert_eq!(svg.matches("class=\"band\"").count(), ipc.curves.iter().filter(|c| !c.points.is_empty()).count());
    assert_eq!(svg, picture(&report).unwrap());
}

#[test]
fn a_name_cannot_break_the_picture() {
    let mut case = fixture::counted();
    "</svg><script>alert(1)</script>\"".clone_into(&mut case.inputs.facts.processes[0].name);
    let svg = picture(&case.report()).unwrap();
    assert_eq!(svg.matches("</svg>").count(), 1);
    assert!(!svg.contains("<script"), "{svg}");
}

#[test]
fn without_counters_there_is_a_reason_and_no_file() {
    let mut case = fixture::server();
    case.inputs.no_counters = Some("no PMU (ENOENT)".to_owned());
    let report = case.report();
    assert!(picture(&report).unwrap_err().to_string().contains("no PMU (ENOENT)"));
    let page = html::page(&report, &Profile::default(), None, "");
    assert!(page.contains("n/a: no PMU (ENOENT)"));

    let mut case = fixture::counted();
    if let Some(ipc) = &mut case.window.ipc {
        ipc.curves.clear();
    }
    assert!(picture(&case.report()).unwrap_err().to_string().contains("too few"));
}

#[test]
fn the_page_has_curve_table_and_both_costs() {
    let page = html::page(&fixture::counted().report(), &Profile::default(), None, "");
    for part in [
        "<polyline",
        "95 % of it after",
        "hardware counters: 11,000 windows at 1 site",
        "400 ns per block",
        "LLC misses",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
