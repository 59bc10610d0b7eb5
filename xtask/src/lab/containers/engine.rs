//! What runs containers. Two kinds: a Docker engine of our own, or a root folder and namespaces.
//! All containers of a run share one network namespace, and talk over its loopback.

use std::process::Command;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::{docker::Docker, folder::Folder, languages::Image, outside, roots::Roots};
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
            Self::Folder(_) => outside::only_child(command),
        }
    }
}
