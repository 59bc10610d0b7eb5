//! One system call: which it is, on what descriptor, from which place, and what it came to.

use aya_ebpf::helpers::bpf_probe_read_user;
use aya_log_ebpf::warn;
use profiler_common::{
    class::BlockClass,
    control::Control,
    site::{OVERFLOW_SITE, Site, SiteKey, size_class},
    syscall::{self, ABI_COMPAT, ABI_X32, SOCKET_CALLS as SOCKET_CALLS_LEN, TABLE_LEN, TABLES_LEN},
    thread::{CACHED_SITES, CachedSite, Thread, mark, window},
};

use crate::{
    access::{Access, argument, offset, present},
    descriptor,
    maps::{SIA_FREE_SITES, SIA_SITE_INDEX, SIA_SITES, bump},
    turnover,
};

/// What each syscall of this machine's table is, and of the 32-bit table after it; see
/// `profiler_common::syscall`. The loader fills it in.
#[unsafe(no_mangle)]
pub static SYSCALLS: [u32; TABLES_LEN] = [BlockClass::Other as u32; TABLES_LEN];

/// The numbers in the 32-bit table of the calls that `socketcall` makes. The loader fills it in.
#[unsafe(no_mangle)]
pub static SOCKET_CALLS: [u32; SOCKET_CALLS_LEN] = [0; SOCKET_CALLS_LEN];

/// `__X32_SYSCALL_BIT` of `arch/x86/include/uapi/asm/unistd.h`
const X32_BIT: u64 = 0x4000_0000;

/// `MAX_ERRNO` of `include/linux/err.h`
const MAX_ERRNO: i64 = 4095;

/// The table's word for a call: that of the 32-bit table where `abi` says so.
///
/// The index is masked although it was compared: between the two it may go through the stack, where
/// verifiers before 6.3 forget what was compared, and the compiler would drop a mask that it can
/// see to be of no use.
#[inline(always)]
fn describe(nr: u32, abi: u32) -> u32 {
    const { assert!(TABLE_LEN.is_power_of_two() && ABI_COMPAT == 1 && ABI_X32 & 1 == 0) };
    if nr as usize >= TABLE_LEN {
        return BlockClass::Other as u32;
    }
    let place = nr as usize | ((abi as usize & 1) * TABLE_LEN);
    let i = core::hint::black_box(place) & (TABLES_LEN - 1);
    // SAFETY: inside the table.
    unsafe { core::ptr::read_volatile((&raw const SYSCALLS).cast::<u32>().add(i)) }
}

/// The table's word for the call that a thread was in.
#[inline(always)]
pub fn described(t: &Thread, nr: u32) -> u32 {
    describe(nr, t.abi)
}

/// Forgets the call before.
#[inline(always)]
pub fn reset(t: &mut Thread) {
    t.call_cpu = 0;
    t.call_before = 0;
    t.call_blocks = 0;
    t.call_blocked = 0;
    t.call_delay = 0;
    t.marks &= !(mark::OPEN_CALL | mark::AWAY | mark::WOKE | mark::MIXED);
}

/// Notes number, table, place, descriptor and class of a call. Returns the table's word for it.
#[inline(always)]
pub fn identify<A: Access>(control: &Control, t: &mut Thread, task: *const u8, regs: *const u8, id: u64) -> u32 {
    let mut nr = id as u32;
    let mut abi = 0;
    if present(offset!(task_compat)) {
        // SAFETY: the task; a word of its thread_info.
        let word: u32 = unsafe { A::field(task, offset!(task_compat)) };
        if word & offset!(compat_mask) as u32 != 0 {
            abi = ABI_COMPAT;
        }
    }
    if id & X32_BIT != 0 && nr != u32::MAX {
        abi = ABI_X32;
        nr &= !(X32_BIT as u32);
    }
    // SAFETY: the registers of the tracepoint's argument, or those at the top of the task's kernel
    // stack.
    t.ip = unsafe { A::field(regs, offset!(regs_ip)) };
    t.nr = nr & 0xffff;
    t.abi = abi as u32;
    let what = describe(nr, t.abi);
    if what & syscall::RESTART != 0 {
        // It waits for what the call before did: no other came in between.
        return BlockClass::Other as u32;
    }
    t.fd = u32::MAX;
    t.class = what & 0xff;
    if what & syscall::FD != 0 {
        let fd = argument!(A, t, regs, 0) as u32;
        t.fd = fd;
        t.class = descriptor::class_of::<A>(control, task, t.tgid, fd) as u32;
    } else if what & syscall::SOCKETCALL != 0 {
        t.nr = socket_call(argument!(A, t, regs, 0));
        if described(t, t.nr) & syscall::FD != 0 {
            // Which socket stands in the caller's memory.
            t.class = BlockClass::SocketOther as u32;
            return what;
        }
        t.class = described(t, t.nr) & 0xff;
    }
    what
}

