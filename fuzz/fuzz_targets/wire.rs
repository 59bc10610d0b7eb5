//! What the kernel programs gathered, as bytes: decoded, closed, and told as text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use should_i_async::{
    aggregate::Window,
    answer::{Inputs, Report},
    event,
    kernel::Harvest,
    report,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(harvest) = Harvest::from_bytes(bytes)
        && let Ok(batch) = event::decode(harvest)
    {
        let window = Window::close(batch, &[]);
        let found = Report::new(&window, Inputs::default());
        assert!(!report::text(&found, &report::TextOptions::default()).is_empty());
        assert!(!report::json(&found).is_empty());
    }
});
