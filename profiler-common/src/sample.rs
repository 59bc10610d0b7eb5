//! CPU-clock samples of the target: where its threads were when a timer looked.

/// Kernel frames kept of a sample; deeper stacks are cut at the far end.
pub const FRAMES: usize = 32;

/// What the CPU clock found at one tick.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The thread's `task_struct.pid`.
    pub tid: u32,
    /// Bytes of `frames` that are filled: 0 in user mode; negative where the stack could not be
    /// read.
    pub bytes: i32,
    /// Return addresses, the innermost first.
    pub frames: [u64; FRAMES],
}
