//! The page: it fetches nothing, says what is missing, and its data are the figures.

use serde_json::Value;

use super::{
    build::{hostile, large, server},
    fixture,
};
use crate::{
    answer::{self, Advice, Profile, Reason, Report, SmallCalls, Weight},
    cost::{self, ipc::Note},
    event::BlockClass,
    export::html::page,
    machine::{Language, Way},
    predict::{Grid, Question, Refusal, replay::Assignment},
    quantity::Figure,
};

/// Elements that have no end.
const VOID: [&str; 5] = ["meta", "input", "br", "link", "img"];

/// A tag: its name, its attributes, whether it ends an element.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    ends: bool,
    /// Has no end tag: it ends in `/`, as in SVG.
    closed: bool,
}

/// The tags of a page, by HTML's rules as far as this page uses them: quoted attributes, raw text
/// in script and style.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let quoted_end = |text: &str| {
            let mut quoted = false;
            text.find(|c| {
                quoted ^= c == '"';
                c == '>' && !quoted
            })
        };
        let end = quoted_end(rest).expect("a tag that is closed");
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if tag.starts_with('!') {
            continue;
        }
        let ends = tag.starts_with('/');
        let closed = tag.ends_with('/');
        let tag = tag.trim_start_matches('/');
        let (name, mut text) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((key, value)) = text.split_once("=\"") {
            let (value, after) = value.split_once('"').unwrap();
            attributes.push((key.trim(), value));
            text = after;
        }
        if !ends && matches!(name, "script" | "style") {
            let at = rest.find(&format!("</{name}")).unwrap();
            rest = &rest[at..];
        }
        found.push(Tag { name, attributes, ends, closed });
    }
    found
}

