//! By how much predictions were off so far. Written by `cargo xtask residuals` from what the lab
//! and the pairs found; do not edit. The unit is the model's own standard error.

use super::kind::{Kind, Missed};

/// Over programs of all kinds.
pub(super) const POOLED: Missed = Missed { times: 2.91, rows: 129, programs: 18 };

/// Kinds with enough rows of enough programs for a figure of their own.
pub(super) const KINDS: &[(Kind, Missed)] = &[
    (Kind::Sockets, Missed { times: 3.07, rows: 76, programs: 6 }),
    (Kind::Files, Missed { times: 4.26, rows: 23, programs: 5 }),
    (Kind::Runtime, Missed { times: 3.83, rows: 22, programs: 5 }),
];

/// Kinds of which there is any row.
pub(super) const SEEN: &[Kind] = &[Kind::Sockets, Kind::Files, Kind::Runtime, Kind::Pools];

/// Where they were measured.
#[rustfmt::skip]
pub(super) const MACHINES: &[&str] = &[
    "AMD EPYC, 2 CPUs, virtual machine, Linux 6.18.44",
];
