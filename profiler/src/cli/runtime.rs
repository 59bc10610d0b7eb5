//! `calibrate --runtime`: what an event costs in an interpreter, shown and kept.

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{exit::CliError, output};
use crate::{
    calibrate::runtime::{self, Place, Program, User},
    machine::Language,
    pipeline::runtimes,
    process::{self, Process},
    quantity::Tgid,
    report::calibration,
};

/// It takes about so long.
const BUDGET: Duration = Duration::from_secs(16);

pub(super) fn run(named: &str, json: bool) -> Result<()> {
    let program = match named.parse() {
        Ok(pid) => from_process(pid)?,
        Err(_) => from_path(Path::new(named))?,
    };
    let found = runtime::measure(&program, BUDGET).context("the runtime could not be measured")?;
    let kept = found.store();
    output::print(&if json { calibration::runtime_json(&found) } else { calibration::runtime_text(&found) })?;
    output::tell_kept(kept);
    Ok(())
}

fn usage<T>(named: impl std::fmt::Display, why: impl std::fmt::Display) -> Result<T> {
    bail!(CliError::Usage(format!("--runtime {named}: {why}")))
}

/// The executable of a process, run as the process's own user.
fn from_process(pid: u32) -> Result<Program> {
    let process = match Process::read(Tgid::from_raw(pid)) {
        Ok(process) => process,
        Err(error) => return usage(pid, format!("no such process ({error})")),
    };
    let Some(runtime) = runtimes::runtime_of(&process) else {
        return usage(
            pid,
            "it runs in no interpreter or virtual machine that is known here: plain `calibrate` has its prices",
        );
    };
    let exe = format!("/proc/{pid}/exe");
    let file = match File::open(&exe) {
        Ok(file) => file,
        Err(error) => return usage(pid, format!("its executable cannot be opened ({error})")),
    };
    let status = std::fs::metadata(format!("/proc/{pid}"))?;
    let user = Some(User { uid: status.uid(), gid: status.gid() });
    let place = elsewhere(pid).with_context(|| format!("the namespaces of process {pid}"))?;
    let root = if place.is_some() { format!("/proc/{pid}/root") } else { String::new() };
    let leads_to_it = |path: &PathBuf| {
        let path = path.strip_prefix("/").unwrap_or(path);
        is_same(&Path::new(&format!("{root}/")).join(path), &file)
    };
    let exe_path = process.exe.as_deref().map(|path| process::as_it_names(process.tgid, path));
    let started = process.cmdline.first().map(PathBuf::from).filter(|path| path.is_absolute() && leads_to_it(path));
    let Some(path) = started.or_else(|| exe_path.filter(leads_to_it)) else {
        return usage(pid, "its executable was replaced: name an interpreter of the same version");
    };
    program(file, path, runtime.language, user, place)
}

/// The root and the namespaces of a process, where they are not ours.
fn elsewhere(pid: u32) -> std::io::Result<Option<Place>> {
    let key = |path: String| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    let same =
        |what: &str| Ok::<_, std::io::Error>(key(format!("/proc/{pid}/{what}"))? == key(format!("/proc/self/{what}"))?);
    if same("root")? && same("ns/mnt")? && same("ns/pid")? {
        return Ok(None);
    }
    let open = |what: &str| File::open(format!("/proc/{pid}/{what}"));
    Ok(Some(Place { root: open("root")?, mounts: open("ns/mnt")?, pids: open("ns/pid")? }))
}

/// An executable, run as nobody.
fn from_path(path: &Path) -> Result<Program> {
    let path = match std::path::absolute(path) {
        Ok(path) => path,
        Err(error) => return usage(path.display(), error),
    };
    let shown = path.display();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => return usage(shown, error),
    };
    let mut magic = [0; 4];
    if (&file).read_exact(&mut magic).is_err() || magic != *b"\x7fELF" {
        return usage(
            shown,
            "this is a script or something else, and no program: name the interpreter that it starts, or a PID",
        );
    }
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let language = match name.as_str() {
        name if name.starts_with("python3") => Language::CPython,
        "java" => Language::Jvm,
        _ => return usage(shown, "this is neither python3 nor java: only these can be measured"),
    };
    program(file, path, language, None, None)
}

fn program(file: File, path: PathBuf, language: Language, user: Option<User>, place: Option<Place>) -> Result<Program> {
    if !language.is_priced() {
        return usage(path.display(), format!("{}: it has no ways of waiting to choose from", language.name()));
    }
    let build_id = file.try_clone().and_then(runtimes::build_id);
    let build_id = build_id.with_context(|| format!("reading {}", path.display()))?;
    Ok(Program { file, path, language, build_id, user, place })
}

/// Whether a path leads to the file that is open: by device and inode.
fn is_same(path: &Path, file: &File) -> bool {
    let key = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    std::fs::metadata(path).is_ok_and(|at| file.metadata().is_ok_and(|open| key(at) == key(open)))
}