/// The number in the 32-bit table of a call that `socketcall` makes.
#[inline(always)]
fn socket_call(number: u64) -> u32 {
    let i = core::hint::black_box(number as usize) & (SOCKET_CALLS_LEN - 1);
    // SAFETY: inside the table.
    unsafe { core::ptr::read_volatile((&raw const SOCKET_CALLS).cast::<u32>().add(i)) }
}

/// A `socketcall` on a socket, whose arguments stand in the memory of the running task. Returns the
/// table's word for the call that it makes.
#[inline(always)]
pub fn identify_socketcall<A: Access>(control: &Control, t: &mut Thread, task: *const u8, regs: *const u8) -> u32 {
    let what = described(t, t.nr);
    if what & syscall::FD != 0 {
        let arguments = argument!(A, t, regs, 1);
        // SAFETY: the helper checks the address.
        if let Ok(fd) = unsafe { bpf_probe_read_user(arguments as *const u32) } {
            t.fd = fd;
            t.class = descriptor::class_of::<A>(control, task, t.tgid, fd) as u32;
        }
    }
    what
}

/// A `poll` or `select` of one descriptor is a wait for that descriptor: the class becomes its own.
/// One of a few is a wait for the one that ended the wait before, where that has always been the
/// same one or all of them are connections.
/// The running task has just made the call, so its array can be read; what cannot be stays an event
/// wait.
#[inline(always)]
pub fn identify_polled<A: Access>(control: &Control, t: &mut Thread, task: *const u8, regs: *const u8, what: u32) {
    let (first, second) = (argument!(A, t, regs, 0), argument!(A, t, regs, 1));
    if first as u32 == 0 && what & syscall::SELECT == syscall::SELECT
        || second as u32 == 0 && what & syscall::SELECT == syscall::POLL
    {
        // Without descriptors it is a way to sleep.
        t.class = BlockClass::Timeout as u32;
        return;
    }
    let fd = if what & syscall::SELECT == syscall::SELECT {
        let (third, fourth) = (argument!(A, t, regs, 2), argument!(A, t, regs, 3));
        let selected = sia_selected(first, second, third, fourth);
        turnover::selected_waited_for::<A>(control, t, task, selected)
    } else {
        match turnover::place_waited_for(t, second as u32) {
            // SAFETY: the helper checks the address. `fd` is the first member of `struct pollfd`,
            // which has eight bytes.
            Some(i) => unsafe { bpf_probe_read_user((first + i * 8) as *const i32) }.unwrap_or(-1),
            None => -1,
        }
    };
    if fd >= 0 {
        t.fd = fd as u32;
        t.class = BlockClass::waited_for(descriptor::class_of::<A>(control, task, t.tgid, fd as u32)) as u32;
    }
}

/// Words of a set of descriptors that are looked at: 256 descriptors. The verifier follows every
/// way through them; with higher descriptors it stays an event wait.
const SELECTED_WORDS: u64 = 4;

