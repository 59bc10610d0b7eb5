//! Stalls of event loops in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    figure::{Figure, Ratio},
    verdict::{SCHEMA_VERSION, Tool},
};
use crate::{
    answer::{self, Cause, EventLoop, Instead, Stalls},
    words,
};

/// Who blocked the loop, by should-i-async: turns of event loops that were too long, and what the
/// threads did instead of coming back to their wait.
///
/// Durations are nanoseconds, shares are ratios (0.5 is 50 %). A figure without a value says why in
/// its note.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "should-i-async stalls")]
pub(super) struct Document {
    /// Version of this schema. Raised when a key changes its meaning or goes away.
    #[schemars(extend("const" = SCHEMA_VERSION))]
    schema_version: u32,
    /// The program that made it.
    tool: Tool,
    /// The processes that were measured.
    processes: Vec<Process>,
    /// From what length on a turn is a stall.
    over_ns: Figure<u64>,
    /// From the first to the last moment.
    wall_ns: Figure<u64>,
    /// Time in which events counted: less than `wall_ns` where the target was sampled.
    measured_ns: Figure<u64>,
    /// The answer in one sentence.
    sentence: String,
    /// The loop that stood still for longest first.
    loops: Vec<Loop>,
    /// What the loops did instead; what others waited longest for first.
    causes: Vec<CauseRow>,
    /// Every stall that is kept; the one that others waited longest for first.
    stalls: Vec<Stall>,
    /// Further stalls, which are only counted.
    beyond_count: Figure<u64>,
    /// Time of these.
    beyond_ns: Figure<u64>,
    /// Records of stalls that found no room.
    lost_stalls_count: Figure<u64>,
    /// Stacks of stalls that found no room.
    lost_stacks_count: Figure<u64>,
    /// What was lost, in words; empty where nothing was.
    losses: Vec<String>,
    /// What the programs cost the target while they are attached, as a share of its CPU.
    programs_ratio: Figure<Ratio>,
    /// What the profiler itself used, in CPUs.
    own_cpus: Figure<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Process {
    /// In the initial PID namespace.
    pid: u32,
    name: String,
}

/// A thread that waits for events.
#[derive(Serialize, JsonSchema)]
struct Loop {
    /// Its thread.
    tid: u32,
    /// Its process.
    pid: u32,
    /// The thread's name.
    name: String,
    /// Time in which it was watched.
    watched_ns: Figure<u64>,
    /// Time in which it was not in its event wait.
    away_ns: Figure<u64>,
    /// From the return of an event wait to the call of the next.
    turns_count: Figure<u64>,
    /// Half of the turns are no longer, to a factor of two.
    turn_median_ns: Figure<u64>,
    /// 99 % of the turns are no longer, to a factor of two.
    turn_p99_ns: Figure<u64>,
    /// The longest turn.
    longest_ns: Figure<u64>,
    stalls_count: Figure<u64>,
    /// Time of its stalls.
    stood_ns: Figure<u64>,
    /// The same as a share of the time in which it was watched.
    stood_ratio: Figure<Ratio>,
    /// Whether other threads wait by the same descriptor: they go on while this one stands still.
    shared: bool,
}

/// What the loops did instead.
#[derive(Serialize, JsonSchema)]
struct CauseRow {
    /// A class of block, `CPU`, or `waiting for a CPU`.
    what: &'static str,
    /// The innermost function that is the program's own; null where no stack tells.
    place: Option<String>,
    /// Time of the stalls that it is behind.
    time_ns: Figure<u64>,
    /// Stalls of which it is the longest part.
    stalls_count: Figure<u64>,
    /// Descriptors that were ready when the loop came back from each of these, times its length.
    ready_times_length_ns: Figure<u64>,
}

/// A turn that was too long.
#[derive(Serialize, JsonSchema)]
struct Stall {
    /// The thread.
    tid: u32,
    /// Its process.
    pid: u32,
    /// From the beginning of the measurement to that of the stall.
    at_ns: Figure<u64>,
    /// How long it lasted; so far, where it is not over.
    length_ns: Figure<u64>,
    /// Whether it was not over when its window or its thread ended.
    open: bool,
    /// CPU in user mode.
    user_ns: Figure<u64>,
    /// CPU inside of syscalls.
    kernel_ns: Figure<u64>,
    /// Time in which it could run and got no CPU.
    delay_ns: Figure<u64>,
    /// Blocks in it.
    blocks_count: Figure<u64>,
    /// Blocked time by class, the most first.
    blocked: Vec<Blocked>,
    /// The longest block.
    longest: Option<Longest>,
    /// Events that were ready when the loop came back; null where nothing tells.
    ready_count: Figure<u32>,
    /// The functions that more than half of its largest part was spent below, the innermost first;
    /// empty where no stack was taken.
    stack: Vec<String>,
    /// The stack of who ended its largest part, where that is a block, the innermost frame first;
    /// empty where none was seen.
    waker: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Blocked {
    class: &'static str,
    time_ns: Figure<u64>,
}

#[derive(Serialize, JsonSchema)]
struct Longest {
    class: &'static str,
    /// The call that it was in; null outside of calls.
    syscall: Option<String>,
    length_ns: Figure<u64>,
}

impl Document {
    pub(super) fn new(stalls: &Stalls) -> Self {
        let process = |(pid, name): &(u32, String)| Process { pid: *pid, name: name.clone() };
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool::this(),
            processes: stalls.processes.iter().map(process).collect(),
            over_ns: Figure::time(stalls.over),
            wall_ns: Figure::time(stalls.wall),
            measured_ns: Figure::time(stalls.measured),
            sentence: stalls.sentence(),
            loops: stalls.loops.iter().map(Loop::new).collect(),
            causes: stalls.causes.iter().map(CauseRow::new).collect(),
            stalls: stalls.stalls.iter().map(|stall| Stall::new(stalls, stall)).collect(),
            beyond_count: Figure::measured(stalls.beyond.0),
            beyond_ns: Figure::time(stalls.beyond.1),
            lost_stalls_count: Figure::measured(stalls.lost.0),
            lost_stacks_count: Figure::measured(stalls.lost.1),
            losses: stalls.losses_words(),
            programs_ratio: Figure::maybe(stalls.programs, words::NOT_MEASURED),
            own_cpus: Figure::finite(stalls.own),
        }
    }
}

impl Loop {
    fn new(of: &EventLoop) -> Self {
        Self {
            tid: of.tid.as_raw(),
            pid: of.tgid.as_raw(),
            name: of.name.clone(),
            watched_ns: Figure::time(of.watched),
            away_ns: Figure::time(of.away),
            turns_count: Figure::measured(of.turns),
            turn_median_ns: Figure::maybe_time(of.quantile(0.5), words::NO_TURN),
            turn_p99_ns: Figure::maybe_time(of.quantile(0.99), words::NO_TURN),
            longest_ns: Figure::time(of.longest),
            stalls_count: Figure::measured(of.stalls),
            stood_ns: Figure::time(of.stood),
            stood_ratio: Figure::finite(of.stood_still()),
            shared: of.shared,
        }
    }
}

impl CauseRow {
    fn new(cause: &Cause) -> Self {
        Self {
            what: cause.what.name(),
            place: cause.place.clone(),
            time_ns: Figure::time(cause.time),
            stalls_count: Figure::measured(cause.stalls),
            ready_times_length_ns: Figure::time(cause.others),
        }
    }
}

impl Stall {
    fn new(stalls: &Stalls, stall: &answer::Stall) -> Self {
        let turn = &stall.turn;
        let kinds = stall.kinds().into_iter();
        let blocked = kinds.filter_map(|(what, time)| match what {
            Instead::Blocked(class) => Some(Blocked { class: class.name(), time_ns: Figure::time(time) }),
            _ => None,
        });
        let (stack, waker) = stalls.stack_of(stall);
        Self {
            tid: stall.tid.as_raw(),
            pid: stall.tgid.as_raw(),
            at_ns: Figure::time(turn.from.saturating_sub(stalls.start)),
            length_ns: Figure::time(stall.length()),
            open: turn.open || turn.ended,
            user_ns: Figure::time(turn.user),
            kernel_ns: Figure::time(turn.kernel),
            delay_ns: Figure::time(turn.delay),
            blocks_count: Figure::measured(turn.blocks.into()),
            blocked: blocked.collect(),
            longest: turn.longest.as_ref().map(|longest| Longest {
                class: longest.class.name(),
                syscall: longest.place.as_ref().map(|place| place.syscall.clone()),
                length_ns: Figure::time(longest.length),
            }),
            ready_count: Figure::maybe(turn.ready, words::NOT_TOLD),
            stack: stack.iter().map(|name| (*name).to_owned()).collect(),
            waker: waker.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}
