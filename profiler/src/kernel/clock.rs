//! The clock of the kernel programs: `bpf_ktime_get_ns` is `CLOCK_MONOTONIC` of the initial time
//! namespace.

use std::sync::OnceLock;

use crate::quantity::Nanos;

/// Now, on the clock that the programs stamp events with.
pub fn now() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let own = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
    Nanos::from_nanos(own.wrapping_add_signed(offset().wrapping_neg()))
}

/// What this process's time namespace adds to the clock, ns: 0 in the initial one.
fn offset() -> i64 {
    static OFFSET: OnceLock<i64> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/self/timens_offsets").ok();
    *OFFSET.get_or_init(|| read().and_then(|text| offset_in(&text)).unwrap_or(0))
}

/// The offset of `CLOCK_MONOTONIC` in `/proc/PID/timens_offsets` (`proc_timens_show_offsets`,
/// kernel/time/namespace.c): seconds and nanoseconds. It is of the namespace of the children to
/// come, which is this process's own, unless that has called `unshare` itself.
fn offset_in(text: &str) -> Option<i64> {
    let line = text.lines().map(str::trim_start).find(|line| line.starts_with("monotonic"))?;
    let mut numbers = line.split_ascii_whitespace().skip(1).map(str::parse::<i64>);
    let (seconds, nanos) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_seconds_and_nanoseconds() {
        let text = "monotonic         100000         7\nboottime        -5         0\n";
        assert_eq!(offset_in(text), Some(100_000_000_000_007));
        assert_eq!(offset_in("monotonic -5 250\n"), Some(-4_999_999_750));
        assert_eq!(offset_in("boottime 0 0\n"), None);
    }
}
