//! text: the floor under all outputs. How names from the target are made safe, how figures are
//! printed, and how text is made to fit.

pub mod clean;
pub mod fit;
pub mod numbers;
