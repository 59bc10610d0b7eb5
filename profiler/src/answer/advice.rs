//! Advice that is cheaper than a rewrite, where the data shows it.

use std::collections::HashSet;

use crate::{
    aggregate::Window,
    event::{BlockClass, Family, SiteRecord, Sums},
    predict::Prices,
};

/// A read or write of fewer bytes than this, on average, moves little.
const SMALL: f64 = 16.0 * 1024.0;
/// Messages below this are worth gathering, bytes.
const TINY: f64 = 512.0;
/// From this many calls a second on their number matters.
const MANY: f64 = 5_000.0;
/// From this share of the CPU on a piece of advice is given.
const WORTH: f64 = 0.03;

/// What is cheaper than a rewrite.
#[derive(Clone, Debug, PartialEq)]
pub enum Advice {
    /// Fewer threads: they preempt each other.
    FewerThreads {
        /// Threads that left the CPU.
        threads: usize,
        /// Preemptions by each other, per second.
        preemptions: f64,
    },
    /// Pin threads that hand work to each other to one CPU.
    PinThreads {
        /// Share of the blocks that end with a wake-up by a thread of its own.
        own_wakes: f64,
        /// Share of the blocks that come back over an idle CPU.
        over_idle: f64,
    },
    /// Larger buffers: a call on files moves little.
    LargerBuffers(SmallCalls),
    /// Gather writes: messages are small, and more than one is due.
    GatherWrites(SmallCalls),
}

/// A call that moves little, many times a second.
#[derive(Clone, Debug, PartialEq)]
pub struct SmallCalls {
    /// Name of the syscall.
    pub syscall: String,
    /// What it is on.
    pub class: BlockClass,
    /// Mean bytes of a call.
    pub bytes: f64,
    pub per_second: f64,
}

/// Every piece of advice that holds here, the cheapest to follow first.
pub(crate) fn advise(window: &Window, sums: &Sums, prices: &Prices, cpu: f64, seconds: f64) -> Vec<Advice> {
    let threads = window.threads.iter().filter(|t| t.sums.voluntary > 0).count();
    let mut advice = Vec::new();
    let between: f64 = prices.preemptions * prices.near;
    if between / cpu > WORTH {
        advice.push(Advice::FewerThreads { threads, preemptions: prices.preemptions / seconds });
    }
    let io = prices.all().count;
    let wake = prices.wake.value().copied().unwrap_or(0.0);
    if prices.own_wakes > io / 2.0 && (prices.own_wakes * wake) / cpu > WORTH && sums.away_io as f64 > io / 10.0 {
        advice.push(Advice::PinThreads { own_wakes: prices.own_wakes / io, over_idle: sums.away_io as f64 / io });
    }
    // Programs that were started one after the other have the same site each: it is named once.
    let mut named = HashSet::new();
    let larger = window.sites.iter().filter_map(|site| Some((site, larger(site, io, cpu, seconds)?)));
    let first = larger.filter(|(site, _)| named.insert((&site.place.syscall, site.place.class)));
    advice.extend(first.map(|(_, advice)| advice).take(2));
    advice
}

/// A site that moves little per call, many times a second.
fn larger(record: &SiteRecord, io: f64, cpu: f64, seconds: f64) -> Option<Advice> {
    let site = &record.site;
    let class = record.place.class;
    let kernel = site.cpu_direct().sum + site.cpu_blocked().sum;
    let bytes = site.bytes as f64 / site.calls.max(1) as f64;
    let per_second = site.calls as f64 / seconds;
    if class.family() != Family::BlockingIo || per_second <= MANY || kernel as f64 / cpu < WORTH || bytes < 1.0 {
        return None;
    }
    let syscall = &record.place.syscall;
    let calls = || SmallCalls { syscall: syscall.clone(), class, bytes, per_second };
    if class.is_file() && bytes < SMALL {
        return Some(Advice::LargerBuffers(calls()));
    }
    // A request and its reply are one message each way: only several writes per wait can be
    // gathered.
    (record.place.sends() && bytes < TINY && site.calls as f64 > 3.0 * io && site.errors * 10 < site.calls)
        .then(|| Advice::GatherWrites(calls()))
}
