//! What several subcommands use: programs that run beside us and limits for them, clocks, the
//! machine, numbers, tables, what cargo builds, and what is left in the kernel.

pub(crate) mod apt;
pub(crate) mod arch;
pub(crate) mod child;
pub(crate) mod clocks;
pub(crate) mod file;
pub(crate) mod machine;
pub(crate) mod markdown;
pub(crate) mod memory;
pub(crate) mod numbers;
pub(crate) mod package;
pub(crate) mod programs;
