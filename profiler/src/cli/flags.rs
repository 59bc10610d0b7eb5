//! Raw flags, as typed. `settings` checks them.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{answer::By, export::Format, machine::Way, record::MOST_BYTES};

/// Would async IO give the CPU time back? Measures what blocking IO costs a running process.
#[derive(Debug, Parser)]
#[command(name = "should-i-async", version, max_term_width = 100, propagate_version = true)]
pub struct Flags {
    #[command(subcommand)]
    pub(super) sub: Sub,
}

#[derive(Debug, Subcommand)]
pub(super) enum Sub {
    /// Measure a process once and give a verdict
    Check(CheckFlags),
    /// Watch a process, or look through a recording, on one screen
    Live(LiveFlags),
    /// Show which processes of the machine pay most for blocking IO
    Top(TopFlags),
    /// Show who blocks the event loop of a program that is async already
    Stalls(StallsFlags),
    /// Serve figures of processes to Prometheus, for as long as they run
    #[cfg(feature = "serve")]
    Serve(ServeFlags),
    /// Measure a process and keep everything in a file
    Record(RecordFlags),
    /// Write a recording as text, JSON, HTML, a flame graph or a profile
    Report(ReportFlags),
    /// Compare two recordings
    Diff(DiffFlags),
    /// Compare what a blocking program's recording predicts with a recording of its async version
    PredictCheck(PredictCheckFlags),
    /// Show what this kernel and this user can and cannot measure, and how to fix it
    Doctor,
    /// Measure a small blocking server under load: the first thing to run
    Demo(DemoFlags),
    /// Measure what syscalls, switches and each IO interface cost on this machine
    Calibrate(CalibrateFlags),
    /// Print the JSON Schema of `check --json`
    #[command(hide = true)]
    Schema(SchemaFlags),
    /// Write shell completions and man pages into a folder
    #[command(hide = true)]
    Pages(PagesFlags),
    #[command(hide = true)]
    Launch(LaunchFlags),
    #[command(hide = true)]
    DemoServer(DemoServerFlags),
    #[command(hide = true)]
    DemoClient(DemoClientFlags),
}

/// Whose threads, and at what cost.
#[derive(Debug, Args)]
pub(super) struct TargetFlags {
    /// Processes to measure, by PID; a PID from inside a container works too
    #[arg(short, long = "pid", value_name = "PID", value_delimiter = ',')]
    pub(super) pid: Vec<u32>,
    /// Only these threads
    #[arg(short, long = "tid", value_name = "TID", value_delimiter = ',')]
    pub(super) tid: Vec<u32>,
    #[command(flatten)]
    pub(super) names: NameFlags,
    /// Their child processes too: those that run already, and those that start later
    #[arg(long)]
    pub(super) tree: bool,
    #[command(flatten)]
    pub(super) cost: CostFlags,
}

/// Processes by the names that people know them by.
#[derive(Debug, Args)]
pub(super) struct NameFlags {
    /// A process by its program: a regular expression that is found in the name of its command or
    /// file, or of the script that it runs
    #[arg(long, value_name = "REGEX")]
    pub(super) name: Vec<String>,
    /// The processes of a container, by its id or name
    #[arg(long, value_name = "ID|NAME")]
    pub(super) container: Vec<String>,
    /// The processes of a systemd unit
    #[arg(long, value_name = "NAME")]
    pub(super) unit: Vec<String>,
    /// The processes of a pod of Kubernetes on this node
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(super) pod: Vec<String>,
    /// The processes of a control group and of those below it; a path below /sys/fs/cgroup works
    /// too
    #[arg(long, value_name = "PATH")]
    pub(super) cgroup: Vec<String>,
}

/// What is measured, and how.
#[derive(Debug, Args)]
#[command(after_help = "Durations take ns, us, ms, s, m, h or d, also together (1h30m); a plain number is seconds;\n\
    a day is the longest.\n\
    Ctrl-C ends the measurement and prints its report.")]
