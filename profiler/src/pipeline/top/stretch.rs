//! What a look at the machine is of: a stretch of a measurement that goes on.

use std::time::Duration;

use crate::{
    aggregate::Window,
    answer::Inputs,
    pipeline::{
        background::Orders,
        measure,
        measurement::{Failure, Measurement, Progress, Request},
        recording::inputs_of_stretch,
    },
    process::{Target, Wanted},
    quantity::Nanos,
};

/// A measurement begins anew once it holds so many threads that have ended, or has no room for the
/// places of programs that were started: but not more often than this.
const MOST_ENDED: usize = 20_000;
const RENEW: Nanos = Nanos::from_millis(60_000);

/// Where the stretches of a measurement begin.
pub(super) struct Stretch {
    /// A look is of at least so long a time, once so long has been measured, and of at most twice
    /// that.
    span: Nanos,
    /// What is shown began after this.
    base: Option<Base>,
    /// What will be shown later begins after this.
    next: Option<Base>,
}

/// Where a look begins.
struct Base {
    window: Window,
    /// CPU of this process until then.
    own: Nanos,
}

impl Stretch {
    pub(super) fn of(span: Nanos) -> Self {
        Self { span, base: None, next: None }
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

/// Whether a measurement has no room for much more.
pub(super) fn is_full(window: &Window) -> bool {
    let ended = window.threads.iter().filter(|thread| thread.dead).count();
    // Who ended in a pause of a sampled measurement was not seen to.
    let is_full = ended > MOST_ENDED || window.threads.len() > 3 * MOST_ENDED || window.quality.calls_without_site > 0;
    is_full && window.end.saturating_sub(window.start) > RENEW
}

/// Looks that outlive a measurement.
pub(super) trait Looks: Progress {
    /// Another measurement begins, of these.
    fn begin(&mut self, target: &Target);

    /// The measurement is over.
    fn end(&mut self, _measured: Measurement) {}

    /// The targets have gone. Whether others may come that are called the same.
    fn await_others(&mut self) -> bool {
        false
    }
}

/// How often it is asked whether others have come.
const AGAIN: Duration = Duration::from_millis(500);

/// Measures, and begins anew as often as the looks ask for it.
pub(super) fn measure_on(
    mut request: Request,
    wanted: &Wanted,
    orders: &Orders,
    looks: &mut impl Looks,
) -> anyhow::Result<()> {
    let mut is_first = true;
    loop {
        looks.begin(&request.target);
        match measure(&request, orders.stop(), looks) {
            Ok(measured) => looks.end(measured),
            // Who has come has gone again before it could be measured.
            Err(error) if !is_first && wanted.has_names() && is_of_target(&error) => {}
            Err(error) => return Err(error),
        }
        is_first = false;
        let anew = orders.begins_anew();
        if orders.is_over() {
            return Ok(());
        }
        let found = if anew { wanted.now(&request.target) } else { None };
        let found = match found {
            None if looks.await_others() && wanted.has_names() => others(wanted, &request.target, orders),
            found => found,
        };
        match found {
            Some(target) => request.target = target,
            None => return Ok(()),
        }
    }
}

fn is_of_target(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(Failure::Target(_))))
}

/// Who has come in the place of those who have gone; `None` where it is over before that.
fn others(wanted: &Wanted, before: &Target, orders: &Orders) -> Option<Target> {
    while !orders.is_over() {
        if let Some(target) = wanted.now(before) {
            return Some(target);
        }
        std::thread::sleep(AGAIN);
    }
    None
}
