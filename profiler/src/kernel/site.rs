//! kernel/site: a call place, as it came over the wire.

use profiler_common::site::{Site, SiteKey};

/// A site with its place, all CPUs added up.
#[derive(Clone, Copy, Debug)]
pub struct RawSite {
    pub key: SiteKey,
    /// What was seen there.
    pub site: Site,
}
