//! The fit: cycles = a + b·instructions of the windows at one site, and what a block adds to a.

use super::{before::Before, comparison::Comparison, note::Note, sums::Centred};
use crate::{
    cost::direct::RARE,
    event::{Place, SiteIpc},
    quantity::{Estimate, Figure, Uncertain},
};

/// Windows that a kind needs before it is believed.
pub const MIN_WINDOWS: u64 = 30;
/// Slopes further apart than chance makes them once in a hundred times are two slopes.
const DIFFERENT: f64 = 2.575_829_3;
/// Means closer than this share are of equal instructions.
const EQUAL: f64 = 0.01;

/// A least-squares line through the windows of one kind at one site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Cycles that a window takes whatever it executes.
    pub a: Estimate,
    /// Cycles that each instruction adds.
    pub b: Estimate,
}

impl Line {
    fn fitted(c: &Centred) -> Option<Self> {
        let b = Uncertain { value: c.slope()?, variance: c.residual() / c.xx };
        let freedom = c.n - 2.0;
        Some(Self { a: c.intercept()?.by_student(freedom), b: b.by_student(freedom) })
    }
}

/// What a block costs in the window after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockCycles {
    /// Cycles in user mode per block.
    pub cycles: Estimate,
    /// How these cycles were computed.
    pub by: Comparison,
}

/// The windows of one kind at one site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KindFit {
    /// What came before them.
    pub before: Before,
    /// Windows that the line is fitted to.
    pub windows: u64,
    /// Mean instructions of a window, user mode.
    pub instructions: f64,
    /// Instructions per cycle, user mode.
    pub ipc: Option<Estimate>,
    /// The line; none where the instructions do not vary, or for fewer than [`MIN_WINDOWS`].
    pub line: Option<Line>,
}

/// The windows after one site's returns.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteFit {
    /// The site; none: windows that follow no call.
    pub place: Option<Place>,
    /// By what came before; kinds without windows left out.
    pub kinds: Vec<KindFit>,
    /// What a block costs.
    pub cost: Figure<BlockCycles, Note>,
}

impl SiteFit {
    /// Windows of a kind.
    pub fn windows(&self, before: Before) -> u64 {
        self.kinds.iter().find(|k| k.before == before).map_or(0, |k| k.windows)
    }
}

/// What windows after blocks take more, in cycles.
#[derive(Clone, Copy)]
struct Told {
    more: Uncertain,
    /// Degrees of freedom of its variance.
    freedom: f64,
    by: Comparison,
}

impl Told {
    fn cycles(self) -> BlockCycles {
        BlockCycles { cycles: self.more.by_student(self.freedom), by: self.by }
    }
}

/// What the windows after blocks take beyond those after calls that did not block, at one site.
fn compare(after: &Centred, none: &Centred) -> Result<Told, Note> {
    let (kept, other) = (after.residual(), none.residual());
    let freedom = after.n + none.n - 3.0;
    let means = kept / after.n + other / none.n;
    let apart = after.x - none.x;
    match (after.slope(), none.slope()) {
        (None, None) => {
            if apart.abs() > EQUAL * after.x.max(none.x).max(1.0) {
                return Err(Note::KindsDiffer);
            }
            // The small difference in instructions, priced at the windows' own cycles per
            // instruction. The price may be off by all of that.
            let shift = apart * none.y / none.x.max(1.0);
            let more = Uncertain { value: after.y - none.y - shift, variance: means + shift * shift };
            Ok(Told { more, freedom, by: Comparison::EqualInstructions })
        }
        (a, d) => {
            let precision = |c: &Centred, slope: Option<f64>, residual: f64| slope.map_or(0.0, |_| c.xx / residual);
            let (p, q) = (precision(after, a, kept), precision(none, d, other));
            if let (Some(a), Some(d)) = (a, d)
                && (a - d).abs() > DIFFERENT * (1.0 / p + 1.0 / q).sqrt()
            {
                let more = Uncertain { value: after.y - (none.y + d * apart), variance: means + apart * apart / q };
                return Ok(Told { more, freedom: freedom - 1.0, by: Comparison::OwnSlopes });
            }
            let slope = (a.unwrap_or(0.0) * p + d.unwrap_or(0.0) * q) / (p + q);
            let value = after.y - none.y - slope * apart;
            let more = Uncertain { value, variance: means + apart * apart / (p + q) };
            Ok(Told { more, freedom, by: Comparison::CommonSlope })
        }
    }
}

/// What windows after calls that did not block take at other sites, whatever they execute.
#[derive(Clone, Copy)]
struct Elsewhere {
    a: Uncertain,
    /// Degrees of freedom of its variance.
    freedom: f64,
    sites: usize,
}

