//! What a thread can block on, as far as it is calibrated.

use serde::{Deserialize, Serialize};

use crate::{event::BlockClass, quantity::listed};

listed! {
    /// What a thread blocks on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Medium {
        Pipe,
        /// A Unix stream socket.
        Unix,
        Tcp,
    }
}

impl Medium {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Unix => "Unix socket",
            Self::Tcp => "TCP socket",
        }
    }

    /// The class of its blocks.
    pub const fn class(self) -> BlockClass {
        match self {
            Self::Pipe => BlockClass::Pipe,
            Self::Unix => BlockClass::Unix,
            Self::Tcp => BlockClass::Tcp,
        }
    }

    /// The medium that comes closest to blocks of this class: every other socket counts as TCP.
    /// `None` for files, locks and the rest.
    pub const fn nearest(class: BlockClass) -> Option<Self> {
        use BlockClass::*;
        match class {
            Pipe => Some(Self::Pipe),
            Unix => Some(Self::Unix),
            Tcp | Udp | SocketOther => Some(Self::Tcp),
            Unknown | Tty | File | BlockDevice | CharDevice | EventFd | TimerFd | SignalFd | Inotify | AnonFd
            | BadFd | Accept | Futex | Sleep | EventWait | IoUring | LinuxAio | ChildWait | Signal | FileLock | Ipc
            | PageFault | Stopped | Exit | Compat | Other | Kernel | Timeout | Journal | Frozen | Traced => None,
        }
    }
}
