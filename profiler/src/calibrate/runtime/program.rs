//! What is run: an interpreter, whom it runs as, and where it finds its files.

use std::{fs::File, path::PathBuf};

use crate::machine::Language;

/// A user by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// The program to run: opened once, so that it is what was looked at.
#[derive(Debug)]
pub struct Program {
    /// The executable, opened when it was found.
    pub file: File,
    /// What it is called, from which an interpreter finds its files.
    pub path: PathBuf,
    /// The language that it runs.
    pub language: Language,
    /// What tells this build from others.
    pub build_id: String,
    /// Whom it runs as, where this process may choose; `None`: nobody.
    pub user: Option<User>,
    /// Where it finds its files, if not where this process does.
    pub place: Option<Place>,
}

/// The root of another process, with its mount and PID namespaces.
#[derive(Debug)]
pub struct Place {
    /// The root of its file system, `/proc/PID/root`.
    pub root: File,
    /// Its mount namespace, `/proc/PID/ns/mnt`.
    pub mounts: File,
    /// Its PID namespace, `/proc/PID/ns/pid`.
    pub pids: File,
}
