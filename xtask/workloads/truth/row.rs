//! What one thread did: its truth by construction, and the kernel's own counters for it.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::json::{self, Object};
use crate::sys;

/// The kernel's counters of the calling thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) nvcsw: u64,
    pub(crate) nivcsw: u64,
    pub(crate) cpu: Duration,
    at: Instant,
}

/// The difference of two [`Counters`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delta {
    pub(crate) nvcsw: u64,
    pub(crate) nivcsw: u64,
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Counters {
    pub(crate) fn now() -> Result<Self> {
        let (nvcsw, nivcsw) = sys::thread_switches()?;
        Ok(Self { nvcsw, nivcsw, cpu: sys::thread_cpu(), at: Instant::now() })
    }

    pub(crate) fn since(&self, before: &Self) -> Delta {
        Delta {
            nvcsw: self.nvcsw - before.nvcsw,
            nivcsw: self.nivcsw - before.nivcsw,
            cpu: self.cpu - before.cpu,
            wall: self.at - before.at,
        }
    }
}

impl Delta {
    fn write(&self, object: Object) -> Object {
        object
            .raw("nvcsw", self.nvcsw)
            .raw("nivcsw", self.nivcsw)
            .raw("cpu_ns", self.cpu.as_nanos())
            .raw("wall_ns", self.wall.as_nanos())
    }
}

/// How far a row's count of blocks can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// The workload's construction makes it exact.
    Exact,
    /// Taken from the thread's own `nvcsw`: the device or a racing partner decides.
    Counted,
}

/// What a worker's body reports.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    /// The block class, in the profiler's words.
    pub(crate) class: &'static str,
    /// The syscall that this row is about.
    pub(crate) syscall: &'static str,
    pub(crate) calls: u64,
    /// Blocks of `class` in `syscall`.
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    /// Blocks of other classes, known too.
    pub(crate) other_blocks: Vec<(&'static str, u64)>,
    /// Calls beside `syscall`, none of which blocks (or whose blocks are in `other_blocks`).
    pub(crate) other_calls: Vec<(&'static str, u64)>,
    /// Blocked time is not less than this …
    pub(crate) blocked_min: Duration,
    /// … and not more than this, which includes the run-queue delay.
    pub(crate) blocked_max: Duration,
    /// Turns of its event loop in which it stood still: when each began, ns of `CLOCK_MONOTONIC`,
    /// and its length, ns.
    pub(crate) stalls: Vec<(u64, u64)>,
    /// How long clients waited for a reply, ns.
    pub(crate) requests: Vec<u64>,
    /// Of all that, waits for another service, ns.
    pub(crate) served_ns: u64,
    pub(crate) certainty: Certainty,
}

impl Deed {
    pub(crate) fn new(class: &'static str, syscall: &'static str) -> Self {
        Self {
            class,
            syscall,
            calls: 0,
            blocks: 0,
            bytes: 0,
            errors: 0,
            other_blocks: Vec::new(),
            other_calls: Vec::new(),
            blocked_min: Duration::ZERO,
            blocked_max: Duration::ZERO,
            stalls: Vec::new(),
            requests: Vec::new(),
            served_ns: 0,
            certainty: Certainty::Exact,
        }
    }
}

/// One thread's line of the truth.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) tid: i32,
    pub(crate) deed: Deed,
    pub(crate) delta: Delta,
    /// Whether the thread ended in its gate (one more block, class pipe, after `delta` was taken).
    pub(crate) parked: bool,
}

impl Row {
    fn to_json(&self) -> String {
        let d = &self.deed;
        let blocks = std::iter::once((d.class, d.blocks)).chain(d.other_blocks.iter().copied());
        let stalls: Vec<String> = d.stalls.iter().map(|(at, length)| format!("[{at},{length}]")).collect();
        let requests: Vec<String> = d.requests.iter().map(u64::to_string).collect();
        let object = Object::new()
            .raw("tid", self.tid)
            .text("class", d.class)
            .text("syscall", d.syscall)
            .raw("calls", d.calls)
            .raw("blocks", d.blocks)
            .raw("exact", d.certainty == Certainty::Exact)
            .raw("bytes", d.bytes)
            .raw("errors", d.errors)
            .raw("blocks_by_class", json::counts(blocks))
            .raw("other_calls", json::counts(d.other_calls.iter().copied()))
            .raw("blocked_min_ns", d.blocked_min.as_nanos())
            .raw("blocked_max_ns", d.blocked_max.as_nanos())
            .raw("park_blocks", u8::from(self.parked))
            .raw("requests", format_args!("[{}]", requests.join(",")))
            .raw("served_ns", d.served_ns)
            .raw("stalls", format_args!("[{}]", stalls.join(",")));
        self.delta.write(object).end()
    }
}

/// The whole truth of a run.
pub(crate) struct Truth {
    pub(crate) kind: String,
    pub(crate) main: Delta,
    pub(crate) rows: Vec<Row>,
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl Truth {
    /// One line. `expected` sums the workers' blocks by class, without the parks;
    /// `expected_with_park` is what a measurement from `ready` to this line must count for the
    /// workers.
    pub(crate) fn to_json(&self) -> String {
        let blocks = || {
            self.rows.iter().flat_map(|row| {
                std::iter::once((row.deed.class, row.deed.blocks)).chain(row.deed.other_blocks.iter().copied())
            })
        };
        let parks = self.rows.iter().filter(|row| row.parked).map(|_| ("pipe", 1));
        let main = self.main.write(Object::new().raw("tid", std::process::id()).text("role", "driver")).end();
        let workers: Vec<String> = self.rows.iter().map(Row::to_json).collect();
        let mut object = Object::new()
            .text("kind", &self.kind)
            .raw("tgid", std::process::id())
            .raw("tid_main", std::process::id())
            .raw("exact", self.rows.iter().all(|row| row.deed.certainty == Certainty::Exact))
            .raw("expected", json::counts(blocks()))
            .raw("expected_with_park", json::counts(blocks().chain(parks)))
            .raw("open_at_start", self.rows.iter().filter(|row| row.parked).count());
        for (key, value) in &self.extra {
            object = object.raw(key, value);
        }
        object.raw("main", main).raw("workers", format_args!("[{}]", workers.join(","))).end()
    }
}
