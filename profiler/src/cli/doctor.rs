//! `doctor`: one line for each thing that measuring needs.

use std::path::Path;

use anyhow::Result;

use super::{exit::CliError, output};
use crate::kernel::{Btf, Options, TRACEPOINTS, VMLINUX, preflight};

pub(super) fn run() -> Result<()> {
    let btf = Btf::load(Path::new(VMLINUX)).ok();
    let probes = preflight::Probes {
        sched_switch_btf_id: btf.as_ref().and_then(|b| b.tracepoint("sched_switch")),
        tracepoints: btf
            .as_ref()
            .map(|btf| TRACEPOINTS.map(|name| (name, btf.tracepoint(name).is_some())).to_vec())
            .unwrap_or_default(),
        task_registers: btf.as_ref().map(|btf| btf.has_function("bpf_task_pt_regs")),
        map_bytes: Options::for_threads(0).map_bytes(),
    };
    let findings = preflight::examine(&probes);
    output::print(&preflight::render(&findings))?;
    if preflight::verdict(&findings) { Ok(()) } else { Err(CliError::Unfit.into()) }
}
