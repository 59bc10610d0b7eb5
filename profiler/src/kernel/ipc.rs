//! kernel/ipc: what the programs gathered from hardware counters, read back and begun anew.

use profiler_common::{
    ipc::{BINS, IpcCounts, Pairs, SiteWindows, before::KINDS, counter, extra::EXTRAS},
    site::{OVERFLOW_SITE, SiteKey},
};

use super::{
    error::LoadError,
    per_cpu::{PerCpu, clear},
    pmu::Grade,
    session::Session,
    site::RawSite,
};

/// What hardware counters told, as it came over the wire; all CPUs added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawIpc {
    /// Instructions are counted too.
    pub instructions: bool,
    /// Which optional counters run.
    pub extras: [bool; EXTRAS],
    /// One in so many returns is followed.
    pub every: u64,
    /// Instructions from one overflow to the next; 0: no samples.
    pub period: u64,
    /// Windows by site; `None`: those without one.
    pub sites: Vec<(Option<SiteKey>, SiteWindows)>,
    /// `KINDS` curves of `BINS`, one after the other; empty without samples.
    pub curves: Vec<Pairs>,
    /// What counted and what was left out.
    pub counts: IpcCounts,
    /// Overflows that should have come and did not.
    pub samples_lost: u64,
}

const SITES: &str = "SIA_IPC_SITES";
const CURVE: &str = "SIA_IPC_CURVE";
const COUNTS: &str = "SIA_IPC_COUNTS";

/// Number of entries in [`CURVE`].
const PLACES: u32 = (KINDS * BINS) as u32;

impl Session {
    /// What this machine's counters are good for.
    pub fn counters(&self) -> Grade {
        self.loaded.pmu.grade()
    }

    /// From now on one in so many returns of a thread has its counters read; 0: none.
    pub fn set_ipc_every(&self, every: u32) {
        let control = self.loaded.control.at(0);
        // SAFETY: the mapped control page; a single word that only this side writes.
        unsafe { (&raw mut (*control).ipc_every).write_volatile(every.min(1 << 20)) };
    }

    /// One in so many returns has its counters read; 0: none.
    pub fn ipc_every(&self) -> u32 {
        // SAFETY: the mapped control page; a single word that only this side writes.
        unsafe { (&raw const (*self.loaded.control.at(0)).ipc_every).read_volatile() }
    }

    /// Adapts the distance of overflow samples to how fast the CPUs run. To be called a few times a
    /// second.
    pub fn tune_samples(&mut self) {
        self.loaded.pmu.tune();
        self.sampler.follow_cpus(&mut self.loaded);
    }

    /// What there is so far; `None` where the machine has no counters.
    pub(super) fn read_ipc(&mut self, sites: &[(u32, RawSite)]) -> Result<Option<RawIpc>, LoadError> {
        let mut raw = self.read_windows(sites)?;
        if let Some(raw) = raw.as_mut() {
            raw.samples_lost = self.loaded.pmu.lost(raw.counts.overflows);
        }
        Ok(raw)
    }

    /// Takes what there is, and begins anew. Between two windows.
    pub(super) fn take_ipc(&mut self, sites: &[(u32, RawSite)]) -> Result<Option<RawIpc>, LoadError> {
        let Some(mut raw) = self.read_windows(sites)? else { return Ok(None) };
        raw.samples_lost = self.loaded.pmu.take_lost(raw.counts.overflows);
        let ebpf = &mut self.loaded.ebpf;
        clear(ebpf, SITES, sites.iter().map(|(i, _)| *i).chain([OVERFLOW_SITE]), SiteWindows::default())?;
        clear(ebpf, COUNTS, 0..1, IpcCounts::default())?;
        if !raw.curves.is_empty() {
            clear(ebpf, CURVE, 0..PLACES, Pairs::ZERO)?;
        }
        Ok(Some(raw))
    }

    fn read_windows(&self, sites: &[(u32, RawSite)]) -> Result<Option<RawIpc>, LoadError> {
        let pmu = &self.loaded.pmu;
        if pmu.grade() == Grade::None {
            return Ok(None);
        }
        let values = PerCpu::new(&self.loaded.ebpf, SITES)?;
        let places = sites.iter().map(|(i, site)| (*i, Some(site.key))).chain([(OVERFLOW_SITE, None)]);
        let sites = places
            .map(|(i, key)| Ok((key, values.sum(i, SiteWindows::default(), SiteWindows::merge)?)))
            .filter(|read| !matches!(read, Ok((_, windows)) if *windows == SiteWindows::default()))
            .collect::<Result<_, LoadError>>()?;
        let curves = if pmu.grade() == Grade::Sampling {
            let values = PerCpu::new(&self.loaded.ebpf, CURVE)?;
            (0..PLACES).map(|i| values.sum(i, Pairs::ZERO, Pairs::merge)).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        Ok(Some(RawIpc {
            instructions: pmu.mask() & counter::INSTRUCTIONS != 0,
            extras: pmu.extras(),
            every: u64::from(self.ipc_every()),
            period: pmu.period(),
            sites,
            curves,
            counts: PerCpu::new(&self.loaded.ebpf, COUNTS)?.sum(0, IpcCounts::default(), IpcCounts::merge)?,
            samples_lost: 0,
        }))
    }
}
