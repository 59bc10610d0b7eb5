//! What `bench` and `lab` stand on: programs that run beside us, clocks, the machine, tables.

pub(crate) mod child;
pub(crate) mod clocks;
pub(crate) mod machine;
pub(crate) mod markdown;
