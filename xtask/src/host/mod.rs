//! What `bench` and `lab` stand on: programs that run beside us, clocks, the machine, tables; what
//! `vm` and `dist` build.

pub(crate) mod arch;
pub(crate) mod child;
pub(crate) mod clocks;
pub(crate) mod machine;
pub(crate) mod markdown;
pub(crate) mod package;
