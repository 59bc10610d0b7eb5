//! symbol/address: code addresses that stay valid when the process has gone: a place in a module,
//! not in an address space.

/// A module of the table that [`super::Modules`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(pub(super) u32);

impl ModuleId {
    /// Of addresses that lie in no executable mapping that was seen.
    pub const NOWHERE: Self = Self(0);
}

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeAddress {
    /// The file that is mapped there, or the process's memory without a file (JIT).
    pub module: ModuleId,
    /// As the file states it (what `nm` and `addr2line` use); for memory without a file the virtual
    /// address.
    pub address: u64,
    /// Whether it is a return address: the call is the instruction before it.
    pub is_return: bool,
}

impl CodeAddress {
    /// An address inside the instruction that the frame is in. A call may be a function's last
    /// instruction, so that the return address already belongs to the next function.
    pub(super) fn for_lookup(self) -> u64 {
        self.address.saturating_sub(u64::from(self.is_return))
    }
}