pub(super) struct CheckFlags {
    #[command(flatten)]
    pub(super) target: TargetFlags,
    /// How long to measure [default: 10s; with -- CMD: until it ends]
    // A hyphen, so that `-d -1s` is told what is wrong with it.
    #[arg(short, long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) duration: Option<String>,
    /// Print one JSON object on stdout instead of the text report
    #[arg(long)]
    pub(super) json: bool,
    /// Show below the text report how each figure came about, step by step
    #[arg(long, conflicts_with = "json")]
    pub(super) explain: bool,
    #[command(flatten)]
    pub(super) worth: WorthFlags,
    /// Keep the measurement in this file as well, but not its single seconds: `record` keeps those
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Show every site and thread, and write a log to stderr (-vv: more of it)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Run this command, and measure it and its children from start to end
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// What is watched.
#[derive(Debug, Args)]
#[command(
    after_help = "Without a target and FILE it shows the processes to choose from. ? on the screen lists the keys.\n\
    NO_COLOR=1 draws without colours."
)]
pub(super) struct LiveFlags {
    #[command(flatten)]
    pub(super) target: TargetFlags,
    #[command(flatten)]
    pub(super) worth: WorthFlags,
    /// A recording to look through
    #[arg(value_name = "FILE", conflicts_with_all = ["pid", "tid", "tree", "name", "container", "unit", "pod", "cgroup"])]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) read: ReadFlags,
}

/// What is shown of the machine.
#[derive(Debug, Args)]
#[command(after_help = "Every process of the machine is measured, so it needs the rights for all of them.")]
pub(super) struct TopFlags {
    /// Measure for a while, print the list, and end
    #[arg(long)]
    pub(super) once: bool,
    /// What a row stands for
    #[arg(long, value_name = "WHAT", value_parser = By::ALL.map(By::name), default_value = By::default().name())]
    by: String,
    /// How long --once measures [default: 5s]
    #[arg(short, long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) duration: Option<String>,
    /// How many rows --once prints [default: 20]
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) rows: Option<usize>,
    /// Print all rows as one JSON object on stdout, with --once
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) worth: WorthFlags,
    #[command(flatten)]
    pub(super) cost: CostFlags,
    /// Write a log to stderr (-vv: more of it)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

impl TopFlags {
    /// What a row stands for.
    pub(super) fn by(&self) -> By {
        by_named(&self.by)
    }
}

/// What is served, and where.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
#[command(after_help = "Without a target, every process of the machine is one.\n\
    Ctrl-C or SIGTERM ends it.")]
pub(super) struct ServeFlags {
    /// Where requests come in: an address of the loopback, or unix:PATH
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9470")]
    pub(super) listen: String,
    /// A file with the token that profiles take: Authorization: Bearer TOKEN. Without it there are
    /// none over the loopback, and over a Unix socket its owner has them
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) target: TargetFlags,
    /// What figures are told of
    #[arg(long, value_name = "WHAT", value_parser = By::ALL.map(By::name), default_value = By::default().name())]
    by: String,
    /// Watch event loops too: turns that last for so long are stalls, like 10ms
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) stalls: Option<String>,
    /// How many of these have figures of their own: those that blocking costs most
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(super) top: usize,
    #[command(flatten)]
    pub(super) worth: WorthFlags,
    /// Write a log to stderr (-vv: more of it)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[cfg(feature = "serve")]
impl ServeFlags {
    /// What figures are told of.
    pub(super) fn by(&self) -> By {
        by_named(&self.by)
    }
}

/// The flag has checked it.
fn by_named(name: &str) -> By {
    By::ALL.into_iter().find(|by| by.name() == name).unwrap_or_default()
}

/// What is looked for.
#[derive(Debug, Args)]
#[command(after_help = "Durations take ns, us, ms, s, m, h or d, also together (1h30m); a plain number is seconds;\n\
    a day is the longest.\n\
    Ctrl-C ends the measurement and prints what was found.")]
