//! kernel/site: a call place, as it came over the wire.

use profiler_common::site::{Site, SiteKey};

use crate::quantity::Tgid;

/// The number of a process's address space when it is filed: even. What `exec` makes is odd.
pub(super) const fn first_space(tgid: Tgid) -> u32 {
    tgid.as_raw() << 1
}

/// The process that had this address space when it was filed; `None` where `exec` made it.
pub const fn first_with(space: u32) -> Option<Tgid> {
    if space.is_multiple_of(2) && space > 0 { Some(Tgid::from_raw(space >> 1)) } else { None }
}

/// A site with its place, all CPUs added up.
#[derive(Clone, Copy, Debug)]
pub struct RawSite {
    pub key: SiteKey,
    /// What was seen there.
    pub site: Site,
}
