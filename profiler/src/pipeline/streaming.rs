//! When block ends are streamed: all the time while there are few, a fifth of it while there are
//! many.

use crate::{kernel::Session, quantity::Nanos};

/// Block ends a second from which the stream is duty-cycled: at 150 ns each, 0.3 % of a CPU.
const MANY: f64 = 20_000.0;
/// A span of a busy stream; long enough for a few thousand block ends.
const BUSY_SPAN: Nanos = Nanos::from_millis(50);
/// The pause after a span of a busy stream.
const PAUSE: Nanos = Nanos::from_millis(200);
/// A span of a quiet stream, which goes on at once: the unit over which the replay's spread is
/// taken.
const QUIET_SPAN: Nanos = Nanos::from_millis(250);

/// Opens and closes the spans of a window.
#[derive(Default)]
pub(super) struct Streaming {
    /// When the open span began, and what it has so far.
    open: Option<(Nanos, usize)>,
    closed: Option<Nanos>,
}

impl Streaming {
    /// Of a window that has just begun.
    pub(super) fn new(session: &mut Session, now: Nanos) -> Self {
        let mut streaming = Self::default();
        streaming.tick(session, now);
        streaming
    }

    /// To be called at every tick while a window is open.
    pub(super) fn tick(&mut self, session: &mut Session, now: Nanos) {
        match self.open.as_mut() {
            Some((begun, ends)) => {
                *ends += session.drain_stream();
                let length = now.saturating_sub(*begun);
                let busy = *ends as f64 > MANY * length.as_secs_f64().max(0.01);
                if busy && length >= BUSY_SPAN {
                    self.close(session, now);
                } else if length >= QUIET_SPAN {
                    self.close(session, now);
                    self.begin(session, now);
                }
            }
            None if self.closed.is_none_or(|at| now.saturating_sub(at) >= PAUSE) => self.begin(session, now),
            None => {}
        }
    }

    /// Ends the span that is open. To be called when the window is over.
    pub(super) fn close(&mut self, session: &mut Session, now: Nanos) {
        session.end_span();
        self.open = None;
        self.closed = Some(now);
    }

    fn begin(&mut self, session: &mut Session, now: Nanos) {
        session.begin_span();
        self.open = Some((now, 0));
    }
}
