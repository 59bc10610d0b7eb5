//! What becomes of a recording, in words.

use std::path::Path;

use crate::text::numbers::bytes;

/// Why a recording cannot count from now on.
pub const NO_RESET: &str = "a recording cannot start over: go back with [";
/// Why a recording's intervals stay as they are.
pub const NO_OTHER_INTERVAL: &str = "a recording keeps the intervals that it was made with";

/// Where a recording was written instead.
pub fn kept_elsewhere(path: &Path, size: u64) -> String {
    format!("the recording is kept in another place: {}", wrote(path, size))
}

/// What was written, and how large it is.
pub fn wrote(path: &Path, size: u64) -> String {
    format!("wrote {} ({})", path.display(), bytes(size))
}
