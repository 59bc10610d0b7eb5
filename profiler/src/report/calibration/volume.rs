//! What was measured of a file system, for people and for programs.

use super::{SCHEMA, full, page::Page};
use crate::{calibrate::VolumeCalibration, machine::Queue};

/// The page for people.
pub(crate) fn text(found: &VolumeCalibration) -> String {
    let mut page = Page::new(&[]);
    let (major, minor) = found.device;
    page.line(&format!("{} on device {major}:{minor}, {}, kernel {}", found.file_system, found.machine, found.kernel));
    page.wrapped(
        "",
        "CPU of a random 4 KiB request past the page cache, by how many are in flight; each call submits one and waits for one, \
         or submits and waits for all.",
    );
    page.crowded(found.others);
    for queue in [Queue::Ring, Queue::Aio] {
        page.title(&format!("through {}", queue.name()));
        full::steady(&mut page, &found.requests, queue);
    }
    let sync = page.cell("fdatasync", &found.fdatasync);
    page.title(&format!("fdatasync after a write: {sync}"));
    page.finish()
}

/// One JSON object for machines.
pub(crate) fn json(found: &VolumeCalibration) -> String {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        found: &'a VolumeCalibration,
    }
    // Plain structures with text keys and finite numbers: there is nothing that could fail.
    serde_json::to_string_pretty(&Document { schema: SCHEMA, found }).unwrap_or_default()
}
