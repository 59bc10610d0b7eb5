//! Parts that may be missing.

use crate::calibrate::result::Missing;

/// The value of an optional part. If there is none, its reason goes to `missing`, once.
pub(super) fn note<T>(missing: &mut Vec<Missing>, what: &str, result: Result<T, String>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(why) => {
            if !missing.iter().any(|m| m.what == what) {
                missing.push(Missing { what: what.into(), why });
            }
            None
        }
    }
}
