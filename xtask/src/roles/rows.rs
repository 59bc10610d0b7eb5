//! The programs, and what is true of their threads.

use crate::{
    harness::report::Answer::{
        self, AlreadyAsync, CostsLittle, CpuBound, HandOver, Locks, NoBlockingIo, ParkedTasks, Unsure, Yes,
    },
    pairs::needs::Need,
};

/// A program of xtask/programs/roles whose threads' parts are known.
pub(super) struct Row {
    pub(super) id: &'static str,
    /// What makes it; `None` where nothing does.
    pub(super) built: Option<Need>,
    /// Its words: `{at}` is where it is built, `{sources}` where its source is.
    pub(super) words: &'static str,
    /// Threads by their names (`*`: all), and the roles that are right for them.
    pub(super) threads: &'static [(&'static str, &'static [&'static str])],
    /// The answers that are right.
    pub(super) answers: &'static [Answer],
}

const LOCK: &[(&str, &[&str])] = &[("fights", &["lock-bound"])];
const POOL: &[(&str, &[&str])] = &[("submits", &["dispatcher"]), ("works", &["pool-worker"])];
const SERVE: &[(&str, &[&str])] = &[("serves", &["connection"])];
/// Threads of Go's scheduler. Their calls do not show what a goroutine waits for, a lock for
/// example.
const RUNTIME: &[&str] = &["event-loop", "pool-worker", "timer", "idle"];
/// It fights for no lock, and blocks on no IO.
const NO_GAIN: &[Answer] = &[NoBlockingIo, CpuBound, CostsLittle, HandOver];

const fn built(compiler: &'static str) -> Option<Need> {
    Some(Need::Built { compiler, source: "roles.c", flags: &["-lpthread"] })
}

const GO: Option<Need> = Some(Need::Built { compiler: "go", source: "roles.go", flags: &[] });
const JAVA: Option<Need> = Some(Need::Built { compiler: "javac", source: "Roles.java", flags: &[] });

const fn row(
    id: &'static str,
    built: Option<Need>,
    words: &'static str,
    threads: &'static [(&'static str, &'static [&'static str])],
    answers: &'static [Answer],
) -> Row {
    Row { id, built, words, threads, answers }
}

pub(super) const ROWS: &[Row] = &[
    row("glibc-mutex", built("gcc"), "{at}/roles mutex", LOCK, &[Locks]),
    row("glibc-condvar", built("gcc"), "{at}/roles condvar", POOL, &[HandOver]),
    row("glibc-semaphore", built("gcc"), "{at}/roles semaphore", POOL, &[HandOver]),
    row("glibc-join", built("gcc"), "{at}/roles join", &[("computes", &["computing"])], NO_GAIN),
    row("glibc-rounds", built("gcc"), "{at}/roles rounds", &[("*", &["computing"])], NO_GAIN),
    row("musl-mutex", built("musl-gcc"), "{at}/roles mutex", LOCK, &[Locks]),
    row("musl-condvar", built("musl-gcc"), "{at}/roles condvar", POOL, &[HandOver]),
    row("musl-semaphore", built("musl-gcc"), "{at}/roles semaphore", POOL, &[HandOver]),
    row("musl-join", built("musl-gcc"), "{at}/roles join", &[("computes", &["computing"])], NO_GAIN),
    row("musl-rounds", built("musl-gcc"), "{at}/roles rounds", &[("*", &["computing"])], NO_GAIN),
    row("go-mutex", GO, "{at}/roles mutex", &[("*", RUNTIME)], &[ParkedTasks]),
    row("go-serve", GO, "{at}/roles serve", &[("*", RUNTIME)], &[AlreadyAsync]),
    row("go-ticks", GO, "{at}/roles ticks", &[("*", RUNTIME)], &[ParkedTasks]),
    row("go-jobs", GO, "{at}/roles jobs", &[("*", RUNTIME)], &[ParkedTasks]),
    row("java-synchronized", JAVA, "java -cp {at} Roles synchronized", LOCK, &[Locks]),
    row("java-reentrant", JAVA, "java -cp {at} Roles reentrant", LOCK, &[Locks]),
    row("java-executor", JAVA, "java -cp {at} Roles executor", POOL, &[HandOver]),
    row("python-compute", None, "python3 {sources}/roles.py compute", &[("computes", &["lock-bound"])], &[Locks]),
    row("python-serve", None, "python3 {sources}/roles.py serve", SERVE, &[HandOver, Yes, Unsure]),
    row("python-timeout", None, "python3 {sources}/roles.py timeout", SERVE, &[HandOver, Yes, Unsure]),
    row("node-files", None, "node {sources}/roles.js", &[("*", &["event-loop", "pool-worker"])], &[HandOver]),
];
