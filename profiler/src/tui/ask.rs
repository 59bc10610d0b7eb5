//! What-if with other loops: the answers already given, so that a replay is not run twice.

use std::sync::Arc;

use crate::{
    answer::Report,
    machine::Way,
    predict::{Scenario, replay::Queues},
};

/// A question and its answer.
#[derive(Clone, Debug)]
struct Answer {
    loops: u32,
    queues: Queues,
    scenarios: Vec<Scenario>,
}

/// What is asked, and the answers on this report.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Loops, where others than the report's are asked for.
    loops: Option<u32>,
    pub(super) queues: Queues,
    report: Option<Arc<Report>>,
    answers: Vec<Answer>,
}

impl Default for Ask {
    fn default() -> Self {
        Self { loops: None, queues: Queues::Own, report: None, answers: Vec::new() }
    }
}

impl Ask {
    /// Loops asked for.
    pub(super) fn loops(&self, report: &Report) -> u32 {
        self.loops.unwrap_or(report.what_if.loops)
    }

    /// Asks for more or fewer; as many as the target may use CPUs at most.
    pub(super) fn change(&mut self, report: &Report, by: i32) {
        let most = report.what_if.allowed_cpus.max(report.what_if.loops).max(1);
        self.loops = Some(self.loops(report).saturating_add_signed(by).clamp(1, most));
    }

    /// Asks for what the report took.
    pub(super) fn usual(&mut self) {
        self.loops = None;
    }

    pub(super) fn turn_queues(&mut self) {
        self.queues = match self.queues {
            Queues::Own => Queues::Stealing,
            Queues::Stealing => Queues::Own,
        };
    }

    /// Finds the answer, if it is not there yet.
    pub(super) fn settle(&mut self, report: &Arc<Report>) {
        if !self.report.as_ref().is_some_and(|known| Arc::ptr_eq(known, report)) {
            // Figures are new at every look, what is replayed is not.
            if self.report.as_ref().is_none_or(|known| known.what_if != report.what_if) {
                self.answers.clear();
            }
            self.report = Some(Arc::clone(report));
        }
        let (loops, queues) = (self.loops(report), self.queues);
        if self.answer(loops).is_some() {
            return;
        }
        let what_if = &report.what_if;
        let scenarios = match &what_if.engine {
            // What the report says itself needs no second replay.
            Some(_) if loops == what_if.loops && queues == Queues::Own => what_if.scenarios.clone(),
            Some(engine) => Way::ALL.into_iter().filter_map(|way| engine.scenario(way, loops, queues)).collect(),
            None => what_if.scenarios.clone(),
        };
        self.answers.push(Answer { loops, queues, scenarios });
    }

    fn answer(&self, loops: u32) -> Option<&Answer> {
        self.answers.iter().find(|a| a.loops == loops && a.queues == self.queues)
    }

    /// The answer to what is asked; that of the report until it is there.
    pub(super) fn scenarios<'a>(&'a self, report: &'a Report) -> &'a [Scenario] {
        self.answer(self.loops(report)).map_or(&report.what_if.scenarios, |a| &a.scenarios)
    }
}
