//! rig: the tools of the measurements. Clocks and CPUs, the pace, connections, rings, files, short
//! calls, and one block.

pub(crate) mod aio;
pub(crate) mod block;
pub(crate) mod clock;
pub(crate) mod host;
pub(crate) mod pace;
pub(crate) mod peers;
pub(crate) mod per_call;
pub(crate) mod ring;
pub(crate) mod scratch;
