//! What is measured: a way of reading, how many reads are under way, how large they are, where the
//! file is, and whether the page cache has it.

use serde::{Deserialize, Serialize};

/// How a program has many reads under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Way {
    /// A thread for each read (`pread`).
    Threads,
    /// `aio_read` of the C library, which has threads of its own.
    PosixAio,
    /// `io_submit`.
    LinuxAio,
    Ring,
    /// A ring whose every read goes to a worker thread of the kernel (`IOSQE_ASYNC`).
    RingAsync,
    /// A ring with a thread of the kernel that polls for submissions.
    RingPoll,
}

impl Way {
    pub(super) const ALL: [Self; 6] =
        [Self::Threads, Self::PosixAio, Self::LinuxAio, Self::Ring, Self::RingAsync, Self::RingPoll];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::PosixAio => "POSIX AIO",
            Self::LinuxAio => "Linux AIO",
            Self::Ring => "io_uring",
            Self::RingAsync => "io_uring, workers",
            Self::RingPoll => "io_uring, SQPOLL",
        }
    }

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::PosixAio => "posix",
            Self::LinuxAio => "aio",
            Self::Ring => "ring",
            Self::RingAsync => "workers",
            Self::RingPoll => "sqpoll",
        }
    }
}

/// Where the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Place {
    /// ext4 on the machine's disk.
    Disk,
    Tmpfs,
    /// XFS on a loop device over a file on the disk.
    Xfs,
    /// ext4 on a loop device over a FUSE file, whose every read waits 0.2 ms.
    Slow,
    /// The same with 5 ms.
    Slower,
}

impl Place {
    pub(super) const ALL: [Self; 5] = [Self::Disk, Self::Tmpfs, Self::Xfs, Self::Slow, Self::Slower];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Disk => "ext4, the disk",
            Self::Tmpfs => "tmpfs",
            Self::Xfs => "XFS, a loop device on the disk",
            Self::Slow => "ext4, a device of 0.2 ms",
            Self::Slower => "ext4, a device of 5 ms",
        }
    }

    /// The name of its folder.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Tmpfs => "tmpfs",
            Self::Xfs => "xfs",
            Self::Slow => "slow",
            Self::Slower => "slower",
        }
    }
}

/// What the page cache does for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Access {
    /// It has the whole file.
    Cached,
    /// `O_DIRECT`: the read goes past it.
    Direct,
    /// The read goes through it and finds nothing.
    Cold,
}

impl Access {
    pub(super) const ALL: [Self; 3] = [Self::Cached, Self::Direct, Self::Cold];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Direct => "direct",
            Self::Cold => "through an empty cache",
        }
    }

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Direct => "direct",
            Self::Cold => "cold",
        }
    }
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) place: Place,
    pub(super) access: Access,
    /// Bytes of a read.
    pub(super) block: u32,
    /// Reads under way.
    pub(super) depth: u32,
    pub(super) way: Way,
}

impl Cell {
    pub(super) fn id(&self) -> String {
        let Self { place, access, block, depth, way } = self;
        format!("{}-{}-{block}-d{depth}-{}", place.folder(), access.id(), way.id())
    }
}

/// The block that most rows have.
pub(super) const BLOCK: u32 = 4096;
/// The depth at which sizes and places are compared.
pub(super) const DEPTH: u32 = 16;
/// A part of the grid: everything in it is combined with everything and with every way.
struct Part {
    places: &'static [Place],
    accesses: &'static [Access],
    blocks: &'static [u32],
    depths: &'static [u32],
}

const PARTS: &[Part] = &[
    Part {
        places: &[Place::Disk],
        accesses: &[Access::Cached, Access::Direct],
        blocks: &[BLOCK],
        depths: &[1, 4, 16, 64, 256],
    },
    Part { places: &[Place::Disk], accesses: &[Access::Cold], blocks: &[BLOCK], depths: &[1, 16, 256] },
    Part {
        places: &[Place::Disk],
        accesses: &[Access::Cached, Access::Direct],
        blocks: &[512, 65_536, 1_048_576],
        depths: &[DEPTH],
    },
    Part { places: &[Place::Tmpfs], accesses: &[Access::Cached], blocks: &[BLOCK], depths: &[1, 16, 256] },
    Part {
        places: &[Place::Xfs],
        accesses: &[Access::Cached, Access::Direct],
        blocks: &[BLOCK],
        depths: &[1, 16, 256],
    },
    Part {
        places: &[Place::Slow, Place::Slower],
        accesses: &[Access::Direct, Access::Cold],
        blocks: &[BLOCK],
        depths: &[1, 16, 256],
    },
];
const QUICK: &[Part] = &[
    Part { places: &[Place::Disk], accesses: &Access::ALL, blocks: &[BLOCK], depths: &[DEPTH] },
    Part { places: &[Place::Tmpfs], accesses: &[Access::Cached], blocks: &[BLOCK], depths: &[DEPTH] },
    Part {
        places: &[Place::Xfs, Place::Slow, Place::Slower],
        accesses: &[Access::Direct],
        blocks: &[BLOCK],
        depths: &[DEPTH],
    },
];

/// All cells, or those of a quick run.
pub(super) fn all(quick: bool) -> Vec<Cell> {
    let parts = if quick { QUICK } else { PARTS };
    let mut cells: Vec<Cell> = parts.iter().flat_map(Part::cells).collect();
    cells.sort();
    cells
}

impl Part {
    fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &place in self.places {
            for &access in self.accesses {
                for &block in self.blocks {
                    for &depth in self.depths {
                        cells.extend(Way::ALL.map(|way| Cell { place, access, block, depth, way }));
                    }
                }
            }
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_measured_twice_and_every_place_has_every_way() {
        for quick in [true, false] {
            let cells = all(quick);
            let mut once = cells.clone();
            once.dedup();
            assert_eq!(once, cells);
            for place in Place::ALL {
                let ways = |way| cells.iter().any(|cell| cell.place == place && cell.way == way);
                assert!(Way::ALL.into_iter().all(ways), "{place:?}");
            }
        }
        assert!(all(true).iter().all(|cell| all(false).contains(cell)), "a quick run is a part of a whole one");
    }
}
