//! kernel/error: why the programs could not be loaded or attached.

use super::btf::BtfError;

/// Why the programs could not be loaded. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel's types are missing or strange.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// `bpf(2)` refused for lack of rights.
    #[error(
        "not permitted to load kernel programs. Run as root, or give the binary CAP_BPF and CAP_PERFMON; \
         `should-i-async doctor` prints the exact command"
    )]
    Denied,
    /// A size that cannot be had.
    #[error(
        "the kernel would not make the maps ({0}). Ask for less with --max-threads or --max-sites, or raise the \
         memory lock limit (`ulimit -l unlimited`; kernels before 5.11 count maps against it)"
    )]
    NoMemory(String),
    /// Less memory than measuring takes.
    #[error("not enough memory: {0}. Ask for less with --max-threads or --max-sites, or free some")]
    LittleMemory(String),
    /// Fewer descriptors than the measurement holds, also after the soft limit was raised.
    #[error(
        "{processes} processes take {needed} descriptors, and the hard limit of open files is {limit}: raise it \
         (`ulimit -Hn {needed}; ulimit -Sn {needed}` in a root shell that then starts it; in a systemd unit \
         LimitNOFILE={needed}), or name fewer processes"
    )]
    Descriptors {
        processes: usize,
        /// How many descriptors are needed.
        needed: u64,
        /// `RLIMIT_NOFILE`.
        limit: u64,
    },
    /// The limit of open files was met all the same, the process's or the machine's.
    #[error("{what}: {source}. Raise the limit of open files (`ulimit -n`; for the machine `sysctl fs.file-max`)")]
    NoDescriptor {
        /// What needed one.
        what: String,
        source: std::io::Error,
    },
    /// Neither form of a program was accepted.
    #[error(
        "the kernel refused program {program}: {reason}. Please report this with the output of `should-i-async doctor`"
    )]
    Refused {
        /// Name of the program.
        program: String,
        reason: String,
    },
    /// A tracepoint could not be attached.
    #[error("cannot attach to tracepoint {tracepoint}: {reason}. `should-i-async doctor` says what this kernel lacks")]
    Attach { tracepoint: String, reason: String },
    /// Anything else that aya reports.
    #[error("cannot load the kernel object: {0}")]
    Object(String),
}
