//! What every object of ours says in the same words: who made it, and the kind of an answer.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer;

/// Bumped whenever a key changes its meaning or goes away; new keys do not bump it.
pub const SCHEMA_VERSION: u32 = 2;

/// The program that made the report.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tool {
    /// The name of its command.
    name: &'static str,
    /// Its version, as `--version` prints it.
    version: &'static str,
}

impl Tool {
    pub(super) const fn this() -> Self {
        Self { name: "should-i-async", version: env!("CARGO_PKG_VERSION") }
    }
}

/// The kind of an answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Too little happened to say anything.
    NotEnoughData,
    /// It did next to nothing itself; the processes below it, which were not measured, did the
    /// work.
    ChildrenWork,
    /// No: it waits for events already.
    AlreadyAsync,
    /// No: it does no blocking IO.
    NoBlockingIo,
    /// No: it hardly blocks on IO. Its runtime parks its tasks in user space, and what these wait
    /// for cannot be seen from the kernel.
    ParkedTasks,
    /// No: blocking costs it next to nothing.
    CostsLittle,
    /// No: its CPU goes into its own code.
    CpuBound,
    /// No: too little is in flight, a loop would sleep as often.
    LowConcurrency,
    /// It waits on locks more than on IO.
    Locks,
    /// Its threads hand work to each other, or share a lock, about as often as they do IO: what
    /// async would give back of that is not predicted.
    HandOver,
    /// No: it blocks on files, where readiness (epoll) gains nothing and completion (`io_uring`)
    /// too little.
    Files,
    /// Yes, but only with completion (`io_uring`), batched.
    YesTuned,
    /// Yes, with readiness already.
    Yes,
    /// The interval holds yes and no.
    Unsure,
    /// No sign tells what most of its CPU goes into.
    UnknownProgram,
    /// Blocking costs it something; what async would give back could not be told.
    Blocking,
}

/// What an answer comes down to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    /// It would be worth it: all of the interval is above zero, and the figure is what is worth it,
    /// or more.
    Yes,
    /// It would not: all of the interval is below that.
    No,
    /// The interval holds both.
    Perhaps,
    /// There is no figure that could decide.
    Abstains,
}

impl Decision {
    pub(super) const fn new(decision: answer::Decision) -> Self {
        match decision {
            answer::Decision::Yes => Self::Yes,
            answer::Decision::No => Self::No,
            answer::Decision::Perhaps => Self::Perhaps,
            answer::Decision::Abstains => Self::Abstains,
        }
    }
}

impl Answer {
    pub(super) const fn new(answer: answer::Answer) -> Self {
        match answer {
            answer::Answer::NotEnoughData => Self::NotEnoughData,
            answer::Answer::ChildrenWork => Self::ChildrenWork,
            answer::Answer::AlreadyAsync => Self::AlreadyAsync,
            answer::Answer::NoBlockingIo => Self::NoBlockingIo,
            answer::Answer::ParkedTasks => Self::ParkedTasks,
            answer::Answer::CostsLittle => Self::CostsLittle,
            answer::Answer::CpuBound => Self::CpuBound,
            answer::Answer::LowConcurrency => Self::LowConcurrency,
            answer::Answer::YesTuned => Self::YesTuned,
            answer::Answer::Yes => Self::Yes,
            answer::Answer::Unsure => Self::Unsure,
            answer::Answer::UnknownProgram => Self::UnknownProgram,
            answer::Answer::Locks => Self::Locks,
            answer::Answer::HandOver => Self::HandOver,
            answer::Answer::Files => Self::Files,
            answer::Answer::Blocking => Self::Blocking,
        }
    }
}