pub(super) struct StallsFlags {
    #[command(flatten)]
    pub(super) target: TargetFlags,
    /// Watch them on a screen
    #[arg(long, conflicts_with_all = ["json", "output", "duration", "command"])]
    pub(super) live: bool,
    /// From what length on a turn of the loop, from one event wait to the next, is a stall
    #[arg(long, value_name = "TIME", default_value = "10ms", allow_hyphen_values = true)]
    pub(super) over: String,
    /// How long to measure [default: 10s; with -- CMD: until it ends]
    #[arg(short, long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) duration: Option<String>,
    /// Print one JSON object on stdout instead of the text report
    #[arg(long)]
    pub(super) json: bool,
    /// A file to write as well; its ending names the format: .txt, .json, .folded, or .svg for a
    /// flame graph of blocked loop time
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Vec<PathBuf>,
    /// Show every loop and cause, and write a log to stderr (-vv: more of it)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Run this command, and measure it and its children from start to end
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// Which schema is printed.
#[derive(Debug, Args)]
pub(super) struct SchemaFlags {
    /// That of `top --json`
    #[arg(long)]
    top: bool,
    /// That of `stalls --json`
    #[arg(long, conflicts_with = "top")]
    stalls: bool,
}

impl SchemaFlags {
    pub(super) fn text(&self) -> String {
        match (self.top, self.stalls) {
            (true, _) => crate::report::top_schema(),
            (_, true) => crate::report::stalls_schema(),
            _ => crate::report::schema(),
        }
    }
}

/// What is recorded.
#[derive(Debug, Args)]
#[command(after_help = "Durations take ns, us, ms, s, m, h or d, also together (1h30m); a plain number is seconds;\n\
    a day is the longest.\n\
    Ctrl-C ends the recording and writes the file.")]
pub(super) struct RecordFlags {
    #[command(flatten)]
    pub(super) target: TargetFlags,
    /// How long to record [default: 30s; with -- CMD: until it ends]
    #[arg(short, long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) duration: Option<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "should-i-async.sia")]
    pub(super) output: PathBuf,
    /// Write a log to stderr (-vv: more of it)
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Run this command, and record it and its children from start to end
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// What is written of a recording.
#[derive(Debug, Args)]
#[command(after_help = formats())]
pub(super) struct ReportFlags {
    /// The recording
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// A file to write; its ending names the format
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Vec<PathBuf>,
    /// What flame graphs and folded stacks are weighted by [default: cost, or blocked where there
    /// is none]
    #[arg(short, long, value_name = "WEIGHT", value_parser = ["cost", "blocked", "run-delay", "cpu"])]
    pub(super) weight: Option<String>,
    /// Keep only the program's frames
    #[arg(short = 'U', long, conflicts_with = "kernel")]
    pub(super) user: bool,
    /// Keep only the kernel's frames
    #[arg(short = 'K', long)]
    pub(super) kernel: bool,
    /// Show every site and thread
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Show how each figure came about, step by step
    #[arg(long)]
    pub(super) explain: bool,
    #[command(flatten)]
    pub(super) worth: WorthFlags,
    #[command(flatten)]
    pub(super) read: ReadFlags,
}

/// What `report` can write, below its flags. The lines begin with a space, so that roff keeps them
/// apart too.
fn formats() -> String {
    let line = |format: Format| format!("\n  {:<17} {}", format.ending(), format.what());
    let lines: String = Format::ALL.into_iter().map(line).collect();
    format!("-o may be repeated; without it the text report goes to stdout. Formats by ending:{lines}")
}

/// What is compared.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 8: a cost rose by more than --fail-above says, beyond the noise.")]
pub(super) struct DiffFlags {
    /// The recording before
    pub(super) before: PathBuf,
    /// The recording after
    pub(super) after: PathBuf,
    /// What figures are divided by: cpu-second, second, or the name of a syscall that each request
    /// makes once [default: messages sent on the class that both have most of, else bytes, else
    /// seconds]
    #[arg(long, value_name = "UNIT")]
    pub(super) per: Option<String>,
    /// Fail if CPU, direct cost or run-queue delay per unit rose by more than this
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    pub(super) fail_above: Option<String>,
    /// A file: a flame graph of the difference (.svg), red where there is more and blue where there
    /// is less, or the table as a comment on a pull request (.md)
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// What the flame graph is weighted by
    #[arg(short, long, value_name = "WEIGHT", value_parser = ["cost", "blocked", "run-delay", "cpu"], default_value = "cpu")]
    pub(super) weight: String,
    #[command(flatten)]
    pub(super) read: ReadFlags,
}

/// A prediction to be held against what came.
#[derive(Debug, Args)]
pub(super) struct PredictCheckFlags {
    /// The blocking program's recording
    pub(super) blocking: PathBuf,
    /// The async version's recording
    pub(super) twin: PathBuf,
    /// What CPU is divided by: second (if both had the same load), or the name of a syscall that
    /// each request makes once; two names where they differ [default: messages sent on the class
    /// that both have most of, else bytes]
    #[arg(long, value_name = "UNIT[,UNIT]")]
    pub(super) per: Option<String>,
    /// How the async version waits [default: tuned if it mostly uses io_uring, else naive if
    /// more than a quarter of its reads from sockets fail, else level]
    #[arg(long, value_parser = Way::ALL.map(Way::name))]
    pub(super) way: Option<String>,
    /// Print the pair as JSON, under this name: a row in the form of docs/pairs/results.json
    #[arg(long, value_name = "NAME")]
    pub(super) row: Option<String>,
    #[command(flatten)]
    pub(super) read: ReadFlags,
}

/// How recordings are read.
#[derive(Debug, Args)]
pub(super) struct ReadFlags {
    /// Read a recording however large it is unpacked; without it 1 GiB is the most
    #[arg(long)]
    pub(super) any_size: bool,
}

impl ReadFlags {
    /// The most bytes that a recording may unpack to.
    pub(super) fn most(&self) -> u64 {
        if self.any_size { u64::MAX } else { MOST_BYTES }
    }
}

/// What decides.
#[derive(Debug, Args)]
pub(super) struct WorthFlags {
    /// The share of its CPU that a rewrite has to give back to be worth it [default: 5%]
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    pub(super) worth: Option<String>,
}

/// Sizes and budget.
#[derive(Debug, Args)]
pub(super) struct CostFlags {
    /// What measuring may cost: the target's share of its CPU and all others' of the machine,
    /// together; where it costs more, it samples
    #[arg(long, value_name = "PERCENT", default_value = "3%", allow_hyphen_values = true)]
    pub(super) max_overhead: String,
    /// Measure every event, whatever it costs
    #[arg(long, conflicts_with = "max_overhead")]
    pub(super) exact: bool,
    /// How many threads can be measured [default: from the target, at least 4096]
    #[arg(long, value_name = "N")]
    pub(super) max_threads: Option<u32>,
    /// How many call sites can be told apart [default: 2048]
    #[arg(long, value_name = "N")]
    pub(super) max_sites: Option<u32>,
    /// Use raw tracepoints even where BTF programs would work
    #[arg(long)]
    pub(super) raw_tracepoints: bool,
}

/// What `demo` runs.
#[derive(Debug, Args)]
pub(super) struct DemoFlags {
    /// How many connections; each has a server thread
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(super) connections: u32,
    /// How long to measure
    #[arg(short, long, value_name = "TIME", default_value = "5s")]
    pub(super) duration: String,
    /// Print one JSON object on stdout instead of the text report
    #[arg(long)]
    pub(super) json: bool,
}

/// What `calibrate` measures.
#[derive(Debug, Args)]
#[command(after_help = "The result is kept in ~/.cache/should-i-async, and `check` uses it.")]
pub(super) struct CalibrateFlags {
    /// Measure only what `check` needs: 2 seconds instead of a minute
    #[arg(long)]
    pub(super) quick: bool,
    /// Print one JSON object on stdout instead of the tables
    #[arg(long)]
    pub(super) json: bool,
    /// Measure what an event costs in an interpreter: give its executable, or the PID of a process
    /// that runs in it
    #[arg(long, value_name = "PATH|PID", conflicts_with_all = ["quick", "dir"])]
    pub(super) runtime: Option<String>,
    /// Measure what requests past the page cache cost on the file system of this folder. It takes
    /// less than five seconds and a file of 32 MiB without a name. It is refused where less than
    /// 1 GiB is free, or while others use the device
    #[arg(long, value_name = "DIR", conflicts_with_all = ["quick", "dir", "runtime"])]
    pub(super) file: Option<PathBuf>,
    /// The folder of the file that is read and written [default: /var/tmp]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// Where completions and man pages go.
#[derive(Debug, Args)]
pub(super) struct PagesFlags {
    /// The folder; it is made
    pub(super) folder: PathBuf,
}

/// The waiting half of `check -- CMD`: waits for a byte, then becomes the command.
#[derive(Debug, Args)]
pub(super) struct LaunchFlags {
    pub(super) wait_fd: i32,
    pub(super) status_fd: i32,
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

/// The demo's server.
#[derive(Debug, Args)]
pub(super) struct DemoServerFlags {
    #[arg(long)]
    pub(super) cpu: Option<usize>,
    #[arg(long, default_value_t = 60)]
    pub(super) seconds: u64,
}

/// The demo's load.
#[derive(Debug, Args)]
pub(super) struct DemoClientFlags {
    #[arg(long)]
    pub(super) port: u16,
    #[arg(long, default_value_t = 64)]
    pub(super) connections: u32,
    #[arg(long)]
    pub(super) cpu: Option<usize>,
    #[arg(long, default_value_t = 60)]
    pub(super) seconds: u64,
    /// Runs uncounted until a line comes on stdin
    #[arg(long)]
    pub(super) warm_up: bool,
}
