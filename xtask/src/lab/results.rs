//! results.json: what a run of the lab found, on which machine.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    harness::{
        missed::Residuals,
        results::{Cell, Settings},
    },
    host::file::{read_json, write_json},
};

const VERSION: u32 = 3;

/// What one run of the lab found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) version: u32,
    /// The machine: name and value.
    pub(super) facts: Vec<(String, String)>,
    pub(super) settings: Settings,
    /// Iterations of the work loop per µs.
    pub(super) iterations_per_us: f64,
    /// What the blocking echo server can serve per second.
    pub(super) capacity_per_s: Option<f64>,
    pub(super) cells: Vec<Cell>,
}

impl Results {
    pub(super) fn new(facts: &[(&'static str, String)], settings: Settings) -> Self {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { version: VERSION, facts, settings, iterations_per_us: 0.0, capacity_per_s: None, cells: Vec::new() }
    }

    pub(super) fn read(path: &Path) -> Result<Self> {
        ensure!(path.exists(), "{} is missing: run `cargo xtask lab predict --write` first", path.display());
        let found: Self = read_json(path)?;
        ensure!(found.version == VERSION, "{}: version {}, not {VERSION}", path.display(), found.version);
        Ok(found)
    }

    /// What intervals follow from: this run, and what the other suites keep.
    pub(super) fn missed(&self, root: &Path) -> Result<Residuals> {
        Residuals::with_other_suites(root, "lab", &self.cells)
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        write_json(self, path)
    }
}

/// The folder of what the lab writes for readers.
pub(super) fn documents(root: &Path) -> PathBuf {
    root.join("docs").join("lab")
}
