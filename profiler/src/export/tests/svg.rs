//! Flame graphs: as wide as the figure, and nothing in them but what was put in.

use super::{
    build::{Build, hostile, large, server, user, weights},
    fixture,
};
use crate::{
    answer::{Profile, Weight},
    export::{
        ExportError,
        svg::{Scale, Widths, diff, flame},
    },
};

const PER_REQUEST: Scale<'static> = Scale { before: 0.001, after: 0.002, unit: "ns per request" };

/// Texts of the frames, as the browser shows them at the mouse.
fn titles(svg: &str) -> Vec<&str> {
    svg.split("<title>").skip(1).map(|rest| rest.split_once("</title>").unwrap().0).collect()
}

fn fill<'a>(svg: &'a str, frame: &str) -> &'a str {
    let at = svg.find(&format!("<title>{frame} (")).unwrap_or_else(|| panic!("{frame} is not drawn"));
    svg[at..].split_once("fill=\"").unwrap().1.split_once('"').unwrap().0
}

#[test]
fn it_is_as_wide_as_the_figure() {
    let report = fixture::server().report();
    for weight in Weight::ALL {
        let svg = flame(&server(), &report, weight).unwrap();
        let total = server().total(weight);
        assert!(svg.contains(&format!("total_samples=\"{total}\"")), "{weight:?}");
        assert!(svg.contains(&format!("{}: echo-server", weight.title())));
        assert!(svg.contains("PID 4242 · Linux 6.18.3 · 10.0 s · "));
        assert!(svg.contains("ns, 100%)"), "the unit");
        assert_eq!(svg, flame(&server(), &report, weight).unwrap(), "not the same twice");
        assert_eq!(titles(&svg).iter().filter(|t| t.starts_with("main (")).count(), 1, "main is drawn in pieces");
    }
    let svg = flame(&server(), &report, Weight::Blocked).unwrap();
    assert!(titles(&svg).contains(&"-- (5,000,000,007 ns, 83.33%)"), "{:?}", titles(&svg));
}

#[test]
fn names_from_the_target_are_text_and_nothing_else() {
    let report = fixture::named(fixture::server(), &[], "x").report();
    let svg = flame(&hostile(), &report, Weight::Cpu).unwrap();
    assert!(!svg.contains("<script>alert"));
    assert!(svg.contains("&lt;script&gt;alert(1)"));
    let allowed = |c: char| c == '\n' || c == '\t' || c == '\r' || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    // The library's script has its own line ends.
    assert!(svg.chars().all(allowed));
}

#[test]
fn without_stacks_there_is_a_reason_in_place_of_a_picture() {
    let report = fixture::server().report();
    let none = Profile { unavailable: Some("no frame pointers here".to_owned()), ..Profile::default() };
    let error = flame(&none, &report, Weight::Cost).unwrap_err();
    assert_eq!(error.to_string(), "no flame graph: no frame pointers here");
    let idle = Profile { stacks: server().stacks.into_iter().filter(|s| s.weights.cost == 0).collect(), ..server() };
    assert!(flame(&idle, &report, Weight::Cost).unwrap_err().to_string().contains("another weight"));
}

#[test]
fn what_grew_is_red_and_what_shrank_is_blue() {
    let profile = |grows: u64, shrinks: u64, stays: u64| {
        let mut build = Build::default();
        for (name, ns) in [("grows", grows), ("shrinks", shrinks), ("stays", stays)] {
            build.stack(&[user("main"), user(name)], &[], weights(ns, 0, 0, 0));
        }
        build.profile
    };
    // The second has half as many requests: twice the time per nanosecond.
    let (mut before, after) = (profile(1_000_000, 4_000_000, 2_000_000), profile(1_500_000, 500_000, 1_000_000));
    let mut gone = Build { profile: before };
    gone.stack(&[user("main"), user("gone")], &[], weights(500_000, 0, 0, 0));
    before = gone.profile;
    for (widths, wide) in [(Widths::After, "3,000"), (Widths::Before, "1,000")] {
        let svg = diff(&before, &after, Weight::Cost, PER_REQUEST, widths, "A against B").unwrap();
        let gone = if widths == Widths::After { "; 500 only before is" } else { "; 0 only after is" };
        assert!(svg.contains(gone), "{widths:?}");
        let channels = |frame| -> Vec<u8> {
            let fill = fill(&svg, frame).trim_start_matches("rgb(").trim_end_matches(')');
            fill.split(',').map(|c| c.parse().unwrap()).collect()
        };
        let (grows, shrinks, stays) = (channels("grows"), channels("shrinks"), channels("stays"));
        assert!(grows[0] > grows[2] && shrinks[2] > shrinks[0], "{widths:?}: {grows:?} {shrinks:?}");
        assert_eq!(stays[0], stays[2], "{widths:?}: {stays:?}");
        assert!(svg.contains(&format!("grows_[i] ({wide}")) || svg.contains(&format!("grows ({wide} ns per request")));
        assert!(svg.contains("7,500 → 6,000 ns per request"), "the subtitle");
    }
}

#[test]
fn figures_far_below_one_are_compared_too() {
    let scale = Scale { before: 1e-9, after: 1e-9, unit: "ns per request" };
    let svg = diff(&server(), &server(), Weight::Cost, scale, Widths::After, "the same twice").unwrap();
    assert!(svg.contains("-- ("));
    let lots = diff(&large(500), &large(400), Weight::Blocked, PER_REQUEST, Widths::After, "large").unwrap();
    assert!(titles(&lots).len() > 100);
}

#[test]
fn a_difference_needs_something_to_divide_by() {
    for factor in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let scale = Scale { before: factor, ..PER_REQUEST };
        let error = diff(&server(), &server(), Weight::Cost, scale, Widths::After, "").unwrap_err();
        assert!(matches!(error, ExportError::Factor(_)), "{error}");
    }
    let error = diff(&server(), &Profile::default(), Weight::Cost, PER_REQUEST, Widths::After, "").unwrap_err();
    assert!(matches!(error, ExportError::NoStacks { .. }), "{error}");
    assert!(diff(&server(), &Profile::default(), Weight::Cost, PER_REQUEST, Widths::Before, "gone").is_ok());
}
