//! What a timer interrupt takes from the thread that it hits. A loop does nothing but read the
//! clock; its gaps that recur with the tick's period are the interrupts. The kernel's own count of
//! local timer interrupts checks that these are most of them.

use crate::{
    calibrate::{
        result::{Figure, Interrupts},
        rig::clock,
    },
    quantity::{Nanos, median},
};

/// Stretches of the loop, and ns of wall time of each.
const STRETCHES: usize = 21;
const LENGTH: u64 = 80_000_000;
/// Ticks per second that kernels are built with (`CONFIG_HZ`).
const RATES: [u64; 4] = [100, 250, 300, 1_000];
/// Gaps belong to a tick from a little before it is due until its last exit to a hypervisor is
/// over, ns.
const BEFORE: u64 = 30_000;
const AFTER: u64 = 100_000;

pub(super) fn measure(cpu: usize) -> Interrupts {
    let block = Figure::unavailable(
        "a device's interrupt hits whichever thread runs on its CPU, and its softirq may run there or in ksoftirqd: no \
         clock that a program can read separates it from that thread's own work",
    );
    let mut costs = Vec::new();
    let mut rates = Vec::new();
    let mut why = String::from("the loop was never interrupted");
    for _ in 0..STRETCHES {
        match stretch(cpu) {
            Ok((cost, rate)) => {
                costs.push(cost);
                rates.push(rate);
            }
            Err(reason) => why = reason,
        }
    }
    let rate = (!rates.is_empty()).then(|| median(&rates));
    Interrupts { timer: Figure::from_repeats(&costs, &why), timer_per_second: rate, block }
}

/// Runs the loop once: the median gap, ns, and interrupts per second.
fn stretch(cpu: usize) -> Result<(f64, f64), String> {
    let mut gaps: Vec<(u64, u64)> = Vec::with_capacity(1 << 12);
    let preempted = clock::preemptions_so_far();
    let before = local_timer(cpu).ok_or("/proc/interrupts has no line LOC (local timer) for this CPU")?;
    let begun = clock::wall();
    let mut last = begun;
    let mut shortest = u64::MAX;
    while last - begun < LENGTH {
        let now = clock::wall();
        let step = now - last;
        shortest = shortest.min(step.max(1));
        // A gap ten times as long as a round of the loop comes from something else.
        if step > 400 && step > shortest * 10 && gaps.len() < gaps.capacity() {
            gaps.push((last, step));
        }
        last = now;
    }
    let elapsed = last - begun;
    let interrupts = local_timer(cpu).unwrap_or(before) - before;
    if interrupts < 3 {
        return Err(format!("{interrupts} timer interrupts in {}: the tick is off", Nanos::from_nanos(elapsed)));
    }
    // The turn of another thread is a gap too, and its interrupts are counted.
    if clock::preemptions_so_far() > preempted {
        return Err("other programs kept the CPU busy: the loop was preempted in every stretch".into());
    }
    let rate = interrupts as f64 * 1e9 / elapsed as f64;
    let ticks = ticks(
        &gaps,
        RATES.map(|hz| 1_000_000_000 / hz).into_iter().min_by_key(|p| {
            let off = 1e9 / *p as f64 - rate;
            off.abs() as u64
        }),
    );
    // Gaps that do not recur with the tick belong to other interrupts or to a hypervisor.
    if (ticks.len() as f64) < 0.7 * interrupts as f64 {
        return Err(format!(
            "of {interrupts} timer interrupts only {} stand out among {} gaps",
            ticks.len(),
            gaps.len()
        ));
    }
    Ok((median(&ticks), rate))
}

/// What each tick took, ns: the gaps that recur with its period. If one tick made several gaps, it
/// is their sum.
fn ticks(gaps: &[(u64, u64)], period: Option<u64>) -> Vec<f64> {
    let Some(period) = period else { return Vec::new() };
    let mut best = Vec::new();
    // Any gap may be the first tick. It is the one with which most others recur.
    for &(first, _) in gaps.iter().take(64) {
        let mut ticks: Vec<(u64, u64)> = Vec::new();
        for &(at, length) in gaps.iter().filter(|(at, _)| at + BEFORE >= first) {
            let phase = (at + BEFORE - first) % period;
            let tick = (at + BEFORE - first) / period;
            if phase > BEFORE + AFTER {
                continue;
            }
            match ticks.last_mut().filter(|(last, _)| *last == tick) {
                Some((_, sum)) => *sum += length,
                None => ticks.push((tick, length)),
            }
        }
        if ticks.len() > best.len() {
            best = ticks;
        }
    }
    best.into_iter().map(|(_, sum)| sum as f64).collect()
}

/// Local timer interrupts of a CPU so far.
fn local_timer(cpu: usize) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/interrupts").ok()?;
    let mut lines = text.lines();
    // Offline CPUs have no column.
    let column = lines.next()?.split_whitespace().position(|name| name == format!("CPU{cpu}"))?;
    let is_timer = |line: &&str| line.trim_start().starts_with("LOC:") || line.contains("arch_timer");
    lines.find(is_timer)?.split_whitespace().nth(column + 1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_that_keep_the_ticks_time_are_ticks_and_others_are_not() {
        let mut gaps: Vec<(u64, u64)> = (0..20).map(|tick| (1_000 + tick * 4_000_000, 3_000)).collect();
        // A second gap of the same tick, and two that come at other times.
        gaps.push((1_000 + 5 * 4_000_000 + 10_000, 1_000));
        gaps.extend([(1_700_000, 9_000), (33_300_000, 9_000)]);
        gaps.sort_unstable();
        let mut found = ticks(&gaps, Some(4_000_000));
        found.sort_by(f64::total_cmp);
        assert_eq!((found.len(), found[0], found[19]), (20, 3_000.0, 4_000.0));
        assert!(ticks(&[], Some(4_000_000)).is_empty());
    }
}
