//! results.json: the last runs, the newest first. Nobody chooses among them: a new run replaces the
//! oldest one.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    harness::results::{Cell, Settings},
    host::file::{read_json, write_json},
};

const VERSION: u32 = 1;
/// Runs that are kept.
const RUNS: usize = 3;
const FILE: &str = "results.json";

/// What one run of the pairs found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    /// The machine: name and value.
    pub(super) facts: Vec<(String, String)>,
    pub(super) settings: Settings,
    pub(super) cells: Vec<Cell>,
}

impl Results {
    pub(super) fn new(facts: &[(&'static str, String)], settings: Settings) -> Self {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { facts, settings, cells: Vec::new() }
    }

    /// Writes this run alone.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        write_json(self, path)
    }
}

/// The runs that are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    pub(super) runs: Vec<Results>,
}

impl Kept {
    pub(super) fn read(documents: &Path) -> Result<Self> {
        let path = documents.join(FILE);
        ensure!(path.exists(), "{} is missing: run `cargo xtask pairs --write` first", path.display());
        let kept: Self = read_json(&path)?;
        ensure!(kept.version == VERSION, "{}: version {}, not {VERSION}", path.display(), kept.version);
        Ok(kept)
    }

    pub(super) fn read_or_empty(documents: &Path) -> Result<Self> {
        if documents.join(FILE).exists() { Self::read(documents) } else { Ok(Self { version: VERSION, runs: vec![] }) }
    }

    /// With one more run.
    pub(super) fn with_run(mut self, run: Results) -> Self {
        self.runs.insert(0, run);
        self.runs.truncate(RUNS);
        self
    }

    pub(super) fn newest(&self) -> Result<&Results> {
        self.runs.first().context("no run is kept")
    }

    pub(super) fn write(&self, documents: &Path) -> Result<()> {
        fs::create_dir_all(documents).with_context(|| format!("creating {}", documents.display()))?;
        write_json(self, &documents.join(FILE))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn run(seed: u64) -> Results {
        let settings = Settings {
            quick: false,
            only: None,
            checks: 1,
            repeats: 3,
            turns: 12,
            seed,
            turn_s: 0.2,
            check_s: 3.0,
            exact: true,
            first_twin_unix_ns: Some(2),
        };
        Results::new(&[("Kernel", "6.18".to_owned())], settings)
    }

    #[test]
    fn the_newest_runs_are_kept_whatever_they_say() {
        let folder = std::env::temp_dir().join(format!("pairs-kept-{}", std::process::id()));
        let mut kept = Kept::read_or_empty(&folder).unwrap();
        assert!(kept.newest().is_err());
        for seed in 1..=5 {
            kept = kept.with_run(run(seed));
            kept.write(&folder).unwrap();
        }
        let seeds: Vec<u64> = Kept::read(&folder).unwrap().runs.iter().map(|run| run.settings.seed).collect();
        assert_eq!(seeds, [5, 4, 3]);
        fs::remove_dir_all(folder).unwrap();
    }
}
