//! How the windows after blocks are compared with others.

/// How the cost of a block was computed from the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// One slope for both kinds at the site: the difference of the two a.
    CommonSlope,
    /// The slopes differ: the distance of the two lines at the mean instructions of the windows
    /// after blocks.
    OwnSlopes,
    /// The instructions do not vary and are as many in both kinds: the difference of the means.
    EqualInstructions,
    /// No calls at this site that did not block: against the a of so many other sites.
    OtherSites(usize),
}

impl Comparison {
    /// Whether it compares windows after the same call.
    pub const fn same_site(self) -> bool {
        !matches!(self, Self::OtherSites(_))
    }
}
