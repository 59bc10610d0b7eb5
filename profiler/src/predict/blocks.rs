//! Blocks by what they are on, and what they cost in all.

use crate::{
    aggregate::Window,
    cost::{Basis, Pools},
    event::{BlockClass, Family, SiteRecord, Sums},
};

/// How many times more blocks on files there can be than were counted at sites: some calls are
/// still open, and some found no site.
const MOST_WITHOUT_SITE: f64 = 1.05;

/// What blocks of some classes cost the target altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blocks {
    /// How many blocks there were.
    pub count: f64,
    /// Direct cost of all of them, the kernel's charge for the way out of idle included, ns.
    pub direct: f64,
}

impl Blocks {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, direct: self.direct + other.direct }
    }

    pub(super) fn less(self, other: Self) -> Self {
        Self { count: self.count - other.count, direct: self.direct - other.direct }
    }
}

/// Direct cost of the blocks on sockets and their like, and of those on files.
pub(super) fn direct_costs(window: &Window, sums: &Sums, pools: &Pools<'_>) -> ((Blocks, Parts), (Blocks, Parts)) {
    let blocks_of = |file: bool| -> f64 {
        let is_counted = |c: &BlockClass| c.family() == Family::BlockingIo && c.is_file() == file;
        BlockClass::ALL.iter().filter(|c| is_counted(c)).map(|&c| sums.classes[c as usize].blocks as f64).sum()
    };
    let (net_count, file_count) = (blocks_of(false), blocks_of(true));
    let charge = sums.charge_io as f64;
    let part = |file: bool, count: f64| -> (Blocks, Parts) {
        let mut parts = Parts::default();
        for site in window.sites.iter().filter(|s| is_io(s) && s.place.class.is_file() == file) {
            parts.add(site, pools);
        }
        let charge = if net_count + file_count > 0.0 { charge * count / (net_count + file_count) } else { 0.0 };
        // Calls on something else than a file may wait for the disk too. It is not known what
        // would replace them in a ring, so they stay.
        let count = if file { count.min(parts.blocks * MOST_WITHOUT_SITE) } else { count };
        // Blocks of calls that are still open, or that found no site, cost what the others do.
        let scale = if parts.covered > 0.0 { count / parts.covered } else { 0.0 };
        let direct = (parts.near + parts.away) * scale + charge;
        (Blocks { count, direct }, parts)
    };
    (part(false, net_count), part(true, file_count))
}

/// The direct cost of blocks, added up over sites. *Near* blocks handed the CPU to another thread
/// of the target; during *away* blocks it was idle or with another program.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    /// Cost of the near blocks, ns.
    pub(super) near: f64,
    /// Calls with a near block.
    pub(super) nears: f64,
    /// Cost of the away blocks, ns.
    pub(super) away: f64,
    /// Calls with an away block.
    pub(super) aways: f64,
    /// Blocks in calls whose cost is known.
    pub(super) covered: f64,
    /// Blocks in calls that have a site.
    pub(super) blocks: f64,
    /// The basis of the site with the most blocks, and how many blocks that site has.
    pub(super) basis: Option<(Basis, f64)>,
}

impl Parts {
    pub(super) fn add(&mut self, site: &SiteRecord, pools: &Pools<'_>) {
        let blocks = site.site.blocks as f64;
        self.blocks += blocks;
        let Some(cost) = pools.direct(site) else { return };
        self.near += cost.near;
        self.nears += site.site.cpu_blocked_near.count as f64;
        self.away += cost.away;
        self.aways += site.site.cpu_blocked_away.count as f64;
        self.covered += blocks;
        if self.basis.is_none_or(|(_, most)| blocks > most) {
            self.basis = Some((cost.basis, blocks));
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            near: self.near + other.near,
            nears: self.nears + other.nears,
            away: self.away + other.away,
            aways: self.aways + other.aways,
            covered: self.covered + other.covered,
            blocks: self.blocks + other.blocks,
            basis: if other.basis.map_or(0.0, |b| b.1) > self.basis.map_or(0.0, |b| b.1) {
                other.basis
            } else {
                self.basis
            },
        }
    }
}

pub(super) fn is_io(site: &SiteRecord) -> bool {
    site.place.class.family() == Family::BlockingIo
}
