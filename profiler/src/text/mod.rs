//! text: the floor under all outputs. How names from the target are made safe, how figures are
//! printed, how text is made to fit, and what a line of mountinfo says.

pub mod clean;
pub mod fit;
pub mod mountinfo;
pub mod numbers;
