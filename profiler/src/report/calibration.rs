//! A calibration for people and for programs: a page with a table for each part, the sweet spots in
//! words and why something is missing; and one JSON object.

mod essentials;
mod figure;
mod full;
mod page;
mod runtime;
mod sweet_spots;
mod volume;

use page::Page;
pub(crate) use runtime::{json as runtime_json, text as runtime_text};
pub(crate) use volume::{json as volume_json, text as volume_text};

use crate::calibrate::{Calibration, SweetSpots};

/// The format of [`json`], raised when a field changes its meaning.
const SCHEMA: &str = "should-i-async/calibration/1";

/// The page for people, in 100 columns.
pub(crate) fn text(calibration: &Calibration) -> String {
    let essentials = &calibration.essentials;
    let mut page = Page::new(&essentials.missing);
    page.line(&format!("calibration of {}, kernel {}", essentials.machine, essentials.kernel));
    page.wrapped(
        "",
        "CPU per operation: the median of the repeats, ± half the distance from the 5th to the 95th percentile (of fewer than \
         20 repeats: from the smallest to the largest). A difference that may be zero is called noise. docs/calibrate.md says \
         what each figure includes.",
    );
    page.crowded(essentials.others);
    essentials::render(&mut page, essentials, calibration.full.as_ref());
    if let Some(full) = &calibration.full {
        full::render(&mut page, full);
        sweet_spots::render(&mut page, &SweetSpots::new(full));
    }
    page.finish()
}

/// One JSON object for machines: the calibration and its sweet spots.
pub(crate) fn json(calibration: &Calibration) -> String {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        calibration: &'a Calibration,
        sweet_spots: Option<SweetSpots>,
    }
    let sweet_spots = calibration.full.as_ref().map(SweetSpots::new);
    let document = Document { schema: SCHEMA, calibration, sweet_spots };
    // Plain structures with text keys and finite numbers: there is nothing that could fail.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
