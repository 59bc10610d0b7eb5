//! What hardware counters told: windows after returns by site, the curves' bins, and what was left
//! out.

use std::collections::HashMap;

use profiler_common::ipc;

use super::{
    error::{DecodeError, LIMIT},
    ipc_counts::IpcCounts,
    ipc_layout::{BINS, before::KINDS, extra::EXTRAS},
    join::joined,
    place::{Place, place},
    windows::{Pairs, SiteWindows},
};
use crate::kernel::RawIpc;

/// The windows after one site's returns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SiteIpc {
    /// Where the calls were made; `None`: windows that follow no call (after an involuntary switch
    /// at first sight, or a site that found no room).
    pub place: Option<Place>,
    /// By what came before.
    pub windows: SiteWindows,
}

/// Everything that hardware counters told of one measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IpcRecord {
    /// Instructions are counted too; `false`: cycles alone.
    pub instructions: bool,
    /// Which optional counters run, see [`super::ipc_layout::extra`].
    pub extras: [bool; EXTRAS],
    /// One in so many returns was followed, at the end.
    pub every: u64,
    /// Instructions from one overflow sample to the next, at the end; 0: no samples.
    pub period: u64,
    /// Windows of each call site.
    pub sites: Vec<SiteIpc>,
    /// By kind of return and bin: instructions and cycles since the return, at overflow samples.
    /// Empty without samples, else `KINDS` curves of `BINS`.
    pub curves: Vec<Vec<Pairs>>,
    /// What counted and what was left out.
    pub counts: IpcCounts,
    /// Overflow samples that the kernel's perf events lost or throttled.
    pub samples_lost: u64,
}

impl IpcRecord {
    /// A curve of every kind, empty.
    pub fn empty_curves() -> Vec<Vec<Pairs>> {
        vec![vec![Pairs::ZERO; BINS]; KINDS]
    }

    /// Adds a later record of the same target.
    pub fn absorb(&mut self, later: &Self) {
        (self.instructions, self.extras) = (later.instructions, later.extras);
        (self.every, self.period) = (later.every, later.period);
        let own = std::mem::take(&mut self.sites);
        self.sites = by_place(own.into_iter().chain(later.sites.iter().cloned()));
        if self.curves.is_empty() {
            self.curves = later.curves.clone();
        } else {
            self.each_bin(&later.curves, Pairs::merge);
        }
        self.counts.merge(&later.counts);
        self.samples_lost += later.samples_lost;
    }

    /// What was counted since an earlier snapshot.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut record = self.clone();
        let then: HashMap<&Option<Place>, &SiteIpc> = earlier.sites.iter().map(|s| (&s.place, s)).collect();
        for site in &mut record.sites {
            if let Some(then) = then.get(&site.place) {
                site.windows.reduce(&then.windows);
            }
        }
        record.sites.retain(|s| s.windows.kinds.iter().any(|k| k.user.count > 0));
        record.each_bin(&earlier.curves, Pairs::reduce);
        record.counts.reduce(&earlier.counts);
        record.samples_lost = self.samples_lost.saturating_sub(earlier.samples_lost);
        record
    }

    fn each_bin(&mut self, other: &[Vec<Pairs>], mut change: impl FnMut(&mut Pairs, &Pairs)) {
        for (mine, theirs) in self.curves.iter_mut().zip(other) {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| change(a, b));
        }
    }
}

/// Adds up the windows of each place: calls of several sizes are one site.
fn by_place(sites: impl Iterator<Item = SiteIpc>) -> Vec<SiteIpc> {
    joined(sites, |site| site.place.clone(), |own, later| own.windows.merge(&later.windows))
}

/// Decodes what came over the wire.
pub(super) fn decode(raw: &RawIpc) -> Result<IpcRecord, DecodeError> {
    let absurd = |id: u32, field: &'static str| DecodeError { record: "ipc", id, field, value: u32::MAX };
    let sites = raw
        .sites
        .iter()
        .map(|(key, windows)| {
            let nr = key.map_or(0, |k| u32::from(k.nr));
            if !windows.kinds.iter().all(|k| sane(&k.user) && k.all_cycles < LIMIT && k.user_ns < LIMIT) {
                return Err(absurd(nr, "windows"));
            }
            let place = key.map(|k| place(k.nr, k.class, k.abi, k.ip, k.space)).transpose()?;
            Ok(SiteIpc { place, windows: SiteWindows::from(windows) })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if !matches!(raw.curves.len(), 0 | CURVES) || !raw.curves.iter().all(sane) {
        return Err(absurd(0, "curves"));
    }
    Ok(IpcRecord {
        instructions: raw.instructions,
        extras: raw.extras,
        every: raw.every,
        period: raw.period,
        sites: by_place(sites.into_iter()),
        curves: raw.curves.chunks(BINS).map(|curve| curve.iter().map(Pairs::from).collect()).collect(),
        counts: raw.counts.into(),
        samples_lost: raw.samples_lost,
    })
}

/// Entries of all curves.
const CURVES: usize = KINDS * BINS;

/// Sums of so many numbers below 2^32.
fn sane(p: &ipc::Pairs) -> bool {
    [p.count, p.cycles, p.instructions].iter().all(|&n| n < LIMIT)
        && [p.cycles, p.instructions].iter().all(|&n| n >> 32 <= p.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(windows: u64, samples: u64) -> IpcRecord {
        let mut kinds = SiteWindows::default();
        (0..windows).for_each(|i| kinds.kinds[1].user.add(1_000 + i, 2_000 + i));
        let mut curves = IpcRecord::empty_curves();
        (0..samples).for_each(|i| curves[2][40].add(1_030 + i, 4_000));
        let counts = IpcCounts { windows, samples, ..IpcCounts::default() };
        IpcRecord { sites: vec![SiteIpc { place: None, windows: kinds }], curves, counts, ..IpcRecord::default() }
    }

    #[test]
    fn a_difference_and_what_came_before_make_the_whole() {
        let (before, more) = (record(5, 3), record(7, 2));
        let mut whole = before.clone();
        whole.absorb(&more);
        assert_eq!(whole.since(&before), more);
        assert_eq!(whole.sites[0].windows.kinds[1].user.count, 12);
        assert_eq!(whole.curves[2][40].count, 5);
    }
}
