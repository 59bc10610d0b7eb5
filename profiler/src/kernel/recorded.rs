//! A harvest as bytes: the wire's own structures, one after the other, for tests and benchmarks of
//! the stages behind.
//!
//! Not an exchange format: it holds for one layout version and one byte order, and says so when it
//! does not fit.

use profiler_common::{
    LAYOUT_VERSION,
    control::Counters,
    device::Device,
    ipc::{IpcCounts, Pairs, SiteWindows},
    site::{Site, SiteKey},
    stream::BlockEnd,
    thread::Thread,
};

use super::{harvest::Harvest, ipc::RawIpc, sampler::SampleCounts, site::RawSite, stream::RawSpan};
use crate::quantity::Nanos;

const MAGIC: &[u8; 8] = b"sia-wire";

/// Why bytes are not a harvest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordedError {
    /// Not one at all.
    #[error("not a recorded window")]
    Foreign,
    /// Recorded by a build with another layout.
    #[error("recorded with layout {0}, this build has {LAYOUT_VERSION}: record it again")]
    Layout(u32),
    /// Cut off, or with something behind.
    #[error("cut off or damaged")]
    Damaged,
}

/// A structure of the wire: `repr(C)`, made of integers alone, without padding.
///
/// # Safety
/// Only for such structures.
unsafe trait Plain: Copy {}
// SAFETY: all of them are; see profiler-common.
unsafe impl Plain for Thread {}
// SAFETY: as above.
unsafe impl Plain for Site {}
// SAFETY: as above.
unsafe impl Plain for SiteKey {}
// SAFETY: as above.
unsafe impl Plain for Device {}
// SAFETY: as above.
unsafe impl Plain for BlockEnd {}
// SAFETY: as above.
unsafe impl Plain for SiteWindows {}
// SAFETY: as above.
unsafe impl Plain for Pairs {}
// SAFETY: as above.
unsafe impl Plain for IpcCounts {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}

fn put<T: Plain>(out: &mut Vec<u8>, value: &T) {
    // SAFETY: `T` is plain: every byte of it is initialised.
    out.extend_from_slice(unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) });
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<T: Plain>(&mut self) -> Result<T, RecordedError> {
        let (head, tail) = self.0.split_at_checked(size_of::<T>()).ok_or(RecordedError::Damaged)?;
        self.0 = tail;
        // SAFETY: as many bytes as a `T` has, and any bytes are one.
        Ok(unsafe { head.as_ptr().cast::<T>().read_unaligned() })
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Result<T, RecordedError>) -> Result<Vec<T>, RecordedError> {
        let count = self.take::<u64>()?;
        (0..count).map(|_| one(self)).collect()
    }
}

fn put_ipc(out: &mut Vec<u8>, ipc: &RawIpc) {
    put(out, &u32::from(ipc.instructions));
    ipc.extras.iter().for_each(|&runs| put(out, &u32::from(runs)));
    for number in [ipc.every, ipc.period, ipc.samples_lost] {
        put(out, &number);
    }
    put(out, &(ipc.sites.len() as u64));
    for (key, windows) in &ipc.sites {
        put(out, &u32::from(key.is_some()));
        if let Some(key) = key {
            put(out, key);
        }
        put(out, windows);
    }
    put(out, &(ipc.curves.len() as u64));
    ipc.curves.iter().for_each(|pairs| put(out, pairs));
    put(out, &ipc.counts);
}

fn take_ipc(input: &mut Input) -> Result<RawIpc, RecordedError> {
    let flag = |input: &mut Input| input.take::<u32>().map(|n| n != 0);
    let instructions = flag(input)?;
    let extras = [flag(input)?, flag(input)?, flag(input)?];
    let [every, period, samples_lost] = [input.take::<u64>()?, input.take::<u64>()?, input.take::<u64>()?];
    Ok(RawIpc {
        instructions,
        extras,
        every,
        period,
        sites: input.list(|i| Ok((if flag(i)? { Some(i.take()?) } else { None }, i.take()?)))?,
        curves: input.list(Input::take)?,
        counts: input.take()?,
        samples_lost,
    })
}

impl Harvest {
    /// As bytes; the programs' costs are left out.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::from(MAGIC);
        put(&mut out, &LAYOUT_VERSION);
        put(&mut out, &self.epoch);
        for time in [self.start, self.end, self.measured] {
            put(&mut out, &time.as_nanos());
        }
        for threads in [&self.alive, &self.departed] {
            put(&mut out, &(threads.len() as u64));
            threads.iter().for_each(|t| put(&mut out, t));
        }
        put(&mut out, &self.pooled);
        put(&mut out, &(self.sites.len() as u64));
        for site in &self.sites {
            put(&mut out, &site.key);
            put(&mut out, &site.site);
        }
        put(&mut out, &self.overflow);
        put(&mut out, &(self.devices.len() as u64));
        for (number, device) in &self.devices {
            put(&mut out, number);
            put(&mut out, device);
        }
        put(&mut out, &(self.spans.len() as u64));
        for span in &self.spans {
            put(&mut out, &span.start.as_nanos());
            put(&mut out, &span.end.as_nanos());
            put(&mut out, &(span.ends.len() as u64));
            span.ends.iter().for_each(|end| put(&mut out, end));
        }
        let s = &self.samples;
        for count in [s.samples, s.user, s.schedule, s.wake, s.hooks, s.unreadable] {
            put(&mut out, &count);
        }
        put(&mut out, &u32::from(self.ipc.is_some()));
        if let Some(ipc) = &self.ipc {
            put_ipc(&mut out, ipc);
        }
        out
    }

    /// From bytes.
    ///
    /// # Errors
    /// See [`RecordedError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordedError> {
        let mut input = Input(bytes.strip_prefix(MAGIC).ok_or(RecordedError::Foreign)?);
        let layout = input.take::<u32>()?;
        if layout != LAYOUT_VERSION {
            return Err(RecordedError::Layout(layout));
        }
        let epoch = input.take()?;
        let [start, end, measured] =
            [input.take::<u64>()?, input.take::<u64>()?, input.take::<u64>()?].map(Nanos::from_nanos);
        let harvest = Self {
            start,
            end,
            measured,
            epoch,
            alive: input.list(Input::take)?.into_iter().collect(),
            departed: input.list(Input::take)?.into_iter().collect(),
            pooled: input.take()?,
            sites: input.list(|i| Ok(RawSite { key: i.take()?, site: i.take()? }))?,
            overflow: input.take()?,
            devices: input.list(|i| Ok((i.take()?, i.take()?)))?,
            spans: input.list(|i| {
                let [start, end] = [i.take::<u64>()?, i.take::<u64>()?].map(Nanos::from_nanos);
                Ok(RawSpan { start, end, ends: i.list(Input::take)? })
            })?,
            samples: {
                let mut next = || input.take::<u64>();
                SampleCounts {
                    samples: next()?,
                    user: next()?,
                    schedule: next()?,
                    wake: next()?,
                    hooks: next()?,
                    unreadable: next()?,
                    // As the counters below.
                    late_cpus: 0,
                }
            },
            ipc: if input.take::<u32>()? == 0 { None } else { Some(take_ipc(&mut input)?) },
            hit: None,
            counters: Counters::default(),
            programs: Vec::new(),
        };
        if input.0.is_empty() { Ok(harvest) } else { Err(RecordedError::Damaged) }
    }
}
