//! Stalls of event loops, in words.

use std::cmp::Reverse;

use crate::{
    answer::{Cause, EventLoop, Instead, Stall, Stalls},
    quantity::Nanos,
    text::{
        clean::clean,
        numbers::{count, maybe, per_second, percent, plural, span, whole_percent},
    },
};

/// What the columns of the list of loops mean.
pub const LOOP_COLUMNS: &str = "away: time in which the loop is not in its event wait, from the return of one to the call of the \
     next (a turn); half, 99 %: so many of the turns took no longer than this, to a factor of two; stood still: time of its stalls, as a \
     share of the time in which it was watched";

/// The columns of the list of loops, as [`EventLoop::cells`] has them.
pub const LOOP_HEAD: [&str; 9] =
    ["thread", "tid", "away", "turns/s", "half", "99 %", "longest", "stalls", "stood still"];

/// The columns of the list of causes, as [`Cause::cells`] has them.
pub const CAUSE_HEAD: [&str; 6] = ["what", "in", "time", "of stalls", "stalls", "others"];

/// What the list of causes is.
pub const INSTEAD: &str = "what the loops did in their stalls; the one with the most for others comes first";

/// What the columns of the list of causes mean.
pub const CAUSE_COLUMNS: &str = "others: the descriptors that were ready when the loop came back, times the length of the stall. \
     Each of them waited for a part of it; a listening socket may stand for many connections";

/// Below the list of loops, where workers share one.
pub const SHARED_LOOP: &str = "workers that wait by one descriptor share a loop: while one stands still, the others go on. Where such \
     a worker waits on a futex it may be parked or wait for a lock: these waits are not counted as stalls";

/// As a share of all stalls, a cause with less is not named in the sentence.
const SMALL: f64 = 0.1;
/// Causes that are named in the sentence.
const NAMED: usize = 2;

impl Instead {
    /// What the loop did.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocked(class) => class.name(),
            Self::Ran => "CPU",
            Self::WaitedForCpu => "waiting for a CPU",
        }
    }

    /// As a part of a sentence: `blocked on file`.
    fn doing(self) -> String {
        match self {
            Self::Blocked(class) => format!("blocked on {}", class.name()),
            Self::Ran => "running".to_owned(),
            Self::WaitedForCpu => "waiting for a CPU".to_owned(),
        }
    }
}

impl Cause {
    /// Its row in a list, where loops stood still for so long in all.
    pub fn cells(&self, stood: Nanos) -> [String; 6] {
        [
            self.what.name().to_owned(),
            self.place_words(),
            span(self.time.as_nanos() as f64),
            percent(self.time.ratio_to(stood)),
            count(self.stalls),
            self.others_words(),
        ]
    }

    /// Where it happens; a dash where no stack tells.
    fn place_words(&self) -> String {
        self.place.as_deref().map_or_else(|| "–".to_owned(), clean)
    }

    /// What was ready after its stalls, times their lengths.
    fn others_words(&self) -> String {
        if self.others == Nanos::ZERO { "–".to_owned() } else { span(self.others.as_nanos() as f64) }
    }
}

impl EventLoop {
    /// Its row in a list.
    pub fn cells(&self) -> [String; 9] {
        [
            self.title(),
            self.tid.to_string(),
            percent(self.busy()),
            per_second(self.turns as f64 / self.watched.as_secs_f64().max(1e-9)),
            maybe(self.quantile(0.5)),
            maybe(self.quantile(0.99)),
            span(self.longest.as_nanos() as f64),
            count(self.stalls),
            percent(self.stood_still()),
        ]
    }

    /// What it is called.
    pub fn title(&self) -> String {
        if self.name.is_empty() { "[gone]".to_owned() } else { clean(&self.name) }
    }
}

impl Stall {
    /// When it was, of which thread, how long, and how much was ready after it.
    pub fn heading(&self, stalls: &Stalls) -> String {
        let since = self.turn.from.saturating_sub(stalls.start);
        let name = stalls.loops.iter().find(|of| (of.tgid, of.tid) == (self.tgid, self.tid)).map(EventLoop::title);
        let length = span(self.length().as_nanos() as f64);
        let at = span(since.as_nanos() as f64);
        let when = if self.turn.open || self.turn.ended { format!("so far, from {at} on") } else { format!("at {at}") };
        format!("{length} {when}, {} {}{}", name.unwrap_or_default(), self.tid, self.ready_words())
    }

    fn ready_words(&self) -> String {
        match self.turn.ready {
            Some(0) => ": nothing was ready after it".to_owned(),
            Some(n) => format!(": {} ready after it", plural(u64::from(n), "event was", "events were")),
            None => String::new(),
        }
    }

    /// What it consists of.
    pub fn parts_words(&self) -> String {
        let parts =
            self.kinds().into_iter().map(|(what, time)| format!("{} {}", what.name(), span(time.as_nanos() as f64)));
        let blocks = match self.turn.blocks {
            0 => String::new(),
            n => format!(" ({})", plural(u64::from(n), "block", "blocks")),
        };
        parts.collect::<Vec<_>>().join(", ") + &blocks
    }
}

