//! The file of a recording: its head, its version, and what is packed in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use should_i_async::record::Recording;

/// More than any seed unpacks to.
const MOST: u64 = 16 << 20;

fuzz_target!(|bytes: &[u8]| {
    let _ = Recording::read_from(bytes, "fuzzed".as_ref(), MOST);
});
