//! export: a report and its stacks in the formats that other tools read. `docs/exports.md` says
//! what each one means.
//!
//! Pure functions from [`crate::answer::Report`] and [`crate::answer::Profile`] to strings and
//! bytes: whoever calls opens the files. Names come from the target, which may have chosen them to
//! break a format: each format makes them safe in its own way, and none of them can be made to
//! fetch anything.

pub mod exposition;
pub mod folded;
mod format;
pub mod html;
pub mod markdown;
mod markup;
mod paths;
pub mod pprof;
pub mod recovery;
pub mod speedscope;
pub mod svg;

pub use format::Format;

use crate::answer::{Profile, Weight};
use crate::text::clean;
use crate::words;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No stack has a part of the figure that was to be drawn.
    #[error("no flame graph: {0}")]
    NoStacks(String),
    /// No hardware counters, or no overflow samples.
    #[error("no recovery curve: {0}")]
    NoCurve(String),
    /// A factor that is not a positive number.
    #[error("cannot compare by a factor of {0}: nothing was counted to divide by")]
    Factor(f64),
    /// The library that draws refused.
    #[error("the flame graph could not be drawn")]
    Draw(#[from] std::io::Error),
}

impl ExportError {
    fn no_stacks(profile: &Profile, weight: Weight) -> Self {
        let why = profile.no_stacks(weight).unwrap_or_else(|| words::NO_STACK.to_owned());
        Self::NoStacks(clean::line(&why))
    }
}

#[cfg(test)]
mod tests;
