//! Reports as files: which format, and written in one step.

use std::path::{Path, PathBuf};

use super::ask;
use crate::{
    answer::{Profile, Report, Stalls, Weight},
    export::{self, ExportError, Format, folded::Names},
    feed::Update,
    predict::Engine,
    record::write_atomically,
    report::{self, TextOptions},
    symbol::Origin,
    words,
};

/// A file to write.
#[derive(Clone, Debug)]
pub struct Output {
    /// Where the file is to be.
    pub path: PathBuf,
    pub format: Format,
    /// What flame graphs and folded stacks are weighted by; `None`: blocking cost, or blocked time
    /// where there is none.
    pub weight: Option<Weight>,
}

/// What a file is made of.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub report: &'a Report,
    /// The engine behind its prediction, for what a page lets its reader choose.
    pub engine: Option<&'a Engine>,
    /// The stacks that belong to the report.
    pub profile: &'a Profile,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The ending names no format.
    #[error("{}: the ending of a file's name says its format; give one of {}", .0.display(), Format::endings())]
    Ending(PathBuf),
    /// The ending names no format for stalls.
    #[error("{}: stalls are written as {}; give one of these endings", .0.display(), STALLS.map(Format::ending).join(", "))]
    Stalls(PathBuf),
    /// There is nothing to draw with this weight.
    #[error("{}: {source}. --weight takes cost, blocked, run-delay or cpu", path.display())]
    Export {
        path: PathBuf,
        /// Why it cannot be drawn.
        source: ExportError,
    },
    /// There is no recovery curve.
    #[error("{}: {source}", path.display())]
    Curve {
        path: PathBuf,
        /// Why there is none.
        source: ExportError,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}. Choose another path", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl Output {
    /// A file of this name, its format by its ending.
    ///
    /// # Errors
    /// An ending that is none of the known ones.
    pub fn for_file(path: &Path) -> Result<Self, OutputError> {
        match Format::from_path(path) {
            Some(format) => Ok(Self { path: path.to_owned(), format, weight: None }),
            None => Err(OutputError::Ending(path.to_owned())),
        }
    }
}

/// The weight where the user names none: the first of cost, blocked time and CPU that is not zero.
fn default_weight(profile: &Profile) -> Weight {
    [Weight::Cost, Weight::Blocked, Weight::Cpu].into_iter().find(|&w| profile.total(w) > 0).unwrap_or(Weight::Blocked)
}

/// Writes a file and returns its size in bytes.
///
/// # Errors
/// See [`OutputError`]; nothing is left behind then.
pub fn write(output: &Output, shown: &Shown<'_>) -> Result<u64, OutputError> {
    let bytes = render(output, shown)?;
    put(&output.path, &bytes)
}

fn put(path: &Path, bytes: &[u8]) -> Result<u64, OutputError> {
    write_atomically(path, |out| out.write_all(bytes))
        .map_err(|source| OutputError::Io { path: path.to_owned(), source })?;
    Ok(bytes.len() as u64)
}

/// Writes stalls as a file, and returns its size in bytes.
///
/// # Errors
/// See [`OutputError`]; nothing is left behind then.
pub fn write_stalls(path: &Path, stalls: &Stalls) -> Result<u64, OutputError> {
    let text = match stalls_format(path)? {
        Format::Json => report::stalls_json(stalls),
        Format::Svg => {
            export::svg::stalls(stalls).map_err(|source| OutputError::Curve { path: path.to_owned(), source })?
        }
        Format::Folded => export::folded::write(&stalls.profile(), Weight::Blocked, Names::Annotated),
        _ => report::stalls(stalls, &TextOptions { verbose: true, ..TextOptions::default() }),
    };
    put(path, text.as_bytes())
}

/// The format of a file of stalls.
///
/// # Errors
/// An ending that is none of those that stalls can be written as.
pub fn stalls_format(path: &Path) -> Result<Format, OutputError> {
    let format = Format::from_path(path).filter(|format| STALLS.contains(format));
    format.ok_or_else(|| OutputError::Stalls(path.to_owned()))
}

/// What stalls can be written as.
const STALLS: [Format; 4] = [Format::Text, Format::Json, Format::Svg, Format::Folded];

/// Writes what a screen shows, and says what came of it.
pub(super) fn answer(path: &Path, weight: Weight, shown: &Shown<'_>) -> Update {
    let written = Output::for_file(path).and_then(|mut output| {
        output.weight = Some(weight);
        write(&output, shown)
    });
    match written {
        Ok(bytes) => Update::Note(words::wrote(path, bytes)),
        Err(error) => Update::Problem(error.to_string()),
    }
}

fn render(output: &Output, shown: &Shown<'_>) -> Result<Vec<u8>, OutputError> {
    let Shown { report, profile, .. } = *shown;
    let weight = output.weight.unwrap_or_else(|| default_weight(profile));
    let plain = || plain(report, profile);
    let mut text = match output.format {
        Format::Text => plain(),
        Format::Json => report::json(report),
        Format::Markdown => export::markdown::report(report),
        Format::Html => page(shown),
        Format::Svg => export::svg::flame(profile, report, weight)
            .map_err(|source| OutputError::Export { path: output.path.clone(), source })?,
        Format::Ipc => export::recovery::picture(report)
            .map_err(|source| OutputError::Curve { path: output.path.clone(), source })?,
        Format::Folded => export::folded::write(profile, weight, Names::Annotated),
        Format::Speedscope => export::speedscope::encode(profile, report),
        Format::Pprof => {
            return export::pprof::encode(profile, report, Weight::Cost)
                .map_err(|source| OutputError::Io { path: output.path.clone(), source });
        }
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text.into_bytes())
}

fn plain(report: &Report, profile: &Profile) -> String {
    let options = TextOptions { verbose: true, top_sites: 30, top_threads: 30, ..TextOptions::default() };
    report::text(report, &options) + &report::stacks(profile, &options)
}

/// The page for a browser.
pub(super) fn page(shown: &Shown<'_>) -> String {
    let Shown { report, engine, profile } = *shown;
    let grid = engine.map(|engine| ask::grid(engine, &report.what_if));
    export::html::page(report, profile, grid.as_ref(), &plain(report, profile))
}

/// The stacks with only one side's frames. `None` keeps both.
pub fn one_side(profile: Profile, side: Option<StackSide>) -> Profile {
    match side {
        None => profile,
        Some(StackSide::User) => profile.without(|f| f.origin == Origin::Kernel),
        Some(StackSide::Kernel) => {
            profile.without(|f| matches!(f.origin, Origin::User | Origin::Jit) || f.name == words::OUTER_MISSING)
        }
    }
}

/// Which half of the stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackSide {
    /// Without the kernel's frames.
    User,
    /// Without the program's frames.
    Kernel,
}
