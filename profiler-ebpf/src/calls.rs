//! Syscalls: the CPU inside and between them, and the sites they are made from.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
};
use aya_log_ebpf::warn;
use profiler_common::{
    class::BlockClass,
    control::Control,
    ipc::before,
    site::{OVERFLOW_SITE, Site, SiteKey, size_class},
    syscall::{self, ABI_COMPAT, ABI_X32, TABLE_LEN},
    thread::{CACHED_SITES, CachedSite, Thread, mark, window},
};

use crate::{
    access::{Access, offset, present},
    descriptor, ipc,
    maps::{SIA_FREE_SITES, SIA_SITE_INDEX, SIA_SITES, bump, control, thread},
    sched::{account, caught_on_cpu},
    stacks,
    threads::{FirstSight, exec_begins, exec_over, find, first_sight, release},
};

/// What each syscall of this machine's table is; see `profiler_common::syscall`. Filled in by the loader.
#[unsafe(no_mangle)]
pub static SYSCALLS: [u16; TABLE_LEN] = [BlockClass::Other as u16; TABLE_LEN];

/// `__X32_SYSCALL_BIT` of `arch/x86/include/uapi/asm/unistd.h`
const X32_BIT: u64 = 0x4000_0000;

#[inline(always)]
fn describe(nr: u32) -> u16 {
    let i = nr as usize;
    if i < TABLE_LEN {
        // SAFETY: inside the table.
        unsafe { core::ptr::read_volatile((&raw const SYSCALLS).cast::<u16>().add(i)) }
    } else {
        BlockClass::Other as u16
    }
}

#[inline(always)]
fn site(index: u32) -> Option<&'static mut Site> {
    // SAFETY: the value of this CPU; tracepoint programs of one CPU do not interrupt each other at the same site but for
    // interrupts, which make no syscalls.
    unsafe { SIA_SITES.get_ptr_mut(index).map(|p| &mut *p) }
}

/// Whether a thread of the target enters the kernel, or leaves it, and its state says that the program for that did not run.
#[inline(always)]
pub fn missed<A: Access>(entering: bool) -> bool {
    let Some(control) = control() else { return false };
    if control.enabled == 0 {
        return false;
    }
    let slot = find(control, bpf_get_current_pid_tgid() as u32, A::current());
    if slot == 0 {
        return false;
    }
    let Some(t) = thread(slot) else { return false };
    t.epoch != control.epoch || (t.nr == syscall::NONE) == entering
}

/// `sys_enter(regs, id)`
#[inline(always)]
pub fn on_enter<A: Access>(regs: *const u8, id: u64) {
    let Some(control) = control() else { return };
    if control.enabled == 0 {
        return;
    }
    let ids = bpf_get_current_pid_tgid();
    let tid = ids as u32;
    let task = A::current();
    let slot = find(control, tid, task);
    if slot == 0 {
        return;
    }
    let Some(t) = thread(slot) else { return };
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    first_sight::<A>(control, t, FirstSight::User, task);
    caught_on_cpu::<A>(control, t, now, task);
    account(t, now);
    ipc::close(t);
    close_window(t);

    t.call_cpu = 0;
    t.call_before = 0;
    t.call_blocks = 0;
    t.call_blocked = 0;
    t.call_delay = 0;
    t.marks &= !(mark::OPEN_CALL | mark::AWAY | mark::WOKE);
    let what = identify::<A>(control, t, task, regs, id);
    if what & (syscall::CLOSE | syscall::DUP | syscall::EXEC | syscall::LEAVE | syscall::FORGET_ALL) != 0 {
        rare::<A>(control, t, slot, what, regs, task, tid, (ids >> 32) as u32);
    }
}

/// Notes number, table, place, descriptor and class of a call; answers what the table says of it.
#[inline(always)]
fn identify<A: Access>(control: &Control, t: &mut Thread, task: *const u8, regs: *const u8, id: u64) -> u16 {
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
    // SAFETY: the registers of the tracepoint's argument, or those at the top of the task's kernel stack.
    t.ip = unsafe { A::field(regs, offset!(regs_ip)) };
    t.nr = nr & 0xffff;
    t.abi = abi as u32;
    t.fd = u32::MAX;
    if abi == ABI_COMPAT {
        t.class = BlockClass::Compat as u32;
        return 0;
    }
    let what = describe(nr);
    t.class = (what & 0xff) as u32;
    if what & syscall::FD != 0 {
        // SAFETY: as above.
        let fd = unsafe { A::field::<u64>(regs, offset!(regs_arg0)) } as u32;
        t.fd = fd;
        t.class = descriptor::class_of::<A>(control, task, t.tgid, fd) as u32;
    }
    what
}

/// The call that a thread was in when the window began, from the registers it entered the kernel with.
#[inline(always)]
pub fn open_call<A: Access>(control: &Control, t: &mut Thread, task: *const u8) {
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
    // SAFETY: the task's registers. Both architectures write a negative number where no call is to be restarted.
    let nr = unsafe { A::field::<u32>(regs, offset!(regs_nr)) };
    if (nr as i32) < 0 {
        t.nr = syscall::NONE;
        t.class = BlockClass::Kernel as u32;
        t.marks &= !mark::OPEN_CALL;
        return;
    }
    identify::<A>(control, t, task, regs, nr as u64);
}

