//! Loads the kernel object: offsets and tables in, sizes set, programs through the verifier.

use std::{collections::HashMap, os::fd::AsFd, path::Path};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, Queue},
    programs::{BtfTracePoint, Program, RawTracePoint},
};
use profiler_common::{
    control::Control,
    ipc::{BINS, before::KINDS},
    offsets::Offsets,
    thread::Thread,
    turn::Turn,
};

use super::{
    btf::{Btf, VMLINUX},
    error::LoadError,
    hooks::{Hook, hooks},
    kfunc::Calls,
    mapped::Mapped,
    offsets::resolve,
    options::{Form, Options},
    pmu::{Grade, Pmu},
    syscalls,
    tids::{TidChunk, tid_chunks},
};

/// The object that `cargo xtask ebpf` builds.
pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../profiler-ebpf/should-i-async.bpf.o"));

/// Room for the records of threads that ended: 1,200 between two readings, 24,000 a second. Beyond
/// that, names are lost, sums are not.
const EXITS_BYTES: u32 = 1 << 21;

/// Room for streamed block ends: 26,000 between two readings, 1.3 million a second.
const STREAM_BYTES: u32 = 1 << 20;

/// Room for stacks with their copies: 480 between two readings, 9,600 a second.
const STACKS_BYTES: u32 = 1 << 22;
/// Room for stalls of event loops: 1,600 between two readings.
const STALLS_BYTES: u32 = 1 << 20;
/// Descriptors by which threads wait for events.
const LOOPS: u32 = 8_192;
/// The least that a ring may have.
const NO_STACKS_BYTES: u32 = 1 << 16;

pub(super) struct Loaded {
    pub(super) ebpf: Ebpf,
    pub(super) form: Form,
    pub(super) hooks: Vec<Hook>,
    pub(super) control: Mapped<Control>,
    pub(super) tids: Mapped<TidChunk>,
    pub(super) threads: Mapped<Thread>,
    /// By slot, where stalls are asked for.
    pub(super) turns: Mapped<Turn>,
    pub(super) pmu: Pmu,
}

/// Words of a layout made of `u32` alone, as aya takes globals.
fn words(offsets: &Offsets) -> &[u32] {
    // SAFETY: `Offsets` is `repr(C)` and made of `u32` alone.
    unsafe { std::slice::from_raw_parts((&raw const *offsets).cast(), Offsets::FIELDS) }
}

pub(super) fn load(options: &Options) -> Result<Loaded, LoadError> {
    one_heap();
    let loaded = load_best(options);
    // The kernel's types are some 30 MB while they are parsed; the allocator would keep them.
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
    loaded
}

/// The threads that load share one heap: each of its own would take 64 MiB of address space, and
/// keep what it freed.
fn one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no preconditions.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

fn load_best(options: &Options) -> Result<Loaded, LoadError> {
    // Kernels before 5.11 count maps against this limit; raising it needs CAP_SYS_RESOURCE and may
    // fail.
    let unlimited = rustix::process::Rlimit { current: None, maximum: None };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Memlock, unlimited);
    let types = Types::read()?;
    let hooks = hooks(&types.own)?;
    let mut pmu = if options.counters { Pmu::open() } else { Pmu::absent() };
    let (mut ebpf, form) = load_accepted(options, &types, &hooks, &pmu)?;
    pmu.hand_over(&mut ebpf)?;
    // SAFETY: the three maps are made of integers, hold as many values as asked for, and are
    // mmapable (`profiler-ebpf/src/maps.rs`).
    let (control, tids, threads) = unsafe {
        (
            map_array(&ebpf, "SIA_CONTROL", 1)?,
            map_array(&ebpf, "SIA_TIDS", tid_chunks())?,
            map_array(&ebpf, "SIA_THREADS", options.max_threads as usize)?,
        )
    };
    let turns = if options.stalls { options.max_threads as usize } else { 1 };
    // SAFETY: as above.
    let turns = unsafe { map_array(&ebpf, "SIA_TURNS", turns)? };
    Ok(Loaded { ebpf, form, hooks, control, tids, threads, turns, pmu })
}

/// The kernel's types, as we read them and as aya does. Each takes some 40 ms, so they are read at
/// once.
struct Types {
    own: Btf,
    of_aya: aya::Btf,
}

