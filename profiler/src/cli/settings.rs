//! Flags into settings: every value checked before anything is attached.

use std::time::Duration;

use fundu::{CustomDurationParserBuilder, CustomTimeUnit, ParseError, TimeUnit};

#[cfg(feature = "serve")]
use super::flags::ServeFlags;
use super::{
    exit::CliError,
    flags::{
        CheckFlags, CostFlags, DemoClientFlags, DemoServerFlags, NameFlags, RecordFlags, StallsFlags, TargetFlags,
        TopFlags, WorthFlags,
    },
    output::View,
};
use crate::{
    answer::{Per, Weight},
    demo,
    kernel::Form,
    pipeline::Request,
    process::{self, Name, TargetSpec},
    quantity::Nanos,
};
#[cfg(feature = "serve")]
use crate::{pipeline::Catch, process::Wanted};

/// How long `check` measures unless the user says so.
const DEFAULT_DURATION: Nanos = Nanos::from_millis(10_000);

/// How long `record` records unless the user says so.
const DEFAULT_RECORDING: Nanos = Nanos::from_millis(30_000);

/// How long `top --once` measures unless the user says so.
const DEFAULT_GLANCE: Nanos = Nanos::from_millis(5_000);

/// Call sites for each process of the machine, and how many in all: programs that begin meanwhile
/// have sites too.
const SITES_EACH: u32 = 8;
const LEAST_SITES: u32 = 8_192;
const MOST_SITES: u32 = 16_384;
const SITES_OF_ALL: u32 = 65_536;

/// The units of a duration; without one it is in seconds.
const UNITS: [CustomTimeUnit<'static>; 7] = [
    CustomTimeUnit::with_default(TimeUnit::NanoSecond, &["ns"]),
    CustomTimeUnit::with_default(TimeUnit::MicroSecond, &["us", "µs"]),
    CustomTimeUnit::with_default(TimeUnit::MilliSecond, &["ms"]),
    CustomTimeUnit::with_default(TimeUnit::Second, &["s"]),
    CustomTimeUnit::with_default(TimeUnit::Minute, &["m", "min"]),
    CustomTimeUnit::with_default(TimeUnit::Hour, &["h"]),
    CustomTimeUnit::with_default(TimeUnit::Day, &["d"]),
];

/// The longest duration. It also keeps the sum with the clock far from overflow.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The shortest duration that a flag takes.
const SHORTEST: Duration = Duration::from_millis(1);

/// A duration as typed: `250ms`, `1.5s`, `2m`, `1h30m`; a plain number is seconds.
pub(super) fn duration(text: &str) -> Result<Nanos, CliError> {
    let bad =
        |why: &str| CliError::Usage(format!("bad duration '{text}': {why}; give it like 500ms, 10s, 2m or 1h30m"));
    let parser =
        CustomDurationParserBuilder::new().time_units(&UNITS).allow_time_unit_delimiter().disable_infinity().build();
    let mut sum = Duration::ZERO;
    for part in parts(text.trim()).into_iter().map(str::trim) {
        let parsed = parser.parse(part).map_err(|error| match error {
            ParseError::TimeUnit(..) => bad("unknown unit"),
            ParseError::NegativeNumber => bad("not a length of time"),
            _ => bad("not a number"),
        })?;
        let length = Duration::try_from(parsed).ok().and_then(|length| sum.checked_add(length));
        sum = length.filter(|&sum| sum <= LONGEST).ok_or_else(|| bad("longer than a day"))?;
    }
    if sum < SHORTEST {
        return Err(bad("nothing can be measured in less than 1ms"));
    }
    Ok(Nanos::from_nanos(sum.as_nanos() as u64))
}

/// The parts of `1h30m`: each a number and its unit. A number without a unit is only a part where
/// it is all there is, and `1e3s` is one number.
fn parts(text: &str) -> Vec<&str> {
    let compound = |text: &str| !text.contains(['-', '+', 'e', 'E']);
    if !compound(text) || text.ends_with(|c: char| c.is_ascii_digit()) {
        return vec![text];
    }
    let mut parts = Vec::new();
    let (mut begin, mut in_unit) = (0, false);
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() && in_unit {
            parts.push(&text[begin..at]);
            begin = at;
        }
        in_unit = c.is_alphabetic() || (in_unit && c.is_whitespace());
    }
    parts.push(&text[begin..]);
    parts
}

