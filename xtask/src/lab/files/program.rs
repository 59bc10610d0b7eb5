//! The rows that fio has no part in: readers of a file in Go, as threads and as a ring, and pairs
//! of threads that hand their CPU over.

use serde::{Deserialize, Serialize};

use super::cell::{Access, Place};

/// A program that reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    /// Goroutines with `os.File.ReadAt`.
    Go,
    /// Goroutines whose reads the scheduler does not see.
    GoRaw,
    Threads,
    Ring,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Go, Self::GoRaw, Self::Threads, Self::Ring];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Go => "Go, ReadAt",
            Self::GoRaw => "Go, raw calls",
            Self::Threads => "threads",
            Self::Ring => "one ring",
        }
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::GoRaw => "go-raw",
            Self::Threads => "threads",
            Self::Ring => "ring",
        }
    }

    pub(super) const fn is_go(self) -> bool {
        matches!(self, Self::Go | Self::GoRaw)
    }
}

/// So many reads at once by one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Reader {
    pub(super) place: Place,
    pub(super) access: Access,
    pub(super) at_once: u32,
    pub(super) kind: Kind,
}

impl Reader {
    pub(super) fn id(&self) -> String {
        let Self { place, access, at_once, kind } = self;
        format!("reader-{}-{}-n{at_once}-{}", place.folder(), access.id(), kind.id())
    }
}

/// Where goroutines read.
pub(super) const WHERE: [(Place, Access); 4] = [
    (Place::Disk, Access::Cached),
    (Place::Disk, Access::Direct),
    (Place::Slow, Access::Direct),
    (Place::Slower, Access::Direct),
];

/// All readers, or those of a quick run.
pub(super) fn readers(quick: bool) -> Vec<Reader> {
    let numbers: &[u32] = if quick { &[64] } else { &[1, 8, 64, 512] };
    let kinds =
        |(place, access): (Place, Access), at_once: u32| Kind::ALL.map(|kind| Reader { place, access, at_once, kind });
    WHERE.into_iter().flat_map(|at| numbers.iter().flat_map(move |&n| kinds(at, n))).collect()
}

/// How two threads hand a CPU over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum By {
    Futex,
    Pipe,
    Yield,
}

impl By {
    pub(super) const ALL: [Self; 3] = [Self::Futex, Self::Pipe, Self::Yield];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Futex => "futex",
            Self::Pipe => "pipe",
            Self::Yield => "yield",
        }
    }
}

/// A pair of threads on one CPU, or on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Hand {
    pub(super) by: By,
    /// The CPU; `None` for all.
    pub(super) cpu: Option<u32>,
}

impl Hand {
    pub(super) fn id(&self) -> String {
        let cpu = self.cpu.map_or_else(|| "all".to_owned(), |cpu| format!("cpu{cpu}"));
        format!("switch-{}-{cpu}", self.by.title())
    }
}

/// Each way on each CPU and on all of them.
pub(super) fn hands(cpus: u32) -> Vec<Hand> {
    let places = move || (0..cpus).map(Some).chain([None]);
    By::ALL.into_iter().flat_map(|by| places().map(move |cpu| Hand { by, cpu })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_switching_is_on_each_cpu_and_on_all() {
        let ids: Vec<String> = hands(2).iter().map(Hand::id).collect();
        assert_eq!(ids.len(), 9);
        assert_eq!(ids[..3], ["switch-futex-cpu0", "switch-futex-cpu1", "switch-futex-all"]);
    }

    #[test]
    fn a_quick_run_reads_everywhere_with_every_program() {
        for (place, access) in WHERE {
            let here = |reader: &&Reader| (reader.place, reader.access) == (place, access);
            assert!(readers(true).iter().filter(here).count() >= 3, "{place:?}, {access:?}");
        }
        assert!(readers(true).iter().all(|reader| readers(false).contains(reader)));
    }
}
