//! The flame graph's data: every distinct stack with all its weights, as differences from the stack
//! before it.

use maud::{Markup, html};
use serde::Serialize;

use super::super::markup;
use crate::text::{
    clean,
    numbers::{NA, count},
};
use crate::{
    answer::{Profile, Weight},
    export::paths::Paths,
    quantity::Nanos,
    symbol::{Frame, Origin},
    words,
};

#[derive(Serialize)]
struct Data {
    weights: Vec<Choice>,
    modules: Vec<String>,
    /// Name, place in `modules`, kind.
    frames: Vec<(String, u32, Kind)>,
    /// For each stack: how many frames it shares with the one before, how many follow, these, and
    /// its weights, ns.
    stacks: Vec<u64>,
}

#[derive(Serialize)]
struct Choice {
    title: &'static str,
    /// Sum of the weights, ns.
    total: u64,
    /// Why no stack has a part of it; empty where one has.
    none: String,
}

/// What a frame is coloured by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "u8")]
enum Kind {
    User,
    Inlined,
    Jit,
    Kernel,
    Mark,
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        kind as Self
    }
}

impl Kind {
    fn new(frame: &Frame) -> Self {
        match frame.origin {
            Origin::Kernel => Self::Kernel,
            Origin::Mark => Self::Mark,
            _ if frame.inlined => Self::Inlined,
            Origin::Jit => Self::Jit,
            Origin::User => Self::User,
        }
    }
}

fn data(profile: &Profile) -> Data {
    let name = |text: &str| match clean::line(text) {
        text if text.is_empty() => "[unnamed]".to_owned(),
        text => text,
    };
    let paths = Paths::new(profile, |f| (name(&f.name), clean::line(&f.module), Kind::new(f)));
    let mut modules: Vec<String> = paths.keys.iter().map(|(_, module, _)| module.clone()).collect();
    modules.sort_unstable();
    modules.dedup();
    let place = |module: &String| modules.binary_search(module).unwrap_or(0) as u32;
    let frames = paths.keys.iter().map(|(name, module, kind)| (name.clone(), place(module), *kind)).collect();
    let mut stacks = Vec::new();
    let mut last: &[u32] = &[];
    for (path, parts) in paths.stacks.iter().filter(|(_, parts)| parts.iter().any(|&ns| ns > 0)) {
        let shared = last.iter().zip(path).take_while(|(a, b)| a == b).count();
        let fresh = path.get(shared..).unwrap_or_default();
        stacks.extend([shared as u64, fresh.len() as u64]);
        stacks.extend(fresh.iter().copied().map(u64::from));
        stacks.extend(parts);
        last = path;
    }
    let choice = |w: Weight| {
        let none = profile.no_stacks(w).map(|why| format!("{NA}: {}", clean::line(&why))).unwrap_or_default();
        Choice { title: w.title(), total: profile.total(w), none }
    };
    let weights = Weight::ALL.map(choice).into_iter().collect();
    Data { weights, modules, frames, stacks }
}

pub(super) fn render(profile: &Profile) -> Markup {
    let data = data(profile);
    html! {
        section id="flame" {
            h2 { "Flame graph" }
            "\n"
            @if data.stacks.is_empty() {
                p { (NA) ": " (markup::name(profile.unavailable.as_deref().unwrap_or(words::NO_STACK))) }
            } @else {
                (controls(&data))
                (graph())
                p class="note" { (legend()) (quality(profile)) }
                "\n" (markup::data("flame-data", &data))
            }
        }
        "\n"
    }
}

fn controls(data: &Data) -> Markup {
    let first = data.weights.iter().position(|w| w.total > 0).unwrap_or(0);
    html! {
        div class="controls" {
            label {
                "width "
                select id="flame-weight" {
                    @for (i, weight) in data.weights.iter().enumerate() {
                        option value=(i) selected[i == first] {
                            (weight.title) ": " (Nanos::from_nanos(weight.total).to_string())
                        }
                    }
                }
            }
            "\n"
            label { "search " input type="search" id="flame-search" placeholder="name or regular expression"; }
            " " output id="flame-matched" aria-live="polite" {}
            "\n" button type="button" id="flame-reset" disabled { "Reset zoom" }
        }
        "\n"
    }
}

/// What the script draws into.
fn graph() -> Markup {
    let keys = "Flame graph, callers above callees. Arrow keys move, Enter zooms, Escape zooms out.";
    html! {
        div id="flame-graph" tabindex="0" role="tree" aria-label=(keys) {}
        "\n" p id="flame-detail" aria-live="polite" { "\u{a0}" }
        "\n"
        noscript {
            p {
                "The flame graph is drawn by a script; " code { "report FILE -o flame.svg" } " writes it as a picture."
            }
        }
        "\n"
    }
}

fn legend() -> Markup {
    html! {
        i class="dot k0" {} "program " i class="dot k1" {} "inlined " i class="dot k2" {} "JIT "
        i class="dot k3" {} "kernel " i class="dot k4" {} "marks: syscalls, reasons, and " code { "--" }
        ", below which the waker's stack follows, innermost first " i class="dot waker" {} ". "
    }
}

fn quality(profile: &Profile) -> String {
    let q = &profile.quality;
    format!("Stacks are {}: {}; {}; {}; {} lost.", words::STACKS, q.taken(), q.names(), q.ends(), count(q.lost))
}
