//! symbol/tests: real stacks of real processes, taken without a kernel program, against what is
//! known of them.

mod capture;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use object::{Object as _, ObjectSymbol as _};

use super::blaze::Blaze;
use super::maps;
use super::module::{Kind, Modules};
use super::{
    Frame, MOST_FRAMES, ModuleId, Origin, Registers, StackCopy, Symbolizer, Unwinder, application_frame, sleeping_stack,
};
use crate::quantity::Tgid;
use capture::{Child, Stack};

const KNOWN: [&str; 3] = ["known_inlined", "known_middle", "known_outer"];

/// Named frames of a stack; asserts nothing.
fn named(stack: &Stack) -> Vec<Frame> {
    let mut unwinder = Unwinder::new();
    let trace = unwinder.unwind(&stack.copy());
    Symbolizer::new(unwinder.modules()).stack(&trace)
}

fn last_part(frame: &Frame) -> &str {
    frame.name.rsplit("::").next().unwrap_or_default()
}

/// Asserts that the known chain stands in the frames, uninterrupted and in order.
fn assert_known_chain(frames: &[Frame]) {
    let names: Vec<&str> = frames.iter().map(last_part).collect();
    assert!(names.windows(KNOWN.len()).any(|run| run == KNOWN), "{names:#?}");
    assert_eq!(last_part(application_frame(frames).unwrap()), KNOWN[0]);
}

#[test]
fn a_thread_of_rust_is_named_through_inlined_functions_with_source_lines() {
    let child = Child::of_this_program("read");
    let stack = child.stack();
    let mut unwinder = Unwinder::new();
    let trace = unwinder.unwind(&stack.copy());
    assert!(trace.complete, "{trace:?}");
    let frames = Symbolizer::new(unwinder.modules()).stack(&trace);
    assert_known_chain(&frames);
    let inlined: Vec<bool> =
        KNOWN.iter().map(|k| frames.iter().find(|f| last_part(f) == *k).unwrap().inlined).collect();
    assert_eq!(inlined, [true, false, false]);
    let (file, line) = frames.iter().find(|f| last_part(f) == KNOWN[1]).unwrap().source.clone().unwrap();
    assert!(file.ends_with("capture.rs") && line > 10, "{file}:{line}");
    assert_eq!(unwinder.counters().truncated, 0);
}

#[test]
fn without_the_frame_pointer_the_application_is_still_found() {
    let child = Child::of_this_program("read");
    let asleep = sleeping_stack(child.tgid(), child.tid(), 16 << 10).unwrap();
    assert_eq!(asleep.syscall, Some(libc::SYS_read as u64));
    let stack = Stack { tgid: child.tgid(), registers: asleep.registers, bytes: asleep.bytes.clone() };
    assert_known_chain(&named(&stack));
    if !asleep.kernel.is_empty() {
        assert!(asleep.kernel.iter().any(|frame| frame.name.contains("pipe_read")), "{:?}", asleep.kernel);
    }
}

#[test]
fn programs_of_the_distribution_have_no_frame_pointers_and_are_followed_to_their_start() {
    let calls = [("cat", "read"), ("sleep", "clock_nanosleep")];
    for (program, call) in calls {
        let child = Child::of_program(program);
        let stack = child.asleep();
        let mut unwinder = Unwinder::new();
        let trace = unwinder.unwind(&stack.copy());
        let frames = Symbolizer::new(unwinder.modules()).stack(&trace);
        assert!(frames[0].module.starts_with("libc") && frames[0].name.contains(call), "{frames:#?}");
        assert_eq!(application_frame(&frames).unwrap().module, program, "{frames:#?}");
        assert!(trace.complete, "{frames:#?}");
        // Stripped: an address and not somebody else's name.
        let last = frames.last().unwrap();
        assert_eq!(last.module, program);
        assert_eq!(last.named, !last.name.starts_with(&format!("[{program}+0x")), "{last:?}");
    }
}

