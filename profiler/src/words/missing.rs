//! Why there is no figure, and how exact one is where that has to be said.

use crate::machine::Way;

/// Why there is no share of the CPU and no ledger of it.
pub const NO_CPU: &str = "the target used no CPU";
/// Why a difference from the kernel's CPU is no share of it.
pub const NO_KERNEL_CPU: &str = "the kernel counted no CPU";
/// Why there is no wall time.
pub const NO_THREAD: &str = "no thread was measured";
/// Why wake-ups have no figures.
pub const NO_WAKE_UP: &str = "no thread was woken";
/// Why there is no site.
pub const NO_CALL: &str = "no call was seen";
/// Why a site has no figure of calls that blocked.
pub const NO_CALL_BLOCKED: &str = "none of its calls blocked";
/// Why a site has no figure of calls that did not block.
pub const ALL_CALLS_BLOCKED: &str = "all of its calls blocked";
/// Why a site has no window of user mode.
pub const NO_USER_WINDOW: &str = "no window of user mode was counted";
/// Why a thread waited for nothing and has no burst.
pub const NEVER_BLOCKED: &str = "it never blocked";
/// The name of a thread that was gone before its name was read.
pub const NO_NAME: &str = "(gone)";
/// Why there is no mean and no quantile of requests.
pub const NO_REQUEST: &str = "no such request was seen";
/// Why there is no block device to show.
pub const NO_DEVICE: &str = "no request was seen at a block device";
/// Why there is no figure of something that was left out of this measurement.
pub const NOT_MEASURED: &str = "it was not measured";
/// Why there is no figure, where no reason was noted.
pub const NO_REASON: &str = "no reason was noted";
/// Why a quotient has no value.
pub const NOT_A_NUMBER: &str = "not a number";
/// Why a figure has no ends.
pub const NO_INTERVAL: &str = "no interval was estimated";
/// Why a difference of two recordings has no interval.
pub const TOO_FEW_PARTS: &str = "too few parts to tell";
/// Why an IPC has no interval.
pub const ONE_WINDOW: &str = "there is a single window";
/// Why a site has no line of cycles over instructions.
pub const NO_LINE: &str = "fewer than 30 windows, or their instructions do not vary";
/// Why a point of a curve has no IPC.
pub const NOISE: &str = "the noise is larger than the step";
/// Why there are no misses.
pub const NOT_COUNTED: &str = "this machine does not count them";
/// Why there is no load average of the machine.
pub const NO_LOAD_AVERAGE: &str = "the kernel did not update it meanwhile, or it could not be read";
/// Why there is no IPC with the kernel.
pub const KERNEL_NOT_COUNTED: &str = "the kernel's instructions were not counted";
/// How exact a quantile from a log2 histogram is.
pub const TO_A_FACTOR_OF_TWO: &str = to_a_factor_of_two!();
/// The note of a quantile from a log2 histogram.
pub const TO_A_BUCKET: &str = concat!("exact ", to_a_factor_of_two!(), ": from a log2 histogram");

/// What a prediction needs to know of a machine.
pub const WAYS_COST: &str = "what other ways of waiting cost on this machine";
/// Why `live` cannot draw.
pub const NO_TERMINAL: &str = "`live` needs a terminal: use `check` for one answer, `record` for a file";

/// Why a size of the kernel's has no value.
pub const KERNEL_DOES_NOT_SAY: &str = "this kernel does not say";

/// Why there is no screen of the machine.
pub const NO_TERMINAL_FOR_TOP: &str = "`top` needs a terminal: use `top --once` for one list, with --json for programs";

/// Why there is no screen of stalls.
pub const NO_TERMINAL_FOR_STALLS: &str = "`stalls --live` needs a terminal: use `stalls` without it for one answer";

/// Why the turns of a loop have no length.
pub const NO_TURN: &str = "no turn has ended";

/// Why nothing tells how much was ready after a stall.
pub const NOT_TOLD: &str = "no event wait followed that would tell";

/// Why a way of waiting has no figure.
pub fn no_price(way: Way) -> String {
    format!("no price for {} on that machine", way.name())
}