impl Elsewhere {
    fn new(direct: &[Centred]) -> Option<Self> {
        let all: Vec<Uncertain> = direct.iter().filter_map(Centred::intercept).collect();
        let (n, sites) = (all.len() as f64, all.len());
        match all.as_slice() {
            [] => None,
            [a] => Some(Self { a: *a, freedom: direct[0].n - 2.0, sites }),
            _ => {
                let value = all.iter().map(|a| a.value).sum::<f64>() / n;
                // One more site is drawn from where these come from.
                let between = all.iter().map(|a| (a.value - value).powi(2)).sum::<f64>() / (n - 1.0);
                let a = Uncertain { value, variance: between * (1.0 + 1.0 / n) };
                Some(Self { a, freedom: n - 1.0, sites })
            }
        }
    }

    fn compare(&self, after: &Centred) -> Result<Told, Note> {
        let more = after.intercept().ok_or(Note::NothingVaries)?.less(self.a);
        Ok(Told { more, freedom: self.freedom, by: Comparison::OtherSites(self.sites) })
    }
}

fn enough(site: &SiteIpc, before: Before) -> Option<Centred> {
    let pairs = &site.windows.kinds[before.index()].user;
    (pairs.count >= MIN_WINDOWS).then(|| Centred::from_pairs(pairs)).flatten()
}

/// Every site's windows: lines by kind and what a block costs; the site with the most windows after
/// blocks first.
pub(crate) fn sites(sites: &[SiteIpc]) -> Vec<SiteFit> {
    let direct: Vec<Option<Centred>> = sites
        .iter()
        .map(|s| enough(s, Before::Direct).filter(|_| s.place.is_some()))
        .map(|c| c.filter(Centred::varies))
        .collect();
    let mut fits: Vec<SiteFit> = sites
        .iter()
        .enumerate()
        .map(|(i, site)| SiteFit {
            place: site.place.clone(),
            kinds: Before::ALL.iter().filter_map(|&before| kind(site, before)).collect(),
            cost: match cost(site, &|| {
                let others = direct.iter().enumerate().filter(|(n, _)| *n != i);
                Elsewhere::new(&others.filter_map(|(_, c)| *c).collect::<Vec<_>>())
            }) {
                Ok(told) if told.by.same_site() => Figure::measured(told.cycles()),
                Ok(told) => Figure::modelled(told.cycles(), Note::Compared(told.by)),
                Err(why) => Figure::unavailable(why),
            },
        })
        .collect();
    let order = |f: &SiteFit| (f.windows(Before::Blocked), f.kinds.iter().map(|k| k.windows).sum::<u64>());
    fits.sort_by_key(|f| std::cmp::Reverse(order(f)));
    fits
}

fn kind(site: &SiteIpc, before: Before) -> Option<KindFit> {
    let c = Centred::from_pairs(&site.windows.kinds[before.index()].user)?;
    Some(KindFit {
        before,
        windows: c.n as u64,
        instructions: c.x,
        ipc: c.ipc(),
        line: Line::fitted(&c).filter(|_| c.n >= MIN_WINDOWS as f64),
    })
}

fn cost(site: &SiteIpc, elsewhere: &dyn Fn() -> Option<Elsewhere>) -> Result<Told, Note> {
    let after = enough(site, Before::Blocked).ok_or(Note::FewBlockWindows)?;
    match enough(site, Before::Direct).filter(|none| none.n >= RARE * after.n) {
        Some(none) => compare(&after, &none),
        None => elsewhere().ok_or(Note::FewDirectWindows)?.compare(&after),
    }
}

/// Blocks priced by their sites' cycles.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    /// Blocks at these sites.
    pub(crate) blocks: u64,
    /// Cycles of all of them.
    pub(crate) cycles: Estimate,
    /// How many sites there are.
    pub(crate) sites: usize,
    /// Windows after blocks and after none at these sites.
    pub(crate) windows: u64,
}

impl Total {
    /// Adds up sites with their numbers of blocks. The errors of two sites are independent, unless
    /// both are compared with the same other sites.
    pub(crate) fn new<'a>(sites: impl Iterator<Item = (&'a SiteFit, u64)>) -> Self {
        let (mut total, mut cycles, mut apart, mut together) = (Self::default(), 0.0, 0.0, 0.0);
        for (site, blocks) in sites {
            let Some(cost) = site.cost.value() else { continue };
            let half = cost.cycles.half_width() * blocks as f64;
            cycles += cost.cycles.value * blocks as f64;
            if cost.by.same_site() {
                apart += half * half;
            } else {
                together += half;
            }
            total.blocks += blocks;
            total.sites += 1;
            total.windows += site.windows(Before::Blocked) + site.windows(Before::Direct);
        }
        total.cycles = Estimate::with_half_width(cycles, (apart + together * together).sqrt());
        total
    }

    /// The cycles of one block.
    pub(crate) fn per_block(&self) -> Estimate {
        let (n, Estimate { value, low, high }) = (self.blocks as f64, self.cycles);
        Estimate { value: value / n, low: low / n, high: high / n }
    }
}
