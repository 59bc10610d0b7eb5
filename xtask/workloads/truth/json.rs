//! The few forms of JSON that the truth line needs, written by hand: this program carries no
//! serialiser.

use std::fmt::{Display, Write};

/// A JSON object that grows by one member at a time.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds a member whose value is JSON already (a number, a bool, an object).
    pub(crate) fn raw(mut self, key: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(self.0, "\"{key}\":{value}");
        self
    }

    /// Adds a text. The texts of this program are its own names, so nothing in them needs escaping.
    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, format_args!("\"{value}\""))
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// An object of counts; equal keys are summed, and zeros left out.
pub(crate) fn counts<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let mut sums = std::collections::BTreeMap::new();
    for (key, count) in pairs {
        *sums.entry(key).or_insert(0u64) += count;
    }
    sums.iter()
        .filter(|(_, count)| **count > 0)
        .fold(Object::new(), |object, (key, count)| object.raw(key, count))
        .end()
}
