//! Asks the engine again: for a screen, on a thread of its own; for a page, all questions at once.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use crate::{
    feed::{Inquiry, Reply, Update},
    predict::{Answers, Engine, Grid, Question, WhatIf},
};

fn answers(engine: &Engine, question: Question) -> Answers {
    engine.offered().into_iter().map(|way| engine.scenario(way, question.loops, question.assignment)).collect()
}

/// Works out every answer that a page may want, on as many threads as there are CPUs.
pub(super) fn grid(engine: &Engine, what_if: &WhatIf) -> Grid {
    Grid::new(what_if, |questions| {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(questions.len().max(1));
        let share = questions.len().div_ceil(workers).max(1);
        thread::scope(|scope| {
            let ask = |part: &[Question]| part.iter().map(|&question| answers(engine, question)).collect::<Vec<_>>();
            let parts: Vec<_> =
                questions.chunks(share).map(|part| (part.len(), scope.spawn(move || ask(part)))).collect();
            // A worker that panicked has said so; its cells stay empty.
            let nothing = |cells| vec![Answers::default(); cells];
            parts.into_iter().flat_map(|(cells, part)| part.join().unwrap_or_else(|_| nothing(cells))).collect()
        })
    })
}

/// Replies for a screen that it has not fetched yet; they go to it beside the snapshots.
pub(super) struct Replies {
    updates_in: Sender<Update>,
    updates: Receiver<Update>,
}

impl Replies {
    pub(super) fn new() -> Self {
        let (updates_in, updates) = channel();
        Self { updates_in, updates }
    }

    /// Works a reply out, on a thread of its own.
    pub(super) fn ask(&self, inquiry: Inquiry) {
        let out = self.updates_in.clone();
        let asked = inquiry.clone();
        let work = move || {
            let scenarios = answers(&asked.engine, asked.question).into_iter().flatten().collect();
            // This fails where the screen was left; then nobody wants the reply.
            let _ = out.send(Update::Reply(Reply { inquiry: asked, scenarios }));
        };
        if let Err(error) = thread::Builder::new().name("sia-what-if".into()).spawn(work) {
            self.say(Update::Problem(format!("cannot start a thread for the what-if: {error}")));
            self.say(Update::Reply(Reply { inquiry, scenarios: Vec::new() }));
        }
    }

    /// Another update for the screen.
    pub(super) fn say(&self, update: Update) {
        // This cannot fail: the receiver is in this struct.
        let _ = self.updates_in.send(update);
    }

    /// The next one that is there already.
    pub(super) fn next(&self) -> Option<Update> {
        self.updates.try_recv().ok()
    }
}
