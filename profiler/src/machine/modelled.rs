//! Prices of runtimes that are built into the tool, for targets whose runtime was not measured.
//! They were measured by `calibrate --runtime` on one machine, and are multiples of what a blocking
//! read and write cost there whose data is there.

use super::way::Way;

/// This share of a modelled price goes into the interval: versions and builds differ.
pub(super) const UNSURE: f64 = 0.4;
/// The same of an event that is slept for: how cold a CPU is that has slept differs too.
pub(super) const UNSURE_SLEEP: f64 = 0.6;

/// One price, as multiples of a blocking read and write.
pub(super) struct Ratio {
    pub(super) way: Way,
    /// Events that a wait returns.
    pub(super) events: u32,
    /// The cost beyond the blocking form.
    pub(super) times: f64,
    /// What a time-out of each read adds.
    pub(super) timed: f64,
}

const fn ratio(way: Way, events: u32, times: f64, timed: f64) -> Ratio {
    Ratio { way, events, times, timed }
}

/// What an event costs that is slept for, as multiples of a blocking read and write that find their
/// data: as many times the price of one that is there as `calibrate --runtime` found in one
/// interpreter (2.5 for asyncio's streams, 9 for gevent, 2.7 for virtual threads that park).
pub(super) struct SleepRatio {
    pub(super) way: Way,
    /// The cost beyond a blocking read and write that sleep.
    pub(super) times: f64,
    /// What a time-out of each read adds.
    pub(super) timed: f64,
}

/// CPython 3.11.2 with uvloop and gevent of its time.
pub(super) const CPYTHON: [Ratio; 15] = [
    ratio(Way::Pooled, 1, 5.9, 0.4),
    ratio(Way::Pooled, 8, 4.4, 0.4),
    ratio(Way::Pooled, 64, 2.7, 0.4),
    ratio(Way::Streams, 1, 4.1, 6.8),
    ratio(Way::Streams, 8, 2.5, 5.6),
    ratio(Way::Streams, 64, 2.3, 4.7),
    ratio(Way::Protocols, 1, 1.65, 0.1),
    ratio(Way::Protocols, 8, 0.8, 0.1),
    ratio(Way::Protocols, 64, 0.7, 0.1),
    ratio(Way::Uvloop, 1, 0.55, 0.1),
    ratio(Way::Uvloop, 8, 0.2, 0.1),
    ratio(Way::Uvloop, 64, 0.2, 0.1),
    ratio(Way::Gevent, 1, 1.2, 0.2),
    ratio(Way::Gevent, 8, 3.0, 2.0),
    ratio(Way::Gevent, 64, 3.2, 2.0),
];

/// OpenJDK 25.0.3, and 17.0.15 with its pool.
pub(super) const JVM: [Ratio; 12] = [
    ratio(Way::Pooled, 1, 4.3, 0.1),
    ratio(Way::Pooled, 8, 1.3, 0.1),
    ratio(Way::Pooled, 64, 0.65, 0.1),
    ratio(Way::Virtual, 1, 2.9, 0.0),
    ratio(Way::Virtual, 8, 1.3, 1.2),
    ratio(Way::Virtual, 64, 0.7, 1.4),
    ratio(Way::Tasks, 1, 5.8, 0.2),
    ratio(Way::Tasks, 8, 2.5, 0.2),
    ratio(Way::Tasks, 64, 1.3, 0.2),
    ratio(Way::Selector, 1, 0.2, 0.1),
    ratio(Way::Selector, 8, 0.05, 0.0),
    ratio(Way::Selector, 64, 0.05, 0.0),
];

const fn sleep(way: Way, times: f64, timed: f64) -> SleepRatio {
    SleepRatio { way, times, timed }
}

/// CPython, as above.
pub(super) const CPYTHON_SLEEPS: [SleepRatio; 5] = [
    sleep(Way::Pooled, 8.9, 0.6),
    sleep(Way::Streams, 10.0, 10.0),
    sleep(Way::Protocols, 3.8, 0.3),
    sleep(Way::Uvloop, 1.1, 0.1),
    sleep(Way::Gevent, 10.8, 4.0),
];

/// OpenJDK, as above.
pub(super) const JVM_SLEEPS: [SleepRatio; 4] = [
    sleep(Way::Pooled, 6.0, 0.2),
    sleep(Way::Virtual, 7.8, 7.4),
    sleep(Way::Tasks, 6.4, 0.2),
    sleep(Way::Selector, 0.4, 0.1),
];
