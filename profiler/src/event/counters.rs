//! event/counters: what did not fit, and what happened.

use profiler_common::control;

/// Losses and rare events. Every loss that the kernel side can have is counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Threads that found no free slot: not measured.
    pub threads_lost: u64,
    /// Calls that found no free site: counted per class, but not per site.
    pub calls_without_site: u64,
    /// Threads that ended and whose record found no room in the ring. Their sums are added to the
    /// pool in slot 0 instead.
    pub exits_pooled: u64,
    /// Block requests that found no room among those in flight.
    pub requests_lost: u64,
    /// Devices that found no room.
    pub devices_lost: u64,
    /// How many threads were born.
    pub forks: u64,
    /// How many programs were executed.
    pub execs: u64,
    /// How many threads ended.
    pub exits: u64,
    /// Switch-ins whose wake-up came before the switch-out was seen (another CPU was faster), or
    /// was not seen at all. Where it was not seen, all of the time off the CPU counts as blocked.
    pub raced_wakes: u64,
    /// Threads found on a CPU without a switch-in before: the tracepoint did not fire. Counts stay
    /// exact; the time since the wake-up counts as run-queue delay.
    pub missed_switch_ins: u64,
    /// Block ends that found no room in the stream.
    pub stream_lost: u64,
    /// CPU-clock samples that found no room.
    pub samples_lost: u64,
    /// Stacks that found no room.
    pub stacks_lost: u64,
    /// Stalls of event loops that found no room.
    pub stalls_lost: u64,
}

impl From<control::Counters> for Counters {
    fn from(raw: control::Counters) -> Self {
        Self {
            threads_lost: raw.threads_lost,
            calls_without_site: raw.calls_without_site,
            exits_pooled: raw.exits_pooled,
            requests_lost: raw.requests_lost,
            devices_lost: raw.devices_lost,
            forks: raw.forks,
            execs: raw.execs,
            exits: raw.exits,
            raced_wakes: raw.raced_wakes,
            missed_switch_ins: raw.missed_switch_ins,
            stream_lost: raw.stream_lost,
            samples_lost: raw.samples_lost,
            stacks_lost: raw.stacks_lost,
            stalls_lost: raw.stalls_lost,
        }
    }
}
