//! Prices of this machine for the model: from the cache, or measured now.

use std::{
    sync::Mutex,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    calibrate::{self, Essentials, Full, Usage},
    machine::{Origin, PriceList, Taken},
    quantity::Nanos,
    text::numbers::whole_percent,
    words,
};

/// Once prices have been measured for so long on the spot, no further part begins. The prediction
/// does without the missing parts.
const ENOUGH: Duration = Duration::from_secs(15);
/// How long a report waits for prices, how long a screen that ends does, and how often both ask.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
pub(super) const SHORT_PATIENCE: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_millis(10);

/// What was measured on the spot: who measures again and again, as a server does, measures prices
/// once.
static KEPT: Mutex<Option<Essentials>> = Mutex::new(None);

/// Prices, or why there are none, in words for the report.
pub(super) type Priced = Result<PriceList, String>;

/// Prices of this machine and kernel: from the cache, or else measured on a thread of their own,
/// because on a busy machine that takes long.
pub(super) struct Pricing {
    known: Option<Priced>,
    coming: Option<JoinHandle<Priced>>,
    /// What the machine had used when the measurement began.
    before: Usage,
}

impl Pricing {
    /// Takes prices from the cache, or starts to measure them.
    pub(super) fn begin() -> Self {
        let before = Usage::so_far();
        if let Ok(cached) = calibrate::cache::load() {
            let taken = Taken::Earlier { seconds: since(cached.essentials.taken_at) };
            let known = prices(&cached.essentials, cached.full.as_ref(), taken);
            return Self { known: Some(Ok(known)), coming: None, before };
        }
        if let Some(kept) = KEPT.lock().ok().and_then(|kept| kept.clone()) {
            let taken = Taken::Here { seconds: since(kept.taken_at) };
            return Self { known: Some(Ok(prices(&kept, None, taken))), coming: None, before };
        }
        match std::thread::Builder::new().name("sia-prices".into()).spawn(on_the_spot) {
            Ok(thread) => Self { known: None, coming: Some(thread), before },
            Err(error) => {
                Self { known: Some(Err(failed(&format!("no thread can be started: {error}")))), coming: None, before }
            }
        }
    }

    /// Whether the measurement still runs.
    pub(super) fn is_coming(&self) -> bool {
        self.coming.is_some()
    }

    /// The prices, if they are known by now.
    pub(super) fn known(&mut self) -> Option<Priced> {
        if let Some(done) = self.coming.take_if(|thread| thread.is_finished()) {
            self.known = Some(done.join().unwrap_or_else(|_| Err(failed("the thread that measured it panicked"))));
        }
        self.known.clone()
    }

    /// Waits for prices until `patience` is over or `hurry` says so.
    pub(super) fn wait(&mut self, patience: Duration, hurry: impl Fn() -> bool) -> Priced {
        let begun = Instant::now();
        loop {
            if let Some(known) = self.known() {
                return known;
            }
            if begun.elapsed() >= patience {
                let others = whole_percent(self.before.others());
                let why = format!("not within {}, others used {others} of the CPUs", Nanos::from(patience));
                return Err(late(&why));
            }
            if hurry() {
                return Err(late("interrupted"));
            }
            std::thread::sleep(GLANCE);
        }
    }
}

/// Measures the essentials now.
fn on_the_spot() -> Priced {
    let found = calibrate::measure(ENOUGH).map_err(|error| failed(&error.to_string()))?;
    let prices = prices(&found, None, Taken::OnTheSpot);
    if let Ok(mut kept) = KEPT.lock() {
        *kept = Some(found);
    }
    Ok(prices)
}

/// What the report says if prices did not come in time.
fn late(why: &str) -> String {
    missing(
        why,
        "run `should-i-async calibrate --quick`, best while the machine is quiet: it takes the time that it needs and keeps what it \
         finds; then check again",
    )
}

/// What the report says if prices could not be measured.
fn failed(why: &str) -> String {
    missing(why, "fix that, then run `should-i-async calibrate`, which measures it and keeps what it finds")
}

fn missing(why: &str, mend: &str) -> String {
    format!("{} could not be measured beside the target ({why}): {mend}", words::WAYS_COST)
}

/// Seconds since a time of day.
fn since(unix_seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    now.saturating_sub(unix_seconds)
}

/// The prices from a measurement, with their origin in words.
fn prices(found: &Essentials, full: Option<&Full>, taken: Taken) -> PriceList {
    let source = words::origin(Origin { taken, others: found.others }).into();
    PriceList { source, ..calibrate::prices(found, full) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Prices that come when the sender is dropped.
    fn coming(prices: Priced) -> (Pricing, Sender<()>) {
        let (send, wait) = channel::<()>();
        let coming = std::thread::spawn(move || {
            let _ = wait.recv();
            prices
        });
        (Pricing { known: None, coming: Some(coming), before: Usage::so_far() }, send)
    }

    #[test]
    fn prices_that_do_not_come_in_time_are_missing_with_the_way_to_get_them() {
        let (mut pricing, _never) = coming(Ok(PriceList::default()));
        assert!(pricing.is_coming());
        let why = pricing.wait(Duration::ZERO, || false).unwrap_err();
        assert!(why.contains("not within 0 ns, others used "), "{why}");
        assert!(why.contains("`should-i-async calibrate --quick`"), "{why}");
    }

    #[test]
    fn prices_that_come_in_time_are_taken() {
        let (mut pricing, now) = coming(Ok(PriceList { source: "here".to_owned().into(), ..PriceList::default() }));
        assert!(pricing.known().is_none());
        drop(now);
        let found = pricing.wait(Duration::from_secs(60), || false).unwrap();
        assert_eq!(found.source.words(), "here");
        assert!(!pricing.is_coming());
    }

    #[test]
    fn who_asks_to_hurry_is_not_kept() {
        let (mut pricing, _never) = coming(Ok(PriceList::default()));
        let why = pricing.wait(Duration::MAX, || true).unwrap_err();
        assert!(why.contains("(interrupted)"), "{why}");
    }
}
