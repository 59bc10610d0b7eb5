//! symbol: from copies of stacks to named frames.
//!
//! Two halves that meet in the table of modules. The [`Unwinder`] follows a copy of a stack
//! outwards while its process lives, and keeps the files it goes through open: its addresses are
//! places in files, which outlive the process. The [`Symbolizer`] names those, on another thread
//! and as late as one likes. What cannot be followed or named is counted and shown as an address;
//! nothing here fails.

mod address;
mod application;
mod asleep;
mod blaze;
mod boundary;
mod copy;
mod elf;
mod frame;
mod maps;
mod memo;
mod module;
mod name;
mod perf_map;
mod process;
mod root;
mod stub;
#[cfg(test)]
mod tests;
mod unwind;

pub use address::{CodeAddress, ModuleId};
pub use application::application_frame;
pub use asleep::{SleepingStack, sleeping_stack};
pub use copy::{Registers, StackCopy, Trace};
pub use frame::{Frame, Origin};
pub use module::Modules;
pub use name::Symbolizer;
pub use unwind::{Counters, MOST_FRAMES, Unwinder};

/// Reads a perf map's text, and asks it for names. For `fuzz/`.
#[cfg(fuzzing)]
pub fn fuzz_perf_map(bytes: &[u8]) {
    perf_map::fuzz(bytes);
}

/// Reads `/proc/PID/maps`. For `fuzz/`.
#[cfg(fuzzing)]
pub fn fuzz_maps(bytes: &[u8]) {
    maps::fuzz(bytes);
}
