//! The rooms of profiler/src as data: who imports whom, and what each may do. Each row carries its
//! reason.

/// A room of profiler/src: a module right below the crate's root.
pub(super) struct Room {
    pub(super) name: &'static str,
    /// The rooms it may import, beside itself.
    pub(super) may: May,
    pub(super) why: &'static str,
}

/// Which rooms a room may import.
pub(super) enum May {
    Only(&'static [&'static str]),
    /// Every room but `main`.
    All,
}

/// Who imports whom. The rows stand in the order in which data flows, and a room imports rows above
/// it alone. In tests, a room may import all that it rests on, however indirectly.
pub(super) const ROOMS: &[Room] = &[
    Room { name: "quantity", may: May::Only(&[]), why: "everyone rests on it, so it rests on nothing" },
    Room {
        name: "text",
        may: May::Only(&["quantity"]),
        why: "the floor under all outputs: how names and numbers are written, not what is said",
    },
    Room {
        name: "process",
        may: May::Only(&["quantity", "text"]),
        why: "who is measured is settled before anything is measured",
    },
    Room {
        name: "kernel",
        may: May::Only(&["text", "quantity"]),
        why: "the first stage: it knows the kernel, and nobody downstream",
    },
    Room { name: "event", may: May::Only(&["kernel", "quantity"]), why: "a stage imports only the one before it" },
    Room { name: "aggregate", may: May::Only(&["event", "quantity"]), why: "a stage imports only the one before it" },
    Room {
        name: "symbol",
        may: May::Only(&["process", "text", "quantity"]),
        why: "names come from the target's /proc: its maps, its descriptors",
    },
    Room {
        name: "machine",
        may: May::Only(&["event", "quantity"]),
        why: "the price list of this machine; of a target it knows the classes of calls alone",
    },
    Room {
        name: "calibrate",
        may: May::Only(&["machine", "event", "process", "text", "quantity"]),
        why: "it measures this machine, not a target, and fills the price list; `process` reads its /proc",
    },
    Room {
        name: "cost",
        may: May::Only(&["machine", "aggregate", "event", "quantity"]),
        why: "what blocking costs today: windows, names, and prices as values",
    },
    Room {
        name: "predict",
        may: May::Only(&["cost", "machine", "aggregate", "event", "quantity"]),
        why: "what another way would cost: it starts from what blocking costs today",
    },
    Room {
        name: "answer",
        may: May::Only(&["predict", "cost", "machine", "symbol", "aggregate", "event", "quantity"]),
        why: "all facts that an output shows, as values",
    },
    Room {
        name: "words",
        may: May::Only(&["answer", "predict", "cost", "machine", "aggregate", "event", "text", "quantity"]),
        why: "every sentence is made here, once for all outputs",
    },
    Room {
        name: "feed",
        may: May::Only(&["answer", "predict", "quantity"]),
        why: "what the threads of `live` send each other",
    },
    Room {
        name: "record",
        may: May::Only(&["answer", "aggregate", "text", "quantity"]),
        why: "a file that holds what the answer is made of",
    },
    Room {
        name: "report",
        may: May::Only(&[
            "answer",
            "predict",
            "cost",
            "calibrate",
            "machine",
            "aggregate",
            "event",
            "words",
            "text",
            "quantity",
        ]),
        why: "outputs say what the answer holds, and never import each other; this one shows calibrations too",
    },
    Room {
        name: "export",
        may: May::Only(&["answer", "predict", "cost", "machine", "symbol", "event", "words", "text", "quantity"]),
        why: "outputs say what the answer holds, and never import each other",
    },
    Room {
        name: "tui",
        may: May::Only(&["feed", "answer", "predict", "cost", "symbol", "event", "words", "text", "quantity"]),
        why: "outputs say what the answer holds, and never import each other",
    },
    Room {
        name: "serve",
        may: May::Only(&["feed", "export", "answer", "words", "quantity"]),
        why: "it hands out what the outputs make of figures, and knows neither where they come from nor what they say",
    },
    Room { name: "demo", may: May::Only(&[]), why: "a server and its load: a target like any other" },
    Room { name: "pipeline", may: May::All, why: "the composition root: the one place that knows every stage" },
    Room { name: "cli", may: May::All, why: "the outermost room: each command starts its work from here" },
    Room { name: "lib", may: May::All, why: "it names the rooms" },
    Room { name: "main", may: May::All, why: "one exit point, on top of everything" },
];

