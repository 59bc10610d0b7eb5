//! Hardware counters: windows from a return to user mode to the next call, and samples of
//! instructions within them.
//!
//! The counters are the CPU's, so a window ends with the stretch of running that it began in. Where
//! the machine has no counters, [`COUNTERS`] is 0 and the verifier drops all of it.

use core::{
    ptr,
    sync::atomic::{Ordering, compiler_fence},
};

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_CPU, bpf_perf_event_value},
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_smp_processor_id,
        generated::{bpf_get_prandom_u32, bpf_perf_event_read_value},
    },
    macros::map,
    maps::{PerCpuArray, PerfEventArray},
};
use profiler_common::{
    control::Control,
    ipc::{BINS, IpcCounts, OpenWindow, Pairs, SiteWindows, before::KINDS, bin, counter, extra},
    site::OVERFLOW_SITE,
    thread::{Thread, window},
};

use crate::{
    access::constant,
    maps::{measuring, slot_of, thread},
};

/// Which counters there are, see `profiler_common::ipc::counter`. The loader fills it in. It is
/// frozen, so that the verifier knows it and drops the code for those that are absent.
#[unsafe(no_mangle)]
pub static COUNTERS: u32 = 0;

#[map]
pub static SIA_PMU_CYCLES: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static SIA_PMU_INSNS: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static SIA_PMU_CYCLES_ALL: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static SIA_PMU_INSNS_ALL: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static SIA_PMU_LLC: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static SIA_PMU_DTLB: PerfEventArray<u32> = PerfEventArray::new(0);
#[map]
pub static SIA_PMU_BRANCH: PerfEventArray<u32> = PerfEventArray::new(0);

/// Runs a block for each optional counter that the machine has, with its index and its map.
macro_rules! for_each_extra {
    (|$which:ident, $map:ident| $body:block) => {
        for_each_extra!(@one extra::LLC, SIA_PMU_LLC, $which, $map, $body);
        for_each_extra!(@one extra::DTLB, SIA_PMU_DTLB, $which, $map, $body);
        for_each_extra!(@one extra::BRANCH, SIA_PMU_BRANCH, $which, $map, $body);
    };
    (@one $index:expr, $counter:ident, $which:ident, $map:ident, $body:block) => {
        if has(counter::extra($index)) {
            let ($which, $map) = ($index, &$counter);
            $body
        }
    };
}

/// Windows by site, indexed as `SIA_SITES`.
#[map]
pub static SIA_IPC_SITES: PerCpuArray<SiteWindows> = PerCpuArray::with_max_entries(1, 0);

/// `kind * BINS + bin`: instructions and cycles since the return, at overflow samples.
#[map]
pub static SIA_IPC_CURVE: PerCpuArray<Pairs> = PerCpuArray::with_max_entries((KINDS * BINS) as u32, 0);

#[map]
pub static SIA_IPC_COUNTS: PerCpuArray<IpcCounts> = PerCpuArray::with_max_entries(1, 0);

#[inline(always)]
fn has(bits: u32) -> bool {
    constant(&COUNTERS) as u32 & bits != 0
}

#[inline(always)]
fn counts() -> Option<&'static mut IpcCounts> {
    // SAFETY: this CPU's value. The overflow program, which may interrupt the others, writes fields
    // of its own.
    unsafe { SIA_IPC_COUNTS.get_ptr_mut(0).map(|p| &mut *p) }
}

/// Reads one of this CPU's counters; false where the kernel refuses.
#[inline(always)]
fn read(map: &'static PerfEventArray<u32>, value: &mut bpf_perf_event_value) -> bool {
    // SAFETY: a map of perf events, and a value of the size that is told.
    unsafe {
        bpf_perf_event_read_value(
            ptr::from_ref(map).cast_mut().cast(),
            BPF_F_CURRENT_CPU,
            value,
            size_of::<bpf_perf_event_value>() as u32,
        ) == 0
    }
}

/// Cycles and instructions in user mode, and since when they stopped.
#[inline(always)]
fn read_user(to: &mut OpenWindow) -> bool {
    let mut value = bpf_perf_event_value { counter: 0, enabled: 0, running: 0 };
    if !read(&SIA_PMU_CYCLES, &mut value) {
        return false;
    }
    to.cycles = value.counter;
    to.stopped = value.enabled.wrapping_sub(value.running);
    if has(counter::INSTRUCTIONS) {
        if !read(&SIA_PMU_INSNS, &mut value) {
            return false;
        }
        to.instructions = value.counter;
    }
    true
}

/// All counters that there are.
#[inline(always)]
fn read_all(to: &mut OpenWindow) -> bool {
    let mut value = bpf_perf_event_value { counter: 0, enabled: 0, running: 0 };
    let mut good = read_user(to);
    if has(counter::CYCLES_ALL) {
        good &= read(&SIA_PMU_CYCLES_ALL, &mut value);
        to.all_cycles = value.counter;
    }
    if has(counter::INSTRUCTIONS_ALL) {
        good &= read(&SIA_PMU_INSNS_ALL, &mut value);
        to.all_instructions = value.counter;
    }
    for_each_extra!(|which, map| {
        good &= read(map, &mut value);
        to.extras[which] = value.counter;
    });
    good
}

/// Opens a window (0: closes it). Where the counters stand is written before the kind is set, and
/// after it is cleared: an overflow may interrupt in between, and has to find a whole window or
/// none.
#[inline(always)]
fn set_kind(open: &mut OpenWindow, kind: u32) {
    compiler_fence(Ordering::SeqCst);
    // SAFETY: a field of ours.
    unsafe { ptr::write_volatile(&mut open.kind, kind) };
    compiler_fence(Ordering::SeqCst);
}

