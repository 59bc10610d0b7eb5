//! Names of code made at run time, as the target writes them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| should_i_async::symbol::fuzz_perf_map(bytes));
