//! Calls of kernel functions. The object is the same bytes on every kernel, and only some kernels have them: the programs
//! call helpers of numbers that no kernel has, and the loader turns these calls into calls of the function of that name,
//! or into nothing.

/// `bpf_preempt_disable` of `kernel/bpf/helpers.c`, since 6.11.
pub const PREEMPT_DISABLE: u32 = 0x7eed_0001;
/// `bpf_preempt_enable`.
pub const PREEMPT_ENABLE: u32 = 0x7eed_0002;

/// The functions: the number of the made-up helper, and the name.
pub const FUNCTIONS: [(u32, &str); 2] =
    [(PREEMPT_DISABLE, "bpf_preempt_disable"), (PREEMPT_ENABLE, "bpf_preempt_enable")];
