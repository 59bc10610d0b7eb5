//! `record`, `report`, `diff`, `predict-check`: measurements that are kept, and what is made of
//! them.

use std::path::Path;

use anyhow::{Result, bail};

use super::{
    check,
    exit::CliError,
    flags::{DiffFlags, PredictCheckFlags, RecordFlags, ReportFlags},
    output, settings,
};
use crate::{
    aggregate::Window,
    answer::{Compared, Diff, Per, PredictionCheck, Profile, Report, Unit, Weight},
    export::{
        Format, markdown,
        svg::{self, Scale, Widths},
    },
    machine::Way,
    pipeline::{
        self,
        outputs::{self, Output, OutputError, Shown, StackSide},
        recording::{Recorder, report_of, report_with_engine},
    },
    record::{RecordError, Recording, write_atomically},
    report::{self, TextOptions},
    text::numbers,
    words::{self, InWords},
};

/// Why a difference of two recordings has no interval.
const TOO_FEW_SECONDS: &str = "one of the two has fewer than three seconds, or is of `check --record`, \
    which keeps no seconds; use `record -d 10s`";

/// Measures and writes a recording.
pub(super) fn record(flags: &RecordFlags) -> Result<()> {
    output::log_to_stderr(flags.verbose);
    let stop = check::stop_flag()?;
    output::writable(&flags.output)?;
    let recording = check::on_target(&flags.selection(), &flags.command, |request, progress| {
        let mut request = request.clone();
        request.stacks = true;
        let mut recorder = Recorder::new(progress);
        let measurement = pipeline::measure(&request, &stop, &mut recorder)?;
        Ok(recorder.finish(measurement))
    })?;
    let bytes = match recording.write(&flags.output) {
        Ok(bytes) => bytes,
        Err(error) => return keep(&recording, &flags.output, error),
    };
    let said = report_of(&recording);
    output::say(&format!(
        "{}: {}. {}\nNext: should-i-async report {} -o report.html",
        words::wrote(&flags.output, bytes),
        said.window.words(),
        said.verdict.sentence(),
        flags.output.display(),
    ));
    Ok(())
}

/// What was measured is not lost with a disk that is full: it goes to the folder for temporary
/// files, and where that cannot be written either, its report goes to stdout. The error stays one.
fn keep(recording: &Recording, path: &Path, error: RecordError) -> Result<()> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let other = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
    match recording.write(&other) {
        Ok(bytes) => output::say(&words::kept_elsewhere(&other, bytes)),
        Err(_) => {
            let options = TextOptions { width: output::width(), color: output::wants_color(), ..Default::default() };
            output::print(&report::text(&report_of(recording), &options))?;
        }
    }
    Err(error.into())
}

/// Writes a recording in the formats that the file names say.
pub(super) fn report(flags: &ReportFlags) -> Result<()> {
    let mut files = flags.output.iter().map(|path| Output::for_file(path)).collect::<Result<Vec<_>, _>>()?;
    let worth = flags.worth.share()?;
    let mut recording = Recording::read_up_to(&flags.file, flags.read.most())?;
    recording.inputs.worth = worth;
    let (found, engine) = report_with_engine(&recording);
    if files.is_empty() {
        let options = TextOptions {
            width: output::width(),
            verbose: flags.verbose,
            explain: flags.explain,
            color: output::wants_color(),
            ..TextOptions::default()
        };
        let profile = Profile::new(&found, &recording.window, &recording.sampled);
        return output::print(&(report::text(&found, &options) + &report::stacks(&profile, &options)));
    }
    let side = match (flags.user, flags.kernel) {
        (true, _) => Some(StackSide::User),
        (_, true) => Some(StackSide::Kernel),
        _ => None,
    };
    let profile = outputs::one_side(Profile::new(&found, &recording.window, &recording.sampled), side);
    for file in &mut files {
        file.weight = flags.weight.as_deref().and_then(settings::weight);
        let bytes = outputs::write(file, &Shown { report: &found, engine: engine.as_ref(), profile: &profile })?;
        output::say(&words::wrote(&file.path, bytes));
    }
    Ok(())
}

/// A recording with its report.
struct Read {
    recording: Recording,
    report: Report,
}

impl Read {
    fn file(path: &Path, most: u64) -> Result<Self> {
        let recording = Recording::read_up_to(path, most)?;
        let report = report_of(&recording);
        Ok(Self { recording, report })
    }

    fn parts(&self) -> Vec<&Window> {
        self.recording.parts.iter().map(|p| &p.window).collect()
    }

    fn profile(&self) -> Profile {
        Profile::new(&self.report, &self.recording.window, &self.recording.sampled)
    }
}