impl Stalls {
    /// What was measured, and for how long.
    pub fn title(&self) -> String {
        let of = match self.processes.as_slice() {
            [(pid, name)] => format!("{} ({pid})", clean(name)),
            many => plural(many.len() as u64, "process", "processes"),
        };
        let sampled = self.measured.ratio_to(self.wall);
        let part = if sampled < 0.99 {
            format!(", events counted for {} of it", whole_percent(sampled))
        } else {
            String::new()
        };
        format!("stalls of event loops: {of}, {} or longer, in {}{part}", self.over, span(self.wall.as_nanos() as f64))
    }

    /// What a flame graph of them is called.
    pub fn flame_title(&self) -> String {
        format!("Blocked loop time; {}", self.title())
    }

    /// The answer in one sentence.
    pub fn sentence(&self) -> String {
        let awake: Vec<&EventLoop> = self.awake().collect();
        let loops = if awake.is_empty() { self.loops.len() } else { awake.len() };
        let whose = match loops {
            0 => {
                return "None of its threads waits for events, so there is no loop that could stand still. `check` says what \
                        they wait for."
                    .to_owned();
            }
            _ if !awake.is_empty() && awake.iter().all(|of| of.own) => return self.own_threads(),
            1 => "its loop stands".to_owned(),
            n => format!("its {n} loops stand"),
        };
        let stood = self.stood();
        if stood == Nanos::ZERO {
            let longest = self.loops.iter().map(|of| of.longest).max().unwrap_or_default();
            let (subject, turn) = if loops == 1 {
                ("Its loop".to_owned(), "its longest turn")
            } else {
                (format!("None of its {loops} loops"), "the longest turn")
            };
            let never = if loops == 1 { "never stood still" } else { "ever stood still" };
            if longest >= self.over {
                let who = if loops == 1 { subject } else { format!("One of its {loops} loops") };
                return format!("{who} stood still for {longest}, and nothing more is known: those stalls were lost.");
            }
            return format!(
                "{subject} {never} for {} or longer: {turn} took {}.",
                self.over,
                span(longest.as_nanos() as f64)
            );
        }
        let watched: Nanos = awake.iter().map(|of| of.watched).sum();
        let share = |time: Nanos| percent(time.ratio_to(watched));
        let worst = match self.loops.first() {
            Some(of) if loops > 1 => format!(" ({} {}: {})", of.title(), of.tid, percent(of.stood_still())),
            _ => String::new(),
        };
        let mut causes: Vec<&Cause> = self.causes.iter().collect();
        causes.sort_by_key(|cause| (Reverse(cause.time), cause.what, cause.place.as_deref()));
        let large = causes.into_iter().take(NAMED).filter(|cause| cause.time.ratio_to(stood) >= SMALL);
        let name = |cause: &Cause| {
            let below = cause.place.as_deref().map_or_else(String::new, |place| format!(" in {}", clean(place)));
            format!("{} {}{below}", share(cause.time), cause.what.doing())
        };
        let named: Vec<String> = large.map(name).collect();
        let because = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
        format!("It is async, and {whose} still {} of the time{worst}{because}.", share(stood))
    }

    /// The sentence where each thread waits for one connection.
    fn own_threads(&self) -> String {
        let threads = plural(self.awake().count() as u64, "thread waits", "threads wait");
        let watched: Nanos = self.awake().map(|of| of.watched).sum();
        format!(
            "{threads} for events, and nearly always the same descriptor ends the wait, as in a thread that serves one connection. \
             While it does something else nobody but that connection waits. It does so for {} or longer at a stretch during {} \
             of the time. `check` says what async would give back.",
            self.over,
            percent(self.stood().ratio_to(watched))
        )
    }

    /// What looking cost.
    pub fn overhead_words(&self) -> String {
        let programs = self.programs.map_or_else(
            || "what the programs cost it is not known".to_owned(),
            |share| format!("the programs cost it {} of its CPU while they are attached", percent(share)),
        );
        format!("{programs}; the profiler itself took {} of a CPU", percent(self.own))
    }

    /// What was lost, a line each.
    pub fn losses_words(&self) -> Vec<String> {
        let (stalls, stacks) = self.lost;
        let lost = [(stalls, "stalls: no room in the ring"), (stacks, "stacks of stalls: no room")];
        let mut lines: Vec<String> =
            lost.into_iter().filter(|&(n, _)| n > 0).map(|(n, what)| format!("!! LOST {} {what}", count(n))).collect();
        if self.broken {
            lines.push("!! the thread that puts stalls together ended early: there may have been more".to_owned());
        }
        let (beyond, time) = self.beyond;
        if beyond > 0 {
            lines.push(format!("{} further stalls, {time} in all, are counted here alone", count(beyond)));
        }
        lines
    }
}
