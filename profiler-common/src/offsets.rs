//! Where the running kernel keeps the fields that the programs read. The loader takes it from the
//! kernel's own BTF.

/// A field this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Byte offsets inside kernel structures. Each field's name is `structure_member`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.flags`
    pub task_flags: u32,
    /// `task_struct.__state`, before 5.14 `state`
    pub task_state: u32,
    /// The byte of `task_struct.in_iowait`, a bit-field
    pub task_iowait: u32,
    /// Its bit in that byte.
    pub iowait_mask: u32,
    /// The byte of `task_struct.frozen`, a bit-field: the cgroup's freezer (v2) holds it
    pub task_frozen: u32,
    /// Its bit in that byte.
    pub frozen_mask: u32,
    /// `task_struct.nvcsw`
    pub task_nvcsw: u32,
    /// `task_struct.nivcsw`
    pub task_nivcsw: u32,
    /// `task_struct.se.sum_exec_runtime`
    pub task_runtime: u32,
    /// `task_struct.files`
    pub task_files: u32,
    /// `task_struct.signal`
    pub task_signal: u32,
    /// `task_struct.io_uring`
    pub task_ring: u32,
    /// x86: `task_struct.thread_info.status` (`TS_COMPAT`); arm64: `task_struct.thread_info.flags`
    /// (`TIF_32BIT`)
    pub task_compat: u32,
    /// The bits of that word that mean "a 32-bit call".
    pub compat_mask: u32,
    /// `signal_struct.nr_threads`
    pub signal_threads: u32,
    /// `files_struct.count`
    pub files_count: u32,
    /// `files_struct.fdt`
    pub files_fdt: u32,
    /// `fdtable.max_fds`
    pub fdt_max: u32,
    /// `fdtable.fd`
    pub fdt_fd: u32,
    /// `file.f_inode`
    pub file_inode: u32,
    /// `file.private_data`
    pub file_private: u32,
    /// `file.f_path.dentry`
    pub file_dentry: u32,
    /// `dentry.d_name.name`
    pub dentry_name: u32,
    /// `inode.i_mode`
    pub inode_mode: u32,
    /// `inode.i_rdev`
    pub inode_rdev: u32,
    /// `inode.i_sb`
    pub inode_sb: u32,
    /// `super_block.s_magic`
    pub sb_magic: u32,
    /// `eventpoll.rbr.rb_root.rb_node`
    pub eventpoll_root: u32,
    /// `epitem.ffd.file`, from its node in the tree, which is its first member
    pub epitem_file: u32,
    /// `epitem.event.data`, from the same place
    pub epitem_data: u32,
    /// `epoll_event.data`, which is packed on x86_64 only
    pub epoll_data: u32,
    /// `rb_node.rb_left`
    pub node_left: u32,
    /// `rb_node.rb_right`
    pub node_right: u32,
    /// `socket.sk`
    pub socket_sk: u32,
    /// `sock.__sk_common.skc_family`
    pub sock_family: u32,
    /// `sock.__sk_common.skc_state`
    pub sock_state: u32,
    /// `sock.sk_protocol`
    pub sock_protocol: u32,
    /// `pt_regs.ip`, arm64 `user_pt_regs.pc`
    pub regs_ip: u32,
    /// First syscall argument: `pt_regs.di`, arm64 `regs[0]` (at `sys_enter`)
    pub regs_arg0: u32,
    /// Second syscall argument: `pt_regs.si`, arm64 `regs[1]`
    pub regs_arg1: u32,
    /// Third syscall argument: `pt_regs.dx`, arm64 `regs[2]`
    pub regs_arg2: u32,
    /// Fourth syscall argument: `pt_regs.r10`, arm64 `regs[3]`
    pub regs_arg3: u32,
    /// First argument of a call of the 32-bit table: `pt_regs.bx`; on arm64 as for the others, and
    /// so are the next three
    pub compat_arg0: u32,
    /// Second argument: `pt_regs.cx`
    pub compat_arg1: u32,
    /// Third argument: `pt_regs.dx`
    pub compat_arg2: u32,
    /// Fourth argument: `pt_regs.si`
    pub compat_arg3: u32,
    /// The user's stack pointer.
    pub regs_sp: u32,
    /// User frame pointer: `pt_regs.bp`, arm64 `regs[29]`
    pub regs_fp: u32,
    /// arm64: link register, `regs[30]`
    pub regs_lr: u32,
    /// The syscall a task is in, at the top of its kernel stack: `pt_regs.orig_ax`, arm64
    /// `pt_regs.syscallno`; negative outside a syscall. Absent where the kernel has no
    /// `bpf_task_pt_regs` (before 5.15).
    pub regs_nr: u32,
    /// `request.q` (with `request_queue.disk`), or `request.rq_disk` where `rq_disk` is present
    pub rq_queue: u32,
    /// `request_queue.disk`, 5.15 and later
    pub queue_disk: u32,
    /// `request.rq_disk`, up to 5.16
    pub rq_disk: u32,
    /// `gendisk.major`
    pub disk_major: u32,
    /// `gendisk.first_minor`
    pub disk_minor: u32,
    /// `request.__data_len`
    pub rq_len: u32,
    /// `request.cmd_flags`
    pub rq_flags: u32,
}

impl Offsets {
    /// How many fields there are.
    pub const FIELDS: usize = size_of::<Self>() / 4;

    /// None known: what the object holds before the loader fills it in.
    pub const ABSENT: Self = {
        // SAFETY: `Self` is `repr(C)` of `u32` alone, so any bit pattern is a value of it.
        unsafe { core::mem::transmute::<[u32; Self::FIELDS], Self>([ABSENT; Self::FIELDS]) }
    };
}
