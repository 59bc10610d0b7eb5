//! event/class: what a thread waits for.

use profiler_common::{class as wire, classes};

use super::error::DecodeError;
use crate::quantity::listed;

macro_rules! owned {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $said:literal, $family:ident, $storage:ident;)*) => {
        /// What a block waits for. A class's number is its place in arrays per class.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum BlockClass {
            $($(#[$doc])* $name = $number,)*
        }

        impl BlockClass {
            /// Every class, in the order of their numbers.
            pub const ALL: [Self; CLASS_COUNT] = [$(Self::$name),*];

            /// The class's name on screens, in JSON and in docs.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $said,)*
                }
            }

            /// The same class, as the kernel programs know it.
            const fn on_wire(self) -> wire::BlockClass {
                match self {
                    $(Self::$name => wire::BlockClass::$name,)*
                }
            }
        }

        impl From<wire::BlockClass> for BlockClass {
            fn from(raw: wire::BlockClass) -> Self {
                match raw {
                    $(wire::BlockClass::$name => Self::$name,)*
                }
            }
        }
    };
}
classes!(owned);

/// How many classes there are; arrays per class have this length.
pub const CLASS_COUNT: usize = wire::CLASS_COUNT;

listed! {
    /// The families that the reports keep apart, in their order there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    pub enum Family {
        /// Blocking IO on one descriptor: what an async version would wait for in its event loop.
        BlockingIo,
        /// An event or completion wait: what an async program already does.
        EventWait,
        /// A wait for a lock.
        Lock,
        /// A sleep for a set time.
        Timer,
        Accept,
        /// Everything else, by its name.
        Other,
    }
}

impl Family {
    /// Its name in ledgers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockingIo => "blocking IO",
            Self::EventWait => "event wait",
            Self::Lock => "lock",
            Self::Timer => "timer",
            Self::Accept => "accept",
            Self::Other => "other",
        }
    }
}

impl BlockClass {
    /// What a wait for readiness on one descriptor of this class waits for.
    pub fn waited_for(self) -> Self {
        let waited = wire::BlockClass::waited_for(self.on_wire() as u8);
        wire::BlockClass::from_wire(waited).map_or(self, Self::from)
    }

    /// Whether a storage device ends the wait, not a peer. Readiness (epoll) gains nothing there.
    pub const fn is_file(self) -> bool {
        self.on_wire().is_file()
    }

    /// Whether it waits for a socket.
    pub const fn is_socket(self) -> bool {
        use BlockClass::*;
        match self {
            Tcp | Unix | Udp | SocketOther => true,
            Unknown | Tty | EventFd | TimerFd | SignalFd | Inotify | AnonFd | BadFd | Accept | Futex | Sleep
            | EventWait | IoUring | LinuxAio | ChildWait | Signal | FileLock | Ipc | PageFault | Stopped | Exit
            | Compat | Other | Kernel | Timeout | Frozen | Traced | Pipe | File | BlockDevice | CharDevice
            | Journal => false,
        }
    }

    /// Whether a request of the waiting thread's own may be at a device meanwhile: the journal is
    /// written by another thread.
    pub const fn is_at_device(self) -> bool {
        self.on_wire().is_at_device()
    }

    /// The family this class is reported in.
    pub const fn family(self) -> Family {
        match self.on_wire().family() {
            wire::Family::BlockingIo => Family::BlockingIo,
            wire::Family::EventWait => Family::EventWait,
            wire::Family::Lock => Family::Lock,
            wire::Family::Timer => Family::Timer,
            wire::Family::Accept => Family::Accept,
            wire::Family::Other => Family::Other,
        }
    }
}

/// Decodes a class's number.
pub(super) fn class(record: &'static str, id: u32, raw: u32) -> Result<BlockClass, DecodeError> {
    u8::try_from(raw).ok().and_then(wire::BlockClass::from_wire).map(BlockClass::from).ok_or(DecodeError {
        record,
        id,
        field: "class",
        value: raw,
    })
}
