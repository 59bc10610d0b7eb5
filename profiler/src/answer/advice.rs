//! Advice that is cheaper than a rewrite, where the data shows it.

use std::collections::HashSet;

use crate::{
    aggregate::Window,
    event::{Family, SiteRecord},
    predict::Prices,
};

/// Reads and writes on average below this move little per call, bytes.
const SMALL: f64 = 16.0 * 1024.0;
/// Messages below this are worth gathering, bytes.
const TINY: f64 = 512.0;
/// Calls a second from which their number matters.
const MANY: f64 = 5_000.0;
/// Share of the CPU from which a piece of advice is given.
const WORTH: f64 = 0.03;

/// One sentence each, the cheapest first.
pub(crate) fn of(window: &Window, prices: &Prices, cpu: f64, seconds: f64) -> Vec<String> {
    let sums = window.sums();
    let threads = window.threads.iter().filter(|t| t.sums.voluntary > 0).count();
    let mut advice = Vec::new();
    let between: f64 = prices.preemptions * prices.near;
    if between / cpu > WORTH {
        advice.push(format!(
            "Fewer threads: {threads} of them preempted each other {:.0} times a second; a pool as large as the CPUs would not.",
            prices.preemptions / seconds
        ));
    }
    let io = prices.all().count;
    let wake = prices.wake.value().copied().unwrap_or(0.0);
    if prices.own_wakes > io / 2.0 && (prices.own_wakes * wake) / cpu > WORTH && sums.away_io as f64 > io / 10.0 {
        advice.push(format!(
            "Pin threads that hand work to each other to one CPU: {:.0} of 100 blocks end with a wake-up by a thread of its own, and \
             {:.0} of 100 come back over an idle CPU.",
            100.0 * prices.own_wakes / io,
            100.0 * sums.away_io as f64 / io
        ));
    }
    // Programs that were started one after the other have the same site each: it is named once.
    let mut named = HashSet::new();
    let larger = window.sites.iter().filter_map(|site| Some((site, larger(site, io, cpu, seconds)?)));
    let first = larger.filter(|(site, _)| named.insert((&site.place.syscall, site.place.class)));
    advice.extend(first.map(|(_, text)| text).take(2));
    advice
}

/// A site that moves little per call, many times a second.
fn larger(record: &SiteRecord, io: f64, cpu: f64, seconds: f64) -> Option<String> {
    let site = &record.site;
    let class = record.place.class;
    let kernel = site.cpu_direct().sum + site.cpu_blocked().sum;
    let per_call = site.bytes as f64 / site.calls.max(1) as f64;
    let often = site.calls as f64 / seconds > MANY;
    if class.family() != Family::BlockingIo || !often || kernel as f64 / cpu < WORTH || per_call < 1.0 {
        return None;
    }
    let name = &record.place.syscall;
    if class.is_file() && per_call < SMALL {
        return Some(format!(
            "Larger buffers: {name} on files moves {per_call:.0} bytes a call, {:.0} times a second; 64 KiB a call costs little more.",
            site.calls as f64 / seconds
        ));
    }
    // A request and its reply are one message each way: only several writes per wait can be gathered.
    let writes = name.contains("write") || name.contains("send");
    (writes && per_call < TINY && site.calls as f64 > 3.0 * io && site.errors * 10 < site.calls)
        .then(|| {
            format!(
                "Gather writes: {name} on {} sends {per_call:.0} bytes a call, {:.0} times a second; writev or a buffer would send \
                 several at once, where more than one is due.",
                class.name(),
                site.calls as f64 / seconds
            )
        })
}
