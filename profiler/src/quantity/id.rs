//! Numbers that name something in the kernel: threads, processes, addresses. Each is a type of its
//! own.

use std::fmt;

/// A kernel task's id as the initial PID namespace sees it (`task_struct.pid`; `gettid` for user
/// space).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Tid(u32);

/// A thread group's id, a process for user space (`task_struct.tgid`; `getpid`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Tgid(u32);

macro_rules! id {
    ($name:ident) => {
        impl $name {
            /// From the kernel's number.
            pub const fn from_raw(raw: u32) -> Self {
                Self(raw)
            }

            /// The number that the kernel uses.
            pub const fn as_raw(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}
id!(Tid);
id!(Tgid);

/// A user-space virtual address of the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Addr(u64);

impl Addr {
    /// From the register's value.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub const fn as_raw(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
