//! Names as typed, and what is wrong with them.

use std::fmt;

use crate::process::error::TargetError;

/// How the user named processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A regular expression that is found in the name of a program.
    Program(String),
    /// A control group, by its path, with those below it.
    Cgroup(String),
    /// A container, by its id, or the beginning of it, or by its name.
    Container(String),
    /// A pod of Kubernetes, as `NAMESPACE/NAME`.
    Pod(String),
    /// A unit of systemd.
    Unit(String),
}

impl Name {
    /// The flag that takes such a name.
    const fn flag(&self) -> &'static str {
        match self {
            Self::Program(_) => "--name",
            Self::Cgroup(_) => "--cgroup",
            Self::Container(_) => "--container",
            Self::Pod(_) => "--pod",
            Self::Unit(_) => "--unit",
        }
    }

    /// What was typed.
    fn text(&self) -> &str {
        match self {
            Self::Program(text) | Self::Cgroup(text) | Self::Container(text) | Self::Pod(text) | Self::Unit(text) => {
                text
            }
        }
    }
}

/// `--unit 'nginx.service'`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.flag(), self.text())
    }
}

pub(super) fn bad(name: &Name, why: impl Into<String>) -> TargetError {
    TargetError::BadName { name: name.to_string(), why: why.into() }
}

pub(super) fn nothing(name: &Name, hint: impl Into<String>) -> TargetError {
    TargetError::NothingNamed { name: name.to_string(), hint: hint.into() }
}
