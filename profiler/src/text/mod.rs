//! text: the floor under all outputs. How numbers are printed and how hostile names are made safe.

pub mod numbers;
