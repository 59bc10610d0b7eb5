//! What is packed in a recording, and every report of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use should_i_async::{pipeline, record::Recording, report};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = rmp_serde::from_slice::<Recording>(bytes) {
        let found = pipeline::recording::report_of(&recording);
        assert!(!report::text(&found, &report::TextOptions::default()).is_empty());
        assert!(!report::json(&found).is_empty());
    }
});