/// The descriptors in up to three sets, each plus one in [`turnover::SELECTED_BITS`] bits; 0 where
/// there are more than [`turnover::FEW`], or none, or they cannot be read.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_selected(beyond: u64, read: u64, write: u64, except: u64) -> u64 {
    // An `int`, and the highest descriptor is in a set.
    let words = (beyond & 0xffff_ffff).div_ceil(64);
    if words == 0 || words > SELECTED_WORDS {
        return 0;
    }
    // The kernel does not look beyond the highest descriptor.
    let last = u64::MAX >> (words * 64 - (beyond & 0xffff_ffff));
    let mut found = 0;
    for i in 0..SELECTED_WORDS {
        if i >= words {
            break;
        }
        let mask = if i + 1 == words { last } else { u64::MAX };
        let mut bits = (selected(read, i) | selected(write, i) | selected(except, i)) & mask;
        for _ in 0..turnover::FEW {
            if bits != 0 {
                found = found << turnover::SELECTED_BITS | (i * 64 + bits.trailing_zeros() as u64 + 1);
                bits &= bits - 1;
            }
        }
        if bits != 0 || found >> (turnover::FEW * turnover::SELECTED_BITS) != 0 {
            return 0;
        }
    }
    found
}

#[inline(always)]
fn selected(set: u64, word: u64) -> u64 {
    if set == 0 {
        return 0;
    }
    // What cannot be read counts as many.
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user((set + word * 8) as *const u64) }.unwrap_or(u64::MAX)
}

/// The call that a thread was in when the window began, from the registers with which it entered
/// the kernel.
#[inline(always)]
pub fn open_call<A: Access>(control: &Control, t: &mut Thread, task: *const u8) {
    let (before, ip, fd, class) = (t.nr, t.ip, t.fd, t.class);
    t.nr = syscall::UNKNOWN;
    t.class = BlockClass::Unknown as u32;
    t.marks |= mark::OPEN_CALL;
    if !present(offset!(regs_nr)) {
        return;
    }
    let regs = A::registers(task);
    if regs.is_null() {
        return;
    }
    // SAFETY: the task's registers. Both architectures write a negative number where no call is to
    // be restarted.
    let nr = unsafe { A::field::<u32>(regs, offset!(regs_nr)) };
    if (nr as i32) < 0 {
        t.nr = syscall::NONE;
        t.class = BlockClass::Kernel as u32;
        t.marks &= !mark::OPEN_CALL;
        return;
    }
    let what = identify::<A>(control, t, task, regs, nr as u64);
    // The memory of another task cannot be read. Where the thread was in such a call from the same
    // place when the window before ended, it waits for the same descriptor.
    let in_memory = what & syscall::EPOLL == syscall::POLL || what & syscall::SOCKETCALL != 0;
    if in_memory && t.nr == before && t.ip == ip {
        t.fd = fd;
        t.class = class;
    }
}

/// Whether a task entered the kernel by an exception or an interrupt: then no call is on record in
/// its registers, which a call leaves there until it is back in user mode.
#[inline(always)]
pub fn came_by_exception<A: Access>(task: *const u8) -> bool {
    if !present(offset!(regs_nr)) {
        return false;
    }
    let regs = A::registers(task);
    // SAFETY: the task's registers.
    !regs.is_null() && (unsafe { A::field::<u32>(regs, offset!(regs_nr)) } as i32) < 0
}

/// The user window ends with the next call. One that a preemption hit measures the preemption: it
/// is left out, and counted.
#[inline(always)]
pub fn close_window(t: &mut Thread) {
    if t.window != window::NONE {
        if let Some(site) = site(t.window_site) {
            match t.window {
                window::DIRECT => site.user_after_direct.add(t.window_user),
                window::BLOCKED => site.user_after_blocked.add(t.window_user),
                _ => site.windows_preempted += 1,
            }
        }
        t.window = window::NONE;
    }
}

/// What a call that returns leaves at its site.
pub struct Returned {
    /// Number of the syscall.
    pub nr: u32,
    /// The table's word for it.
    pub what: u32,
    /// The value that it returned.
    pub value: i64,
    /// The process that made it.
    pub tgid: u32,
}

