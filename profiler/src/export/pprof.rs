//! pprof: all weights in one gzipped protobuf, with the site of each block as labels.

mod proto;

use std::{collections::HashMap, io::Write};

use flate2::{Compression, write::GzEncoder};
use prost::Message;

use super::paths::Frames;
use crate::text::clean;
use crate::{
    answer::{Profile, Report, Stack, Weight},
    symbol::{Frame, Origin},
};
use proto::{Function, Label, Line, Location, Mapping, Sample, ValueType};

/// What a weight is called as a sample type.
const fn sample_type(weight: Weight) -> &'static str {
    match weight {
        Weight::Cost => "blocking_cost",
        Weight::Blocked => "blocked_time",
        Weight::RunDelay => "run_delay",
        Weight::Cpu => "cpu",
    }
}

/// Sample types in the order of [`Weight::ALL`], ns each, then the number of samples. The same
/// input gives the same bytes. `first` is the one that is shown unless its reader chooses another.
///
/// # Errors
///
/// None in practice: writing into memory does not fail.
pub fn encode(profile: &Profile, report: &Report, first: Weight) -> std::io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&Builder::new(profile, report).build(first).encode_to_vec())?;
    gzip.finish()
}

/// The table that every text is a number of. The empty one is number 0, by the format.
struct Strings {
    all: Vec<String>,
    known: HashMap<String, i64>,
}

impl Strings {
    fn new() -> Self {
        Self { all: vec![String::new()], known: HashMap::from([(String::new(), 0)]) }
    }

    fn number(&mut self, text: &str) -> i64 {
        if let Some(&number) = self.known.get(text) {
            return number;
        }
        let number = self.all.len() as i64;
        self.all.push(text.to_owned());
        self.known.insert(text.to_owned(), number);
        number
    }

    fn clean(&mut self, text: &str) -> i64 {
        self.number(&clean::line(text))
    }
}

struct Builder<'a> {
    profile: &'a Profile,
    report: &'a Report,
    frames: Frames<'a>,
    strings: Strings,
    functions: Vec<Function>,
    by_function: HashMap<(i64, i64), u64>,
    mappings: Vec<Mapping>,
    by_module: HashMap<i64, u64>,
    locations: Vec<Location>,
    by_frames: HashMap<Vec<u32>, u64>,
}

impl<'a> Builder<'a> {
    fn new(profile: &'a Profile, report: &'a Report) -> Self {
        Self {
            profile,
            report,
            frames: Frames::new(profile),
            strings: Strings::new(),
            functions: Vec::new(),
            by_function: HashMap::new(),
            mappings: Vec::new(),
            by_module: HashMap::new(),
            locations: Vec::new(),
            by_frames: HashMap::new(),
        }
    }

