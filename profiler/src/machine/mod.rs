//! machine: what this machine charges for calls, blocks and each way of waiting, as values. Pure.

mod price_list;

pub use price_list::{BlockCost, Calibration, Cost, Crowd, DirectRead, FileCost, ReadCost, Step, Way};