/// Closes the window without counting it.
#[inline(always)]
pub fn forget(t: &mut Thread) {
    if has(counter::CYCLES) {
        set_kind(&mut t.open, 0);
    }
}

/// Where a thread that was interrupted in user mode had returned from.
#[inline(always)]
pub fn site_of(t: &Thread) -> u32 {
    if t.window == window::NONE { OVERFLOW_SITE } else { t.window_site }
}

/// A return to user mode: one in so many opens a window.
#[inline(always)]
pub fn open(control: &Control, t: &mut Thread, site: u32, kind: u32) {
    if !has(counter::CYCLES) {
        return;
    }
    let every = control.ipc_every;
    if every == 0 {
        return;
    }
    // Still open where the kernel did not tell of the call that ends it.
    cut(t);
    let Some(counts) = counts() else { return };
    counts.returns += 1;
    if t.open.skip != 0 {
        t.open.skip -= 1;
        return;
    }
    if every > 1 {
        // Between two that are followed lie 0 to 2·(every − 1), so that a period of the program
        // does not show.
        // SAFETY: no arguments.
        t.open.skip = unsafe { bpf_get_prandom_u32() } as u32 % (2 * every - 1);
    }
    if !read_all(&mut t.open) {
        counts.failed += 1;
        return;
    }
    t.open.site = site;
    t.open.user = t.sums.user;
    // SAFETY: no arguments.
    t.open.cpu = unsafe { bpf_get_smp_processor_id() };
    set_kind(&mut t.open, kind + 1);
}

/// The thread leaves the CPU: its window is not whole.
#[inline(always)]
pub fn cut(t: &mut Thread) {
    if has(counter::CYCLES) && t.open.kind != 0 {
        set_kind(&mut t.open, 0);
        if let Some(counts) = counts() {
            counts.switched += 1;
        }
    }
}

/// The next call: the window is whole. The thread's user CPU is accounted up to now.
#[inline(always)]
pub fn close(t: &mut Thread) {
    if !has(counter::CYCLES) || t.open.kind == 0 {
        return;
    }
    let kind = (t.open.kind - 1) as usize;
    set_kind(&mut t.open, 0);
    let Some(counts) = counts() else { return };
    // SAFETY: no arguments.
    if unsafe { bpf_get_smp_processor_id() } != t.open.cpu {
        counts.switched += 1;
        return;
    }
    let mut now = OpenWindow::default();
    if !read_all(&mut now) {
        counts.failed += 1;
        return;
    }
    if now.stopped != t.open.stopped {
        counts.multiplexed += 1;
        return;
    }
    let Some((instructions, cycles)) = passed(&t.open, &now) else {
        counts.too_long += 1;
        return;
    };
    let Some(site) = SIA_IPC_SITES.get_ptr_mut(t.open.site) else {
        counts.failed += 1;
        return;
    };
    // SAFETY: this CPU's value, which nothing that may interrupt touches; the kind is masked to
    // their number.
    let windows = unsafe { &mut (*site).kinds[kind & (KINDS - 1)] };
    windows.user.add(instructions, cycles);
    if has(counter::CYCLES_ALL) {
        windows.all_cycles += now.all_cycles.wrapping_sub(t.open.all_cycles);
    }
    if has(counter::INSTRUCTIONS_ALL) {
        windows.all_instructions += now.all_instructions.wrapping_sub(t.open.all_instructions);
    }
    windows.user_ns += t.sums.user.wrapping_sub(t.open.user);
    for_each_extra!(|which, _map| {
        windows.extras[which] += now.extras[which].wrapping_sub(t.open.extras[which]);
    });
    counts.windows += 1;
}

/// Instructions and cycles in user mode since a window was opened; `None` where they are too many
/// for a product of 64 bits.
#[inline(always)]
fn passed(open: &OpenWindow, now: &OpenWindow) -> Option<(u64, u64)> {
    let cycles = now.cycles.wrapping_sub(open.cycles);
    let instructions = now.instructions.wrapping_sub(open.instructions);
    if (cycles | instructions) >> 32 != 0 { None } else { Some((instructions, cycles)) }
}

/// A number of instructions has been executed in user mode on this CPU. This program may interrupt
/// any other one.
#[inline(always)]
pub fn on_overflow() {
    let Some(counts) = counts() else { return };
    counts.overflows += 1;
    let Some(control) = measuring() else { return };
    if control.ipc_every == 0 {
        return;
    }
    let Some(t) = thread(slot_of(bpf_get_current_pid_tgid() as u32)) else { return };
    // SAFETY: a field of ours; volatile, because the program that is interrupted writes it.
    let kind = unsafe { ptr::read_volatile(&t.open.kind) };
    // SAFETY: no arguments.
    if kind == 0 || t.epoch != control.epoch || t.open.cpu != unsafe { bpf_get_smp_processor_id() } {
        counts.samples_outside += 1;
        return;
    }
    let mut now = OpenWindow::default();
    if !read_user(&mut now) || now.stopped != t.open.stopped {
        counts.samples_failed += 1;
        return;
    }
    let Some((instructions, cycles)) = passed(&t.open, &now) else {
        counts.samples_failed += 1;
        return;
    };
    let place = (kind - 1) as usize * BINS + bin(instructions);
    let Some(pairs) = SIA_IPC_CURVE.get_ptr_mut(place as u32) else {
        counts.samples_failed += 1;
        return;
    };
    // SAFETY: this CPU's value, and only this program writes it, which does not interrupt itself.
    unsafe { (*pairs).add(instructions, cycles) };
    counts.samples += 1;
}
