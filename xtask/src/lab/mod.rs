//! `cargo xtask lab`: predictions against the truth. `check` sees only a blocking program and says
//! what async would give back; then the async twin is measured.
//!
//! [`predict`] runs the [`cells`] through the [`harness`](crate::harness), which starts them as
//! [`programs`] says. [`table`] and [`plot`] show [`results`], from a file. [`containers`] does the
//! same with programs in several languages. [`ipc`] is apart: its [`sweep`] gives curves of the IPC
//! after returns, drawn by [`curves`]; [`latency`] and [`files`] are apart too.

mod cells;
pub(crate) mod containers;
mod curves;
pub(crate) mod files;
pub(crate) mod ipc;
mod latency;
mod plot;
mod predict;
mod programs;
mod results;
mod sweep;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::{host::markdown, say::say};
use results::{Results, documents};

/// Predictions against the truth.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Predict(predict::Options),
    Containers(containers::Options),
    Ipc(ipc::Options),
    Latency(latency::Options),
    Files(files::Options),
    /// Draws docs/lab/*.svg.
    Plot(From),
    /// Writes docs/lab/results.md.
    Table(From),
}

/// Where results are read.
#[derive(Args)]
struct From {
    /// Results of `lab predict` [default: docs/lab/results.json]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Folder to write to [default: docs/lab]
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    match &options.what {
        What::Predict(options) => predict::run(root, options),
        What::Containers(options) => containers::run(root, options),
        What::Ipc(options) => ipc::run(root, options),
        What::Latency(options) => latency::run(root, options),
        What::Files(options) => files::run(root, options),
        What::Plot(from) => {
            let (results, folder) = from.open(root)?;
            for path in plot::draw(&results, &results.missed(root)?, &folder)? {
                say(&format!("written: {}", path.display()))?;
            }
            Ok(())
        }
        What::Table(from) => {
            let (results, folder) = from.open(root)?;
            let path = folder.join("results.md");
            markdown::write(&path, &table::document(&results, &results.missed(root)?))?;
            say(&format!("written: {}", path.display()))
        }
    }
}

impl From {
    fn open(&self, root: &Path) -> Result<(Results, PathBuf)> {
        let from = self.from.clone().unwrap_or_else(|| documents(root).join("results.json"));
        let to = self.to.clone().unwrap_or_else(|| documents(root));
        let results = Results::read(&from)?;
        fs::create_dir_all(&to).with_context(|| format!("creating {}", to.display()))?;
        Ok((results, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::file::assert_kept;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn the_documents_are_those_of_the_kept_results() {
        let from = From { from: None, to: None };
        let (results, kept) = from.open(root()).unwrap();
        let missed = results.missed(root()).unwrap();
        assert_kept(&kept, "lab table", |folder| {
            markdown::write(&folder.join("results.md"), &table::document(&results, &missed)).unwrap();
        });
        assert_kept(&kept, "lab plot", |folder| {
            plot::draw(&results, &missed, folder).unwrap();
        });
        assert_kept(&kept, "lab latency", |folder| latency::write_kept(root(), folder).unwrap());
        assert_kept(&kept, "lab containers --table", |folder| containers::write_kept(root(), folder).unwrap());
    }
}
