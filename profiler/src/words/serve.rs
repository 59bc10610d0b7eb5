//! What the server says to those who ask it, and to who started it.

/// What is to be had from the server.
pub const PATHS: &str = "should-i-async: what blocking IO costs the processes of this machine.\n\n\
    /metrics                          figures for Prometheus: text format 0.0.4, or OpenMetrics where it is asked for\n\
    /live?seconds=5                   the whole report for a browser, measured again and again; &hold: once; &pid=PID\n\
    /debug/pprof/blocking?seconds=10  stacks for pprof, by what it costs to block on IO; &pid=PID: of one process\n\
    /debug/pprof/offcpu?seconds=10    the same, by blocked time\n";
/// Stacks are not for everyone.
pub const NO_TOKEN: &str =
    "Stacks are given to those alone who say the token of --token-file, or over a Unix socket.\n";
/// Another token, or none.
pub const WRONG_TOKEN: &str = "Say the token of --token-file: Authorization: Bearer TOKEN\n";
/// The query makes no sense.
pub const BAD_PROFILE: &str = "Give ?seconds= from 1 to 60, and &pid= as a number.\n";
/// Each is a measurement of its own.
pub const ONE_PROFILE: &str = "A profile is being taken: there is one at a time.\n";
/// There is no thread for it.
pub const NO_PROFILE_NOW: &str = "The profile could not be taken: try again.\n";
/// Whoever asked has gone.
pub const NOBODY_WAITS: &str = "nobody waits for it any more";
/// A profile of all of them would say little of any.
pub const WHICH_PROCESS: &str = "The whole machine is measured: name a process with ?pid=PID.\n";
/// Others are not looked into.
pub const NO_TARGET_HERE: &str = "That process is none of those that are measured.\n";
/// There is nothing else.
pub const NO_SUCH_PATH: &str = "Nothing is here. / lists what there is.\n";
/// Nothing can be changed from outside.
pub const ONLY_GET: &str = "Only GET and HEAD are answered.\n";
/// A page of a stranger asked by another name.
pub const OTHER_HOST: &str =
    "This server answers only requests to the loopback: ask for 127.0.0.1, [::1] or localhost.\n";
/// A page of a stranger led a browser here.
pub const OTHER_SITE: &str = "A page of another site asked: open this one by its address.\n";
/// The first figures take some seconds.
pub const NO_FIGURES_YET: &str = "There are no figures yet: the first ones take some seconds.\n";
/// What comes to an end with them.
pub const TARGETS_GONE: &str = "the targets have ended, and so does this";

/// What is said once the server answers.
pub fn serving(address: &str) -> String {
    format!("figures for Prometheus: {address}/metrics (Ctrl-C ends it)")
}
