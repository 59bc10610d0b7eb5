//! From the kernel's type information to the member offsets that the programs need.

use profiler_common::offsets::{ABSENT, Offsets};

use super::btf::{Btf, BtfError};

/// `TS_COMPAT` of `arch/x86/include/asm/thread_info.h`.
#[cfg(target_arch = "x86_64")]
const COMPAT: (&str, u32) = ("thread_info.status", 0x2);
/// `TIF_32BIT` of `arch/arm64/include/asm/thread_info.h`.
#[cfg(target_arch = "aarch64")]
const COMPAT: (&str, u32) = ("thread_info.flags", 1 << 22);

/// `pt_regs`: instruction pointer, first syscall argument, syscall number.
#[cfg(target_arch = "x86_64")]
const REGISTERS: [&str; 3] = ["ip", "di", "orig_ax"];
#[cfg(target_arch = "aarch64")]
const REGISTERS: [&str; 3] = ["pc", "orig_x0", "syscallno"];

/// `pt_regs`: frame pointer and link register, each with the bytes behind it.
#[cfg(target_arch = "x86_64")]
const FRAME: [Option<(&str, u32)>; 2] = [Some(("bp", 0)), None];
#[cfg(target_arch = "aarch64")]
const FRAME: [Option<(&str, u32)>; 2] = [Some(("regs", 29 * 8)), Some(("regs", 30 * 8))];

/// `pt_regs`: second, third and fourth syscall argument, each with the bytes behind it.
#[cfg(target_arch = "x86_64")]
const ARGUMENTS: [(&str, u32); 3] = [("si", 0), ("dx", 0), ("r10", 0)];
#[cfg(target_arch = "aarch64")]
const ARGUMENTS: [(&str, u32); 3] = [("regs", 8), ("regs", 16), ("regs", 24)];

/// `pt_regs`: the four arguments of a call of the 32-bit table, each with the bytes behind it.
#[cfg(target_arch = "x86_64")]
const COMPAT_ARGUMENTS: [(&str, u32); 4] = [("bx", 0), ("cx", 0), ("dx", 0), ("si", 0)];
#[cfg(target_arch = "aarch64")]
const COMPAT_ARGUMENTS: [(&str, u32); 4] = [("orig_x0", 0), ("regs", 8), ("regs", 16), ("regs", 24)];

