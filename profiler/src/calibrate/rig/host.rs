//! The machine that is measured: its name, its kernel, and how much of it others use meanwhile.

use super::clock;

/// CPU time that the machine has used so far, and this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU of the machine, all but idle and all, in ticks of 10 ms.
    busy: u64,
    all: u64,
    /// CPU of this process, ns.
    us: u64,
}

impl Usage {
    /// The usage up to now.
    pub(crate) fn so_far() -> Self {
        let (busy, all) = clock::machine_so_far();
        Self { busy, all, us: clock::process_cpu() }
    }

    /// The share of the machine's CPU time that other processes have used since, 0 to 1.
    pub(crate) fn others(self) -> f64 {
        self.others_but(0)
    }

    /// The same without a child's CPU, ns.
    pub(crate) fn others_but(self, child: u64) -> f64 {
        let now = Self::so_far();
        let ours = (now.us - self.us + child) as f64 / 1e7;
        let all = (now.all - self.all).max(1) as f64;
        (((now.busy - self.busy) as f64 - ours) / all).clamp(0.0, 1.0)
    }
}

/// The kernel's release, and the CPU's model with the number of CPUs.
pub(crate) fn identity() -> (String, String) {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        cpuinfo
            .lines()
            .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
            .map(|(_, v)| v.trim())
    };
    // aarch64 names no model: implementer and part are its numbers.
    let model = match (value("model name"), value("CPU implementer"), value("CPU part")) {
        (Some(model), ..) => model.to_owned(),
        (None, Some(implementer), Some(part)) => format!("implementer {implementer} part {part}"),
        _ => std::env::consts::ARCH.to_owned(),
    };
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    (kernel, format!("{model}, {cpus} CPUs"))
}
