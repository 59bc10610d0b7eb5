//! Boots a guest under emulation and reads what it said.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::case::Case;
use super::fetch::Kernel;
use super::initramfs::{BEGIN, RESULT};
use crate::host::{arch::Arch, child};

/// Limit for the time before the first test and after the last one.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// What a shell says of a program that `timeout` has killed.
const KILLED: i32 = 128 + 9;

/// What an aarch64 guest's PMU counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Pmu {
    /// Cycles and instructions.
    Full,
    /// Cycles: instructions cannot be counted where they are not the clock.
    Cycles,
    /// There is none.
    None,
}

impl Arch {
    fn qemu(self) -> &'static str {
        match self {
            Self::X86_64 => "qemu-system-x86_64",
            Self::Aarch64 => "qemu-system-aarch64",
        }
    }

    fn console(self) -> &'static str {
        match self {
            Self::X86_64 => "ttyS0",
            Self::Aarch64 => "ttyAMA0",
        }
    }
}

/// How a test in a guest ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// With the number of tests that passed, where libtest counted them, and the time by the
    /// guest's clock, s.
    Passed {
        tests: Option<u64>,
        seconds: f64,
    },
    Failed {
        why: String,
    },
    NotRun {
        why: String,
    },
}

/// What a guest did.
pub(super) struct Ran {
    /// Outcomes in the order of the cases.
    pub(super) outcomes: Vec<Outcome>,
    /// Seconds by this machine's clock, boot included.
    pub(super) seconds: f64,
    /// All that the guest said.
    pub(super) console: String,
}

/// A guest that is to be booted.
pub(super) struct Guest<'a> {
    pub(super) arch: Arch,
    pub(super) kernel: &'a Kernel,
    pub(super) initramfs: &'a Path,
    /// An image with an ext4, for /var/tmp there.
    pub(super) disk: Option<&'a Path>,
    pub(super) pmu: Pmu,
    /// Where the console is kept.
    pub(super) log: PathBuf,
}

impl Guest<'_> {
    pub(super) fn run(&self, cases: &[&Case]) -> Result<Ran> {
        let begun = Instant::now();
        let limit = cases.iter().map(|case| case.limit).sum::<Duration>() + BOOT_LIMIT;
        let mut machine = Machine::start(self)?;
        let ended = machine.wait(limit)?;
        let bytes = fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        let console = String::from_utf8_lossy(&bytes).replace('\r', "");
        let outcomes = cases.iter().map(|case| outcome(&console, case, ended)).collect();
        Ok(Ran { outcomes, seconds: begun.elapsed().as_secs_f64(), console })
    }

    fn command(&self) -> Command {
        let mut qemu = Command::new(self.arch.qemu());
        match (self.arch, self.pmu) {
            (Arch::X86_64, _) => qemu.args(["-cpu", "max"]),
            (Arch::Aarch64, Pmu::None) => qemu.args(["-cpu", "cortex-a57,pmu=off"]),
            (Arch::Aarch64, _) => qemu.args(["-cpu", "cortex-a57"]),
        };
        if self.arch == Arch::Aarch64 {
            qemu.args(["-M", "virt,dtb-randomness=off"]);
            // The virtual CPU's instructions are its clock: the same run every time, and a PMU that
            // counts them.
            if self.pmu != Pmu::Cycles {
                qemu.args(["-icount", "shift=2,sleep=off"]);
            }
        }
        qemu.args(["-smp", "1", "-m", "1024", "-rtc", "base=2026-01-01,clock=vm"]);
        qemu.args(["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"]);
        qemu.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(self.initramfs);
        if let Some(disk) = self.disk {
            // Debian's cloud kernels have this driver built in, and virtio's as modules.
            qemu.arg("-drive").arg(format!("if=none,id=disk,format=raw,cache=unsafe,file={}", disk.display()));
            qemu.args(["-device", "nvme,serial=disk,drive=disk"]);
        }
        qemu.arg("-append").arg(format!("console={} panic=-1 quiet nokaslr", self.arch.console()));
        qemu
    }
}

/// A running QEMU, ended with its owner.
struct Machine(Child);

