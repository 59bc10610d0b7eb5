//! kernel/memory: how much memory the machine can still give.

use std::fs;

/// Bytes that are available, by `/proc/meminfo`; `None` where it does not say.
pub fn available() -> Option<u64> {
    available_of(&fs::read_to_string("/proc/meminfo").ok()?)
}

fn available_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::available_of;

    #[test]
    fn one_line_is_enough() {
        assert_eq!(available_of("MemFree: 1 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available_of("MemFree: 1 kB\n"), None);
    }
}