/// Adds a call that returned to its site, and opens the user window after it. Returns the site's
/// index.
#[inline(always)]
pub fn count_at_site(control: &mut Control, t: &mut Thread, call: &Returned) -> Option<u32> {
    let failed = (-MAX_ERRNO..0).contains(&call.value);
    let moves_bytes = call.what & syscall::SELECT == syscall::BYTES;
    let bytes = if failed || !moves_bytes { 0 } else { call.value as u64 };
    let index = site_of(control, t, call.nr, size_class(bytes));
    let site = site(index)?;
    site.calls += 1;
    if t.call_blocks != 0 {
        count_blocked(site, t);
        t.window = window::BLOCKED;
        t.marks |= mark::COLD;
    } else {
        count_direct(site, t);
        t.window = window::DIRECT;
        t.marks &= !mark::COLD;
    }
    if failed {
        site.errors += 1;
    }
    site.bytes += bytes;
    // A descriptor of u32::MAX becomes 0: none.
    site.last_tgid_fd = (call.tgid as u64) << 32 | t.fd.wrapping_add(1) as u64;
    t.window_site = index;
    Some(index)
}

#[inline(always)]
fn count_blocked(site: &mut Site, t: &Thread) {
    site.blocked_calls += 1;
    site.blocks += t.call_blocks as u64;
    site.cpu_before += t.call_before;
    if t.marks & mark::AWAY != 0 {
        site.cpu_blocked_away.add(t.call_cpu);
    } else {
        site.cpu_blocked_near.add(t.call_cpu);
    }
    site.blocked.add(t.call_blocked);
    site.run_delay.add(t.call_delay);
}

#[inline(always)]
fn count_direct(site: &mut Site, t: &Thread) {
    if t.marks & mark::WOKE != 0 {
        site.cpu_direct_woke.add(t.call_cpu);
    } else if t.marks & mark::COLD != 0 {
        site.cpu_direct_cold.add(t.call_cpu);
    } else {
        site.cpu_direct_warm.add(t.call_cpu);
    }
}

#[inline(always)]
fn site(index: u32) -> Option<&'static mut Site> {
    // SAFETY: the value of this CPU. Tracepoint programs of one CPU do not interrupt each other at
    // the same site but for interrupts, which make no syscalls.
    unsafe { SIA_SITES.get_ptr_mut(index).map(|p| &mut *p) }
}

/// The site of the call that returns: from the thread's own cache, or from the index.
#[inline(always)]
fn site_of(control: &mut Control, t: &mut Thread, nr: u32, size: u64) -> u32 {
    let call = nr | (t.class & 0xff) << 16 | t.abi << 24 | (size as u32) << 28;
    let hash = t.ip ^ (t.ip >> 5) ^ call as u64 ^ (t.class as u64);
    let place = hash as usize & (CACHED_SITES - 1);
    let cached = &t.sites[place];
    if cached.ip == t.ip && cached.call == call && cached.site != OVERFLOW_SITE {
        return cached.site;
    }
    let key = SiteKey { ip: t.ip, nr: nr as u16, class: t.class as u8, abi: t.abi as u8, space: t.space, size };
    let site = index_of(control, &key);
    t.sites[place] = CachedSite { ip: t.ip, call, site };
    site
}

#[inline(always)]
fn index_of(control: &mut Control, key: &SiteKey) -> u32 {
    // SAFETY: the value is a plain number.
    if let Some(index) = unsafe { SIA_SITE_INDEX.get(key) } {
        return *index;
    }
    if let Ok(Some(index)) = SIA_FREE_SITES.pop() {
        // BPF_NOEXIST: another CPU may have been faster.
        if SIA_SITE_INDEX.insert(key, index, 1).is_ok() {
            return index;
        }
        let _ = SIA_FREE_SITES.push(index, 0);
        // SAFETY: the value is a plain number.
        if let Some(index) = unsafe { SIA_SITE_INDEX.get(key) } {
            return *index;
        }
    }
    if control.counters.calls_without_site == 0 {
        sia_no_room_for_site();
    }
    bump(&mut control.counters.calls_without_site, 1);
    OVERFLOW_SITE
}

/// Tells the user side, which prints it.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sia_no_room_for_site() -> u32 {
    warn!((), "no room for another site: raise --max-sites");
    0
}

/// After `exec`, the same addresses are other places.
#[inline(always)]
pub fn forget_sites(t: &mut Thread) {
    for i in 0..CACHED_SITES {
        t.sites[i] = CachedSite { ip: 0, call: 0, site: 0 };
    }
    t.window = window::NONE;
}
