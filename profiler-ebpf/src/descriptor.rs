//! What a descriptor is: `task → files → fdtable → file → inode`, remembered per process and
//! descriptor until it is closed.
//!
//! A number may become another file unseen: a ring closes it, a process that shares the table does,
//! or a thread has a table of its own. Where there is any of these (`Control::fd_unsure`), the
//! class is remembered of the number's open file instead. To look that up at each call takes 30 ns
//! a run more in the mean, so it is not done where nothing asks for it.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use profiler_common::{class::BlockClass, control::Control};

use crate::{
    access::{Access, offset, present, probe},
    maps::{FD_SLOTS, SIA_FDS},
};

/// The mask of a mode's file type, and the types, of `include/uapi/linux/stat.h`.
const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;
const S_IFREG: u16 = 0o100_000;
const S_IFBLK: u16 = 0o060_000;
const S_IFDIR: u16 = 0o040_000;
const S_IFCHR: u16 = 0o020_000;
const S_IFIFO: u16 = 0o010_000;

/// `TCP_LISTEN` of `include/net/tcp_states.h`, which Unix sockets use too.
const LISTEN: u8 = 10;

/// `ANON_INODE_FS_MAGIC` of `include/uapi/linux/magic.h`
const ANON_INODE_FS: u64 = 0x0904_1934;

/// A remembered class without the class: generation (12 bits), process (22), descriptor (22), and
/// room for the class plus one (8). Where that is unsure, the open file (44) in place of process
/// and descriptor.
#[inline(always)]
fn word<A: Access>(control: &Control, task: *const u8, tgid: u32, fd: u32) -> u64 {
    let what = if control.fd_unsure == 0 {
        ((tgid & 0x3f_ffff) as u64) << 22 | (fd & 0x3f_ffff) as u64
    } else {
        open_file::<A>(task, fd)
    };
    ((control.fd_generation & 0xfff) as u64) << 52 | what << 8
}

/// A number for the open file behind a descriptor. Its address alone would not do: the next file
/// that is opened may get it. So what it keeps for its kind (`file.private_data`) is in it too.
#[inline(always)]
fn open_file<A: Access>(task: *const u8, fd: u32) -> u64 {
    let file = file_of::<A>(task, fd);
    // SAFETY: what cannot be read is zero.
    let private: u64 = unsafe { probe(file as *const u8, offset!(file_private)) };
    (file ^ private.rotate_left(20)) >> 4 & 0xfff_ffff_ffff
}

/// Whether descriptors of a task may change unseen: it has a ring, or its table is not that of its
/// process's threads and of nobody else.
#[inline(always)]
pub fn is_unsure<A: Access>(task: *const u8) -> bool {
    // SAFETY: typed members from a task on; a null pointer on the way reads as zero.
    unsafe {
        if present(offset!(task_ring)) && A::field::<u64>(task, offset!(task_ring)) != 0 {
            return true;
        }
        let files: *const u8 = A::field(task, offset!(task_files));
        let signal: *const u8 = A::field(task, offset!(task_signal));
        if files.is_null() || signal.is_null() {
            return false;
        }
        A::field::<u32>(files, offset!(files_count)) != A::field::<u32>(signal, offset!(signal_threads))
    }
}

/// From now on descriptors may change unseen.
#[inline(always)]
pub fn be_unsure(control: &mut Control) {
    if control.fd_unsure == 0 {
        control.fd_unsure = 1;
    }
}

#[inline(always)]
fn place(tgid: u32, fd: u32) -> Option<*mut u64> {
    // Neighbouring descriptors stay neighbours: one process never collides with itself below 65,536
    // descriptors.
    let i = (fd.wrapping_add(tgid.wrapping_mul(0x9e37_79b1) >> 8)) as usize & (FD_SLOTS - 1);
    // SAFETY: the index is masked to the array's length.
    SIA_FDS.get_ptr_mut(0).map(|p| unsafe { p.cast::<u64>().add(i) })
}

/// The class of a descriptor of the running task.
#[inline(always)]
pub fn class_of<A: Access>(control: &Control, task: *const u8, tgid: u32, fd: u32) -> u8 {
    let Some(place) = place(tgid, fd) else { return BlockClass::BadFd as u8 };
    // SAFETY: `place` is inside the map's value.
    let known = unsafe { *place };
    let word = word::<A>(control, task, tgid, fd);
    if known & !0xff == word && known & 0xff != 0 {
        return (known as u8) - 1;
    }
    let class = resolve::<A>(task, fd);
    if class != BlockClass::BadFd as u8 {
        // SAFETY: as above. Two CPUs may both write it: whole words.
        unsafe { *place = word | (class as u64 + 1) };
    }
    class
}