/// Every element that is opened is closed, in order.
fn assert_nested(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(html).iter().filter(|t| !VOID.contains(&t.name) && !t.closed) {
        if tag.ends {
            assert_eq!(open.pop(), Some(tag.name), "inside of {open:?}");
        } else {
            open.push(tag.name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn data(html: &str, id: &str) -> Value {
    let at = html.split_once(&format!("id=\"{id}\">")).unwrap_or_else(|| panic!("no {id}")).1;
    serde_json::from_str(at.split_once("</script>").unwrap().0).unwrap()
}

/// The report, and what its page lets the reader choose.
fn report_and_grid(case: fixture::Case) -> (Report, Option<Grid>) {
    let (report, engine) = Report::with_engine(&case.window, case.inputs);
    let grid = engine.map(|engine| {
        let ask = |q: &Question| {
            Way::in_language(Language::Native).map(|way| engine.scenario(way, q.loops, q.assignment)).collect()
        };
        Grid::new(&report.what_if, |questions| questions.iter().map(ask).collect())
    });
    (report, grid)
}

/// Text that tries to become part of the page.
const EVIL: &str = "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\"'";

fn hostile_report() -> (Report, Option<Grid>) {
    let name = EVIL;
    let mut case = fixture::named(fixture::server(), &[(7, name)], name);
    let facts = &mut case.inputs.facts;
    name.clone_into(&mut facts.processes[0].name);
    name.clone_into(&mut facts.processes[0].command);
    facts.processes[0].container = Some(name.to_owned());
    name.clone_into(&mut facts.kernel);
    facts.notes = vec![name.to_owned()];
    let (mut report, grid) = report_and_grid(case);
    let kernel = name.to_owned();
    report.verdict.reason = Reason::NothingKnown { io: 1, why: Refusal::CalibrationFailed { said: kernel } };
    report.verdict.advice = vec![Advice::LargerBuffers(SmallCalls {
        syscall: name.to_owned(),
        class: BlockClass::File,
        bytes: 1.0,
        per_second: 1e4,
    })];
    report.indirect.counted = Figure::unavailable(Note::NoCountersBecause { said: name.to_owned() });
    (report, grid)
}

fn reports() -> Vec<(Report, Option<Grid>)> {
    let mut unpriced = fixture::server();
    unpriced.inputs.calibration = None;
    unpriced.inputs.reference = None;
    unpriced.window.programs.clear();
    let mut nothing = fixture::empty("gone");
    nothing.inputs.facts.processes.clear();
    [
        fixture::server(),
        fixture::counted(),
        fixture::one_connection(),
        fixture::event_loop(),
        fixture::files(),
        unpriced,
        nothing,
    ]
    .into_iter()
    .map(report_and_grid)
    .chain([hostile_report()])
    .collect()
}

#[test]
fn elements_nest_and_nothing_is_fetched() {
    for (report, grid) in reports() {
        for profile in [server(), hostile(), Profile::default()] {
            let html = page(&report, &profile, grid.as_ref(), "VERDICT <b>\x1b[1m&\x1b[0m");
            assert_nested(&html);
            for tag in tags(&html) {
                assert!(!matches!(tag.name, "link" | "img" | "iframe" | "object" | "embed" | "base"), "{}", tag.name);
                for (key, value) in tag.attributes {
                    match key {
                        "href" => assert!(value.starts_with('#'), "{key}={value}"),
                        "src" | "action" | "srcset" | "data" => panic!("{key}={value}"),
                        "style" => assert!(!value.contains("url"), "{value}"),
                        _ => assert!(!key.starts_with("on"), "{key}={value}"),
                    }
                }
            }
            for script in ["fetch(", "XMLHttpRequest", "import(", "@import", "url(", "eval(", "innerHTML"] {
                assert!(!html.contains(script), "{script}");
            }
        }
    }
    let (report, grid) = report_and_grid(fixture::server());
    let plain = page(&report, &server(), grid.as_ref(), "");
    assert!(!plain.contains("http:") && !plain.contains("https:"), "an address");
    assert!(plain.contains("default-src 'none'"));
}

#[test]
fn names_from_the_target_are_text_and_nothing_else() {
    let mut hostile_text = "</pre><script>alert(3)</script>".to_owned();
    hostile_text.push_str("\x1b]0;title\x07");
    let (report, grid) = hostile_report();
    let html = page(&report, &hostile(), grid.as_ref(), &hostile_text);
    assert!(!html.contains("<script>alert") && !html.contains("<img"));
    assert!(html.contains("&lt;script&gt;alert(1)"));
    assert!(html.contains("\\u003c/script\\u003e"));
    // One of each: the data of flame graph and what-if, and the page's two scripts.
    assert_eq!(tags(&html).iter().filter(|t| t.name == "script" && !t.ends).count(), 4);
    assert!(!html.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn an_address_in_a_table_stays_in_one_piece() {
    let html = page(&fixture::server().report(), &server(), None, "");
    assert!(html.contains("<table class=\"sortable\">"));
    let rule = html.split(".sortable td:not(.n) {").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    // With `anywhere` a column may become as narrow as one letter, and addresses stand upright.
    assert!(rule.contains("overflow-wrap: break-word"), "{rule}");
}

#[test]
fn the_flame_graphs_data_add_up_to_the_figures() {
    for profile in [server(), hostile(), large(300)] {
        let data = data(&page(&fixture::server().report(), &profile, None, ""), "flame-data");
        let numbers: Vec<u64> = data["stacks"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        let frames = data["frames"].as_array().unwrap().len() as u64;
        let (mut i, mut depth, mut sums, mut stacks) = (0, 0, [0u64; 4], 0);
        while i < numbers.len() {
            let (shared, fresh) = (numbers[i] as usize, numbers[i + 1] as usize);
            assert!(shared <= depth && (fresh > 0 || shared > 0));
            depth = shared + fresh;
            i += 2;
            assert!(numbers[i..i + fresh].iter().all(|&f| f < frames));
            i += fresh;
            sums.iter_mut().zip(&numbers[i..i + 4]).for_each(|(sum, ns)| *sum += ns);
            i += 4;
            stacks += 1;
        }
        assert_eq!(sums, Weight::ALL.map(|w| profile.total(w)));
        assert!(stacks <= profile.stacks.len());
        for (choice, weight) in data["weights"].as_array().unwrap().iter().zip(Weight::ALL) {
            assert_eq!(choice["total"], profile.total(weight));
        }
    }
}

#[test]
fn the_slider_holds_what_the_engine_answers() {
    let (report, grid) = report_and_grid(fixture::server());
    let data = data(&page(&report, &server(), grid.as_ref(), ""), "what-if-data");
    let loops: Vec<u64> = data["loops"].as_array().unwrap().iter().map(|l| l.as_u64().unwrap()).collect();
    assert_eq!(loops, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(loops[data["start"].as_u64().unwrap() as usize], u64::from(report.what_if.loops));
    let engine = {
        let case = fixture::server();
        Report::with_engine(&case.window, case.inputs).1.unwrap()
    };
    for (q, queue) in [Assignment::Fixed, Assignment::Stealing].into_iter().enumerate() {
        for (l, &loops) in loops.iter().enumerate() {
            for (w, way) in Way::in_language(Language::Native).enumerate() {
                let row = &data["rows"][q][l][w];
                let Some(scenario) = engine.scenario(way, loops as u32, queue) else {
                    assert!(row["terms"].is_null(), "{way:?} changes nothing here: {row}");
                    continue;
                };
                assert_eq!(row["cells"][0], format!("{:.1} %", scenario.saving.value * 100.0));
                assert_eq!(row["terms"].as_array().unwrap().len(), scenario.terms.len());
                let bar: Vec<f64> = row["bar"].as_array().unwrap().iter().map(|b| b.as_f64().unwrap()).collect();
                assert!(bar.is_sorted() && bar[0] >= 0.0 && bar[2] <= 100.0, "{bar:?}");
            }
        }
    }
}

#[test]
fn a_machine_with_many_cpus_gets_fewer_steps_and_its_own_number_among_them() {
    let mut case = fixture::server();
    case.inputs.facts.allowed_cpus = 100;
    let (report, grid) = report_and_grid(case);
    let data = data(&page(&report, &server(), grid.as_ref(), ""), "what-if-data");
    let loops: Vec<u64> = data["loops"].as_array().unwrap().iter().map(|l| l.as_u64().unwrap()).collect();
    assert!(loops.len() < 24 && loops.is_sorted() && loops.contains(&8) && loops.last() == Some(&100), "{loops:?}");
}

#[test]
fn what_is_missing_is_not_a_number() {
    let mut report = fixture::server().report();
    report.cpu.blocking_io = Figure::unavailable(answer::Note::NoBase(7));
    report.score.direct = Figure::unavailable(answer::Note::NoCpu);
    report.score.indirect = Figure::unavailable(cost::Note::NoUserWindows);
    report.estimators.sampled = Figure::unavailable(cost::Note::NoSamples);
    let profile = Profile { unavailable: Some("stacks were not asked for".to_owned()), ..Profile::default() };
    let html = page(&report, &profile, None, "");
    assert!(html.contains("<span class=\"big\">n/a</span>"));
    for reason in [
        "7 calls that blocked have no base",
        "the target used no CPU",
        "no site has enough windows",
        "no CPU-clock samples",
        "stacks were not asked for",
    ] {
        assert!(html.contains(&format!("n/a: {reason}")), "{reason}");
    }
    assert!(!html.contains("NaN"));

    let mut refused = fixture::server();
    refused.inputs.calibration = None;
    let html = page(&refused.report(), &Profile::default(), None, "");
    assert!(html.contains("n/a: what other ways of waiting cost on this machine is not known yet"));
    assert!(!html.contains("id=\"what-if-data\""));
}

#[test]
fn the_page_stays_small() {
    let html = page(&fixture::server().report(), &large(20_000), None, "text");
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
}
