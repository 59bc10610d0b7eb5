//! What every comparison of predictions with the truth is made of. A suite brings its rows; the
//! harness predicts, measures and judges them.
//!
//! A [`row`] is a blocking program, its async form, and a load. [`run`] is the composition: first
//! [`forecast`] asks `check` about every blocking program and reads its [`report`], and [`journal`]
//! puts each answer on disk; then [`measure`] runs both forms in turns, each a [`stage`] with a
//! load of its own. [`judge`] compares, on values of [`results`], by the arithmetic of
//! [`statistics`], with the intervals that follow from what was [`missed`] elsewhere; [`table`] and
//! [`plot`] show it. [`workload`] starts programs of ours. [`progress`] says meanwhile how far it
//! is. [`flags`] are those that each suite has.

pub(crate) mod choice;
pub(crate) mod forecast;
mod journal;
pub(crate) mod judge;
pub(crate) mod measure;
pub(crate) mod missed;
pub(crate) mod options;
pub(crate) mod plot;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod row;
pub(crate) mod run;
pub(crate) mod stage;
pub(crate) mod statistics;
pub(crate) mod table;
pub(crate) mod workload;
