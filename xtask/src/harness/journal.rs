//! The journal of predictions: each is on disk, with its time, before any async form has been
//! started.

use std::{fs::File, io::Write as _, path::Path, process::Command, time::SystemTime};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::results::Prediction;
use crate::exec;

/// predictions.jsonl: lines are added, each on disk before the next step, and never changed.
pub(crate) struct Journal {
    file: File,
    run: String,
}

/// A line of the journal.
#[derive(Serialize)]
struct Entry<'a> {
    run: &'a str,
    cell: &'a str,
    /// Which one of several checks; `None` for their median.
    check: Option<u32>,
    /// When it was written, UTC.
    at: &'a str,
    prediction: &'a Prediction,
}

impl Journal {
    pub(crate) fn open(folder: &Path, run: &str) -> Result<Self> {
        let path = folder.join("predictions.jsonl");
        let file = File::options().append(true).create(true).open(&path);
        Ok(Self { file: file.with_context(|| format!("opening {}", path.display()))?, run: run.to_owned() })
    }

    /// Puts a prediction on disk, with the time.
    pub(crate) fn file(&mut self, cell: &str, check: Option<u32>, prediction: &mut Prediction) -> Result<()> {
        let now = unix_ns();
        prediction.at_unix_ns = Some(now);
        let seconds = format!("@{}", now / 1_000_000_000);
        let at = exec::output(Command::new("date").args(["-u", "-d", &seconds, "+%Y-%m-%dT%H:%M:%SZ"]))?;
        let entry = Entry { run: &self.run, cell, check, at: at.trim(), prediction };
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all()).context("writing predictions.jsonl")
    }
}

/// Wall-clock time in ns since 1970.
pub(crate) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::{super::judge::tests::cell, *};

    #[test]
    fn the_journal_only_grows() {
        let folder = std::env::temp_dir().join(format!("lab-journal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut prediction = cell("cell", Some([0.1, 0.12, 0.2]), [0.0; 3]).prediction.unwrap();
        for run in ["a", "b"] {
            Journal::open(&folder, run).unwrap().file("cell", Some(1), &mut prediction).unwrap();
        }
        let text = fs::read_to_string(folder.join("predictions.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["run"], "b");
        assert_eq!(lines[1]["prediction"]["at_unix_ns"].as_u64(), prediction.at_unix_ns);
        fs::remove_dir_all(folder).unwrap();
    }
}