/// A crate that only some rooms may mention.
pub(super) struct Home {
    /// The first segment: a crate.
    pub(super) krate: &'static str,
    pub(super) rooms: &'static [&'static str],
    /// Whether code that is compiled for tests only may use it anywhere.
    pub(super) tests_may: bool,
    pub(super) why: &'static str,
}

/// Every heavy dependency has one home, so that it can be replaced, and so that the rest compiles
/// and tests without it.
pub(super) const HOMES: &[Home] = &[
    Home { krate: "aya", rooms: &["kernel"], tests_may: false, why: "one room loads and reads BPF" },
    Home { krate: "aya_log", rooms: &["kernel"], tests_may: false, why: "one room loads and reads BPF" },
    Home { krate: "crossterm", rooms: &["tui"], tests_may: false, why: "one room reads keys" },
    Home { krate: "ratatui", rooms: &["tui"], tests_may: false, why: "one room draws" },
    Home { krate: "blazesym", rooms: &["symbol"], tests_may: false, why: "one room names addresses" },
    Home { krate: "framehop", rooms: &["symbol"], tests_may: false, why: "one room unwinds" },
    Home { krate: "inferno", rooms: &["export"], tests_may: false, why: "pictures are an export" },
    Home { krate: "maud", rooms: &["export"], tests_may: false, why: "the page is an export" },
    Home { krate: "prost", rooms: &["export"], tests_may: true, why: "pprof is an export" },
    Home { krate: "hyper", rooms: &["serve"], tests_may: false, why: "one room answers requests" },
    Home { krate: "hyper_util", rooms: &["serve"], tests_may: false, why: "one room answers requests" },
    Home { krate: "http_body_util", rooms: &["serve"], tests_may: false, why: "one room answers requests" },
    Home { krate: "clap", rooms: &["cli"], tests_may: false, why: "flags are validated once, into settings" },
    Home { krate: "clap_complete", rooms: &["cli"], tests_may: false, why: "completions are made of the flags" },
    Home { krate: "clap_mangen", rooms: &["cli"], tests_may: false, why: "man pages are made of the flags" },
    Home { krate: "fundu", rooms: &["cli"], tests_may: false, why: "durations are typed as flags" },
    Home { krate: "rmp_serde", rooms: &["record"], tests_may: false, why: "one room knows the format of recordings" },
    Home {
        krate: "flate2",
        rooms: &["record", "export"],
        tests_may: true,
        why: "files are packed where they are made",
    },
    Home {
        krate: "serde",
        rooms: &[
            "report",
            "export",
            "calibrate",
            "record",
            "quantity",
            "kernel",
            "event",
            "aggregate",
            "symbol",
            "machine",
            "cost",
            "predict",
            "answer",
        ],
        tests_may: true,
        why: "what people and other tools read has types of its own, so that inner types can change; a recording is read \
              by this tool alone and keeps windows as they are: their types derive, and nothing more",
    },
    Home {
        krate: "serde_json",
        rooms: &["report", "export", "calibrate", "process"],
        tests_may: true,
        why: "what is written out has types of its own, so that inner types can change without changing the format; \
              a calibration is such a type: it is measured to be kept; engines of containers answer `process` in JSON",
    },
    Home {
        krate: "anyhow",
        rooms: &["cli", "pipeline", "main"],
        tests_may: false,
        why: "those who compose add context; a room's own errors have types",
    },
    Home {
        krate: "profiler_common",
        rooms: &["kernel", "event"],
        tests_may: true,
        why: "the kernel's layout ends at the checked decode; the stages after it have types of their own",
    },
];

/// Rooms that do no IO and read no clock, so that a recorded file drives them like a live kernel
/// does.
pub(super) const PURE_ROOMS: &[&str] =
    &["quantity", "text", "event", "aggregate", "machine", "cost", "predict", "answer", "words"];

/// What a pure room may not mention, as a run of path segments.
pub(super) struct Impure {
    pub(super) path: &'static [&'static str],
    pub(super) why: &'static str,
}