    fn build(mut self, first: Weight) -> proto::Profile {
        let nanoseconds = self.strings.number("nanoseconds");
        let mut types: Vec<ValueType> = Weight::ALL
            .iter()
            .map(|&w| ValueType { r#type: self.strings.number(sample_type(w)), unit: nanoseconds })
            .collect();
        types.push(ValueType { r#type: self.strings.number("samples"), unit: self.strings.number("count") });
        let profile = self.profile;
        let sample = profile.stacks.iter().map(|stack| self.sample(stack)).collect();
        let verdict = &self.report.verdict;
        let lines = verdict.evidence_lines().into_iter().chain(verdict.advice_lines());
        let comments = std::iter::once(verdict.sentence()).chain(lines);
        let comment = comments.map(|text| self.strings.clean(&text)).collect();
        let default_sample_type = self.strings.number(sample_type(first));
        let nanos = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        proto::Profile {
            sample_type: types,
            sample,
            mapping: self.mappings,
            location: self.locations,
            function: self.functions,
            time_nanos: nanos(self.report.facts.began_at.saturating_mul(1_000_000_000)),
            duration_nanos: nanos(self.report.window.measured.as_nanos()),
            comment,
            default_sample_type,
            string_table: self.strings.all,
        }
    }

    fn sample(&mut self, stack: &Stack) -> Sample {
        let values = Weight::ALL.iter().map(|&w| stack.weights.part(w)).chain([stack.samples]);
        Sample {
            location_id: self.stack(stack),
            value: values.map(|v| i64::try_from(v).unwrap_or(i64::MAX)).collect(),
            label: self.labels(stack),
        }
    }

    fn labels(&mut self, stack: &Stack) -> Vec<Label> {
        let site = stack.site.and_then(|i| self.report.sites.get(i));
        let kind = match (stack.samples, stack.class) {
            (0, _) => "rest",
            (_, Some(_)) => "block",
            (_, None) => "cpu-clock",
        };
        let pairs = [
            ("kind", Some(kind)),
            ("syscall", site.map(|s| s.syscall.as_str())),
            ("class", stack.class.map(crate::event::BlockClass::name)),
            ("descriptor", site.map(|s| s.descriptor.as_str()).filter(|d| !d.is_empty())),
        ];
        let label = |(key, text): (&str, Option<&str>)| {
            let text = text?;
            Some(Label { key: self.strings.number(key), str: self.strings.clean(text) })
        };
        pairs.into_iter().filter_map(label).collect()
    }

    /// Locations, the innermost first. The waker's frames lie on top of the sleeper's: the
    /// outermost of them comes first.
    fn stack(&mut self, stack: &Stack) -> Vec<u64> {
        let mut ids = Vec::with_capacity(stack.frames.len() + stack.waker.len() + 1);
        let path: Vec<u32> = self.frames.path(stack).collect();
        let own = stack.frames.len().max(1);
        // Upside down, none of them is inlined into the one below it: each is a location of its
        // own.
        for &frame in path.iter().skip(own).rev() {
            ids.push(self.location(&[frame]));
        }
        let mut group: Vec<u32> = Vec::new();
        for &frame in path.iter().take(own).rev() {
            group.push(frame);
            if !self.frames.get(frame).inlined {
                ids.push(self.location(&group));
                group.clear();
            }
        }
        if !group.is_empty() {
            ids.push(self.location(&group));
        }
        ids
    }

    /// Frames that share an address, the innermost first: all but the last are inlined.
    fn location(&mut self, group: &[u32]) -> u64 {
        if let Some(&id) = self.by_frames.get(group) {
            return id;
        }
        let frames: Vec<Frame> = group.iter().map(|&i| self.frames.get(i).clone()).collect();
        let mapping_id = frames.last().map_or(0, |outer| self.mapping(outer, frames.len() > 1));
        let line = frames.iter().map(|frame| self.line(frame)).collect();
        let id = self.locations.len() as u64 + 1;
        self.locations.push(Location { id, mapping_id, line });
        self.by_frames.insert(group.to_vec(), id);
        id
    }

    fn line(&mut self, frame: &Frame) -> Line {
        let name = match clean::line(&frame.name) {
            name if name.is_empty() => self.strings.number("[unnamed]"),
            name => self.strings.number(&name),
        };
        let (file, line) = frame.source.as_ref().map_or(("", 0), |(file, line)| (file.as_str(), i64::from(*line)));
        let filename = self.strings.clean(file);
        let next = self.functions.len() as u64 + 1;
        let function_id = *self.by_function.entry((name, filename)).or_insert(next);
        if function_id == next {
            self.functions.push(Function { id: next, name, system_name: name, filename });
        }
        Line { function_id, line }
    }

    /// Marks are in no file: number 0 means none. All names are there already, and readers must not
    /// look for others.
    fn mapping(&mut self, frame: &Frame, inlined: bool) -> u64 {
        if frame.origin == Origin::Mark || frame.module.is_empty() {
            return 0;
        }
        let filename = self.strings.clean(&frame.module);
        let next = self.mappings.len() as u64 + 1;
        let id = *self.by_module.entry(filename).or_insert(next);
        if id == next {
            self.mappings.push(Mapping { id, filename, has_functions: true, ..Mapping::default() });
        }
        if let Some(mapping) = self.mappings.get_mut(id as usize - 1) {
            mapping.has_filenames |= frame.source.is_some();
            mapping.has_line_numbers |= frame.source.is_some();
            mapping.has_inline_frames |= inlined;
        }
        id
    }
}
