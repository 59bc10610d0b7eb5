//! Type information of a kernel: every lookup that the tool makes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| should_i_async::kernel::fuzz_btf(bytes));