#[test]
fn a_program_that_was_deleted_and_replaced_is_named_from_the_file_that_runs() {
    let folder = std::env::temp_dir().join(format!("symbol-deleted-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("program");
    std::fs::copy("/proc/self/exe", &copy).unwrap();
    let child = Child::of_copy(&copy, "read");
    std::fs::remove_file(&copy).unwrap();
    std::fs::copy("/bin/true", &copy).unwrap();
    let frames = named(&child.stack());
    std::fs::remove_dir_all(&folder).unwrap();
    assert_known_chain(&frames);
    assert!(frames.iter().any(|frame| frame.module == "program"));
}

#[test]
fn names_are_found_when_the_process_has_gone() {
    let child = Child::of_this_program("read");
    let mut unwinder = Unwinder::new();
    let trace = unwinder.unwind(&child.stack().copy());
    drop(child);
    assert_known_chain(&Symbolizer::new(unwinder.modules()).stack(&trace));
}

#[test]
fn a_process_that_has_gone_before_its_first_stack_is_counted() {
    let child = Child::of_this_program("read");
    let stack = child.stack();
    let mut prepared = Unwinder::new();
    prepared.prepare(stack.tgid);
    drop(child);
    assert!(prepared.unwind(&stack.copy()).complete);
    let mut late = Unwinder::new();
    let trace = late.unwind(&stack.copy());
    assert_eq!((trace.frames.len(), trace.complete), (1, false));
    assert_eq!(trace.frames[0].module, ModuleId::NOWHERE);
    assert_eq!((late.counters().no_module, late.counters().truncated), (1, 1));
    let frames = Symbolizer::new(late.modules()).stack(&trace);
    assert_eq!((frames[0].name.clone(), frames[0].named), (format!("[{:#x}]", stack.registers.ip), false));
}

#[test]
fn jit_code_is_named_by_its_perf_map_even_after_exit() {
    let child = Child::of_this_program("jit");
    let stack = child.stack();
    let mut unwinder = Unwinder::new();
    let trace = unwinder.unwind(&stack.copy());
    assert!(trace.complete);
    let mut symbolizer = Symbolizer::new(unwinder.modules());
    // The map is written when the child is told to go.
    let before = symbolizer.stack(&trace);
    let jit = before.iter().position(|frame| frame.origin == Origin::Jit).unwrap();
    assert!(!before[jit].named && before[jit].name.starts_with("[0x"), "{:?}", before[jit]);
    assert_eq!(last_part(&before[jit - 1]), "known_callback");
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.tgid()));
    drop(child);
    let after = symbolizer.stack(&trace);
    std::fs::remove_file(map).unwrap();
    assert_eq!(
        (after[jit].name.as_str(), after[jit].named, after[jit].module.as_str()),
        ("JS:~known a.js", true, "[jit]")
    );
}

#[test]
fn jit_code_has_the_name_that_it_had_when_it_ran() {
    let child = Child::of_this_program("jit");
    let stack = child.stack();
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.tgid()));
    let mut unwinder = Unwinder::new();
    let trace = unwinder.unwind(&stack.copy());
    let mut symbolizer = Symbolizer::new(unwinder.modules());
    let jit = symbolizer.stack(&trace).iter().position(|frame| frame.origin == Origin::Jit).unwrap();
    let at = trace.frames.iter().find(|at| symbolizer.frames(**at)[0].origin == Origin::Jit).unwrap().address;
    let line = |name: &str| format!("{:x} 40 {name}\n", at - 0x10);
    let mut unwind_later = || {
        // Names are looked at ten times a second.
        std::thread::sleep(Duration::from_millis(150));
        unwinder.unwind(&stack.copy())
    };
    std::fs::write(&map, line("old_name")).unwrap();
    let of_old = unwind_later();
    std::fs::write(&map, line("new_name") + &"10 10 filler\n".repeat(9)).unwrap();
    let of_new = unwind_later();
    let mut name = |trace| symbolizer.stack(trace)[jit].name.clone();
    assert_eq!([&trace, &of_old, &of_new].map(&mut name), ["old_name", "old_name", "new_name"]);
    drop(child);
    std::fs::remove_file(map).unwrap();
}

#[test]
fn trampolines_without_a_frame_are_stepped_over() {
    let child = Child::of_this_program("trampoline");
    // The frame pointer is of no use here, and 0 means that it is not known.
    for fp in [0, child.stack().registers.fp] {
        let mut stack = child.stack();
        stack.registers.fp = fp;
        let frames = named(&stack);
        let jit = frames.iter().position(|frame| frame.origin == Origin::Jit).unwrap();
        assert_eq!(
            (last_part(&frames[jit - 1]), last_part(&frames[jit + 1])),
            ("known_callback", "jit"),
            "{frames:#?}"
        );
    }
    let map = PathBuf::from(format!("/tmp/perf-{}.map", child.tgid()));
    drop(child);
    std::fs::remove_file(map).unwrap();
}

#[test]
fn a_child_that_has_gone_is_unwound_by_its_parents_maps() {
    let child = Child::of_this_program("read");
    let mut stack = child.stack();
    let mut unwinder = Unwinder::new();
    let trace = unwinder.unwind(&stack.copy());
    stack.tgid = Tgid::from_raw(u32::MAX);
    unwinder.forked(child.tgid(), stack.tgid);
    assert_eq!(unwinder.unwind(&stack.copy()), trace);
    unwinder.forget(stack.tgid);
    assert!(!unwinder.unwind(&stack.copy()).complete);
}

