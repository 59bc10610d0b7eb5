//! What a target runs in, and what waiting in other ways costs there: measured on that runtime by
//! `calibrate --runtime`, or from the table that travels with the tool.

use std::{cell::OnceCell, fs::File};

use object::{Object as _, read::ReadCache};

use crate::{
    calibrate::runtime::RuntimeCalibration,
    machine::{Language, PriceList, Runtime, RuntimePrices, Way},
    process::{self, OtherRuntime as Other, Process, RunsIn},
    words,
};

/// The ways of Python that are packages of their own.
const PACKAGES: [Way; 2] = [Way::Uvloop, Way::Gevent];
/// The first Java with virtual threads.
const FIRST_VIRTUAL: u32 = 21;

/// What a process runs in, where that is not machine code.
pub(crate) fn runtime_of(process: &Process) -> Option<Runtime> {
    let (language, version, ways) = match process::runs_in(process, &PACKAGES.map(Way::name))? {
        RunsIn::CPython { version, packages } => {
            let extra = PACKAGES.into_iter().filter(|way| packages.contains(&way.name()));
            let ways = [Way::Pooled, Way::Streams, Way::Protocols].into_iter().chain(extra).collect();
            (Language::CPython, Runtime::numbers(&version), ways)
        }
        RunsIn::Jvm { version } => {
            let version = Runtime::numbers(&version);
            let has_virtual = major(&version).is_some_and(|major| major >= FIRST_VIRTUAL);
            let of_virtual = [Way::Virtual, Way::Tasks].into_iter().filter(|_| has_virtual);
            let ways = of_virtual.chain([Way::Pooled, Way::Selector]).collect();
            (Language::Jvm, version, ways)
        }
        RunsIn::Other { what, version } => (language(what), Runtime::numbers(&version), Vec::new()),
    };
    Some(Runtime { language, version, ways })
}

const fn language(what: Other) -> Language {
    match what {
        Other::Node => Language::Node,
        Other::Deno => Language::Deno,
        Other::Bun => Language::Bun,
        Other::Go => Language::Go,
        Other::Beam => Language::Beam,
        Other::DotNet => Language::DotNet,
        Other::Ruby => Language::Ruby,
        Other::Php => Language::Php,
        Other::Perl => Language::Perl,
        Other::PyPy => Language::PyPy,
    }
}

/// 8 of 1.8.0_392, 21 of 21.0.5.
fn major(version: &[u32]) -> Option<u32> {
    match version {
        [1, second, ..] => Some(*second),
        [first, ..] => Some(*first),
        [] => None,
    }
}

/// What tells a build from others: the linker's build id, else its size and when it was changed.
///
/// # Errors
/// It cannot be read.
pub(crate) fn build_id(file: File) -> std::io::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = file.metadata()?;
    let cache = ReadCache::new(file);
    let id = object::File::parse(&cache).ok().and_then(|elf| elf.build_id().ok().flatten().map(<[u8]>::to_vec));
    let hex = |id: Vec<u8>| id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(id.map_or_else(|| format!("size{}at{}", meta.size(), meta.mtime()), hex))
}

/// What is known of the target's runtime. It is asked a few times: a command that is started under
/// the profiler becomes its program a moment later.
#[derive(Default)]
pub(super) struct Runtimes {
    known: Option<(Runtime, Option<String>)>,
    /// What is kept of it, looked up once.
    kept: OnceCell<Option<RuntimeCalibration>>,
    asked: u32,
}

impl Runtimes {
    /// A process that has turned out to be in machine code so often stays that.
    const ENOUGH: u32 = 4;

    pub(super) fn update(&mut self, process: Option<&Process>) {
        if self.known.is_some() || self.asked >= Self::ENOUGH {
            return;
        }
        self.asked += 1;
        let read = process.and_then(|p| Process::read(p.tgid).ok());
        self.known = read.and_then(|p| {
            let build = File::open(format!("/proc/{}/exe", p.tgid)).and_then(build_id).ok();
            Some((runtime_of(&p)?, build))
        });
    }

    pub(super) fn runtime(&self) -> Option<Runtime> {
        self.known.as_ref().map(|(runtime, _)| runtime.clone())
    }

    /// With what the target's runtime charges in the place of the machine's own ways.
    pub(super) fn price(&self, mut list: PriceList) -> PriceList {
        let Some((runtime, build)) = &self.known else { return list };
        let table = RuntimePrices::modelled(runtime, &list.steps, words::MODELLED_RUNTIME.to_owned().into());
        let kept = self.kept.get_or_init(|| RuntimeCalibration::load(runtime, build.as_deref()));
        let measured = kept.clone().map(|kept| {
            let source = words::measured_runtime(&kept.runtime, Some(&kept.build_id) == build.as_ref());
            let RuntimeCalibration { runtime, costs, sleeps, pace, .. } = kept;
            let prices = RuntimePrices { runtime, costs, sleeps, source: source.into() };
            prices.at_pace(pace, list.pace)
        });
        list.runtime = match measured {
            Some(measured) => Some(measured.filled(runtime, table)),
            None => table,
        }
        .filter(|prices| !prices.costs.is_empty());
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_major_number_is_the_second_one_before_nine() {
        for (version, want) in [("21.0.5", Some(21)), ("1.8.0_392", Some(8)), ("17", Some(17)), ("", None)] {
            assert_eq!(major(&Runtime::numbers(version)), want, "{version}");
        }
    }

    #[test]
    fn a_build_is_told_from_others() {
        let id_of = |path: &str| build_id(File::open(path).unwrap()).unwrap();
        let own = id_of("/proc/self/exe");
        assert!(!own.is_empty() && own.chars().all(|c| c.is_ascii_alphanumeric()), "{own}");
        assert_ne!(own, id_of("/bin/sh"));
    }
}