/// Calls that change what later ones mean.
#[inline(always)]
fn rare<A: Access>(
    control: &mut Control,
    t: &mut Thread,
    slot: u32,
    what: u16,
    regs: *const u8,
    task: *const u8,
    tid: u32,
    tgid: u32,
) {
    if what & syscall::CLOSE != 0 {
        descriptor::forget(tgid, t.fd);
    }
    if what & syscall::DUP != 0 {
        // SAFETY: the registers of the tracepoint's argument.
        t.fd = unsafe { A::field::<u64>(regs, offset!(regs_arg1)) } as u32;
        descriptor::forget(tgid, t.fd);
    }
    if what & syscall::EXEC != 0 && tid != tgid {
        exec_begins(control, t, slot, task);
    }
    if what & syscall::LEAVE != 0 {
        t.marks |= mark::LEAVING;
    }
    if what & syscall::FORGET_ALL != 0 {
        control.fd_generation += 1;
    }
}

/// The user window ends with the next call. One that a preemption hit measures the preemption: it is left out.
#[inline(always)]
fn close_window(t: &mut Thread) {
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

/// `sys_exit(regs, ret)`
#[inline(always)]
pub fn on_exit<A: Access, C: EbpfContext>(ctx: &C, regs: *const u8, ret: i64) {
    let Some(control) = control() else { return };
    if control.enabled == 0 {
        return;
    }
    let ids = bpf_get_current_pid_tgid();
    let tid = ids as u32;
    let task = A::current();
    let slot = find(control, tid, task);
    if slot == 0 {
        return;
    }
    let Some(t) = thread(slot) else { return };
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    first_sight::<A>(control, t, FirstSight::OnCpu, task);
    caught_on_cpu::<A>(control, t, now, task);
    account(t, now);
    let nr = t.nr;
    t.nr = syscall::NONE;
    t.window_user = 0;
    if nr >= syscall::UNKNOWN || t.marks & mark::OPEN_CALL != 0 {
        // A birth, or a call from before the window: its CPU is in the thread's sums, but it is no whole call.
        t.sums.open_calls += 1;
        t.marks &= !mark::OPEN_CALL;
        t.window = window::NONE;
        ipc::open(control, t, OVERFLOW_SITE, before::NONE);
        return;
    }
    let blocked = t.call_blocks != 0;
    t.sums.calls += 1;
    if blocked {
        t.sums.blocked_calls += 1;
        t.sums.kernel_before += t.call_before;
        t.sums.kernel_after += t.call_cpu - t.call_before;
    }
    let what = if t.abi == ABI_COMPAT as u32 { 0 } else { describe(nr) };
    if what & (syscall::CLOSE | syscall::DUP | syscall::EXEC) != 0 {
        // Another thread may have asked for the class between our call's start and its end.
        descriptor::forget((ids >> 32) as u32, t.fd);
        if what & syscall::EXEC != 0 {
            exec_over(control, t, task);
        }
    }
    // MAX_ERRNO of include/linux/err.h
    let failed = (-4095..0).contains(&ret);
    let bytes = if failed || what & syscall::BYTES == 0 { 0 } else { ret as u64 };
    let index = site_of(ctx, control, t, nr, size_class(bytes));
    let Some(site) = site(index) else { return };
    site.calls += 1;
    if blocked {
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
        t.window = window::BLOCKED;
        t.marks |= mark::COLD;
        if control.stack_every != 0 {
            stacks::at_return::<A>(control, t, nr, regs, now);
        }
    } else {
        if t.marks & mark::WOKE != 0 {
            site.cpu_direct_woke.add(t.call_cpu);
        } else if t.marks & mark::COLD != 0 {
            site.cpu_direct_cold.add(t.call_cpu);
        } else {
            site.cpu_direct_warm.add(t.call_cpu);
        }
        t.window = window::DIRECT;
        t.marks &= !mark::COLD;
    }
    if failed {
        site.errors += 1;
    }
    site.bytes += bytes;
    // A descriptor of u32::MAX becomes 0: none.
    site.last_tgid_fd = (ids & 0xffff_ffff_0000_0000) | t.fd.wrapping_add(1) as u64;
    t.window_site = index;
    ipc::open(control, t, index, if blocked { before::BLOCKED } else { before::DIRECT });
}

#[inline(always)]
fn site_of<C: EbpfContext>(ctx: &C, control: &mut Control, t: &mut Thread, nr: u32, size: u64) -> u32 {
    let call = nr | (t.class & 0xff) << 16 | t.abi << 24 | (size as u32) << 28;
    let place = (t.ip ^ (t.ip >> 5) ^ call as u64 ^ (t.class as u64)) as usize & (CACHED_SITES - 1);
    let cached = &t.sites[place];
    if cached.ip == t.ip && cached.call == call && cached.site != OVERFLOW_SITE {
        return cached.site;
    }
    let key = SiteKey { ip: t.ip, nr: nr as u16, class: t.class as u8, abi: t.abi as u8, space: t.space, size };
    let site = index_of(ctx, control, &key);
    t.sites[place] = CachedSite { ip: t.ip, call, site };
    site
}

#[inline(always)]
fn index_of<C: EbpfContext>(ctx: &C, control: &mut Control, key: &SiteKey) -> u32 {
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
        warn!(ctx, "no room for another site: raise --max-sites");
    }
    bump(&mut control.counters.calls_without_site, 1);
    OVERFLOW_SITE
}

/// `sched_process_exit`: whatever it still waits for, it waits for its end.
#[inline(always)]
pub fn on_process_exit<A: Access>(task: *const u8) {
    let Some(control) = control() else { return };
    // SAFETY: the task of the tracepoint's argument.
    let tid: u32 = unsafe { A::field(task, offset!(task_pid)) };
    let slot = find(control, tid, task);
    if slot == 0 {
        return;
    }
    if control.enabled == 0 {
        // Before the window: nobody will see its last switch.
        release(slot, tid);
        return;
    }
    if let Some(t) = thread(slot) {
        t.marks |= mark::LEAVING;
    }
}
