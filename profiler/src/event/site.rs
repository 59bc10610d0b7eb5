//! event/site: what was seen at a call place.

use profiler_common::site as wire;

use super::{
    error::DecodeError,
    join::joined,
    place::{Place, place},
    seen::{Site, sane},
    stat::Stat,
};
use crate::{kernel::RawSite, quantity::Tgid};

/// A call site, with what was seen there.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SiteRecord {
    /// Where the calls were made.
    pub place: Place,
    /// The process and descriptor of the last call there; the descriptor only where the call has
    /// one.
    pub last_caller: (Tgid, Option<i32>),
    pub site: Site,
    /// The windows that tell what a block makes of the calls after it, by how much the calls moved.
    #[serde(default)]
    pub sizes: Vec<SizeWindows>,
}

/// Windows of one site's calls of one size class, after blocks and after none: what is compared is
/// of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SizeWindows {
    /// Size class of the calls, by `profiler_common::site::size_class`.
    pub size: u64,
    /// User mode after a call that blocked.
    pub user_blocked: Stat,
    /// User mode after a call that did not.
    pub user_direct: Stat,
    /// Kernel CPU of a call that did not block, right after one that did.
    pub cpu_cold: Stat,
    /// Kernel CPU of a call that did not block, after another such.
    pub cpu_warm: Stat,
}

impl SizeWindows {
    /// Those of a site whose calls are of one size class.
    fn from_site(size: u64, site: &Site) -> Self {
        Self {
            size,
            user_blocked: site.user_after_blocked,
            user_direct: site.user_after_direct,
            cpu_cold: site.cpu_direct_cold,
            cpu_warm: site.cpu_direct_warm,
        }
    }

    fn each(&mut self, other: &Self, change: fn(&mut Stat, &Stat)) {
        change(&mut self.user_blocked, &other.user_blocked);
        change(&mut self.user_direct, &other.user_direct);
        change(&mut self.cpu_cold, &other.cpu_cold);
        change(&mut self.cpu_warm, &other.cpu_warm);
    }
}

impl SiteRecord {
    /// A site whose calls are of one size class.
    pub fn with_one_size(place: Place, last_caller: (Tgid, Option<i32>), size: u64, site: Site) -> Self {
        Self { place, last_caller, site, sizes: vec![SizeWindows::from_site(size, &site)] }
    }

    /// Connections that calls there accepted.
    pub fn accepted(&self) -> u64 {
        if self.place.syscall.starts_with("accept") { self.site.calls.saturating_sub(self.site.errors) } else { 0 }
    }

    /// Adds what was seen at the same place later, or by calls of another size.
    pub fn merge(&mut self, other: &Self) {
        self.last_caller = other.last_caller;
        self.site.merge(&other.site);
        for windows in &other.sizes {
            match self.sizes.iter_mut().find(|own| own.size == windows.size) {
                Some(own) => own.each(windows, Stat::merge),
                None => self.sizes.push(*windows),
            }
        }
    }

    /// Takes away what had been seen in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.site.reduce(&earlier.site);
        for windows in &mut self.sizes {
            if let Some(then) = earlier.sizes.iter().find(|then| then.size == windows.size) {
                windows.each(then, Stat::reduce);
            }
        }
    }
}

/// Decodes sites alone, in mid-measurement. Sizes of one place become one record.
///
/// # Errors
/// The first one that makes no sense.
pub fn decode_sites(sites: &[RawSite]) -> Result<Vec<SiteRecord>, DecodeError> {
    let records = sites.iter().filter(|s| s.site != wire::Site::ZERO).map(record).collect::<Result<Vec<_>, _>>()?;
    Ok(join_sites(records))
}

/// Records of equal places added up.
pub fn join_sites(records: impl IntoIterator<Item = SiteRecord>) -> Vec<SiteRecord> {
    joined(records, |site| site.place.clone(), SiteRecord::merge)
}

fn record(raw: &RawSite) -> Result<SiteRecord, DecodeError> {
    let key = raw.key;
    let place = place(key.nr, key.class, key.abi, key.ip, key.space)?;
    if !sane(&raw.site) {
        return Err(DecodeError { record: "site", id: u32::from(key.nr), field: "counters", value: u32::MAX });
    }
    let descriptor = raw.site.last_tgid_fd as u32;
    let last_caller = (
        Tgid::from_raw((raw.site.last_tgid_fd >> 32) as u32),
        // Plus one on the wire, so that zero is none.
        descriptor.checked_sub(1).map(|fd| fd as i32),
    );
    Ok(SiteRecord::with_one_size(place, last_caller, key.size, Site::from(&raw.site)))
}
