//! kernel/options: sizes and switches of a session, and how its programs are attached.

use profiler_common::{ipc::SiteWindows, site::Site, thread::Thread, turn::Turn};

use super::tids::pid_max;

/// How the programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `tp_btf`: typed pointers, read directly.
    Typed,
    /// Raw tracepoints: for kernels that refuse the former.
    Raw,
}

impl Form {
    /// As shown in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Typed => "tp_btf",
            Self::Raw => "raw tracepoints",
        }
    }

    /// What an entry point is called in the object.
    pub(super) fn program_name(self, program: &str) -> String {
        match self {
            Self::Typed => program.to_owned(),
            Self::Raw => format!("{program}_raw"),
        }
    }
}

/// Sizes and switches of a session.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that can be measured at once.
    pub max_threads: u32,
    /// Call places that can be told apart.
    pub max_sites: u32,
    /// Whether processes forked by the target belong to it.
    pub follow: bool,
    /// Only load this form; `None`: typed, and raw where that is refused.
    pub form: Option<Form>,
    /// Whether stacks will be asked for.
    pub stacks: bool,
    /// Whether stalls of event loops will be asked for.
    pub stalls: bool,
    /// Whether hardware counters are read, where there are any.
    pub counters: bool,
}

impl Options {
    /// Sizes for a target of so many threads.
    pub fn for_threads(threads: usize) -> Self {
        // Mapped memory: a quarter more than there are, for those yet to come.
        let room = (threads + threads / 4 + 1_024).next_multiple_of(1_024).clamp(4_096, 1 << 22);
        Self {
            max_threads: room as u32,
            max_sites: 2_048,
            follow: false,
            form: None,
            stacks: false,
            stalls: false,
            counters: true,
        }
    }

    /// Bytes that the maps of these sizes take, all CPUs included.
    pub fn map_bytes(&self) -> u64 {
        let cpus = aya::util::nr_cpus().unwrap_or(1) as u64;
        let sites = u64::from(self.max_sites) * size_of::<Site>() as u64 * cpus;
        let windows =
            if self.counters { u64::from(self.max_sites) * size_of::<SiteWindows>() as u64 * cpus } else { 0 };
        let threads = u64::from(self.max_threads) * size_of::<Thread>() as u64;
        let turns = if self.stalls { u64::from(self.max_threads) * size_of::<Turn>() as u64 } else { 0 };
        // An entry of a hash for each process that a thread could be of.
        let processes = u64::from(self.max_threads) * 64;
        sites + windows + 2 * threads + turns + processes + (pid_max() * 4) as u64
    }
}
