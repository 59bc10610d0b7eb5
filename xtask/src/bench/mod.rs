//! `cargo xtask bench`: what measuring costs, measured.
//!
//! `overhead` is the composition: rounds of [`load`] under each [`observer`], then the [`limits`]
//! that need no comparison, judged and rendered. `paid` holds what a server pays against what is
//! reported and the budget. `programs` holds two kernel objects against each other. [`scale`]
//! judges how all of it grows. [`floor`] is a process that `overhead` starts. Everything is seen
//! from outside (CPU clocks, `/proc`, the kernel's own BPF statistics), so that the profiler is not
//! asked how cheap it is.

mod counted;
mod figures;
mod findings;
mod floor;
mod kernel;
mod limits;
mod load;
mod machine;
mod observer;
mod overhead;
mod paid;
mod programs;
mod render;
mod scale;

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measures what measuring costs.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Overhead(overhead::Options),
    Paid(paid::Options),
    Programs(programs::Options),
    Scale(scale::Options),
    #[command(hide = true)]
    EmptyHooks(floor::Options),
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    match &options.what {
        What::Overhead(options) => overhead::run(root, options),
        What::Paid(options) => paid::run(root, options),
        What::Programs(options) => programs::run(root, options),
        What::Scale(options) => scale::run(root, options),
        What::EmptyHooks(options) => floor::run(root, options),
    }
}
