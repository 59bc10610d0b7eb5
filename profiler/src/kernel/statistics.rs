//! What the programs themselves cost: the kernel's own account of their runs (`BPF_ENABLE_STATS`,
//! 5.8 and later).

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::quantity::Nanos;

/// Runs and run time of one program, as the kernel counted them while statistics were on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramCost {
    /// Name of the program.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// Time in them. The kernel's measurement itself adds some tens of ns to each run; it is not in
    /// here.
    pub time: Nanos,
    /// Runs that the kernel left out because the program was already running on that CPU.
    pub missed: u64,
}

/// Keeps the kernel's statistics on while it lives.
pub struct Statistics {
    _fd: OwnedFd,
}

impl Statistics {
    /// Switches them on; `None` where the right is missing (`CAP_SYS_ADMIN` on most kernels).
    pub fn enable() -> Option<Self> {
        aya::sys::enable_stats(aya::sys::Stats::RunTime).ok().map(|fd| Self { _fd: fd })
    }
}

/// The head of `struct bpf_prog_info` (include/uapi/linux/bpf.h), up to what is needed.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
    ifindex: u32,
    bits: u32,
    netns_dev: u64,
    netns_ino: u64,
    nr_jited_ksyms: u32,
    nr_jited_func_lens: u32,
    jited_ksyms: u64,
    jited_func_lens: u64,
    btf_id: u32,
    func_info_rec_size: u32,
    func_info: u64,
    nr_func_info: u32,
    nr_line_info: u32,
    line_info: u64,
    jited_line_info: u64,
    nr_jited_line_info: u32,
    line_info_rec_size: u32,
    jited_line_info_rec_size: u32,
    nr_prog_tags: u32,
    prog_tags: u64,
    run_time_ns: u64,
    run_cnt: u64,
    recursion_misses: u64,
}

#[repr(C)]
struct InfoByFd {
    fd: u32,
    len: u32,
    info: u64,
}

/// `BPF_OBJ_GET_INFO_BY_FD` of include/uapi/linux/bpf.h.
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// Reads a program's statistics; all zero where the kernel gives none.
pub(super) fn read(name: &str, program: impl AsFd) -> ProgramCost {
    let mut info = ProgramInfo::default();
    let mut request = InfoByFd {
        fd: program.as_fd().as_raw_fd() as u32,
        len: size_of::<ProgramInfo>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the kernel writes at most `len` bytes to `info`.
    let result = unsafe { libc::syscall(libc::SYS_bpf, OBJ_GET_INFO_BY_FD, &raw mut request, size_of::<InfoByFd>()) };
    if result < 0 {
        return ProgramCost { name: name.to_owned(), ..ProgramCost::default() };
    }
    ProgramCost {
        name: name.to_owned(),
        runs: info.run_cnt,
        time: Nanos::from_nanos(info.run_time_ns),
        missed: info.recursion_misses,
    }
}
