//! What was measured of a runtime, for people and for programs.

use super::{SCHEMA, figure::estimate, page::Page};
use crate::{
    calibrate::runtime::RuntimeCalibration,
    machine::{EventCost, Way},
    text::numbers::span,
    words,
};

/// The page for people.
pub(crate) fn text(found: &RuntimeCalibration) -> String {
    let mut page = Page::new(&[]);
    page.line(&format!("{} on {}, kernel {}", words::runtime(&found.runtime), found.machine, found.kernel));
    page.wrapped(
        "",
        "CPU of an event beyond a blocking read and write in the same interpreter, by the events that a wait returns and the \
         program's own work for each; ± half a 90 % interval of the median; noise, where that interval includes zero. A time-out \
         of each read adds what the last column has.",
    );
    page.crowded(found.others);
    let header = ["work for an event", "1 event", "8 events", "64 events", "with time-out"];
    for way in &found.runtime.ways {
        page.title(&format!("{}: {}", way.name(), way.words()));
        page.table(&header, &rows(found, *way));
        if let Some(sleep) = found.sleeps.iter().find(|sleep| sleep.way == *way) {
            page.line(&format!(
                "an event that is slept for: {} beyond a blocking read that sleeps; its time-out: {}",
                estimate(sleep.beyond),
                estimate(sleep.timed)
            ));
        }
    }
    page.finish()
}

fn rows(found: &RuntimeCalibration, way: Way) -> Vec<Vec<String>> {
    let of_way: Vec<&EventCost> = found.costs.iter().filter(|c| c.way == way).collect();
    let mut works: Vec<f64> = of_way.iter().map(|c| c.work).collect();
    works.dedup();
    let row = |work: f64| {
        let at: Vec<&&EventCost> = of_way.iter().filter(|c| c.work == work).collect();
        let cell = |c: &&&EventCost| estimate(c.beyond);
        let timed = at.iter().map(|c| c.timed).fold(0.0, f64::max);
        let label = if work > 0.0 { span(work) } else { "none".to_owned() };
        [label].into_iter().chain(at.iter().map(cell)).chain([format!("+{}", span(timed))]).collect()
    };
    works.into_iter().map(row).collect()
}

/// One JSON object for machines.
pub(crate) fn json(found: &RuntimeCalibration) -> String {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        found: &'a RuntimeCalibration,
    }
    // Plain structures with text keys and finite numbers: there is nothing that could fail.
    serde_json::to_string_pretty(&Document { schema: SCHEMA, found }).unwrap_or_default()
}
