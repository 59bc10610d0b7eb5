//! Asks the engine again: for a screen, one question at a time on a thread of its own; for a page,
//! all questions at once.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use crate::{
    feed::{Answer, Update},
    machine::Way,
    predict::{Answers, Engine, Grid, Question, WhatIf},
};

fn answers(engine: &Engine, question: Question) -> Answers {
    Way::ALL.map(|way| engine.scenario(way, question.loops, question.queues))
}

/// Every answer that a page may want; on as many threads as there are CPUs.
pub(super) fn grid(engine: &Engine, what_if: &WhatIf) -> Grid {
    Grid::new(what_if, |questions| {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(questions.len().max(1));
        let share = questions.len().div_ceil(workers).max(1);
        thread::scope(|scope| {
            let ask = |part: &[Question]| part.iter().map(|&question| answers(engine, question)).collect::<Vec<_>>();
            let parts: Vec<_> = questions.chunks(share).map(|part| scope.spawn(move || ask(part))).collect();
            // A worker that panicked has said so; its cells are left out.
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        })
    })
}

/// A screen's questions and the answers that it has not fetched yet.
pub(super) struct Asked {
    updates_in: Sender<Update>,
    updates: Receiver<Update>,
}

impl Asked {
    pub(super) fn new() -> Self {
        let (updates_in, updates) = channel();
        Self { updates_in, updates }
    }

    /// Works an answer out, on a thread of its own.
    pub(super) fn ask(&self, engine: Arc<Engine>, question: Question) {
        let out = self.updates_in.clone();
        let work = move || {
            let scenarios = answers(&engine, question).into_iter().flatten().collect();
            // Nobody reads it any more where the screen was left.
            let _ = out.send(Update::Answer(Answer { question, scenarios }));
        };
        if let Err(error) = thread::Builder::new().name("sia-what-if".into()).spawn(work) {
            self.say(Update::Problem(format!("cannot start a thread for the what-if: {error}")));
        }
    }

    /// Something else that the screen is to be told.
    pub(super) fn say(&self, update: Update) {
        // The receiver is this struct's own.
        let _ = self.updates_in.send(update);
    }

    /// The next answer that is there already.
    pub(super) fn next(&self) -> Option<Update> {
        self.updates.try_recv().ok()
    }
}