impl Types {
    fn read() -> Result<Self, LoadError> {
        let of_aya = std::thread::spawn(aya::Btf::from_sys_fs);
        let own = Btf::load(Path::new(VMLINUX));
        let of_aya = of_aya.join().map_err(|_| LoadError::Object("the thread that read the types panicked".into()))?;
        Ok(Self { own: own?, of_aya: of_aya.map_err(|e| LoadError::Object(e.to_string()))? })
    }
}

/// The best form that the kernel does not refuse, with calls of kernel functions where it wants and
/// takes them.
fn load_accepted(options: &Options, types: &Types, hooks: &[Hook], pmu: &Pmu) -> Result<(Ebpf, Form), LoadError> {
    let forms = options.form.map_or_else(|| vec![Form::Typed, Form::Raw], |form| vec![form]);
    let wanted = Calls::wanted(&types.own);
    let calls = if wanted.any() { vec![wanted, Calls::NONE] } else { vec![wanted] };
    let mut refused = None;
    for calls in calls {
        for &form in &forms {
            match load_form(options, types, hooks, form, calls, pmu) {
                Err(error @ LoadError::Refused { .. }) => {
                    let functions = if calls.any() { ", with kernel functions" } else { "" };
                    log::warn!("as {}{functions}: {error}", form.name());
                    refused = Some(error);
                }
                done => return Ok((done?, form)),
            }
        }
    }
    Err(refused.unwrap_or_else(|| LoadError::Object("no form to load".into())))
}

fn load_form(
    options: &Options,
    types: &Types,
    hooks: &[Hook],
    form: Form,
    calls: Calls,
    pmu: &Pmu,
) -> Result<Ebpf, LoadError> {
    let Types { own, of_aya } = types;
    if form == Form::Typed && !own.has_function("bpf_get_current_task_btf") {
        // 5.10: typed programs exist, but the running task has no type.
        return Err(LoadError::Refused {
            program: "sia_sys_enter".into(),
            reason: "no bpf_get_current_task_btf".into(),
        });
    }
    let registers = form == Form::Typed && own.has_function("bpf_task_pt_regs");
    let offsets = resolve(own, registers)?;
    let (tables, socket_calls) = (syscalls::tables(), syscalls::socket_calls());
    let counters = pmu.mask();

    let mut ebpf = EbpfLoader::new()
        .btf(Some(of_aya))
        .override_global("OFFSETS", words(&offsets), true)
        .override_global("SYSCALLS", tables.as_slice(), true)
        .override_global("SOCKET_CALLS", socket_calls.as_slice(), true)
        .override_global("COUNTERS", &counters, true)
        .map_max_entries("SIA_IPC_SITES", if counters == 0 { 1 } else { options.max_sites })
        .map_max_entries("SIA_IPC_CURVE", if pmu.grade() == Grade::Sampling { (KINDS * BINS) as u32 } else { 1 })
        .map_max_entries("SIA_TIDS", tid_chunks() as u32)
        .map_max_entries("SIA_THREADS", options.max_threads)
        .map_max_entries("SIA_GROUPS", options.max_threads)
        .map_max_entries("SIA_FREE_THREADS", options.max_threads)
        .map_max_entries("SIA_EXITS", EXITS_BYTES)
        .map_max_entries("SIA_STREAM", STREAM_BYTES)
        .map_max_entries("SIA_STACKS", if options.stacks { STACKS_BYTES } else { NO_STACKS_BYTES })
        .map_max_entries("SIA_TURNS", if options.stalls { options.max_threads } else { 1 })
        .map_max_entries("SIA_STALLS", if options.stalls { STALLS_BYTES } else { NO_STACKS_BYTES })
        .map_max_entries("SIA_LOOPS", if options.stalls { LOOPS } else { 1 })
        .map_max_entries("SIA_SITES", options.max_sites)
        .map_max_entries("SIA_SITE_INDEX", options.max_sites)
        .map_max_entries("SIA_FREE_SITES", options.max_sites)
        .load(&calls.put_into(OBJECT))
        .map_err(|e| load_error(&e))?;

    load_programs(&mut ebpf, hooks, form, of_aya)?;
    fill(&mut ebpf, "SIA_FREE_THREADS", options.max_threads)?;
    fill(&mut ebpf, "SIA_FREE_SITES", options.max_sites)?;
    Ok(ebpf)
}