/// What figures are divided by: what the user said, else what both have most of.
fn unit(given: Option<(Per, Per)>, [first, second]: &[Compared<'_>; 2]) -> Unit {
    match given {
        Some((first, second)) => Unit::given(first, second),
        None => Unit::chosen(first.window, second.window),
    }
}

/// Prints how two recordings differ; with `--fail-above` it may fail.
pub(super) fn diff(flags: &DiffFlags) -> Result<()> {
    let given = flags.per.as_deref().map(settings::per).transpose()?;
    let limit = flags.fail_above.as_deref().map(settings::fail_above).transpose()?;
    let output = flags.output.as_deref().map(|path| Ok::<_, CliError>((path, drawable(path)?))).transpose()?;
    let (before, after) = (Read::file(&flags.before, flags.read.most())?, Read::file(&flags.after, flags.read.most())?);
    let (first, second) = (before.parts(), after.parts());
    let compared = [(&before, &first), (&after, &second)].map(|(read, parts)| Compared {
        window: &read.recording.window,
        report: &read.report,
        parts,
    });
    let unit = unit(given.map(|per| (per.clone(), per)), &compared);
    let found = Diff::new(&compared[0], &compared[1], &unit).map_err(|none| CliError::Usage(none.in_words()))?;
    let names = (flags.before.display().to_string(), flags.after.display().to_string());
    output::print(&report::diff(&found, (&names.0, &names.1)))?;
    if let Some((path, format)) = output {
        let written = match format {
            Format::Markdown => markdown::diff(&found, (&names.0, &names.1)),
            _ => drawn(flags, path, &found, (&before, &after))?,
        };
        let bytes = write_atomically(path, |out| out.write_all(written.as_bytes()))
            .map_err(|source| OutputError::Io { path: path.to_owned(), source })?;
        output::say(&words::wrote(path, bytes));
    }
    // The table is printed all the same, but its CPU is neither a saving nor a loss.
    unit.check(compared[0].window, compared[1].window).map_err(|why| CliError::Incomparable(why.in_words()))?;
    let Some(limit) = limit else { return Ok(()) };
    if found.changes.iter().any(|c| c.measure.is_cost() && c.difference.is_none()) {
        bail!(CliError::Incomparable(format!("a change cannot be told from noise: {TOO_FEW_SECONDS}")));
    }
    let worse: Vec<String> = found
        .worse_than(limit)
        .map(|c| format!("{} {}", c.measure.name(), numbers::change(c.relative().unwrap_or(0.0))))
        .collect();
    if worse.is_empty() {
        return Ok(());
    }
    bail!(CliError::Worse(format!(
        "more than {} above the first recording, per {}: {}",
        numbers::percent(limit),
        found.per.unit(),
        worse.join(", ")
    )))
}

/// What a difference can be written as, by the file's name.
fn drawable(path: &Path) -> Result<Format, CliError> {
    let format = Format::from_path(path).filter(|format| matches!(format, Format::Svg | Format::Markdown));
    format.ok_or_else(|| {
        let [picture, table] = [Format::Svg, Format::Markdown].map(Format::ending);
        CliError::Usage(format!(
            "{}: a difference can be written as {picture} or {table}: give a name with one of these endings",
            path.display()
        ))
    })
}

/// The flame graph of a difference.
fn drawn(flags: &DiffFlags, path: &Path, found: &Diff, (before, after): (&Read, &Read)) -> Result<String> {
    let weight = settings::weight(&flags.weight).unwrap_or(Weight::Cpu);
    let unit = format!("ns per {}", found.per.unit());
    let scale = Scale { before: 1.0 / found.units.0, after: 1.0 / found.units.1, unit: &unit };
    let title = format!("{} → {}", flags.before.display(), flags.after.display());
    let drawn = svg::diff(&before.profile(), &after.profile(), weight, scale, Widths::After, &title);
    Ok(drawn.map_err(|source| OutputError::Export { path: path.to_owned(), source })?)
}

/// Compares the prediction of one recording with what another one measured.
pub(super) fn predict_check(flags: &PredictCheckFlags) -> Result<()> {
    let both = |text: &str| {
        let (first, second) = text.split_once(',').unwrap_or((text, text));
        Ok::<_, CliError>((settings::per(first)?, settings::per(second)?))
    };
    let given = flags.per.as_deref().map(both).transpose()?;
    if given.as_ref().is_some_and(|(first, second)| *first == Per::CpuSecond || *second == Per::CpuSecond) {
        bail!(CliError::Usage("CPU per CPU-second is always 1: give --per second, or a syscall's name".into()));
    }
    if given.as_ref().is_some_and(|(first, second)| (*first == Per::Second) != (*second == Per::Second)) {
        bail!(CliError::Usage(
            "CPU per second and per call cannot be compared: give --per second, or the names of two calls".into()
        ));
    }
    let row = flags.row.as_deref().map(settings::row).transpose()?;
    let way = flags.way.as_deref().and_then(|name| Way::ALL.into_iter().find(|w| w.name() == name));
    let (blocking, twin) =
        (Read::file(&flags.blocking, flags.read.most())?, Read::file(&flags.twin, flags.read.most())?);
    let (ours, theirs) = (blocking.parts(), twin.parts());
    let compared = [(&blocking, &ours), (&twin, &theirs)].map(|(read, parts)| Compared {
        window: &read.recording.window,
        report: &read.report,
        parts,
    });
    let unit = unit(given, &compared);
    unit.check(compared[0].window, compared[1].window).map_err(|why| CliError::Incomparable(why.in_words()))?;
    let found = PredictionCheck::new(&compared[0], &compared[1], &unit, way)
        .map_err(|none| CliError::Usage(none.in_words()))?;
    if let Some(name) = row {
        let Some(row) = report::row(name, &found, &blocking.report, &twin.report) else {
            bail!(CliError::Incomparable(format!("no row without an interval: {TOO_FEW_SECONDS}")));
        };
        return output::print(&row);
    }
    let names = (flags.blocking.display().to_string(), flags.twin.display().to_string());
    output::print(&report::prediction_check(&found, (&names.0, &names.1)))
}