/// `3%`, `0.03` or `3`.
fn share(text: &str) -> Result<f64, CliError> {
    let bad =
        || CliError::Usage(format!("bad --max-overhead '{text}': give a percentage between 0% and 100%, like 3%"));
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, if text.starts_with("0.") { 1.0 } else { 100.0 }),
    };
    let share = number.trim().parse::<f64>().map_err(|_| bad())? / scale;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err(bad()) }
}

impl CostFlags {
    fn rooms(&self) -> Result<(Option<u32>, Option<u32>), CliError> {
        let room = |what: &str, n: Option<u32>, max: u32| match n {
            Some(n) if !(16..=max).contains(&n) => {
                Err(CliError::Usage(format!("{what} {n} is out of range: give a number between 16 and {max}")))
            }
            n => Ok(n),
        };
        Ok((room("--max-threads", self.max_threads, 1 << 22)?, room("--max-sites", self.max_sites, 1 << 20)?))
    }
}

impl CheckFlags {
    /// How the report is to be shown.
    pub(super) fn view(&self) -> View {
        View { json: self.json, verbose: self.verbose > 0, explain: self.explain }
    }

    /// What is to be measured.
    pub(super) fn selection(&self) -> Selection<'_> {
        self.target.selection(self.duration.as_deref(), Some(DEFAULT_DURATION))
    }
}

impl StallsFlags {
    /// What is to be measured.
    pub(super) fn selection(&self) -> Selection<'_> {
        self.target.selection(self.duration.as_deref(), Some(DEFAULT_DURATION))
    }

    /// From what length on a turn is a stall.
    pub(super) fn over(&self) -> Result<Nanos, CliError> {
        duration(&self.over)
    }
}

impl RecordFlags {
    /// What is to be recorded.
    pub(super) fn selection(&self) -> Selection<'_> {
        self.target.selection(self.duration.as_deref(), Some(DEFAULT_RECORDING))
    }
}

impl NameFlags {
    /// All of them.
    fn all(&self) -> Vec<Name> {
        let names = |typed: &[String], name: fn(String) -> Name| typed.iter().cloned().map(name).collect::<Vec<_>>();
        [
            names(&self.name, Name::Program),
            names(&self.container, Name::Container),
            names(&self.unit, Name::Unit),
            names(&self.pod, Name::Pod),
            names(&self.cgroup, Name::Cgroup),
        ]
        .concat()
    }
}

impl TargetFlags {
    /// Whether nothing is named.
    pub(super) fn is_empty(&self) -> bool {
        self.pid.is_empty() && self.tid.is_empty() && self.names.all().is_empty()
    }

    /// Settings for this long, else for `default`, else until the target ends.
    pub(super) fn selection<'a>(&'a self, duration: Option<&'a str>, default: Option<Nanos>) -> Selection<'a> {
        let names = self.names.all();
        let (pid, tid, cost) = (&self.pid[..], &self.tid[..], &self.cost);
        Selection { pid, tid, names, tree: self.tree, everyone: false, duration, default, cost }
    }

    /// Settings without an end, for a process that was chosen from a list.
    pub(super) fn selection_of<'a>(&'a self, pid: &'a [u32]) -> Selection<'a> {
        Selection { pid, ..self.selection(None, None) }
    }
}

impl TopFlags {
    /// Settings for every process of the machine: for as long as `--once` measures, or without an
    /// end.
    pub(super) fn request(&self) -> anyhow::Result<Request> {
        let default = self.once.then_some(DEFAULT_GLANCE);
        let request = request_of_everyone(&self.cost, self.duration.as_deref(), default)?;
        Ok(Request { worth: self.worth.share()?, ..request })
    }

    /// Fails where a flag is given that only `--once` heeds.
    pub(super) fn only_once(&self) -> Result<(), CliError> {
        let given = [
            ("--json", self.json),
            ("--duration", self.duration.is_some()),
            ("-n", self.rows.is_some()),
            ("--verbose", self.verbose > 0),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(CliError::Usage(format!("{flag} goes with --once: without it `top` is a screen"))),
            None => Ok(()),
        }
    }