/// Loads the programs of all hooks, each on a thread of its own: what the verifier does with one
/// program takes up to 100 ms, and the kernel lets it do several at once.
fn load_programs(ebpf: &mut Ebpf, hooks: &[Hook], form: Form, types: &aya::Btf) -> Result<(), LoadError> {
    let mut found: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let wanted = hooks.iter().flat_map(|hook| {
        [Some(hook.program), hook.spare].into_iter().flatten().map(|p| (form.program_name(p), hook.tracepoint))
    });
    std::thread::scope(|scope| {
        let mut loading = Vec::new();
        for (name, tracepoint) in wanted {
            let program = found.remove(name.as_str());
            loading.push(scope.spawn(move || load_program(&name, program, tracepoint, form, types)));
        }
        let panicked = || Err(LoadError::Object("a thread that loaded a program panicked".into()));
        // Of several that are refused, the first in the order of hooks is named.
        let loaded: Vec<_> = loading.into_iter().map(|l| l.join().unwrap_or_else(|_| panicked())).collect();
        loaded.into_iter().collect()
    })
}

fn load_program(
    name: &str,
    program: Option<&mut Program>,
    tracepoint: &str,
    form: Form,
    types: &aya::Btf,
) -> Result<(), LoadError> {
    let refused = |reason: String| LoadError::Refused { program: name.to_owned(), reason };
    let program = program.ok_or_else(|| refused("not in the object".into()))?;
    let result = match form {
        Form::Typed => {
            let program: &mut BtfTracePoint =
                program.try_into().map_err(|e: aya::programs::ProgramError| refused(e.to_string()))?;
            program.load(tracepoint, types)
        }
        Form::Raw => {
            let program: &mut RawTracePoint =
                program.try_into().map_err(|e: aya::programs::ProgramError| refused(e.to_string()))?;
            program.load()
        }
    };
    result.map_err(|e| match &e {
        aya::programs::ProgramError::LoadError { io_error, verifier_log } => {
            log::debug!("verifier log of {name}:\n{verifier_log}");
            if io_error.raw_os_error() == Some(libc::EPERM) { LoadError::Denied } else { refused(io_error.to_string()) }
        }
        _ => refused(e.to_string()),
    })
}

/// Slots and sites are handed out by popping a queue; number 0 is never handed out.
fn fill(ebpf: &mut Ebpf, name: &str, len: u32) -> Result<(), LoadError> {
    let map = ebpf.map_mut(name).ok_or_else(|| LoadError::Object(format!("no map {name}")))?;
    let mut queue: Queue<&mut MapData, u32> = map.try_into().map_err(|e| LoadError::Object(format!("{name}: {e}")))?;
    for i in 1..len {
        queue.push(i, 0).map_err(|e| LoadError::NoMemory(format!("{name}: {e}")))?;
    }
    Ok(())
}

/// # Safety
/// As for [`Mapped::new`].
unsafe fn map_array<T: Copy>(ebpf: &Ebpf, name: &str, len: usize) -> Result<Mapped<T>, LoadError> {
    let map = ebpf.map(name).ok_or_else(|| LoadError::Object(format!("no map {name}")))?;
    let aya::maps::Map::Array(data) = map else {
        return Err(LoadError::Object(format!("{name} is not an array")));
    };
    // SAFETY: by contract.
    unsafe { Mapped::new(data.fd().as_fd(), len) }.map_err(|e| LoadError::NoMemory(format!("{name}: {e}")))
}

fn load_error(error: &aya::EbpfError) -> LoadError {
    use std::error::Error as _;
    let mut source: Option<&(dyn std::error::Error + 'static)> = error.source();
    let mut text = error.to_string();
    let mut os = None;
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            os = io.raw_os_error();
        }
        source = inner.source();
    }
    match os {
        Some(libc::EPERM | libc::EACCES) => LoadError::Denied,
        Some(libc::ENOMEM | libc::E2BIG) => LoadError::NoMemory(text),
        Some(errno @ (libc::EMFILE | libc::ENFILE)) => LoadError::NoDescriptor {
            what: "cannot load the kernel object".into(),
            source: std::io::Error::from_raw_os_error(errno),
        },
        _ => LoadError::Object(text),
    }
}
