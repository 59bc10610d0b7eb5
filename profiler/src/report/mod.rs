//! report: from the model to what is read: text for a terminal, JSON for programs, and the JSON's
//! schema.
//!
//! Renderers choose the words and the order, never the figures: those come from
//! [`crate::answer::Report`] with their provenance. What is unavailable is printed as `n/a`, or
//! as `null`, never as 0.

pub(crate) mod calibration;
mod json;
mod text;

pub use json::{SCHEMA_VERSION, json, json_value, row, schema, stalls_json, stalls_schema, top_json, top_schema};
pub use text::{diff, options::TextOptions, prediction_check, stacks, stalls, text, top};

#[cfg(test)]
mod tests;
