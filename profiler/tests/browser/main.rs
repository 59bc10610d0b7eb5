//! The page in a real browser (chromium, without a screen): it can be sorted, moved, zoomed and
//! searched, it fits its window, and it complains of nothing.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod chromium;

use chromium::Browser;
use serde_json::{Value, json};

/// The page of a kept recording.
fn kept(name: &str) -> String {
    format!("file://{}/tests/goldens/{name}/report.html", env!("CARGO_MANIFEST_DIR"))
}

/// The numbers of a column of a table, in the order of the rows; those without one are left out.
fn column(browser: &Browser, table: &str, column: usize) -> Vec<f64> {
    let values = browser.eval(&format!(
        "Array.from(document.querySelector({table:?}).tBodies[0].rows, row => row.cells[{column}].dataset.v)\
         .filter(v => v !== undefined).map(Number)"
    ));
    serde_json::from_value(values).unwrap()
}

/// A picture for whoever wants to look: into the folder that the environment names.
fn look(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("SIA_PICTURES") {
        let path = std::path::Path::new(&folder).join(format!("{name}.png.base64"));
        std::fs::write(path, browser.picture()).unwrap();
    }
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    browser.open(&kept("demo"), 1_280, false);
    look(&browser, "light-1280");
    tables_sort(&browser);
    the_slider_moves(&browser);
    // Its stacks are several.
    browser.open(&kept("already-async"), 1_280, false);
    the_flame_graph_zooms_and_searches(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn tables_sort(browser: &Browser) {
    // The first column of numbers in the table of sites.
    let of = "#sites table.sortable";
    let number = browser.eval(&format!(
        "Array.from(document.querySelector({of:?}).tHead.rows[0].cells).findIndex(cell => cell.classList.contains('n'))"
    ));
    let at = number.as_u64().unwrap() as usize;
    let head = format!("{of} thead th:nth-child({}) button", at + 1);
    let before = column(browser, of, at);
    assert!(before.len() > 1, "{before:?}");
    browser.click(&head);
    let down = column(browser, of, at);
    assert!(down.is_sorted_by(|a, b| a >= b), "{down:?}");
    browser.click(&head);
    let up = column(browser, of, at);
    assert!(up.is_sorted(), "{up:?}");
    assert!(up.len() == before.len() && up != down);
    let said = browser.eval(&format!("document.querySelector({of:?}).querySelector('[aria-sort]').ariaSort"));
    assert_eq!(said, "ascending");
}

fn the_slider_moves(browser: &Browser) {
    let shown = || browser.eval("document.getElementById('loops-out').textContent");
    let table = || browser.eval("document.getElementById('what-if-table').textContent");
    browser.eval("document.getElementById('loops').focus()");
    // From one end to the other: where the report's own number of loops is, is not known here.
    browser.press("Home", 36);
    let first = (shown(), table());
    browser.press("End", 35);
    let last = (shown(), table());
    assert_ne!(first, last);
    assert!(
        browser
            .eval("document.getElementById('loops').getAttribute('aria-valuetext')")
            .as_str()
            .unwrap()
            .ends_with("event loops")
    );
}

fn the_flame_graph_zooms_and_searches(browser: &Browser) {
    let frames = || browser.eval("document.querySelectorAll('#flame-graph > div').length").as_u64().unwrap();
    let wide = || {
        browser.eval("Array.from(document.querySelectorAll('#flame-graph > div:not(.above)')).filter(box => box.style.width === '100%').length")
    };
    let all = frames();
    assert!(all > 10, "{all} frames");
    // A frame that is not the whole: the widest of those that are narrower.
    let widths = browser.eval(
        "(() => { const width = box => parseFloat(box.style.width); \
         const boxes = Array.from(document.querySelectorAll('#flame-graph > div')).filter(box => width(box) < 90); \
         boxes.sort((a, b) => width(b) - width(a)); boxes[0].classList.add('chosen'); return boxes.map(width); })()",
    );
    assert!(widths[0].as_f64().unwrap() > 5.0, "{widths}");
    let chosen = browser.eval("document.querySelector('.chosen').textContent");
    browser.click(".chosen");
    assert!(frames() < all && wide().as_u64().unwrap() >= 1, "{} of {all}", frames());
    let detail = browser.eval("document.getElementById('flame-detail').textContent");
    assert!(detail.as_str().unwrap().starts_with(chosen.as_str().unwrap()), "{detail} of {chosen}");
    browser.click("#flame-reset");
    assert_eq!(frames(), all);
    browser.click("#flame-search");
    browser.type_in("poll");
    let hits = browser.eval("document.querySelectorAll('#flame-graph .hit').length").as_u64().unwrap();
    let matched = browser.eval("document.getElementById('flame-matched').textContent");
    assert!(hits > 0 && matched.as_str().unwrap().starts_with("matched: "), "{hits}, {matched}");
    // By the keys alone.
    browser.eval("document.getElementById('flame-graph').focus()");
    browser.press("ArrowDown", 40);
    browser.press("Enter", 13);
    assert!(browser.eval("document.querySelector('#flame-graph .at') !== null") == json!(true));
    browser.press("Escape", 27);
    assert_eq!(frames(), all);
}

#[test]
fn every_kept_page_fits_its_window_in_both_colours() {
    let Some(browser) = Browser::start() else { return };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| std::path::Path::new(folder).join(name).join("report.html").exists());
    names.sort();
    assert!(names.len() >= 8);
    for name in &names {
        for (width, dark) in [(1_280, false), (1_280, true), (400, false), (400, true)] {
            browser.open(&kept(name), width, dark);
            let scrolls = browser.eval("document.documentElement.scrollWidth");
            let wide = browser.eval(&format!(
                "Array.from(document.querySelectorAll('main *, header *')).filter(e => !e.closest('.scroll, pre, #flame-graph') \
                 && e.getBoundingClientRect().right > {width}).map(e => e.tagName + ' ' + e.className + ' ' + e.id + ' ' \
                 + e.textContent.slice(0, 60)).slice(0, 5)"
            ));
            assert!(scrolls.as_u64().unwrap() <= u64::from(width), "{name} is {scrolls} wide in {width}: {wide:#}");
            let [paper, ink] = ["backgroundColor", "color"]
                .map(|what| brightness(&browser.eval(&format!("getComputedStyle(document.body).{what}"))));
            assert!(if dark { paper < 60.0 && ink > 180.0 } else { paper > 200.0 && ink < 80.0 }, "{paper}, {ink}");
            if name == "demo" {
                look(&browser, &format!("{}-{width}", if dark { "dark" } else { "light" }));
            }
        }
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
    }
}

/// The mean of a colour's parts: `rgb(255, 255, 255)`.
fn brightness(colour: &Value) -> f64 {
    let parts = colour.as_str().unwrap().trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches(')');
    let parts: Vec<f64> = parts.split(',').take(3).map(|part| part.trim().parse().unwrap()).collect();
    parts.iter().sum::<f64>() / 3.0
}
