//! Short names of places and devices, as stacks and tables show them.

use super::{device::DeviceRecord, place::Place};

impl Place {
    /// How a call stands in a stack: `read (TCP)`.
    pub fn call_mark(&self) -> String {
        format!("{} ({})", self.syscall, self.class.name())
    }

    /// Whether a call there reads or receives something.
    pub fn receives(&self) -> bool {
        self.syscall.contains("read") || self.syscall.contains("recv")
    }

    /// Whether a call there waits until data is on the disk: `fsync` and its like.
    pub fn syncs(&self) -> bool {
        self.syscall.contains("sync")
    }

    /// Whether a call there sends something.
    pub fn sends(&self) -> bool {
        sends(&self.syscall)
    }
}

/// Whether a call of this name sends something.
pub(super) fn sends(syscall: &str) -> bool {
    syscall.contains("write") || syscall.contains("send")
}

impl DeviceRecord {
    /// The device's number: `8:0`.
    pub fn number(&self) -> String {
        format!("{}:{}", self.major, self.minor)
    }
}