/// The descriptor is closed, or about to be another file.
#[inline(always)]
pub fn forget(tgid: u32, fd: u32) {
    if let Some(place) = place(tgid, fd) {
        // SAFETY: `place` is inside the map's value.
        unsafe { *place = 0 };
    }
}

/// The class of a descriptor until it is closed; of an epoll, until it is told to watch others.
#[inline(always)]
pub fn remember<A: Access>(control: &Control, task: *const u8, tgid: u32, fd: u32, class: u8) {
    if let Some(place) = place(tgid, fd) {
        // SAFETY: `place` is inside the map's value. Two CPUs may both write it: whole words.
        unsafe { *place = word::<A>(control, task, tgid, fd) | (class as u64 + 1) };
    }
}

#[inline(always)]
fn resolve<A: Access>(task: *const u8, fd: u32) -> u8 {
    match file_of::<A>(task, fd) {
        0 => BlockClass::BadFd as u8,
        file => sia_file_class(file),
    }
}

/// The open file behind a descriptor of the running task; 0 where there is none. From here on
/// pointers are plain numbers: `fdtable.fd` is an array of pointers, whose elements have no type to
/// the verifier.
#[inline(always)]
pub fn file_of<A: Access>(task: *const u8, fd: u32) -> u64 {
    // SAFETY: typed members from the running task on; a null pointer on the way reads as null.
    let (max, table) = unsafe {
        let files: *const u8 = A::field(task, offset!(task_files));
        if files.is_null() {
            return 0;
        }
        let fdt: *const u8 = A::field(files, offset!(files_fdt));
        if fdt.is_null() {
            return 0;
        }
        (A::field::<u32>(fdt, offset!(fdt_max)), A::field::<u64>(fdt, offset!(fdt_fd)))
    };
    if fd >= max {
        return 0;
    }
    // SAFETY: what cannot be read is zero.
    unsafe { probe((table + fd as u64 * 8) as *const u8, 0) }
}

/// The class of an open file, that of an epoll by what it watches.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_file_class(file: u64) -> u8 {
    let class = sia_open_file_class(file);
    if class != BlockClass::EventWait as u8 {
        return class;
    }
    match only_watched(file as *const u8) {
        0 => class,
        watched => BlockClass::waited_for(sia_open_file_class(watched)),
    }
}

/// A node of an epoll's tree, and the nodes below it; 0 where there is none.
struct Watched {
    node: u64,
    left: u64,
    right: u64,
}

impl Watched {
    #[inline(always)]
    fn new(node: u64) -> Self {
        // SAFETY: what cannot be read is zero.
        let (left, right) =
            unsafe { (probe(node as *const u8, offset!(node_left)), probe(node as *const u8, offset!(node_right))) };
        Self { node, left, right }
    }

    /// The root of what an epoll watches.
    #[inline(always)]
    fn root(epoll: u64) -> Self {
        if !present(offset!(eventpoll_root)) || !present(offset!(epitem_file)) {
            return Self { node: 0, left: 0, right: 0 };
        }
        // SAFETY: `file.private_data` of an epoll is its `struct eventpoll`, whose tree has a node
        // per file (fs/eventpoll.c). What is freed meanwhile reads as something or as zero.
        Self::new(unsafe {
            let watch: u64 = probe(epoll as *const u8, offset!(file_private));
            probe(watch as *const u8, offset!(eventpoll_root))
        })
    }

    /// The only or the last one of its branch.
    #[inline(always)]
    fn is_leaf(&self) -> bool {
        self.left | self.right == 0
    }

    #[inline(always)]
    fn class(&self) -> u8 {
        // SAFETY: what cannot be read is zero, and has no class.
        sia_open_file_class(unsafe { probe(self.node as *const u8, offset!(epitem_file)) })
    }

    #[inline(always)]
    fn data(&self) -> u64 {
        // SAFETY: as above.
        unsafe { probe(self.node as *const u8, offset!(epitem_data)) }
    }
}

/// What an epoll watches, if that is one file; 0 otherwise. `epoll_ctl` has the class forgotten.
#[inline(always)]
fn only_watched(epoll: *const u8) -> u64 {
    let root = Watched::root(epoll as u64);
    if root.node == 0 || !root.is_leaf() {
        return 0;
    }
    // SAFETY: what cannot be read is zero.
    unsafe { probe(root.node as *const u8, offset!(epitem_file)) }
}

