//! aggregate/quality: what a measurement lost, and what it left open.

/// Losses, rarities and open ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quality {
    /// Threads not measured for lack of room.
    pub threads_lost: u64,
    /// Calls not told apart by site for lack of room.
    pub calls_without_site: u64,
    /// Threads whose sums were kept but not their names.
    pub threads_pooled: u64,
    /// Block requests not measured for lack of room.
    pub requests_lost: u64,
    /// Devices not measured for lack of room.
    pub devices_lost: u64,
    /// Program runs that the kernel left out.
    pub runs_missed: u64,
    /// Wake-ups seen before the switch-out they answer.
    pub raced_wakes: u64,
    /// Switch-ins for which the kernel's tracepoint did not fire.
    pub missed_switch_ins: u64,
    /// Block ends that found no room in the stream.
    pub stream_lost: u64,
    /// CPU-clock samples that found no room.
    pub samples_lost: u64,
    /// How often a CPU came in mid-measurement, for the first time or again: CPU-clock samples of
    /// its first moments are missing.
    #[serde(default)]
    pub late_cpus: u64,
    /// Stacks that found no room.
    pub stacks_lost: u64,
    /// Stalls of event loops that found no room.
    #[serde(default)]
    pub stalls_lost: u64,
    /// Threads that were asleep when the window began.
    pub open_at_start: u64,
    /// Threads whose last interval was closed by the window's end.
    pub open_at_end: u64,
    /// Threads without any event.
    pub silent: u64,
    /// Births in the window.
    pub forks: u64,
    /// Program starts in the window.
    pub execs: u64,
    /// Ends of threads in the window.
    pub exits: u64,
}

/// What can be lost. All but the runs is lost for lack of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Threads that were not measured.
    Threads,
    /// The sites of calls.
    Sites,
    /// The rows of threads that ended: they are in the sums.
    ThreadRows,
    /// Requests to block devices.
    Requests,
    /// Block devices, with all their requests.
    Devices,
    /// Runs of the kernel programs, which the kernel left out.
    Runs,
    /// Block ends in the stream.
    BlockEnds,
    /// Samples of the CPU clock.
    Samples,
    /// Samples of the CPU clock on a CPU that came late or came back.
    LateCpus,
    /// Stalls of event loops.
    Stalls,
}

impl Quality {
    /// Everything that was lost: what must be zero for the ledger to be exact.
    pub fn lost(&self) -> u64 {
        self.threads_lost + self.requests_lost + self.devices_lost + self.runs_missed
    }

    /// What was lost of the events themselves.
    pub fn losses(&self) -> [(u64, Loss); 6] {
        [
            (self.threads_lost, Loss::Threads),
            (self.calls_without_site, Loss::Sites),
            (self.threads_pooled, Loss::ThreadRows),
            (self.requests_lost, Loss::Requests),
            (self.devices_lost, Loss::Devices),
            (self.runs_missed, Loss::Runs),
        ]
    }

    /// What was lost of the evidence. No count depends on it.
    pub fn evidence_losses(&self) -> [(u64, Loss); 3] {
        [(self.stream_lost, Loss::BlockEnds), (self.samples_lost, Loss::Samples), (self.late_cpus, Loss::LateCpus)]
    }

    pub(super) fn absorb(&mut self, later: &Self) {
        // The kernel counts missed runs from the load on; the rest is counted per window.
        self.runs_missed = later.runs_missed;
        self.threads_lost += later.threads_lost;
        self.calls_without_site += later.calls_without_site;
        self.threads_pooled += later.threads_pooled;
        self.requests_lost += later.requests_lost;
        self.devices_lost += later.devices_lost;
        self.raced_wakes += later.raced_wakes;
        self.missed_switch_ins += later.missed_switch_ins;
        self.stream_lost += later.stream_lost;
        self.samples_lost += later.samples_lost;
        self.late_cpus += later.late_cpus;
        self.stacks_lost += later.stacks_lost;
        self.stalls_lost += later.stalls_lost;
        self.open_at_start += later.open_at_start;
        self.open_at_end += later.open_at_end;
        self.silent += later.silent;
        self.forks += later.forks;
        self.execs += later.execs;
        self.exits += later.exits;
    }
}
