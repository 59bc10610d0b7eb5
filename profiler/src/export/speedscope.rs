//! speedscope's own format: every weight in one file, to be switched between on its screen.

use serde::Serialize;

use super::{paths::Paths, svg::target};
use crate::text::clean;
use crate::{
    answer::{Profile, Report, Weight},
    symbol::Origin,
};

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    name: String,
    active_profile_index: usize,
    shared: Shared,
    profiles: Vec<Sampled>,
}

#[derive(Serialize)]
struct Shared {
    frames: Vec<Frame>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
struct Frame {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Vec<Vec<u32>>,
    weights: Vec<u64>,
}

fn frame(frame: &crate::symbol::Frame) -> Frame {
    let name = clean::line(&frame.name);
    // Its views merge frames by name and file: a function of the kernel is none of the program's.
    let module = (frame.origin != Origin::Mark && !frame.module.is_empty()).then(|| clean::line(&frame.module));
    let (file, line) = match &frame.source {
        Some((file, line)) => (Some(clean::line(file)), Some(*line)),
        None => (module, None),
    };
    Frame { name: if name.is_empty() { "[unnamed]".to_owned() } else { name }, file, line }
}

/// One profile per weight, in the order of [`Weight::ALL`], ns. Those of which no stack has any
/// part are there, and empty; the first that is not is shown first.
pub fn encode(profile: &Profile, report: &Report) -> String {
    let paths = Paths::new(profile, frame);
    let sampled = |(place, weight): (usize, Weight)| {
        let part = |parts: &[u64; 4]| parts.get(place).copied().unwrap_or(0);
        let (samples, weights): (Vec<_>, Vec<_>) = paths
            .stacks
            .iter()
            .filter(|(_, parts)| part(parts) > 0)
            .map(|(path, parts)| (path.clone(), part(parts)))
            .unzip();
        Sampled {
            kind: "sampled",
            name: weight.title().to_owned(),
            unit: "nanoseconds",
            start_value: 0,
            end_value: weights.iter().sum(),
            samples,
            weights,
        }
    };
    let profiles: Vec<Sampled> = Weight::ALL.into_iter().enumerate().map(sampled).collect();
    let file = File {
        schema: SCHEMA,
        exporter: concat!("should-i-async ", env!("CARGO_PKG_VERSION")),
        name: format!("{}: {}", target(report), clean::line(&report.verdict.sentence())),
        active_profile_index: profiles.iter().position(|p| p.end_value > 0).unwrap_or(0),
        shared: Shared { frames: paths.keys },
        profiles,
    };
    let mut text = serde_json::to_string(&file).unwrap_or_default();
    text.push('\n');
    text
}
