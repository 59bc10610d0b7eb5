//! Flags into settings: every value checked before anything is attached.

use super::{
    exit::CliError,
    flags::{CheckFlags, CostFlags, DemoClientFlags, DemoServerFlags, RecordFlags, TargetFlags},
    output::View,
};
use crate::{
    answer::{Per, Weight},
    demo,
    kernel::Form,
    pipeline::Request,
    process::{self, TargetSpec},
    quantity::Nanos,
};

/// Measured when nothing is said.
const DEFAULT_DURATION: Nanos = Nanos::from_millis(10_000);

/// Recorded when nothing is said.
const DEFAULT_RECORDING: Nanos = Nanos::from_millis(30_000);

/// A duration as typed: `250ms`, `1.5s`, `2m`; a plain number is seconds.
pub(super) fn duration(text: &str) -> Result<Nanos, CliError> {
    let bad = |why: &str| CliError::Usage(format!("bad duration '{text}': {why}; give it like 500ms, 10s or 2m"));
    let split = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "" | "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3_600e9,
        _ => return Err(bad("unknown unit")),
    };
    let number: f64 = number.trim().parse().map_err(|_| bad("not a number"))?;
    if !number.is_finite() || number < 0.0 {
        return Err(bad("not a length of time"));
    }
    let ns = number * scale;
    // A day; also keeps the sum with the clock far from overflow.
    if ns > 86_400e9 {
        return Err(bad("longer than a day"));
    }
    if ns < 1e6 {
        return Err(bad("nothing can be measured in less than 1ms"));
    }
    Ok(Nanos::from_nanos(ns as u64))
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

impl RecordFlags {
    /// What is to be recorded.
    pub(super) fn selection(&self) -> Selection<'_> {
        self.target.selection(self.duration.as_deref(), Some(DEFAULT_RECORDING))
    }
}

impl TargetFlags {
    /// For as long as is said here, or for `default`, or until the target ends.
    pub(super) fn selection<'a>(&'a self, duration: Option<&'a str>, default: Option<Nanos>) -> Selection<'a> {
        Selection { pid: &self.pid, tid: &self.tid, tree: self.tree, duration, default, cost: &self.cost }
    }

    /// Likewise, without an end, for a process that was chosen from a list.
    pub(super) fn selection_of<'a>(&'a self, pid: &'a [u32]) -> Selection<'a> {
        Selection { pid, ..self.selection(None, None) }
    }
}

/// The flags that say what is measured, for how long, and at what cost: those of several commands.
pub(super) struct Selection<'a> {
    pid: &'a [u32],
    tid: &'a [u32],
    tree: bool,
    duration: Option<&'a str>,
    default: Option<Nanos>,
    cost: &'a CostFlags,
}

impl Selection<'_> {
    /// Everything that can be checked before there is a process.
    pub(super) fn check_before_command(&self) -> Result<(), CliError> {
        if !(self.pid.is_empty() && self.tid.is_empty()) {
            return Err(CliError::Usage("either -p/-t or -- CMD, not both: what is to be measured?".into()));
        }
        self.duration.map(duration).transpose()?;
        share(&self.cost.max_overhead)?;
        self.cost.rooms()?;
        Ok(())
    }

    /// Settings for a target that lives already, or for a command that waits to be started as `child`.
    pub(super) fn request(&self, child: Option<u32>) -> anyhow::Result<Request> {
        let given = self.duration.map(duration).transpose()?;
        let max_overhead = if self.cost.exact { None } else { Some(share(&self.cost.max_overhead)?) };
        let (max_threads, max_sites) = self.cost.rooms()?;
        let spec = match child {
            Some(pid) => TargetSpec { pids: vec![pid], tids: Vec::new(), tree: false },
            None => TargetSpec { pids: self.pid.to_vec(), tids: self.tid.to_vec(), tree: self.tree },
        };
        Ok(Request {
            target: process::resolve(&spec)?,
            duration: match child {
                Some(_) => given,
                None => given.or(self.default),
            },
            follow: self.tree || child.is_some(),
            max_threads,
            max_sites,
            max_overhead,
            form: self.cost.raw_tracepoints.then_some(Form::Raw),
            price: true,
            stacks: false,
            looks: false,
            keep_wire: false,
        })
    }
}

/// `--per` as typed.
pub(super) fn per(text: &str) -> Result<Per, CliError> {
    match text.trim() {
        "cpu-second" => Ok(Per::CpuSecond),
        "second" => Ok(Per::Second),
        name if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            Ok(Per::Call(name.to_owned()))
        }
        _ => Err(CliError::Usage(format!(
            "bad --per '{text}': give cpu-second, second, or the name of a syscall like recvfrom"
        ))),
    }
}

/// A weight as typed; the flag has checked it.
pub(super) fn weight(text: &str) -> Option<Weight> {
    Weight::ALL.into_iter().find(|w| w.key() == text)
}

/// `--fail-above` as typed.
pub(super) fn fail_above(text: &str) -> Result<f64, CliError> {
    let bad = || CliError::Usage(format!("bad --fail-above '{text}': give a percentage like 5%"));
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().map_err(|_| bad())?;
    if number.is_finite() && number >= 0.0 { Ok(number / 100.0) } else { Err(bad()) }
}

impl DemoServerFlags {
    pub(super) fn settings(&self) -> demo::ServerSettings {
        demo::ServerSettings { cpu: self.cpu, seconds: self.seconds }
    }
}

impl DemoClientFlags {
    pub(super) fn settings(&self) -> demo::ClientSettings {
        demo::ClientSettings { port: self.port, connections: self.connections, cpu: self.cpu, seconds: self.seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_every_documented_unit() {
        for (text, ms) in [("250ms", 250), ("1.5s", 1_500), ("2m", 120_000), ("10", 10_000), ("5000us", 5)] {
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
    fn shares_are_percentages() {
        assert_eq!(share("3%").unwrap(), 0.03);
        assert_eq!(share("3").unwrap(), 0.03);
        assert_eq!(share("0.05").unwrap(), 0.05);
        for text in ["0%", "101%", "-1", "x"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
