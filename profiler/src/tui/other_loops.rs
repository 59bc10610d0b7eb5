//! What-if with other loops: what was asked and answered, so that nothing is asked twice.

use std::sync::{Arc, Weak};

use crate::{
    feed::{Command, Inquiry, Reply, Snapshot},
    predict::{Engine, Question, Scenario, replay::Assignment},
};

/// What can be shown for the loops asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found<'a> {
    /// The answer. Empty: it could not be worked out.
    Now(&'a [Scenario]),
    /// The answer by the replay before, until there is a new one.
    Before(&'a [Scenario]),
    /// Nobody has asked for it.
    NotYet,
}

/// What is asked, and the answers so far.
#[derive(Clone, Debug)]
pub(super) struct OtherLoops {
    /// Loops, where others than the report's are asked for.
    loops: Option<u32>,
    assignment: Assignment,
    /// Whether an inquiry was sent and not answered yet. The next one waits for it.
    sent: bool,
    /// The newest answer to each question.
    answers: Vec<Answer>,
}

#[derive(Clone, Debug)]
struct Answer {
    question: Question,
    /// The engine that gave it. It is a weak reference, so that the engine's replay is not kept
    /// alive.
    engine: Weak<Engine>,
    scenarios: Vec<Scenario>,
}

impl Default for OtherLoops {
    fn default() -> Self {
        Self { loops: None, assignment: Assignment::Fixed, sent: false, answers: Vec::new() }
    }
}

/// What the report answers itself.
fn usual(snapshot: &Snapshot) -> Question {
    Question { assignment: Assignment::Fixed, loops: snapshot.whole.what_if.loops }
}

/// As many loops as the target may use CPUs.
pub(super) fn most(snapshot: &Snapshot) -> u32 {
    let what_if = &snapshot.whole.what_if;
    what_if.allowed_cpus.max(what_if.loops).max(1)
}

impl OtherLoops {
    /// Which loops are asked about.
    pub(super) fn question(&self, snapshot: &Snapshot) -> Question {
        let usual = usual(snapshot);
        match snapshot.engine {
            Some(_) => Question { assignment: self.assignment, loops: self.loops.unwrap_or(usual.loops) },
            // Nobody could answer anything else.
            None => usual,
        }
    }

    /// Asks for more or fewer.
    pub(super) fn change(&mut self, snapshot: &Snapshot, by: i32) {
        self.loops = Some(self.question(snapshot).loops.saturating_add_signed(by).clamp(1, most(snapshot)));
    }

    /// Asks for what the report took.
    pub(super) fn usual(&mut self) {
        self.loops = None;
    }

    pub(super) fn turn_assignment(&mut self) {
        self.assignment = match self.assignment {
            Assignment::Fixed => Assignment::Stealing,
            Assignment::Stealing => Assignment::Fixed,
        };
    }

    /// What the feed has to be asked now.
    pub(super) fn settle(&mut self, snapshot: &Snapshot) -> Option<Command> {
        let engine = snapshot.engine.as_ref()?;
        if self.sent || !matches!(self.found(snapshot), Found::Before(_) | Found::NotYet) {
            return None;
        }
        self.sent = true;
        Some(Command::Ask(Inquiry { engine: Arc::clone(engine), question: self.question(snapshot) }))
    }

    /// Takes a reply in, in place of an older one to the same question.
    pub(super) fn take(&mut self, reply: Reply) {
        let Reply { inquiry: Inquiry { engine, question }, scenarios } = reply;
        self.sent = false;
        self.answers.retain(|known| known.question != question);
        self.answers.push(Answer { question, engine: Arc::downgrade(&engine), scenarios });
    }

    /// The answer to what is asked.
    pub(super) fn found<'a>(&'a self, snapshot: &'a Snapshot) -> Found<'a> {
        let question = self.question(snapshot);
        if question == usual(snapshot) {
            return Found::Now(&snapshot.whole.what_if.scenarios);
        }
        let engine = snapshot.engine.as_ref().map_or(std::ptr::null(), Arc::as_ptr);
        match self.answers.iter().find(|known| known.question == question) {
            Some(known) if known.engine.as_ptr() == engine => Found::Now(&known.scenarios),
            Some(known) => Found::Before(&known.scenarios),
            None => Found::NotYet,
        }
    }
}
