//! languages.json: what was found, under which settings, on which machine.

use std::path::Path;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::{
    languages::{SUITE, Side},
    rows::Chosen,
    setting::Setting,
};
use crate::{
    harness::{
        missed::Residuals,
        results::{Cell, Settings},
    },
    host::file::{read_json, write_json},
};

const VERSION: u32 = 1;
const FILE: &str = "languages.json";

/// A row and what it stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) cell: String,
    pub(super) side: Side,
    pub(super) language: String,
    /// Names of the blocking form and of the twin; a control has none.
    pub(super) blocking: String,
    pub(super) twin: Option<String>,
    pub(super) setting: Setting,
}

/// What runs with the same engine found, put together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Results {
    version: u32,
    /// The machine: name and value.
    pub(super) facts: Vec<(String, String)>,
    /// What the containers were run by.
    pub(super) engine: String,
    /// Of the newest run.
    pub(super) settings: Settings,
    pub(super) places: Vec<Place>,
    pub(super) cells: Vec<Cell>,
}

impl Results {
    pub(super) fn new(facts: &[(&'static str, String)], settings: Settings, engine: String, rows: &[Chosen]) -> Self {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self {
            version: VERSION,
            facts,
            engine,
            settings,
            places: rows.iter().flat_map(places).collect(),
            cells: Vec::new(),
        }
    }

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        ensure!(path.exists(), "{} is missing: run `cargo xtask lab containers --write` first", path.display());
        let found: Self = read_json(&path)?;
        ensure!(found.version == VERSION, "{}: version {}, not {VERSION}", path.display(), found.version);
        Ok(found)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_json(self, &folder.join(FILE))
    }

    /// With the rows of a newer run: what both have is the newer one's.
    pub(super) fn with(&self, newer: &Self) -> Self {
        let is_old = |id: &str| !newer.cells.iter().any(|cell| cell.id == id);
        let mut all = newer.clone();
        all.cells = self.cells.iter().filter(|cell| is_old(&cell.id)).chain(&newer.cells).cloned().collect();
        all.places = self.places.iter().filter(|place| is_old(&place.cell)).chain(&newer.places).cloned().collect();
        all
    }

    /// What intervals follow from: these rows, and what the other suites keep.
    pub(super) fn missed(&self, root: &Path) -> Result<Residuals> {
        Residuals::with_other_suites(root, SUITE, &self.cells)
    }
}

fn places(row: &Chosen) -> Vec<Place> {
    let place = |cell: String, twin: Option<&str>| Place {
        cell,
        side: row.side,
        language: row.language.name.to_owned(),
        blocking: row.language.blocking.name.to_owned(),
        twin: twin.map(str::to_owned),
        setting: row.setting,
    };
    let twins: Vec<Option<&str>> =
        if row.twins.is_empty() { vec![None] } else { row.twins.iter().map(|(form, _)| Some(form.name)).collect() };
    row.ids().into_iter().zip(twins).map(|(id, twin)| place(id, twin)).collect()
}
