//! The flags of `cargo xtask vm`.

use std::path::PathBuf;

use clap::Args;

use super::{
    cell::{Quarter, SERIES},
    run::Pmu,
};
use crate::host::arch::Arch;

/// Runs the tool and its kernel tests on other kernels, under emulation.
#[derive(Args)]
pub(crate) struct Options {
    /// Only kernels of these series.
    #[arg(long, value_delimiter = ',', value_parser = SERIES, value_name = "SERIES")]
    pub(super) kernels: Vec<String>,
    /// Only these architectures.
    #[arg(long, value_delimiter = ',')]
    pub(super) arch: Vec<Arch>,
    /// Only a quarter of the kernels, one of each architecture.
    #[arg(long, value_name = "WHICH")]
    pub(super) quarter: Option<Quarter>,
    /// Only tests whose name contains this, or one of these.
    #[arg(long, value_delimiter = ',')]
    pub(super) filter: Vec<String>,
    /// What the PMU of an aarch64 guest counts.
    #[arg(long, default_value = "full")]
    pub(super) pmu: Pmu,
    /// Puts this file into the guests' /bin too.
    #[arg(long, value_name = "FILE")]
    pub(super) add: Vec<PathBuf>,
    /// Kills a COMMAND that takes longer, in seconds of the guest.
    #[arg(long, default_value_t = 300)]
    pub(super) limit: u64,
    /// Fetches the kernels anew.
    #[arg(long)]
    pub(super) refresh: bool,
    /// Leaves out the tests that take long and hardly depend on the kernel.
    #[arg(long)]
    pub(super) brief: bool,
    /// Lists the tests that are not run in the guests, with the reasons, and runs nothing.
    #[arg(long)]
    pub(super) left_out: bool,
    /// Guests at a time. Default: one for each CPU.
    #[arg(long)]
    pub(super) jobs: Option<usize>,
    /// Runs this in the guests instead of the tests, and prints what it says. The test programs are
    /// in /t/deps.
    #[arg(last = true)]
    pub(super) command: Vec<String>,
}
