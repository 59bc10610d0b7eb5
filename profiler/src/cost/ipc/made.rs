//! Records made by hand, of known truth: what the tests of model, reports and screens look at.

use super::{
    Before,
    sums::{Random, normal},
};
use crate::event::{IpcRecord, Pairs, Place, SiteIpc, SiteWindows, Windows, ipc_layout};

/// Windows as a program with a known line makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Law {
    /// Cycles whatever is executed.
    pub(crate) a: f64,
    /// Cycles that each instruction adds.
    pub(crate) b: f64,
    /// Mean instructions, and how far they spread around it, as a share.
    pub(crate) instructions: (f64, f64),
    /// Standard deviation of the cycles.
    pub(crate) noise: f64,
    /// Whether that is of a window of mean length, and grows with the instructions.
    pub(crate) growing: bool,
    /// One window in so many takes 20 times the noise more; 0: none.
    pub(crate) outliers: u64,
}

/// Instructions of the samples nearest to a return: below, whole cycles are too coarse for a law.
const SHORTEST: f64 = 32.0;

/// Makes random windows that follow a law.
pub(crate) struct Maker(Random);

impl Maker {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    pub(crate) fn windows(&mut self, law: Law, n: u64) -> Windows {
        let mut windows = Windows::ZERO;
        for i in 0..n {
            let (mean, spread) = law.instructions;
            let instructions = (mean * (1.0 + spread * (2.0 * self.0.unit() - 1.0))).round().max(1.0);
            let outlier = if law.outliers > 0 && i % law.outliers == law.outliers / 2 { 20.0 * law.noise } else { 0.0 };
            let noise = law.noise * if law.growing { instructions / mean } else { 1.0 };
            let cycles = law.a + law.b * instructions + noise * normal(&mut self.0) + outlier;
            windows.user.add(instructions as u64, cycles.round().max(1.0) as u64);
        }
        // Three cycles a nanosecond.
        windows.user_ns = windows.user.cycles / 3;
        windows.all_cycles = windows.user.cycles + 900 * n;
        windows.all_instructions = windows.user.instructions + 500 * n;
        windows
    }

    /// Samples of a curve: from `slow` cycles per instruction after the return down to `steady`, by
    /// e-folds of so many instructions; windows as long as `longest`, their noise a share of the
    /// cycles.
    pub(crate) fn curve(&mut self, fall: Fall, longest: f64, n: u64) -> Vec<Pairs> {
        let mut bins = vec![Pairs::ZERO; ipc_layout::BINS];
        for _ in 0..n {
            // Windows of all lengths, in doublings: many short ones, few that go on.
            let i = (SHORTEST * (longest / SHORTEST).powf(self.0.unit())).round();
            let cycles = fall.cycles(i) * (1.0 + fall.noise * normal(&mut self.0));
            bins[ipc_layout::bin(i as u64)].add(i as u64, cycles.round().max(1.0) as u64);
        }
        bins
    }
}

/// Cycles per instruction that fall exponentially.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fall {
    pub(crate) slow: f64,
    pub(crate) steady: f64,
    pub(crate) efold: f64,
    pub(crate) noise: f64,
}

impl Fall {
    pub(crate) fn cycles(&self, i: f64) -> f64 {
        self.steady * i + (self.slow - self.steady) * self.efold * (1.0 - (-i / self.efold).exp())
    }

    /// Where the instantaneous IPC is `share` of the steady one.
    pub(crate) fn recovered(&self, share: f64) -> f64 {
        self.efold * ((self.slow - self.steady) / (self.steady / share - self.steady)).ln()
    }
}

/// Windows of a site by kind.
pub(crate) fn site(place: Option<Place>, kinds: &[(Before, Windows)]) -> SiteIpc {
    let mut windows = SiteWindows::default();
    kinds.iter().for_each(|(before, of)| windows.kinds[before.index()] = *of);
    SiteIpc { place, windows }
}

/// A record of these sites, without samples.
pub(crate) fn record(sites: Vec<SiteIpc>) -> IpcRecord {
    let mut record = IpcRecord { instructions: true, every: 4, sites, ..IpcRecord::default() };
    let kinds = record.sites.iter().flat_map(|s| &s.windows.kinds);
    record.counts.windows = kinds.map(|k| k.user.count).sum();
    record.counts.returns = record.counts.windows * 4;
    record
}

/// A server's record: reads that blocked and reads that did not at `read`, writes that never
/// blocked at `write`; curves that recover from a block within some thousands of instructions.
pub(crate) fn server(read: Place, write: Place) -> IpcRecord {
    let mut maker = Maker::new(4);
    let law = Law { a: 400.0, b: 0.5, instructions: (12_000.0, 0.5), noise: 300.0, growing: false, outliers: 500 };
    let mut blocked = maker.windows(Law { a: 3_400.0, ..law }, 9_000);
    let mut direct = maker.windows(law, 2_000);
    blocked.extras = [blocked.user.instructions / 250, blocked.user.instructions / 1_000, 0];
    direct.extras = [direct.user.instructions / 2_000, direct.user.instructions / 9_000, 0];
    let write_law = Law { a: 300.0, b: 0.6, instructions: (3_000.0, 0.3), noise: 150.0, growing: false, outliers: 0 };
    let after_write = maker.windows(write_law, 11_000);
    let preempted = maker.windows(Law { a: 5_000.0, ..law }, 40);
    let mut record = record(vec![
        site(Some(write), &[(Before::Direct, after_write)]),
        site(Some(read), &[(Before::Blocked, blocked), (Before::Direct, direct)]),
        site(None, &[(Before::Preempted, preempted)]),
    ]);
    record.extras = [true, true, false];
    record.period = 99_991;
    record.curves = IpcRecord::empty_curves();
    let fall = Fall { slow: 2.5, steady: 0.5, efold: 1_500.0, noise: 0.08 };
    record.curves[Before::Blocked.index()] = maker.curve(fall, 60_000.0, 20_000);
    record.curves[Before::Direct.index()] = maker.curve(Fall { slow: 0.9, efold: 400.0, ..fall }, 60_000.0, 9_000);
    record.curves[Before::Preempted.index()] = maker.curve(Fall { slow: 3.0, ..fall }, 4_000.0, 90);
    record.counts.samples = 29_090;
    record.counts.switched = 310;
    record.counts.samples_outside = 1_200;
    record.counts.samples_failed = 17;
    record.samples_lost = 5;
    record
}
