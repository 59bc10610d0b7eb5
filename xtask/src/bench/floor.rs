//! The floor of the overhead: the hooks of `check` with nothing in them, in a process of their own.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{BtfTracePoint, RawTracePoint},
};
use clap::Args;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::{ebpf::OBJECT, say::say};

/// The tracepoints, and the empty program of the kernel object for each.
const HOOKS: [(&str, &str); 4] = [
    ("sched_switch", "sia_empty_switch"),
    ("sched_waking", "sia_empty_waking"),
    ("sys_enter", "sia_empty_enter"),
    ("sys_exit", "sia_empty_exit"),
];

/// Attaches empty programs for a while: `overhead` starts it as one of its configurations.
#[derive(Args)]
pub(super) struct Options {
    /// How long they stay attached.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

pub(super) fn run(root: &Path, options: &Options) -> Result<()> {
    // Kernels before 5.11 count maps against this limit; raising it takes a right and may fail.
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
    let object = fs::read(root.join(OBJECT)).with_context(|| format!("reading {OBJECT}"))?;
    let types = Btf::from_sys_fs().context("reading the kernel's types")?;
    // They stay attached until this is dropped.
    let _attached = attach_typed(&object, &types).or_else(|_| attach_raw(&object, &types))?;
    say("attached")?;
    std::thread::sleep(Duration::from_secs(options.seconds));
    Ok(())
}

fn load(object: &[u8], types: &Btf) -> Result<Ebpf> {
    EbpfLoader::new().btf(Some(types)).load(object).context("loading the kernel object")
}

fn attach_typed(object: &[u8], types: &Btf) -> Result<Ebpf> {
    let mut ebpf = load(object, types)?;
    for (tracepoint, name) in HOOKS {
        let program: &mut BtfTracePoint = ebpf.program_mut(name).context(name)?.try_into()?;
        program.load(tracepoint, types).context(name)?;
        program.attach().context(name)?;
    }
    Ok(ebpf)
}

/// For kernels that refuse typed programs.
fn attach_raw(object: &[u8], types: &Btf) -> Result<Ebpf> {
    let mut ebpf = load(object, types)?;
    for (tracepoint, name) in HOOKS {
        let program: &mut RawTracePoint = ebpf.program_mut(&format!("{name}_raw")).context(name)?.try_into()?;
        program.load().context(name)?;
        program.attach(tracepoint).context(name)?;
    }
    Ok(ebpf)
}
