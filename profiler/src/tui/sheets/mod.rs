//! The columns of the three tables: what each row says and how it is sorted.

pub(super) mod devices;
pub(super) mod sites;
pub(super) mod threads;
