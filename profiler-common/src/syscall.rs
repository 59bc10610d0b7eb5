//! What the kernel programs know of a syscall: a 16-bit word per number, which the user side fills
//! in for the running machine's table. The low byte is the block class, the high byte holds flags.

/// Longest syscall table that is described; numbers above are [`crate::class::BlockClass::Other`].
pub const TABLE_LEN: usize = 512;

/// No syscall: the thread runs user code.
pub const NONE: u32 = u32::MAX;
/// A newborn thread or process on its way out of `clone`: kernel time without a call of its own.
pub const BORN: u32 = u32::MAX - 1;
/// A call that began before the measurement and whose number is not known.
pub const UNKNOWN: u32 = u32::MAX - 2;

/// The class comes from the descriptor in the first argument.
pub const FD: u16 = 1 << 8;
/// The return value is a number of bytes.
pub const BYTES: u16 = 1 << 9;
/// `close` (together with [`FD`]), `epoll_ctl` (without it): forgets the class of the descriptor in
/// the first argument.
pub const CLOSE: u16 = 1 << 10;
/// `dup2`, `dup3`: forgets the class of the descriptor in the second argument.
pub const DUP: u16 = 1 << 11;
/// `close_range`, and `exec` with its close-on-exec: forgets every descriptor's class.
pub const FORGET_ALL: u16 = 1 << 12;
/// `execve`, `execveat`: the caller's tid may change in it.
pub const EXEC: u16 = 1 << 13;
/// `exit`, `exit_group`: never returns.
pub const LEAVE: u16 = 1 << 14;

/// `poll`, `ppoll`: the first argument is an array of `struct pollfd`, the second its length. A
/// wait on one descriptor is a wait for that descriptor. Together with [`BYTES`]: `select`,
/// `pselect6`, whose first argument is the highest descriptor plus one, and the next three point to
/// bits.
pub const POLL: u16 = 1 << 15;
/// See [`POLL`].
pub const SELECT: u16 = POLL | BYTES;
/// `epoll_wait`: the descriptor in the first argument is an epoll, the second points to room for
/// events.
pub const EPOLL: u16 = POLL | FD;

/// The call came through the 32-bit table.
pub const ABI_COMPAT: u8 = 1;
/// The call came through the x32 table (x86_64 only).
pub const ABI_X32: u8 = 2;
