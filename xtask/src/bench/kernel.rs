//! What a process holds in the kernel: its BPF links, programs and maps, found through its
//! descriptors, so that another profiler on the same machine is not taken for ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    mem::offset_of,
    os::fd::OwnedFd,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use aya::{
    maps::{Array, Map, MapData, MapInfo},
    programs::loaded_programs,
};
use profiler_common::control::Control;

use crate::host::{child, numbers::NA};

/// The kernel frees a program a moment after its last user has gone (RCU).
const FREED_WITHIN: Duration = Duration::from_secs(5);
const CONTROL_SIZE: usize = size_of::<Control>();

/// Links and perf events that a process holds.
pub(super) fn attachments(pid: u32) -> usize {
    let Ok(fds) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    fds.flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter(|link| {
            let link = link.to_string_lossy();
            link.contains("bpf_link") || link.contains("bpf-raw-tracepoint") || link.contains("[perf_event]")
        })
        .count()
}

/// Numbers after `key` in the descriptors of a process.
fn ids(pid: u32, key: &str) -> BTreeSet<u32> {
    let Ok(fds) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return BTreeSet::new() };
    fds.flatten()
        .filter_map(|fd| fs::read_to_string(fd.path()).ok())
        .filter_map(|text| text.lines().find_map(|l| l.strip_prefix(key))?.trim().parse().ok())
        .collect()
}

/// Programs that a process holds, by id.
pub(super) fn programs(pid: u32) -> BTreeSet<u32> {
    ids(pid, "prog_id:")
}

/// Waits until none of these programs is loaded any more.
pub(super) fn await_freed(programs: &BTreeSet<u32>) -> Result<()> {
    if programs.is_empty() {
        return Ok(());
    }
    child::wait_until("programs that outlived their observer", FREED_WITHIN, || {
        Ok(!loaded_programs().flatten().any(|p| programs.contains(&p.id())))
    })
}

/// Runs and run time of one program.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) name: String,
    pub(super) runs: u64,
    pub(super) time: Duration,
}

/// What the programs of a process cost since statistics are on.
pub(super) fn costs(pid: u32) -> Vec<Cost> {
    let held = programs(pid);
    let mut costs: Vec<Cost> = loaded_programs()
        .flatten()
        .filter(|p| held.contains(&p.id()))
        .map(|p| Cost { name: p.name_as_str().unwrap_or(NA).to_owned(), runs: p.run_count(), time: p.run_time() })
        .collect();
    costs.sort_by(|a, b| a.name.cmp(&b.name));
    costs
}

/// How large one program is.
pub(super) struct Size {
    /// Instructions after the verifier, which drops the code that this kernel does not need.
    pub(super) instructions: u32,
    /// Bytes of machine code.
    pub(super) machine_code: u32,
}

/// How large the programs of a process are, by name.
pub(super) fn sizes(pid: u32) -> BTreeMap<String, Size> {
    /// Bytes of an instruction.
    const INSTRUCTION: u32 = 8;
    let held = programs(pid);
    loaded_programs()
        .flatten()
        .filter(|program| held.contains(&program.id()))
        .map(|program| {
            let name = program.name_as_str().unwrap_or(NA).to_owned();
            let instructions = program.size_translated().unwrap_or(0) / INSTRUCTION;
            (name, Size { instructions, machine_code: program.size_jitted() })
        })
        .collect()
}

/// Keeps the kernel's BPF statistics on while the descriptor lives.
pub(super) fn statistics() -> Result<OwnedFd> {
    aya::sys::enable_stats(aya::sys::Stats::RunTime).context("switching the kernel's BPF statistics on")
}

/// The page by which `should-i-async` tells its programs to count, as the programs see it.
pub(super) struct Page(Array<MapData, [u8; CONTROL_SIZE]>);

impl Page {
    /// `None` while the process has not made it yet.
    pub(super) fn find(pid: u32) -> Result<Option<Self>> {
        for id in ids(pid, "map_id:") {
            let Ok(info) = MapInfo::from_id(id) else { continue };
            if info.name_as_str() != Some("SIA_CONTROL") {
                continue;
            }
            ensure!(info.value_size() as usize == CONTROL_SIZE, "the binary and this bench are not of one build");
            let map = Map::Array(MapData::from_id(id)?);
            return Ok(Some(Self(Array::try_from(map)?)));
        }
        Ok(None)
    }

    /// Since when events count (`CLOCK_MONOTONIC`, ns); `None` while they do not.
    pub(super) fn counting_since(&self) -> Result<Option<u64>> {
        let bytes = self.0.get(&0, 0)?;
        let word = |at: usize| -> Result<[u8; 4]> { Ok(bytes[at..at + 4].try_into()?) };
        if u32::from_ne_bytes(word(offset_of!(Control, enabled))?) == 0 {
            return Ok(None);
        }
        let at = offset_of!(Control, start);
        Ok(Some(u64::from_ne_bytes(bytes[at..at + 8].try_into()?)))
    }
}