#[test]
fn a_cut_copy_gives_the_inner_end_and_says_so() {
    let child = Child::of_this_program("read");
    let mut stack = child.stack();
    let mut unwinder = Unwinder::new();
    let whole = unwinder.unwind(&stack.copy());
    let full = stack.bytes.clone();
    let mut lengths = BTreeSet::new();
    for bytes in [8, 16, 64, 256, 1024, full.len()] {
        stack.bytes = full[..bytes.min(full.len())].to_vec();
        let cut = unwinder.unwind(&stack.copy());
        assert_eq!(cut.frames, whole.frames[..cut.frames.len()]);
        assert_eq!(cut.complete, cut.frames.len() == whole.frames.len());
        lengths.insert(cut.frames.len());
    }
    assert!(lengths.len() >= 3, "{lengths:?}");
    stack.bytes = full[..64].to_vec();
    let cut = unwinder.unwind(&stack.copy());
    assert!(!cut.complete && cut.frames.len() >= 2, "{cut:?}");
}

#[test]
fn the_same_path_is_remembered_and_another_is_not() {
    let child = Child::of_this_program("read");
    let mut stack = child.stack();
    let mut unwinder = Unwinder::new();
    let first = unwinder.unwind(&stack.copy());
    assert_eq!(unwinder.unwind(&stack.copy()), first);
    assert_eq!((unwinder.counters().unwound, unwinder.counters().remembered), (2, 1));
    // Deeper in the stack's memory by a page: what points into the copy moves along.
    let inside = |value: u64, s: &Stack| (s.registers.sp..s.registers.sp + s.bytes.len() as u64).contains(&value);
    let mut moved = stack.clone();
    for word in moved.bytes.chunks_exact_mut(8) {
        let value = u64::from_le_bytes((&*word).try_into().unwrap());
        if inside(value, &stack) {
            word.copy_from_slice(&(value - 4096).to_le_bytes());
        }
    }
    moved.registers.fp -= if inside(stack.registers.fp, &stack) { 4096 } else { 0 };
    moved.registers.sp -= 4096;
    assert_eq!(unwinder.unwind(&moved.copy()), first);
    assert_eq!(unwinder.counters().remembered, 2);
    // Every word at which a return address stands, replaced by another one.
    let ip = stack.registers.ip;
    let ret = unwinder.unwind(&stack.copy()).frames[2];
    let code: Vec<usize> = (0..stack.bytes.len() / 8).filter(|i| stack.copy().word(*i as u64 * 8).is_some()).collect();
    let mut seen_other = false;
    for i in code {
        let saved = stack.bytes[i * 8..i * 8 + 8].to_vec();
        stack.bytes[i * 8..i * 8 + 8].copy_from_slice(&ip.to_le_bytes());
        let mut fresh = Unwinder::new();
        let (expected, got) = (fresh.unwind(&stack.copy()).frames.len(), unwinder.unwind(&stack.copy()));
        seen_other |= got.frames.get(2) != Some(&ret);
        assert_eq!(got.frames.len(), expected);
        stack.bytes[i * 8..i * 8 + 8].copy_from_slice(&saved);
        if seen_other {
            break;
        }
    }
    assert!(seen_other);
}

#[test]
fn nonsense_is_bounded_and_harmless() {
    let child = Child::of_this_program("read");
    let stack = child.stack();
    let mut unwinder = Unwinder::new();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let mut bytes = stack.bytes.clone();
        for _ in 0..random.usize(..64) {
            let at = random.usize(..bytes.len() / 8) * 8;
            let word = if random.bool() { stack.registers.ip } else { stack.registers.sp + random.u64(..8192) };
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let registers = Registers { fp: random.u64(..), ..stack.registers };
        let trace = unwinder.unwind(&StackCopy { tgid: stack.tgid, registers, bytes: &bytes });
        assert!(!trace.frames.is_empty() && trace.frames.len() <= MOST_FRAMES);
    }
    for registers in [Registers::default(), Registers { ip: u64::MAX, sp: u64::MAX, fp: u64::MAX, lr: u64::MAX }] {
        for bytes in [&[][..], &[0xff; 7], &[0xff; 64]] {
            assert!(!unwinder.unwind(&StackCopy { tgid: stack.tgid, registers, bytes }).complete);
        }
    }
}