/// Where the running kernel keeps what the programs read.
///
/// # Errors
/// The first member that is not found, by name. Members that only newer or only older kernels have
/// may be absent.
pub(super) fn resolve(btf: &Btf, has_task_registers: bool) -> Result<Offsets, BtfError> {
    let ((task_iowait, iowait_mask), (task_frozen, frozen_mask)) = (bit(btf, "in_iowait"), bit(btf, "frozen"));
    let [compat_arg0, compat_arg1, compat_arg2, compat_arg3] = COMPAT_ARGUMENTS.map(|place| register(btf, place));
    Ok(Offsets {
        task_pid: btf.require("task_struct", "pid")?,
        task_tgid: btf.require("task_struct", "tgid")?,
        task_flags: btf.require("task_struct", "flags")?,
        task_state: state(btf)?,
        task_iowait,
        iowait_mask,
        task_frozen,
        frozen_mask,
        task_nvcsw: btf.require("task_struct", "nvcsw")?,
        task_nivcsw: btf.require("task_struct", "nivcsw")?,
        task_runtime: btf.require("task_struct", "se.sum_exec_runtime")?,
        task_files: btf.require("task_struct", "files")?,
        task_signal: btf.require("task_struct", "signal")?,
        task_ring: optional(btf, "task_struct", "io_uring"),
        task_compat: optional(btf, "task_struct", COMPAT.0),
        compat_mask: COMPAT.1,
        signal_threads: btf.require("signal_struct", "nr_threads")?,
        files_count: btf.require("files_struct", "count")?,
        files_fdt: btf.require("files_struct", "fdt")?,
        fdt_max: btf.require("fdtable", "max_fds")?,
        fdt_fd: btf.require("fdtable", "fd")?,
        file_inode: btf.require("file", "f_inode")?,
        file_private: btf.require("file", "private_data")?,
        file_dentry: btf.require("file", "f_path.dentry")?,
        dentry_name: btf.require("dentry", "d_name.name")?,
        inode_mode: btf.require("inode", "i_mode")?,
        inode_rdev: btf.require("inode", "i_rdev")?,
        inode_sb: btf.require("inode", "i_sb")?,
        sb_magic: btf.require("super_block", "s_magic")?,
        eventpoll_root: optional(btf, "eventpoll", "rbr.rb_root.rb_node"),
        epitem_file: optional(btf, "epitem", "ffd.file"),
        epitem_data: optional(btf, "epitem", "event.data"),
        epoll_data: optional(btf, "epoll_event", "data"),
        node_left: btf.require("rb_node", "rb_left")?,
        node_right: btf.require("rb_node", "rb_right")?,
        socket_sk: btf.require("socket", "sk")?,
        sock_family: btf.require("sock", "__sk_common.skc_family")?,
        sock_state: btf.require("sock", "__sk_common.skc_state")?,
        sock_protocol: btf.require("sock", "sk_protocol")?,
        regs_ip: btf.require("pt_regs", REGISTERS[0])?,
        regs_arg0: btf.require("pt_regs", REGISTERS[1])?,
        regs_arg1: register(btf, ARGUMENTS[0])?,
        regs_arg2: register(btf, ARGUMENTS[1])?,
        regs_arg3: register(btf, ARGUMENTS[2])?,
        compat_arg0: compat_arg0?,
        compat_arg1: compat_arg1?,
        compat_arg2: compat_arg2?,
        compat_arg3: compat_arg3?,
        regs_sp: btf.require("pt_regs", "sp")?,
        regs_fp: frame(btf, 0)?,
        regs_lr: frame(btf, 1)?,
        regs_nr: if has_task_registers { btf.require("pt_regs", REGISTERS[2])? } else { ABSENT },
        rq_queue: optional(btf, "request", "q"),
        queue_disk: disk_of_request(btf)?.1,
        rq_disk: disk_of_request(btf)?.0,
        disk_major: btf.require("gendisk", "major")?,
        disk_minor: btf.require("gendisk", "first_minor")?,
        rq_len: btf.require("request", "__data_len")?,
        rq_flags: btf.require("request", "cmd_flags")?,
    })
}

/// A member that not every kernel has.
fn optional(btf: &Btf, structure: &str, path: &str) -> u32 {
    btf.offset(structure, path).unwrap_or(ABSENT)
}

/// Where one of [`FRAME`] is.
fn frame(btf: &Btf, i: usize) -> Result<u32, BtfError> {
    FRAME[i].map_or(Ok(ABSENT), |place| register(btf, place))
}

/// A member of the registers, and the bytes behind its beginning.
fn register(btf: &Btf, (member, behind): (&str, u32)) -> Result<u32, BtfError> {
    btf.require("pt_regs", member).map(|at| at + behind)
}

/// A bit-field of a task, and its bit in that byte.
fn bit(btf: &Btf, name: &str) -> (u32, u32) {
    btf.bit("task_struct", name).unwrap_or((ABSENT, 0))
}

/// `state` became `__state` in 5.14.
fn state(btf: &Btf) -> Result<u32, BtfError> {
    btf.offset("task_struct", "__state").map_or_else(|| btf.require("task_struct", "state"), Ok)
}

/// `request.rq_disk` and `request_queue.disk`: older kernels have the one, newer ones the other.
fn disk_of_request(btf: &Btf) -> Result<(u32, u32), BtfError> {
    match (btf.offset("request", "rq_disk"), btf.offset("request_queue", "disk")) {
        (None, None) => Err(BtfError::Missing("request.rq_disk or request_queue.disk".into())),
        (request, queue) => Ok((request.unwrap_or(ABSENT), queue.unwrap_or(ABSENT))),
    }
}
