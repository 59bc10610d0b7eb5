//! What runs containers. Two kinds: a Docker engine of our own, or a root folder and namespaces.
//! All containers of a run share one network namespace, and talk over its loopback.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use super::{docker::Docker, folder::Folder, languages::Image};
use crate::pairs::needs::Place;

/// The kinds of engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Docker,
    Folder,
}

/// An engine that runs. Dropping it removes all that it made.
pub(super) enum Engine {
    Docker(Docker),
    Folder(Folder),
}

/// Folders with what the two images have in them.
pub(super) struct Roots {
    pub(super) alone: PathBuf,
    pub(super) debian: PathBuf,
}

impl Roots {
    /// Puts our programs into the roots. `debian` is the folder of one.
    pub(super) fn fill(place: &Place, debian: PathBuf) -> Result<Self> {
        let roots = Self { alone: place.folder.join("static"), debian };
        for language in ["c", "cpp", "go"] {
            copy(&place.folder.join(language).join("lab"), &roots.alone.join(language))?;
        }
        fs::create_dir_all(roots.alone.join("proc")).context("making the root of static programs")?;
        let inside = roots.debian.join("languages");
        if roots.debian.exists() {
            copy(&place.load, &inside.join("rust"))?;
            copy(&place.sources.join("python/lab.py"), &inside.join("python"))?;
            let classes = place.folder.join("java");
            let classes = fs::read_dir(&classes).into_iter().flatten().flatten().map(|entry| entry.path());
            let classes = classes.filter(|path| path.extension().is_some_and(|end| end == "class"));
            classes.into_iter().try_for_each(|path| copy(&path, &inside.join("java")))?;
        }
        Ok(roots)
    }

    pub(super) fn path(&self, image: Image) -> &Path {
        match image {
            Image::Static => &self.alone,
            Image::Debian => &self.debian,
        }
    }
}

/// Copies a file into a folder. What was not built is not there: its rows say why.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    let Some(name) = file.file_name().filter(|_| file.exists()) else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let to = folder.join(name);
    // A program that still runs from there keeps its file.
    let _ = fs::remove_file(&to);
    fs::copy(file, &to).with_context(|| format!("copying {}", file.display()))?;
    Ok(())
}

impl Engine {
    pub(super) fn start(kind: Kind, place: &Place, debian: &Place, install: bool) -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "containers need root");
        let roots = Roots::fill(place, debian.folder.join("trixie"))?;
        Ok(match kind {
            Kind::Docker => Self::Docker(Docker::start(place, &roots, install)?),
            Kind::Folder => Self::Folder(Folder::start(roots, "", install)?),
        })
    }

    /// What the document calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Docker(docker) => docker.version(),
            Self::Folder(_) => "`unshare` in a root folder".to_owned(),
        }
    }

    /// The command that runs a program in a container of its own, on one CPU. It stays in front,
    /// with the program's stdin and stdout.
    pub(super) fn command(&self, name: &str, image: Image, cpu: &str, words: &[String]) -> Command {
        match self {
            Self::Docker(docker) => docker.command(name, image, cpu, words),
            Self::Folder(folder) => folder.command(image, cpu, words),
        }
    }

    /// The program itself, by its number outside the container. `command` is the process of
    /// [`Self::command`].
    pub(super) fn program(&self, name: &str, command: u32) -> Result<u32> {
        match self {
            Self::Docker(docker) => docker.program(name),
            Self::Folder(_) => super::folder::program(command),
        }
    }
}
