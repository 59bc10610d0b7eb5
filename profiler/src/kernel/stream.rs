//! The stream of block ends: taken out of its ring in spans, bounded in memory however long the
//! measurement lasts.

use std::collections::HashSet;

use aya::maps::{MapData, RingBuf};
use profiler_common::{class::BlockClass, stream::BlockEnd};

use super::{error::LoadError, loader::Loaded};
use crate::quantity::Nanos;

/// Records kept at most: 8 MB. Beyond it every second span is dropped, and the rest stays spread
/// over the measurement.
const MOST: usize = 200_000;

/// Descriptors that are remembered: each of a thread's own. Those of later ones stay unknown.
const MOST_DESCRIPTORS: usize = 20_000;

/// A stretch of time in which every block end was streamed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSpan {
    /// First moment, in ns of `CLOCK_MONOTONIC`.
    pub start: Nanos,
    pub end: Nanos,
    /// The block ends, in the order in which the CPUs wrote them.
    pub ends: Vec<BlockEnd>,
}

/// The ring and what came out of it.
pub(super) struct Stream {
    ring: RingBuf<MapData>,
    open: Option<RawSpan>,
    spans: Vec<RawSpan>,
    kept: usize,
    /// Threads with the descriptors on which they blocked: all so far, and those that nobody has
    /// asked for yet.
    descriptors: HashSet<(u32, u32)>,
    fresh: Vec<(u32, u32)>,
}

pub(super) fn take_ring(loaded: &mut Loaded, name: &str) -> Result<RingBuf<MapData>, LoadError> {
    let map = loaded.ebpf.take_map(name).ok_or_else(|| LoadError::Object(format!("no map {name}")))?;
    RingBuf::try_from(map).map_err(|e| LoadError::Object(e.to_string()))
}

/// Whether somebody else is at the other end of what a block of this class was on.
fn leads_somewhere(class: u8) -> bool {
    use BlockClass::{Pipe, SocketOther, Tcp, Udp, Unix};
    matches!(BlockClass::from_wire(class), Some(Tcp | Udp | Unix | SocketOther | Pipe))
}

impl Stream {
    pub(super) fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring, open: None, spans: Vec::new(), kept: 0, descriptors: HashSet::new(), fresh: Vec::new() }
    }

    /// A span begins. What is still in the ring belongs to none.
    pub(super) fn begin(&mut self, at: Nanos) {
        while self.ring.next().is_some() {}
        self.open = Some(RawSpan { start: at, end: at, ends: Vec::new() });
    }

    /// Takes what has come; answers how many.
    pub(super) fn drain(&mut self) -> usize {
        let Some(span) = self.open.as_mut() else { return 0 };
        let before = span.ends.len();
        while let Some(item) = self.ring.next() {
            if item.len() == size_of::<BlockEnd>() {
                // SAFETY: as many bytes as a `BlockEnd` has, and any bytes are one: it is made of
                // integers alone.
                let end = unsafe { item.as_ptr().cast::<BlockEnd>().read_unaligned() };
                if end.fd != 0 && leads_somewhere(end.class) && self.descriptors.len() < MOST_DESCRIPTORS {
                    let descriptor = (end.tid, end.fd - 1);
                    if self.descriptors.insert(descriptor) {
                        self.fresh.push(descriptor);
                    }
                }
                span.ends.push(end);
            }
        }
        span.ends.len() - before
    }

    /// The span ends. True while one was open.
    pub(super) fn end(&mut self, at: Nanos) -> bool {
        self.drain();
        let Some(mut span) = self.open.take() else { return false };
        span.end = at;
        self.kept += span.ends.len();
        self.spans.push(span);
        if self.kept > MOST {
            let mut nth = 0;
            self.spans.retain(|_| {
                nth += 1;
                nth % 2 == 0
            });
            self.kept = self.spans.iter().map(|s| s.ends.len()).sum();
        }
        true
    }

    /// The newest closed spans: as many as have at most `most` block ends together, but at least
    /// one.
    pub(super) fn newest(&self, most: usize) -> Vec<RawSpan> {
        let mut left = most;
        let mut newest: Vec<RawSpan> = self
            .spans
            .iter()
            .rev()
            .enumerate()
            .take_while(|(i, span)| {
                let fits = *i == 0 || span.ends.len() <= left;
                left = left.saturating_sub(span.ends.len());
                fits
            })
            .map(|(_, span)| span.clone())
            .collect();
        newest.reverse();
        newest
    }

    /// Threads with the descriptors on which they blocked, each told once.
    pub(super) fn fresh_descriptors(&mut self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn take(&mut self) -> Vec<RawSpan> {
        self.kept = 0;
        std::mem::take(&mut self.spans)
    }
}