    /// Settings for a row that was chosen.
    pub(super) fn request_of(&self, spec: &TargetSpec) -> anyhow::Result<Request> {
        let selection = Selection {
            pid: &spec.pids,
            tid: &[],
            names: spec.names.clone(),
            tree: false,
            everyone: false,
            duration: None,
            default: None,
            cost: &self.cost,
        };
        Ok(Request { worth: self.worth.share()?, ..selection.request(None)? })
    }
}

/// Settings for every process of the machine.
fn request_of_everyone(cost: &CostFlags, duration: Option<&str>, default: Option<Nanos>) -> anyhow::Result<Request> {
    let (pid, tid, names) = (&[][..], &[][..], Vec::new());
    let selection = Selection { pid, tid, names, tree: true, everyone: true, duration, default, cost };
    let request = selection.request(None)?;
    let wanted = (request.target.processes.len() as u32).saturating_mul(SITES_EACH).clamp(LEAST_SITES, MOST_SITES);
    // Each CPU has a copy.
    let sites = wanted.min(SITES_OF_ALL / process::online_cpus()).max(2_048);
    Ok(Request { max_sites: request.max_sites.or(Some(sites)), ..request })
}

#[cfg(feature = "serve")]
impl ServeFlags {
    /// Settings without an end, and what they were made of.
    pub(super) fn request(&self) -> anyhow::Result<(Request, Wanted)> {
        let worth = self.worth.share()?;
        let stalls = self.stalls.as_deref().map(duration).transpose()?;
        let stalls = stalls.map(|over| Catch { over, stacks: false });
        let (request, wanted) = if self.target.is_empty() {
            (request_of_everyone(&self.target.cost, None, None)?, Wanted::everyone())
        } else {
            let selection = self.target.selection(None, None);
            (selection.request(None)?, Wanted::new(&selection.spec())?)
        };
        Ok((Request { worth, stalls, ..request }, wanted))
    }
}

/// The flags that say what is measured, for how long, and at what cost: those of several commands.
pub(super) struct Selection<'a> {
    pid: &'a [u32],
    tid: &'a [u32],
    names: Vec<Name>,
    tree: bool,
    everyone: bool,
    duration: Option<&'a str>,
    default: Option<Nanos>,
    cost: &'a CostFlags,
}

impl Selection<'_> {
    /// Everything that can be checked before there is a process.
    pub(super) fn check_before_command(&self) -> Result<(), CliError> {
        if !(self.pid.is_empty() && self.tid.is_empty() && self.names.is_empty()) {
            return Err(CliError::Usage("give either a target that runs or -- CMD, not both".into()));
        }
        self.duration.map(duration).transpose()?;
        share(&self.cost.max_overhead)?;
        self.cost.rooms()?;
        Ok(())
    }

    /// What they name.
    fn spec(&self) -> TargetSpec {
        TargetSpec {
            pids: self.pid.to_vec(),
            tids: self.tid.to_vec(),
            names: self.names.clone(),
            everyone: self.everyone,
            tree: self.tree,
        }
    }

    /// Settings for a target that lives already, or for a command that waits to be started as
    /// `child`.
    pub(super) fn request(&self, child: Option<u32>) -> anyhow::Result<Request> {
        let given = self.duration.map(duration).transpose()?;
        let max_overhead = if self.cost.exact { None } else { Some(share(&self.cost.max_overhead)?) };
        let (max_threads, max_sites) = self.cost.rooms()?;
        let spec = match child {
            Some(pid) => TargetSpec { pids: vec![pid], ..TargetSpec::default() },
            None => self.spec(),
        };
        let target = process::resolve(&spec)?;
        Ok(Request {
            follow: self.tree || child.is_some() || !target.groups.is_empty(),
            target,
            duration: match child {
                Some(_) => given,
                None => given.or(self.default),
            },
            max_threads,
            max_sites,
            max_overhead,
            form: self.cost.raw_tracepoints.then_some(Form::Raw),
            price: true,
            stacks: false,
            stalls: None,
            snapshots: false,
            keep_wire: false,
            worth: None,
        })
    }
}

