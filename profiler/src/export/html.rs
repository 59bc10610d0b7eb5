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

use maud::{DOCTYPE, PreEscaped, html};

use super::svg;
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

/// What the page allows itself: no request, no form, its own scripts and styles.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// The page. `text_report` is the report as text, for whoever wants to copy it into a mail; it is
/// left out where empty.
pub fn page(report: &Report, profile: &Profile, grid: Option<&Grid>, text_report: &str) -> String {
    let sections = SECTIONS.into_iter().filter(|&(id, _)| id != "text" || !text_report.is_empty());
    let page = html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                "\n" meta charset="utf-8";
                "\n" meta http-equiv="Content-Security-Policy" content=(POLICY);
                "\n" meta name="viewport" content="width=device-width, initial-scale=1";
                "\n" meta name="color-scheme" content="light dark";
                "\n" title { (svg::target(report)) ": should-i-async" }
                "\n" style { "\n" (PreEscaped(STYLE)) }
            }
            body {
                "\n" header { (answer::render(report)) }
                "\n"
                nav aria-label="Sections" {
                    @for (id, name) in sections { a href={ "#" (id) } { (name) } " " }
                }
                "\n"
                main {
                    (whatif::render(&report.what_if, grid))
                    (ledgers::cpu(report))
                    (ledgers::wall(report))
                    (flame::render(profile))
                    (tables::sites(report))
                    (tables::threads(report))
                    (tables::devices(report))
                    (ipc::render(report))
                    (quality::render(report, profile))
                    (method::render(report))
                    @if !text_report.is_empty() {
                        section id="text" {
                            h2 { "As text" }
                            details {
                                summary { "The same report for a terminal" }
                                pre { (clean::uncoloured(text_report)) }
                            }
                        }
                    }
                }
                "\n" footer { "should-i-async " (env!("CARGO_PKG_VERSION")) }
                "\n" script { "\n" (PreEscaped(SCRIPT)) }
                "\n" script { "\n" (PreEscaped(FLAME_SCRIPT)) }
                "\n"
            }
        }
        "\n"
    };
    page.into_string()
}
