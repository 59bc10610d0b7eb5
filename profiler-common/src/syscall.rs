//! What the kernel programs know of a syscall: a word per number, which the user side fills
//! in for the running machine's table. The low byte is the block class, the rest holds
//! flags.

/// Longest syscall table that is described; numbers above are [`crate::class::BlockClass::Other`].
pub const TABLE_LEN: usize = 512;
/// The machine's own table, and after it the 32-bit one.
pub const TABLES_LEN: usize = 2 * TABLE_LEN;
/// Calls that `socketcall` is told to make, by their numbers in `include/uapi/linux/net.h`: 1 to
/// 20.
pub const SOCKET_CALLS: usize = 32;

/// No syscall: the thread runs user code.
pub const NONE: u32 = u32::MAX;
/// A newborn thread or process on its way out of `clone`: kernel time without a call of its own.
pub const BORN: u32 = u32::MAX - 1;
/// A call that began before the measurement and whose number is not known.
pub const UNKNOWN: u32 = u32::MAX - 2;

/// The class comes from the descriptor in the first argument.
pub const FD: u32 = 1 << 8;
/// The return value is a number of bytes.
pub const BYTES: u32 = 1 << 9;
/// `close` (together with [`FD`]), `epoll_ctl` (without it): forgets the class of the descriptor in
/// the first argument.
pub const CLOSE: u32 = 1 << 10;
/// `dup2`, `dup3`: forgets the class of the descriptor in the second argument.
pub const DUP: u32 = 1 << 11;
/// `close_range`, and `exec` with its close-on-exec: forgets every descriptor's class.
pub const FORGET_ALL: u32 = 1 << 12;
/// `execve`, `execveat`: the caller's tid may change in it.
pub const EXEC: u32 = 1 << 13;
/// `exit`, `exit_group`: never returns.
pub const LEAVE: u32 = 1 << 14;

/// `poll`, `ppoll`: the first argument is an array of `struct pollfd`, the second its length. A
/// wait on one descriptor is a wait for that descriptor. Together with [`BYTES`]: `select`,
/// `pselect6`, whose first argument is the highest descriptor plus one, and the next three point to
/// bits.
pub const POLL: u32 = 1 << 15;
/// `select` and `pselect6`: both bits, see [`POLL`].
pub const SELECT: u32 = POLL | BYTES;
/// `epoll_wait`: the descriptor in the first argument is an epoll, the second points to room for
/// events.
pub const EPOLL: u32 = POLL | FD;

/// `fsync`, `msync` and the like: an uninterruptible sleep in it that is none for the disk is one
/// for the file system's journal.
pub const SYNC: u32 = 1 << 16;
/// `restart_syscall`: the call before, which a signal had interrupted, goes on.
pub const RESTART: u32 = 1 << 17;
/// Calls after which descriptors may change unseen: those of `io_uring`, whose ring closes files,
/// and `unshare`, which gives a thread a table of its own.
pub const UNSURE: u32 = 1 << 18;
/// `socketcall` of the 32-bit table: the first argument is a number, the second points to the
/// arguments of the call with that number.
pub const SOCKETCALL: u32 = 1 << 19;

/// The call came through the 32-bit table.
pub const ABI_COMPAT: u8 = 1;
/// The call came through the x32 table (x86_64 only).
pub const ABI_X32: u8 = 2;
