//! What a look at the machine is of: a stretch of a measurement that goes on.

use std::time::{Duration, Instant};

use crate::{
    aggregate::Window,
    answer::Inputs,
    pipeline::{
        background::Orders,
        measure,
        measurement::{Failure, Measurement, Progress, Request, in_one_line},
        recording::inputs_of_stretch,
    },
    process::{Process, Target, TargetError, Wanted},
    quantity::Nanos,
};

/// A measurement begins anew once it holds so many threads that have ended: but not more often than
/// this.
const MOST_ENDED: usize = 20_000;
const RENEW: Nanos = Nanos::from_millis(60_000);

/// Where the stretches of a measurement begin.
pub(super) struct Stretch {
    /// A look is of at least so long a time, once so long has been measured, and of at most twice
    /// that.
    span: Nanos,
    /// A measurement that has no room for the places of programs that were started begins anew
    /// after so long.
    for_sites: Nanos,
    /// What is shown began after this.
    base: Option<Base>,
    /// What will be shown later begins after this.
    next: Option<Base>,
    /// Threads at the first look.
    first: Option<usize>,
}

/// Where a look begins.
struct Base {
    window: Window,
    /// CPU of this process until then.
    own: Nanos,
}

impl Stretch {
    pub(super) fn of(span: Nanos, for_sites: Nanos) -> Self {
        Self { span, for_sites, base: None, next: None, first: None }
    }

    /// Whether a measurement has no room for much more.
    pub(super) fn is_full(&mut self, window: &Window) -> bool {
        let first = *self.first.get_or_insert(window.threads.len());
        let ended = window.threads.iter().filter(|thread| thread.dead).count();
        // Who ended in a pause of a sampled measurement was not seen to.
        let has_many = ended > MOST_ENDED || window.threads.len() > first + 3 * MOST_ENDED;
        let lacks_sites = window.quality.calls_without_site > 0;
        has_many && Self::may_renew(window) || lacks_sites && window.end.saturating_sub(window.start) > self.for_sites
    }

    /// Whether a measurement has gone on for long enough to begin anew, whatever the reason.
    pub(super) fn may_renew(window: &Window) -> bool {
        window.end.saturating_sub(window.start) > RENEW
    }

    /// The newest stretch, of a measurement as far as it has come.
    pub(super) fn look(&mut self, window: Window, inputs: &Inputs) -> (Window, Inputs) {
        let shown = match &self.base {
            Some(base) => window.since(base.window.clone()),
            None => window.clone(),
        };
        let own = inputs.own_cpu.saturating_sub(self.base.as_ref().map_or(Nanos::ZERO, |base| base.own));
        let stretch = inputs_of_stretch(inputs, &shown, own);
        if self.next.as_ref().is_none_or(|next| window.end.saturating_sub(next.window.end) >= self.span) {
            self.base = self.next.replace(Base { window, own: inputs.own_cpu });
        }
        (shown, stretch)
    }
}

/// Looks that outlive a measurement.
pub(super) trait Looks: Progress {
    /// Another measurement begins, of these.
    fn begin(&mut self, target: &Target);

    /// The measurement is over.
    fn end(&mut self, _measured: Measurement) {}

    /// The processes that were measured and may live.
    fn measured(&self) -> Vec<Process> {
        Vec::new()
    }

    /// The targets have gone.
    fn await_others(&mut self) {}
}

/// How often it is asked whether others have come.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a measurement that failed is waited after, at first and at most: each time twice as
/// long.
const SHORT: Duration = Duration::from_millis(2_000);
const LONG: Duration = Duration::from_millis(60_000);
/// So many failures in a row are no passing trouble.
const MOST_FAILURES: u32 = 6;

/// Measures, and begins anew as often as the looks ask for it.
pub(super) fn measure_on(
    mut request: Request,
    wanted: &Wanted,
    orders: &Orders,
    looks: &mut impl Looks,
) -> anyhow::Result<()> {
    let (mut is_first, mut failures) = (true, 0);
    loop {
        looks.begin(&request.target);
        match measure(&request, orders.stop(), looks) {
            Ok(measured) => {
                failures = 0;
                looks.end(measured);
            }
            Err(error) if is_first => return Err(error),
            Err(error) => {
                // Who has come has gone again before it could be measured: that may go on for ever.
                let came = wanted.may_come() && is_short_lived(&error);
                failures += u32::from(!came || failures == 0);
                if !came && failures > MOST_FAILURES {
                    return Err(error);
                }
                log::warn!("measuring goes on later: {}", in_one_line(&error));
                pause(SHORT * 2u32.saturating_pow(failures - 1), orders);
            }
        }
        is_first = false;
        let anew = orders.begins_anew() || failures > 0;
        if orders.is_over() {
            return Ok(());
        }
        let found = if anew { wanted.now(&looks.measured()) } else { None };
        let found = match found {
            None if wanted.may_come() => {
                looks.await_others();
                others(wanted, orders)
            }
            found => found,
        };
        match found {
            Some(target) => request.target = target,
            None => return Ok(()),
        }
    }
}

fn is_short_lived(error: &anyhow::Error) -> bool {
    let is_it = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(Failure::Target(TargetError::EndedBefore)))
    };
    error.chain().any(is_it)
}

/// Who has come in the place of those who have gone; `None` where it is over before that.
fn others(wanted: &Wanted, orders: &Orders) -> Option<Target> {
    while !orders.is_over() {
        if let Some(target) = wanted.now(&[]) {
            return Some(target);
        }
        std::thread::sleep(AGAIN);
    }
    None
}

fn pause(length: Duration, orders: &Orders) {
    let until = Instant::now() + length.min(LONG);
    while Instant::now() < until && !orders.is_over() {
        std::thread::sleep(AGAIN);
    }
}
