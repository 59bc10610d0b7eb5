//! Files of /proc: status, stat, mounts, sockets, mappings, groups, quotas.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    should_i_async::process::fuzz_files(bytes);
    should_i_async::symbol::fuzz_maps(bytes);
});
