//! Notes of the hardware counters: what a figure rests on, or why there is none.

use super::comparison::Comparison;

/// What a figure of the counters rests on, or why it is not known.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// No counters ran, and no reason is known.
    NoCounters,
    /// No counters ran, for this reason.
    NoCountersBecause {
        /// The reason in words, from where the counters were opened. Recordings keep it as text.
        said: String,
    },
    /// The hardware counts cycles but no instructions.
    CyclesOnly,
    /// No window after a return could be counted; so many were left out.
    NoWindow(u64),
    /// The windows after blocks hold no user-mode time.
    NoUserTime,
    /// There are no windows after blocking-IO blocks.
    NoBlockWindows,
    /// Windows and sites that a figure comes from.
    Counted(Coverage),
    /// So many of the sites have no direct calls and were held against other sites' instead.
    Borrowed(Coverage, usize),
    /// How a site's blocks were compared.
    Compared(Comparison),
    /// Fewer windows after blocks than a mean needs.
    FewBlockWindows,
    /// Too few windows after direct calls, at the site and elsewhere.
    FewDirectWindows,
    /// Each kind always executes the same number of instructions, but not the other's.
    KindsDiffer,
    /// No direct windows at the site, and instructions that do not vary.
    NothingVaries,
    /// Too few overflow samples for a curve.
    FewSamples,
    /// The cycles do not rise with the instructions at the curve's end.
    NoRise,
    /// The IPC still rises at the curve's end.
    StillRising,
    /// The steady IPC was not reached by the end of the curve.
    NotRecovered,
    /// The IPC is steady from the return on.
    NoFall,
    /// The fall is not larger than the noise.
    FallTooNoisy,
    /// Noise hides the point at which the steady IPC is reached.
    RecoveryTooNoisy,
}

/// Windows, sites and blocks behind a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Windows after blocks and after direct calls.
    pub windows: u64,
    /// Sites that they are from.
    pub sites: usize,
    /// Blocking-IO blocks at these sites.
    pub blocks: u64,
    /// Blocking-IO blocks at all sites.
    pub of_blocks: u64,
}
