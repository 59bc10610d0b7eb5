//! Scenarios on other numbers of loops: all that a page can ask, worked out beforehand.

use super::{replay::Assignment, scenario::Scenario, whatif::WhatIf};

/// Up to this number, loops can be chosen one by one. Beyond it each step doubles, because replays
/// take long.
const ONE_BY_ONE: u32 = 8;

/// The answers to one question, one for each offered way; `None` for a way without a price.
pub type Answers = Vec<Option<Scenario>>;

/// A question that a page can ask: how many loops, and how connections are assigned to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub assignment: Assignment,
    pub loops: u32,
}

/// Every way of waiting on every number of loops that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Numbers of loops, ascending; the report's own is among them.
    pub loops: Vec<u32>,
    /// By assignment as in [`Grid::ASSIGNMENTS`], then by loops.
    pub rows: Vec<Vec<Answers>>,
}

impl Grid {
    /// How connections can be assigned to loops, in the order of the rows.
    pub const ASSIGNMENTS: [Assignment; 2] = [Assignment::Fixed, Assignment::Stealing];

    /// Asks all questions through `answers`, which gets them in order and answers in order.
    pub fn new(what_if: &WhatIf, answers: impl FnOnce(&[Question]) -> Vec<Answers>) -> Self {
        let loops = choices(what_if);
        let questions: Vec<Question> = Self::ASSIGNMENTS
            .iter()
            .flat_map(|&assignment| loops.iter().map(move |&loops| Question { assignment, loops }))
            .collect();
        let rows = answers(&questions).chunks(loops.len().max(1)).map(<[_]>::to_vec).collect();
        Self { loops, rows }
    }

    /// All scenarios in it.
    pub fn scenarios(&self) -> impl Iterator<Item = &Scenario> {
        self.rows.iter().flatten().flatten().flatten()
    }
}

/// Numbers of loops that can be chosen, the report's own among them.
fn choices(what_if: &WhatIf) -> Vec<u32> {
    let most = what_if.allowed_cpus.max(ONE_BY_ONE);
    let doubled = (1..).map_while(|n| ONE_BY_ONE.checked_shl(n)).take_while(|&l| l < most && l > ONE_BY_ONE);
    let mut loops: Vec<u32> = (1..=ONE_BY_ONE).chain(doubled).chain([what_if.loops.max(1), most]).collect();
    loops.sort_unstable();
    loops.dedup();
    loops
}
