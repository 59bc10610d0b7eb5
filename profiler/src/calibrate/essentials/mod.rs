//! The essentials: what predictions need, in under 2 s, or eight times as thoroughly.
//! `docs/calibrate.md` says what each figure includes.

mod blocks;
mod crowd;
mod effort;
mod file;
mod hand_over;
mod note;
mod reads;
mod relay;
mod runtime;
mod steps;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{
    calibrate::{
        error::CalibrateError,
        result::Essentials,
        rig::{
            clock,
            host::{Usage, identity},
            pace::Pacer,
            per_call::per_call,
        },
    },
    quantity::Repeats,
};

pub(super) use effort::Effort;
use effort::Time;

/// Measures the essentials quickly, on a thread of its own, so that the caller's affinity and
/// signal mask stay as they are. Parts that predictions can do without do not begin once `within`
/// is over, and are missing then.
///
/// # Errors
/// No thread, no loopback connections, no descriptors, or a measurement that came to nothing.
pub fn measure(within: Duration) -> Result<Essentials, CalibrateError> {
    std::thread::Builder::new()
        .name("calibrate".into())
        .spawn(move || on_this_thread(Effort::Quick, within))
        .map_err(CalibrateError::system("no thread for the calibration"))?
        .join()
        .map_err(|_| CalibrateError::Failed("the calibration's thread panicked".into()))?
}

pub(super) fn on_this_thread(effort: Effort, within: Duration) -> Result<Essentials, CalibrateError> {
    let allowed = clock::allowed().map_err(CalibrateError::system("reading the CPUs that may be used"))?;
    let (first, second) = clock::two_cpus(&allowed);
    let mut missing = Vec::new();
    let before = Usage::so_far();
    let pin = || clock::pin(&[first]).map_err(CalibrateError::system("pinning a thread"));
    pin()?;
    let time = Time::new(within);
    let pacer = Pacer::new();
    let file = file::measure(&allowed, first, pacer, &mut missing);
    pin()?;
    time.log("files");
    let syscall = empty_syscall(pacer)?;
    let (steps, again) = steps::measure(effort, pacer, &mut missing)?;
    time.log("server steps");
    let reads = reads::measure(effort, pacer)?;
    time.log("reads");
    // Predictions can do without the following parts.
    let blocks = time.spend("blocks", &mut missing, |m| blocks::measure(first, second, effort, pacer, m))?;
    let crowd = time.spend(crowd::WHAT, &mut missing, |m| crowd::measure(first, effort, pacer, m))?;
    let relay = time.spend(relay::WHAT, &mut missing, |m| relay::measure(first, effort, pacer, m))?;
    let hand_overs =
        time.spend(hand_over::WHAT, &mut missing, |m| hand_over::measure(first, second, effort, pacer, m))?;
    let others = before.others();
    let (kernel, machine) = identity();
    let taken_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let pace = pacer.base();
    Ok(Essentials {
        kernel,
        machine,
        taken_at,
        pace,
        syscall,
        again,
        steps,
        reads,
        blocks,
        crowd,
        relay,
        hand_overs,
        file,
        others,
        missing,
    })
}

fn empty_syscall(pacer: Pacer) -> Result<Repeats, CalibrateError> {
    // SAFETY: takes nothing and touches nothing.
    let cost = per_call(pacer, || unsafe {
        libc::syscall(libc::SYS_getppid);
    });
    cost.ok_or_else(|| CalibrateError::Failed("no time for an empty syscall".into()))
}
