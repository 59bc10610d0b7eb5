//! The report that README shows: what `report` makes of the recording that the last run kept of its
//! first row, cut to a screenful.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{exec, host::file::between};

/// The recording, in the folder of the suite.
const RECORDING: &str = "mhd-c64.1.check.sia";
const README: &str = "README.md";
/// The lines around what is written.
const BEGIN: &str = "<!-- written by `cargo xtask pairs --report`: begin -->\n";
const END: &str = "<!-- written by `cargo xtask pairs --report`: end -->\n";
/// Lines that are shown, at most.
const LINES: usize = 30;
/// The section that names paths of this machine: nothing from there on is shown.
const TARGET: &str = "TARGET";

/// Writes the report into README.
pub(super) fn write(root: &Path, tool: &Path, folder: &Path) -> Result<()> {
    let recording = folder.join(RECORDING);
    ensure!(recording.exists(), "{} is not there: run `cargo xtask pairs` first", recording.display());
    let report = exec::output(Command::new(tool).arg("report").arg(recording))?;
    let path = root.join(README);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {README}"))?;
    let text = between(&text, (BEGIN, END), &shown(&report)).with_context(|| format!("in {README}"))?;
    fs::write(&path, text).with_context(|| format!("writing {README}"))
}

/// The first lines, as a block.
fn shown(report: &str) -> String {
    let lines: Vec<&str> = report.lines().take_while(|line| *line != TARGET).take(LINES).collect();
    format!("```text\n{}\n```\n", lines.join("\n").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        host::numbers::{decimal, percent},
        pairs::results::Kept,
    };

    #[test]
    fn a_screenful_without_paths_is_shown() {
        assert_eq!(shown("Yes.\n\nWHAT IF\n\nTARGET\n  /home/x\n"), "```text\nYes.\n\nWHAT IF\n```\n");
        assert_eq!(shown(&"a\n".repeat(99)).lines().count(), LINES + 2);
    }

    #[test]
    fn readme_shows_a_report() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text = fs::read_to_string(root.join(README)).unwrap();
        let (_, rest) = text.split_once(BEGIN).unwrap();
        let (block, _) = rest.split_once(END).unwrap();
        assert!(block.contains("of its CPU would come back with") && block.lines().count() <= LINES + 4, "{block}");
    }

    /// Its recording is not kept, but what the run kept of it is: the saving, the sleeps that
    /// remain and the events of a wait. Intervals follow from later runs too.
    #[test]
    fn the_report_is_of_the_kept_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let kept = Kept::read(&root.join("docs").join("pairs")).unwrap();
        let cell = kept.newest().unwrap().cells.iter().find(|cell| cell.id == "mhd-c64-epoll").unwrap();
        let said = cell.prediction.as_ref().unwrap();
        let saving = percent(said.saving.unwrap().value);
        let text = fs::read_to_string(root.join(README)).unwrap();
        let line = text.lines().find(|line| line.trim_start().starts_with("level ")).unwrap();
        assert!(line.contains(&saving), "{saving}: {line}");
        for (kept, digits) in [(said.sleeps_remaining, 2), (said.events_per_wait, 1)] {
            let kept = decimal(kept.unwrap(), digits);
            assert!(line.split_whitespace().any(|word| word == kept), "{kept}: {line}");
        }
    }
}
