//! The kernels of the matrix, and a quarter of them.

use std::time::SystemTime;

use clap::ValueEnum;

use crate::host::arch::Arch;

/// The matrix: each of these for each architecture. A series is what a kernel's version begins
/// with.
pub(super) const SERIES: [&str; 4] = ["5.10", "6.1", "6.12", "7"];

/// A quarter of the matrix: one kernel of each architecture.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Quarter {
    /// The days since 1970 (UTC) in turns, the first where their number is divided by four.
    Today,
    First,
    Second,
    Third,
    Fourth,
}

/// A kernel of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) arch: Arch,
    pub(super) series: &'static str,
}

impl Quarter {
    /// Whether a kernel is in this quarter. The two of a quarter are two series apart: one is old
    /// where the other is new.
    pub(super) fn has(self, cell: Cell) -> bool {
        let quarter = match self {
            Self::First => 0,
            Self::Second => 1,
            Self::Third => 2,
            Self::Fourth => 3,
            Self::Today => (days_since_1970() % 4) as usize,
        };
        let series = SERIES.iter().position(|&series| series == cell.series).unwrap_or(0);
        (series + 2 * cell.arch as usize) % SERIES.len() == quarter
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
    fn quarters_share_nothing_and_have_every_architecture() {
        let all: Vec<Cell> =
            Arch::ALL.into_iter().flat_map(|arch| SERIES.map(|series| Cell { arch, series })).collect();
        let quarters = [Quarter::First, Quarter::Second, Quarter::Third, Quarter::Fourth];
        for quarter in quarters {
            let own: Vec<Cell> = all.iter().copied().filter(|&cell| quarter.has(cell)).collect();
            assert_eq!(own.len(), 2);
            assert!(own[0].arch != own[1].arch && own[0].series != own[1].series);
        }
        assert!(all.iter().all(|&cell| quarters.iter().filter(|quarter| quarter.has(cell)).count() == 1));
        assert_eq!(all.iter().filter(|&&cell| Quarter::Today.has(cell)).count(), 2);
    }
}
