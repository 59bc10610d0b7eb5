//! text: the report for a terminal, the answer first, then the evidence in the order in which one
//! would doubt it.
//!
//! ```text
//! verdict, score, evidence
//! WHAT IF    what async would give back, and what is cheaper
//! TARGET     who was measured, how long, how
//! CPU        where its processor time went
//! WALL       where its threads' time went
//! LOAD       what it adds to the load average
//! CAPACITY   how many times today's load its CPUs carry
//! LATENCY    how long its clients wait
//! MEMORY     what its threads take
//! SITES      which calls blocked
//! THREADS    who they are
//! IPC        what hardware counters told of the instructions after blocks; only where any
//! WAKE-UPS   from whom, and whether a loop would have slept all the same
//! DEVICES    only where the target had requests
//! QUALITY    what was lost, what measuring cost
//! CHECK      against the kernel's own counters
//! HOW IT CAME ABOUT  only where asked for
//! ```

mod capacity;
mod check;
mod cpu;
mod devices;
mod diff;
mod explain;
mod ipc;
mod latency;
mod load;
mod memory;
pub(super) mod options;
mod page;
mod quality;
mod score;
mod sites;
mod stacks;
mod stalls;
mod table;
mod target;
mod threads;
mod top;
mod wakeups;
mod wall;
mod whatif;
mod words;

use crate::answer::Report;
pub use diff::{diff, prediction_check};
use options::TextOptions;
use page::Page;
pub use stacks::stacks;
pub use stalls::stalls;
pub use top::top;

/// The report as text. Names are made safe for a terminal: control characters never get through.
pub fn text(report: &Report, options: &TextOptions) -> String {
    let mut page = Page::new(options.width.max(TextOptions::MIN_WIDTH), options.color);
    score::render(&mut page, report);
    whatif::render(&mut page, report);
    target::render(&mut page, report);
    cpu::render(&mut page, report);
    wall::render(&mut page, report);
    load::render(&mut page, report);
    capacity::render(&mut page, report);
    latency::render(&mut page, report);
    memory::render(&mut page, report);
    sites::render(&mut page, report, options);
    threads::render(&mut page, report, options);
    ipc::render(&mut page, report, options);
    wakeups::render(&mut page, report);
    devices::render(&mut page, report);
    quality::render(&mut page, report, options);
    check::render(&mut page, report);
    if options.explain {
        explain::render(&mut page, report);
    }
    page.finish()
}