/// What counts as IO or as a clock.
pub(super) const IMPURE: &[Impure] = &[
    Impure { path: &["std", "fs"], why: "files are read by the pipeline" },
    Impure { path: &["std", "net"], why: "sockets belong to the outputs" },
    Impure { path: &["std", "os"], why: "descriptors belong to kernel/ and process/" },
    Impure { path: &["std", "process"], why: "processes belong to process/" },
    Impure { path: &["std", "env"], why: "settings come in as values" },
    Impure { path: &["Instant", "now"], why: "time comes in with the data" },
    Impure { path: &["SystemTime"], why: "time comes in with the data" },
    Impure { path: &["std", "thread", "sleep"], why: "nothing in here waits" },
    Impure { path: &["thread", "sleep"], why: "nothing in here waits" },
    Impure { path: &["libc"], why: "no syscalls" },
    Impure { path: &["rustix"], why: "no syscalls" },
    Impure { path: &["nix"], why: "no syscalls" },
    Impure { path: &["procfs"], why: "/proc belongs to process/" },
    Impure { path: &["tokio"], why: "tasks and channels belong to the pipeline" },
];

/// Rooms that give out facts and make no sentences, so that one room can put them into words for
/// all outputs.
pub(super) const SILENT_ROOMS: &[&str] = &["quantity", "machine", "cost", "predict", "answer"];

/// The silent room whose types print themselves. Display of a quantity is a number with its unit,
/// and no sentence.
pub(super) const NUMBERS_IN: &str = "quantity";

/// The rooms that choose how many digits a number has.
pub(super) const NUMBERS_OF: &[&str] = &["text", "quantity"];

/// The folder of the automation, and the only file of it that does.
pub(super) const NUMBERS_OF_AUTOMATION: (&str, &str) = ("xtask/src", "xtask/src/host/numbers.rs");

/// So many words in one text are a phrase, which a silent room does not have.
pub(super) const PHRASE_WORDS: usize = 3;

/// A file of a silent room that has phrases all the same.
pub(super) struct Phrase {
    pub(super) file: &'static str,
    pub(super) why: &'static str,
}

/// The files of silent rooms that have phrases.
pub(super) const PHRASES: &[Phrase] = &[
    Phrase { file: "profiler/src/answer/profile.rs", why: "frames that stand where there is no stack have names" },
    Phrase {
        file: "profiler/src/predict/missed.rs",
        why: "a command writes it; the machine that it ran on has a name",
    },
];

/// Text that a silent room may show, because it comes from the target or its machine.
pub(super) struct TargetName {
    /// The field or parameter, or the function that returns it; `Type::field` where the name alone
    /// says too little.
    pub(super) name: &'static str,
    pub(super) why: &'static str,
}

/// The names that a silent room may show.
pub(super) const TARGET_NAMES: &[TargetName] = &[
    TargetName { name: "syscall", why: "the kernel's name of the call" },
    TargetName { name: "descriptor", why: "the target's socket, pipe or file" },
    TargetName { name: "descriptors", why: "the target's sockets, pipes and files" },
    TargetName { name: "thread_names", why: "the target names its threads" },
    TargetName { name: "device_names", why: "the kernel names its devices" },
    TargetName { name: "command", why: "the target's command line" },
    TargetName { name: "container", why: "the container's name" },
    TargetName { name: "cgroup", why: "the path of a cgroup" },
    TargetName { name: "Top::left_out", why: "the kernel's answers about processes that cannot be measured" },
    TargetName { name: "Cause::place", why: "the target names its functions" },
    TargetName { name: "Stalls::processes", why: "the target names its processes" },
    TargetName { name: "Latency::services", why: "addresses of the target's peers" },
    TargetName { name: "Latency::by_address", why: "addresses that the target's clients came to" },
    TargetName { name: "Quota::group", why: "the path of a cgroup" },
    TargetName { name: "kernel", why: "the kernel's own words: its version" },
    TargetName { name: "said", why: "the error of the system that measured, kept in the recording" },
    TargetName { name: "Facts::form", why: "the kernel's name of the programs' type" },
    TargetName { name: "Facts::notes", why: "kept in the recording as it was said when the target was chosen" },
    TargetName { name: "unavailable", why: "kept in the recording as it was said when stacks were missing" },
    TargetName { name: "no_calibration", why: "the error of the system that measured, kept in the recording" },
    TargetName { name: "no_counters", why: "the error of the kernel that measured, kept in the recording" },
    TargetName { name: "priced", why: "a price list, or the error of the system instead" },
    TargetName { name: "name", why: "what the target or the kernel calls a thread or a device" },
];

/// The crate that gives errors their context. Its home has a rule of its own.
pub(super) const CONTEXT_CRATE: &str = "anyhow";

/// The crate with the kernel's layout, and the room where it ends: what that room shows has types
/// of its own.
pub(super) const WIRE_CRATE: &str = "profiler_common";
pub(super) const WIRE_ENDS_IN: &str = "event";