#[test]
fn code_that_is_mapped_later_is_found() {
    let me = Tgid::from_raw(std::process::id());
    let mut unwinder = Unwinder::new();
    unwinder.prepare(me);
    let library = std::fs::File::open("/proc/self/exe").unwrap();
    // SAFETY: the program that runs here, which cannot be written meanwhile.
    let map = unsafe { memmap2::MmapOptions::new().len(4096).map_exec(&library) }.unwrap();
    std::thread::sleep(Duration::from_millis(110));
    let registers = Registers { ip: map.as_ptr() as u64, sp: 0x1000, ..Registers::default() };
    let trace = unwinder.unwind(&StackCopy { tgid: me, registers, bytes: &[] });
    assert_eq!((unwinder.counters().maps_read, unwinder.counters().no_module), (2, 0));
    let name = std::env::current_exe().unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(unwinder.modules().get(trace.frames[0].module).unwrap().name, name);
}

#[test]
fn an_address_that_stays_unknown_does_not_have_the_maps_read_for_every_stack() {
    let me = Tgid::from_raw(std::process::id());
    let mut unwinder = Unwinder::new();
    let registers = Registers { ip: 0x1000, sp: 0x1000, ..Registers::default() };
    let start = Instant::now();
    for _ in 0..1000 {
        unwinder.unwind(&StackCopy { tgid: me, registers, bytes: &[] });
    }
    let most = 1 + start.elapsed().as_millis() / 100;
    assert_eq!(unwinder.counters().no_module, 1000);
    assert!(u128::from(unwinder.counters().maps_read) <= most);
}

#[test]
fn kernel_addresses_are_named_from_kallsyms() {
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let address = |name: &str| {
        let line = symbols.lines().find(|line| line.split(' ').nth(2) == Some(name))?;
        u64::from_str_radix(line.split(' ').next()?, 16).ok().filter(|&address| address != 0)
    };
    let mut symbolizer = Symbolizer::new(Unwinder::new().modules());
    let (Some(read), Some(write)) = (address("vfs_read"), address("vfs_write")) else {
        assert!(!symbolizer.kernel(&[0xffff_ffff_8100_0000])[0][0].named);
        return;
    };
    let named = symbolizer.kernel(&[write + 5, read + 5, write + 5, 0x10]);
    let names: Vec<&str> = named.iter().map(|frames| frames[0].name.as_str()).collect();
    assert_eq!(names[..3], ["vfs_write", "vfs_read", "vfs_write"]);
    assert!(named[..3].iter().all(|f| f[0].origin == Origin::Kernel && f[0].module == "[kernel]" && f[0].named));
    assert_eq!((named[3][0].name.as_str(), named[3][0].named), ("[0x10]", false));
    assert!(!symbolizer.kernel(&[u64::MAX])[0][0].named);
    // The return address of a call that ends a function is the next one's start.
    assert_ne!(symbolizer.kernel(&[read])[0][0].name, "vfs_read");
}

#[test]
fn cpp_names_are_demangled() {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let library = folders.map(|folder| Path::new(folder).join("libstdc++.so.6")).into_iter().find(|path| path.exists());
    let library = library.expect("the C++ runtime, which every Debian has: apt needs it");
    let bytes = std::fs::read(&library).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let symbol = elf.dynamic_symbols().find(|s| s.name() == Ok("_ZNSt6thread4joinEv")).unwrap();
    let names = Blaze::default().elf(&std::fs::File::open(&library).unwrap(), true, &[symbol.address()]).unwrap();
    assert_eq!(names[0][0].name, "std::thread::join()");
}

#[test]
fn the_vdso_is_a_module_like_any_other() {
    let me = Tgid::from_raw(std::process::id());
    let modules = Modules::new();
    let mappings = maps::read(me).unwrap();
    let Some(vdso) = mappings.iter().find(|m| m.path == "[vdso]") else { return };
    let (id, module) = modules.vdso(me, vdso).unwrap();
    assert_eq!(modules.vdso(me, vdso).unwrap().0, id);
    assert_eq!(module.name, "[vdso]");
    let Kind::Elf(elf) = &module.kind else { panic!("no program") };
    let file = elf.file.try_clone().unwrap();
    // SAFETY: a memory file of our own, which nobody writes to.
    let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    let parsed = object::File::parse(&*map).unwrap();
    let clock = parsed.dynamic_symbols().find(|s| s.name().is_ok_and(|name| name.contains("clock_gettime"))).unwrap();
    let names = Blaze::default().elf(&elf.file, true, &[clock.address() + 4]).unwrap();
    assert!(names[0][0].name.contains("clock_gettime"), "{names:?}");
    assert!(!elf.unwind_sections().eh_frame.unwrap().is_empty());
}

#[test]
fn both_halves_can_be_given_to_threads() {
    fn sendable<T: Send>() {}
    sendable::<Unwinder>();
    sendable::<Symbolizer>();
}
