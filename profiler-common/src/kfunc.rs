//! Calls of kernel functions that only some kernels have, from an object that is the same on every
//! kernel. The programs call helpers of numbers that no kernel has. The loader turns these calls
//! into calls of the function of that name, or into nothing.

/// `bpf_preempt_disable` of `kernel/bpf/helpers.c`, since 6.11.
pub const PREEMPT_DISABLE: u32 = 0x7eed_0001;
/// `bpf_preempt_enable` of `kernel/bpf/helpers.c`, since 6.11.
pub const PREEMPT_ENABLE: u32 = 0x7eed_0002;

/// The functions: the number of the made-up helper, and the name.
pub const FUNCTIONS: [(u32, &str); 2] =
    [(PREEMPT_DISABLE, "bpf_preempt_disable"), (PREEMPT_ENABLE, "bpf_preempt_enable")];
