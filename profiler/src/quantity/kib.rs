//! quantity/kib: sizes as `/proc/meminfo` and `/proc/PID/status` write them.

/// Bytes on the line `NAME:   N kB`, where the kernel's kB are KiB (proc(5)); `None` where there is
/// no such line.
pub(crate) fn bytes_of(lines: &str, name: &str) -> Option<u64> {
    let line = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::bytes_of;

    #[test]
    fn one_line_is_enough() {
        let text = "MemFree: 1 kB\nMemAvailable:    2048 kB\nMemAvailableToo: 9 kB\nHugePages_Total: 7\n";
        assert_eq!(bytes_of(text, "MemAvailable"), Some(2 << 20));
        assert_eq!(bytes_of(text, "Mem"), None);
        assert_eq!(bytes_of(text, "HugePages_Total"), None);
    }
}
