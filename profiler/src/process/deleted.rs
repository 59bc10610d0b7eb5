//! process/deleted: how /proc marks the path of a file that has no name any more.

/// What the kernel puts behind such a path (fs/d_path.c, `d_path`).
pub(super) const MARK: &str = " (deleted)";

/// The path without the mark; `None` where it has none. A file may truly be called that.
pub fn without_deleted(path: &str) -> Option<&str> {
    path.strip_suffix(MARK)
}
