//! The kernels of the matrix, and half of them.

use std::time::SystemTime;

use clap::ValueEnum;

use crate::host::arch::Arch;

/// The matrix: each of these for each architecture. A series is what a kernel's version begins
/// with.
pub(super) const SERIES: [&str; 4] = ["5.10", "6.1", "6.12", "7"];

/// Half of the matrix.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Half {
    /// The first where the number of days since 1970 (UTC) is even, the second where it is odd.
    Today,
    First,
    Second,
}

/// A kernel of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) arch: Arch,
    pub(super) series: &'static str,
}

impl Half {
    /// Whether a kernel is in this half. The halves lie like the two colours of a chessboard.
    pub(super) fn has(self, cell: Cell) -> bool {
        let series = SERIES.iter().position(|&series| series == cell.series).unwrap_or(0);
        let odd = match self {
            Self::First => 0,
            Self::Second => 1,
            Self::Today => (days_since_1970() % 2) as usize,
        };
        (series + cell.arch as usize) % 2 == odd
    }
}

fn days_since_1970() -> u64 {
    const DAY: u64 = 24 * 60 * 60;
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_share_nothing_and_have_every_series_and_architecture() {
        let all: Vec<Cell> =
            Arch::ALL.into_iter().flat_map(|arch| SERIES.map(|series| Cell { arch, series })).collect();
        for half in [Half::First, Half::Second] {
            let own: Vec<Cell> = all.iter().copied().filter(|&cell| half.has(cell)).collect();
            assert!(SERIES.iter().all(|series| own.iter().filter(|cell| cell.series == *series).count() == 1));
            assert!(Arch::ALL.iter().all(|arch| own.iter().filter(|cell| cell.arch == *arch).count() == 2));
        }
        assert!(all.iter().all(|&cell| Half::First.has(cell) != Half::Second.has(cell)));
        assert!(all.iter().any(|&cell| Half::Today.has(cell)));
    }
}