impl Machine {
    fn start(guest: &Guest<'_>) -> Result<Self> {
        let log = File::create(&guest.log).with_context(|| format!("writing {}", guest.log.display()))?;
        let errors = log.try_clone()?;
        let mut qemu = guest.command();
        // SAFETY: between fork and exec only one system call is made, and nothing is allocated.
        unsafe {
            qemu.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let child = qemu.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Ok(Self(child.with_context(|| format!("cannot start `{}`: run `.ci/setup`", guest.arch.qemu()))?))
    }

    /// Whether it has ended by itself. Its exit code says nothing: it is 0 after a panic too.
    fn wait(&mut self, limit: Duration) -> Result<bool> {
        let begun = Instant::now();
        while self.0.try_wait()?.is_none() {
            if begun.elapsed() > limit {
                return Ok(false);
            }
            child::pause(POLL)?;
        }
        Ok(true)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the console says of a test.
fn outcome(console: &str, case: &Case, ended: bool) -> Outcome {
    let Some((_, said)) = console.split_once(&format!("{BEGIN}{}\n", case.name)) else {
        let why = if ended { "the guest ended before it" } else { "the guest hung before it" };
        return Outcome::NotRun { why: why.to_owned() };
    };
    let Some((said, result)) = said.split_once(&format!("{RESULT}{} ", case.name)) else {
        let why = if ended { "the guest ended in it" } else { "the guest hung in it" };
        return Outcome::Failed { why: why.to_owned() };
    };
    let mut words = result.lines().next().unwrap_or_default().split(' ');
    let code = words.next().and_then(|word| word.parse::<i32>().ok());
    let mut seconds = || words.next().and_then(|word| word.parse::<f64>().ok());
    let (begin, end) = (seconds(), seconds());
    let (Some(code), Some(begin), Some(end)) = (code, begin, end) else {
        return Outcome::Failed { why: "its result cannot be read".to_owned() };
    };
    let tests = |what| libtest(said, what);
    match code {
        0 => Outcome::Passed { tests: tests("passed"), seconds: end - begin },
        KILLED => Outcome::Failed { why: format!("killed after {} s", case.limit.as_secs()) },
        _ => match tests("failed") {
            Some(failed) if failed > 0 => Outcome::Failed { why: format!("{failed} failed") },
            _ => Outcome::Failed { why: format!("exit code {code}") },
        },
    }
}

/// A count of libtest's closing line.
fn libtest(said: &str, what: &str) -> Option<u64> {
    let (_, line) = said.lines().find_map(|line| line.split_once("test result: "))?;
    let part = line.split(['.', ';']).find(|part| part.ends_with(what))?;
    part.split_whitespace().next()?.parse().ok()
}

/// What a guest said in one test.
pub(super) fn console_of<'a>(console: &'a str, case: &Case) -> &'a str {
    let from = console.split_once(&format!("{BEGIN}{}\n", case.name)).map_or(console, |(_, said)| said);
    from.split_once(&format!("{RESULT}{} ", case.name)).map_or(from, |(said, _)| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "SeaBIOS\nBEGIN-a\ntest x ... ok\n\
        test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\nRC-a 0 1.25 3.75\n\
        BEGIN-b\ntest result: FAILED. 3 passed; 2 failed; 0 ignored\nRC-b 101 4.00 5.00\n\
        BEGIN-c\nRC-c 137 5.00 6.00\nBEGIN-d\nKernel panic\n";

    fn outcome_of(name: &str) -> Outcome {
        outcome(CONSOLE, &Case::new(name, 7, &["x"]), true)
    }

    #[test]
    fn a_result_is_what_its_line_says() {
        assert_eq!(outcome_of("a"), Outcome::Passed { tests: Some(12), seconds: 2.5 });
        assert_eq!(outcome_of("b"), Outcome::Failed { why: "2 failed".into() });
        assert_eq!(outcome_of("c"), Outcome::Failed { why: "killed after 7 s".into() });
    }

    #[test]
    fn a_guest_that_ends_too_early_has_failed() {
        assert_eq!(outcome_of("d"), Outcome::Failed { why: "the guest ended in it".into() });
        assert_eq!(outcome_of("e"), Outcome::NotRun { why: "the guest ended before it".into() });
        assert_eq!(console_of(CONSOLE, &Case::new("d", 7, &[])), "Kernel panic\n");
    }
}