/// Reads what was typed after `--per`.
pub(super) fn per(text: &str) -> Result<Per, CliError> {
    match text.trim() {
        "cpu-second" => Ok(Per::CpuSecond),
        "second" => Ok(Per::Second),
        name if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            Ok(Per::Call { syscall: name.to_owned() })
        }
        _ => Err(CliError::Usage(format!(
            "bad --per '{text}': give cpu-second, second, or the name of a syscall like recvfrom"
        ))),
    }
}

/// `--row` as typed: the name of a row, which begins with that of the program.
pub(super) fn row(name: &str) -> Result<&str, CliError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(good) {
        return Ok(name);
    }
    Err(CliError::Usage(format!(
        "bad --row '{name}': give letters, digits, '-', '_' and '.', the program first, like myserver-c64-epoll"
    )))
}

/// A weight as typed; the flag has checked it.
pub(super) fn weight(text: &str) -> Option<Weight> {
    Weight::ALL.into_iter().find(|w| w.key() == text)
}

/// Reads the percentage after `--fail-above`, as a share.
pub(super) fn fail_above(text: &str) -> Result<f64, CliError> {
    percent("--fail-above", text)
}

/// A percentage as typed, with or without its sign.
fn percent(flag: &str, text: &str) -> Result<f64, CliError> {
    let bad = || CliError::Usage(format!("bad {flag} '{text}': give a percentage like 5%"));
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().map_err(|_| bad())?;
    if number.is_finite() && number >= 0.0 { Ok(number / 100.0) } else { Err(bad()) }
}

impl WorthFlags {
    /// From what share of its CPU on; `None`: the default.
    pub(super) fn share(&self) -> Result<Option<f64>, CliError> {
        let share = self.worth.as_deref().map(|text| percent("--worth", text)).transpose()?;
        match share {
            Some(share) if share > 1.0 => {
                Err(CliError::Usage("--worth is more than 100% of its CPU: give a percentage like 5%".into()))
            }
            share => Ok(share),
        }
    }
}

impl DemoServerFlags {
    pub(super) fn settings(&self) -> demo::ServerSettings {
        demo::ServerSettings { cpu: self.cpu, seconds: self.seconds }
    }
}

impl DemoClientFlags {
    pub(super) fn settings(&self) -> demo::ClientSettings {
        demo::ClientSettings {
            port: self.port,
            connections: self.connections,
            cpu: self.cpu,
            seconds: self.seconds,
            warm_up: self.warm_up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_every_documented_unit() {
        for (text, ms) in [
            ("250ms", 250),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("10", 10_000),
            ("5000us", 5),
            ("1h30m", 5_400_000),
            ("10h", 36_000_000),
            ("90m", 5_400_000),
            ("1d", 86_400_000),
            ("1m 30s", 90_000),
            ("1e3ms", 1_000),
        ] {
            assert_eq!(duration(text).unwrap(), Nanos::from_millis(ms), "{text}");
        }
    }

    #[test]
    fn senseless_durations_say_what_to_give() {
        for text in ["0", "0s", "-1s", "abc", "5 parsecs", "1e99s", "NaN", ""] {
            let error = duration(text).expect_err(text).to_string();
            assert!(error.contains("give it like"), "{error}");
        }
    }

    #[test]
    fn a_bad_duration_is_told_what_is_wrong_with_it() {
        for (text, why) in [
            ("5 parsecs", "unknown unit"),
            ("abc", "not a number"),
            ("", "not a number"),
            ("-1s", "not a length of time"),
            ("25h", "longer than a day"),
            ("1e99s", "longer than a day"),
            ("999us", "nothing can be measured in less than 1ms"),
        ] {
            let expected = format!("bad duration '{text}': {why}; give it like 500ms, 10s, 2m or 1h30m");
            assert_eq!(duration(text).expect_err(text).to_string(), expected);
        }
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(share("3%").unwrap(), 0.03);
        assert_eq!(share("3").unwrap(), 0.03);
        assert_eq!(share("0.05").unwrap(), 0.05);
        for text in ["0%", "101%", "-1", "x"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