/// The class of an epoll wait that always returns the event registered with `data`. With up to
/// three files watched it is the class of that event's file. It is an event wait with more files,
/// if that file is a waker, and if another of the files listens: that is a loop with one busy
/// client.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn sia_class_in_few(epoll: u64, data: u64) -> u8 {
    if epoll == 0 || !present(offset!(epitem_data)) {
        return BlockClass::EventWait as u8;
    }
    let root = Watched::root(epoll);
    let mut class = BlockClass::EventWait as u8;
    let mut listens = false;
    let mut others = false;
    // A tree of three is a root with two leaves: it is balanced (lib/rbtree.c).
    for node in [root.node, root.left, root.right] {
        if node == 0 {
            continue;
        }
        let watched = Watched::new(node);
        if node != root.node && !watched.is_leaf() {
            return BlockClass::EventWait as u8;
        }
        let own = watched.class();
        if watched.data() == data {
            // Some register all of their files with the same word: a waker is not the one.
            let own = BlockClass::waited_for(own);
            if own != BlockClass::EventWait as u8 {
                others |= class != own && class != BlockClass::EventWait as u8;
                class = own;
            }
        } else if own == BlockClass::Accept as u8 {
            listens = true;
        }
    }
    if listens || others { BlockClass::EventWait as u8 } else { class }
}

/// The class of an open file.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_open_file_class(file: u64) -> u8 {
    let file = file as *const u8;
    // SAFETY: an open file of the running task.
    let (inode, private) = unsafe {
        (probe::<u64>(file, offset!(file_inode)) as *const u8, probe::<u64>(file, offset!(file_private)) as *const u8)
    };
    // SAFETY: its inode.
    let mode: u16 = unsafe { probe(inode, offset!(inode_mode)) };
    let class = match mode & S_IFMT {
        S_IFSOCK => socket_class(private),
        S_IFIFO => BlockClass::Pipe,
        S_IFDIR => BlockClass::File,
        S_IFBLK => BlockClass::BlockDevice,
        // SAFETY: its inode.
        S_IFCHR => match unsafe { probe::<u32>(inode, offset!(inode_rdev)) } >> 20 {
            // Pseudo-terminals, consoles and serial lines: Documentation/admin-guide/devices.txt
            3..=5 | 136..=143 | 204 | 229 => BlockClass::Tty,
            _ => BlockClass::CharDevice,
        },
        // Anonymous inodes have no type, or (6.17 and later) that of a regular file.
        other => {
            // SAFETY: its inode and its superblock.
            let magic: u64 = unsafe {
                let sb: u64 = probe(inode, offset!(inode_sb));
                probe(sb as *const u8, offset!(sb_magic))
            };
            if magic == ANON_INODE_FS {
                anonymous_class(file)
            } else if other == S_IFREG {
                BlockClass::File
            } else {
                BlockClass::AnonFd
            }
        }
    };
    class as u8
}

#[inline(always)]
fn socket_class(socket: *const u8) -> BlockClass {
    // SAFETY: `file.private_data` of a socket's file is its `struct socket` (net/socket.c).
    let (family, protocol, state): (u16, u16, u8) = unsafe {
        let sk = probe::<u64>(socket, offset!(socket_sk)) as *const u8;
        (probe(sk, offset!(sock_family)), probe(sk, offset!(sock_protocol)), probe(sk, offset!(sock_state)))
    };
    // What is waited for on a socket that listens is a connection.
    if state == LISTEN {
        return BlockClass::Accept;
    }
    match (family, protocol) {
        // AF_INET and AF_INET6; IPPROTO_TCP, IPPROTO_MPTCP, IPPROTO_UDP
        (2 | 10, 6 | 262) => BlockClass::Tcp,
        (2 | 10, 17) => BlockClass::Udp,
        (1, _) => BlockClass::Unix,
        _ => BlockClass::SocketOther,
    }
}

/// All anonymous inodes share one inode; the name of the directory entry tells them apart (callers
/// of `anon_inode_getfile`).
#[inline(always)]
fn anonymous_class(file: *const u8) -> BlockClass {
    // SAFETY: `file.f_path.dentry` and its name, which is at least eight bytes long with its zero
    // in all cases below.
    let name: [u8; 8] = unsafe {
        let dentry = probe::<u64>(file, offset!(file_dentry)) as *const u8;
        let name = probe::<u64>(dentry, offset!(dentry_name)) as *const [u8; 8];
        bpf_probe_read_kernel(name).unwrap_or([0; 8])
    };
    match &name {
        b"[eventfd" => BlockClass::EventFd,
        b"[timerfd" => BlockClass::TimerFd,
        b"[signalf" => BlockClass::SignalFd,
        b"inotify\0" | b"[fanotif" => BlockClass::Inotify,
        b"[eventpo" => BlockClass::EventWait,
        b"[io_urin" => BlockClass::IoUring,
        _ => BlockClass::AnonFd,
    }
}
