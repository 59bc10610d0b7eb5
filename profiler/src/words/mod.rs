//! words: what the answer says in English, once for all outputs: verdict, evidence, advice, terms,
//! notes and reasons.

/// How exact a quantile from a log2 histogram is; a macro so that `concat!` takes it.
macro_rules! to_a_factor_of_two {
    () => {
        "to a factor of two"
    };
}

mod answer;
mod capacity;
mod cost;
mod diff;
mod in_words;
mod ipc;
mod latency;
mod ledger;
mod load;
mod machine;
mod memory;
pub mod metrics;
mod missing;
mod predict;
mod quality;
mod quota;
mod recording;
mod roles;
pub mod serve;
mod stacks;
mod stalls;
mod tables;
mod top;
mod verdict;
mod wakeups;
mod ways;
mod whatif;

pub use cost::disagreement;
pub use diff::DIFF_NOISE;
pub use in_words::{InWords, note, provenance, title};
pub use ipc::{CURVES, NO_SAMPLES, SINCE_THE_RETURN, SURVIVORS};
pub use machine::{MODELLED_RUNTIME, measured_runtime, origin, prices, runtime};
pub use memory::memory_needed;
pub use missing::{
    ALL_CALLS_BLOCKED, KERNEL_DOES_NOT_SAY, KERNEL_NOT_COUNTED, NEVER_BLOCKED, NO_CALL, NO_CALL_BLOCKED, NO_CPU,
    NO_DEVICE, NO_INTERVAL, NO_KERNEL_CPU, NO_LINE, NO_LOAD_AVERAGE, NO_NAME, NO_REASON, NO_REQUEST, NO_TERMINAL,
    NO_TERMINAL_FOR_STALLS, NO_TERMINAL_FOR_TOP, NO_THREAD, NO_TURN, NO_USER_WINDOW, NO_WAKE_UP, NOISE, NOT_A_NUMBER,
    NOT_COUNTED, NOT_MEASURED, NOT_TOLD, ONE_WINDOW, TO_A_BUCKET, TO_A_FACTOR_OF_TWO, TOO_FEW_PARTS, WAYS_COST,
    no_price,
};
pub use predict::base;
pub use quality::{Compared, counts, reference, times};
pub use quota::RUN_DELAY_OF_QUOTA;
pub use recording::{NO_OTHER_INTERVAL, NO_RESET, kept_elsewhere, wrote};
pub use roles::TOLD_FROM;
pub use stacks::{NO_ROOM_FOR_STACKS, NO_STACK, NO_STACK_HERE, OUTER_MISSING, STACKS, STACKS_BROKE_OFF};
pub use stalls::{CAUSE_COLUMNS, CAUSE_HEAD, INSTEAD, LOOP_COLUMNS, LOOP_HEAD, SHARED_LOOP};
pub use tables::{
    BLOCKED_P99, BLOCKING_IO, BURST, COST_PER_CALL, CPU_BLOCKED, CPU_NOT_BLOCKED, DEVICE_COLUMNS, INDIRECT,
    INDIRECT_COST, IPC_WINDOWS, OWN_REQUESTS, SERVED_QUANTILE, SITE_COLUMNS, SITES_ORDER, THREAD_COLUMNS,
    THREADS_ORDER, more_processes, more_sites, more_threads,
};
pub use top::TOP_COLUMNS;
pub use whatif::intervals;
