//! html: the report for a browser, all in one file that fetches nothing.
//!
//! Everything that is said is in the markup and can be read and printed without scripts; the
//! scripts sort tables, move the what-if slider and draw the flame graph from data that stands in
//! the page. The page forbids itself any request.

mod answer;
mod flame;
mod ipc;
mod ledgers;
mod method;
mod quality;
mod tables;
mod whatif;
mod words;

use super::{markup::Markup, svg};
use crate::{
    answer::{Profile, Report},
    predict::Grid,
    text::clean,
};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");
const FLAME_SCRIPT: &str = include_str!("html/flame.js");

/// Sections, and what leads to them.
const SECTIONS: [(&str, &str); 10] = [
    ("what-if", "What if"),
    ("cpu", "CPU"),
    ("wall", "Wall"),
    ("flame", "Flame graph"),
    ("sites", "Sites"),
    ("threads", "Threads"),
    ("ipc", "IPC"),
    ("quality", "Quality"),
    ("method", "Method"),
    ("text", "As text"),
];

/// The page. `text_report` is the report as text, for whoever wants to copy it into a mail; it is
/// left out where empty.
pub fn page(report: &Report, profile: &Profile, grid: Option<&Grid>, text_report: &str) -> String {
    let mut page = Markup::default();
    page.raw(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>",
    );
    page.text(&svg::target(report)).raw(": should-i-async</title>\n<style>\n").raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n<header>\n");
    answer::render(&mut page, report);
    page.raw("</header>\n<nav aria-label=\"Sections\">");
    for (id, name) in SECTIONS.into_iter().filter(|&(id, _)| id != "text" || !text_report.is_empty()) {
        page.raw("<a href=\"#").raw(id).raw("\">").raw(name).raw("</a> ");
    }
    page.raw("</nav>\n<main>\n");
    whatif::render(&mut page, &report.what_if, grid);
    ledgers::cpu(&mut page, report);
    ledgers::wall(&mut page, report);
    flame::render(&mut page, profile);
    tables::sites(&mut page, report);
    tables::threads(&mut page, report);
    tables::devices(&mut page, report);
    ipc::render(&mut page, report);
    quality::render(&mut page, report, profile);
    method::render(&mut page, report);
    if !text_report.is_empty() {
        page.raw(
            "<section id=\"text\"><h2>As text</h2>\n<details><summary>The same report for a terminal</summary>\n<pre>",
        );
        page.text(&clean::uncoloured(text_report)).raw("</pre></details></section>\n");
    }
    page.raw("</main>\n<footer>should-i-async ").raw(env!("CARGO_PKG_VERSION")).raw("</footer>\n<script>\n");
    page.raw(SCRIPT).raw("</script>\n<script>\n").raw(FLAME_SCRIPT).raw("</script>\n</body>\n</html>\n");
    page.finish()
}
