//! What-if with other loops: what was asked and answered, so that nothing is asked twice.

use std::sync::Arc;

use crate::{
    answer::Report,
    feed::{Answer, Command},
    predict::{Question, Scenario, replay::Queues},
};

/// What is asked, and the answers on this report.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Loops, where others than the report's are asked for.
    loops: Option<u32>,
    pub(super) queues: Queues,
    report: Option<Arc<Report>>,
    /// Sent, and not answered yet.
    sent: Option<Question>,
    answers: Vec<Answer>,
}

impl Default for Ask {
    fn default() -> Self {
        Self { loops: None, queues: Queues::Own, report: None, sent: None, answers: Vec::new() }
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

    fn question(&self, report: &Report) -> Question {
        Question { queues: self.queues, loops: self.loops(report) }
    }

    /// What has to be asked, if the answer is not there yet and not under way.
    pub(super) fn settle(&mut self, report: &Arc<Report>) -> Option<Command> {
        if !self.report.as_ref().is_some_and(|known| Arc::ptr_eq(known, report)) {
            // Figures are new at every look, what is replayed is not.
            if self.report.as_ref().is_none_or(|known| known.what_if != report.what_if) {
                self.answers.clear();
                self.sent = None;
            }
            self.report = Some(Arc::clone(report));
        }
        let question = self.question(report);
        let what_if = &report.what_if;
        let own = question.loops == what_if.loops && question.queues == Queues::Own;
        if own || what_if.priced.is_none() || self.sent == Some(question) || self.answer(question).is_some() {
            return None;
        }
        self.sent = Some(question);
        Some(Command::Ask(question))
    }

    /// Takes an answer.
    pub(super) fn take(&mut self, answer: Answer) {
        if self.sent == Some(answer.question) {
            self.sent = None;
        }
        self.answers.retain(|known| known.question != answer.question);
        self.answers.push(answer);
    }

    fn answer(&self, question: Question) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.question == question)
    }

    /// The answer to what is asked; that of the report until it is there.
    pub(super) fn scenarios<'a>(&'a self, report: &'a Report) -> &'a [Scenario] {
        self.answer(self.question(report)).map_or(&report.what_if.scenarios, |answer| &answer.scenarios)
    }
}
