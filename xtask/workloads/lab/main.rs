//! `lab`: servers and clients that do the same work in a blocking and in an async way, one file per
//! way, and the load for them: the ground truth that predictions are compared with.
//!
//! The protocol on stdin and stdout, the same for every program here:
//!
//! ```text
//! lab                                          the harness
//!   {"pid":N,"port":P}         ──────────▶   starts load and measurement
//!                              ◀──────────   "count\n", as often as it likes
//!   {"operations":N,"now_ns":T} ─────────▶
//!                              ◀──────────   a load only: "rest\n"
//!   {"resting":true}           ──────────▶   no request is under way, and none is sent until
//!                              ◀──────────   "go\n"
//!                              ◀──────────   end of file (or SIGTERM, or --seconds are over)
//!   {"operations":N,"errors":E} ─────────▶
//!   exits 0
//! ```
//!
//! What makes a pair of ways comparable: an operation's work, its count and its memory are one type
//! ([`work::Job`]); every connection, worker, slot or stage has one of its own, whatever the way;
//! the main thread only answers the harness, so that in every way the same thread, which is not one
//! of those measured, is blocked on stdin.

mod backend;
mod brigade;
mod control;
mod echo;
mod fanout;
mod files;
mod line;
mod load;
mod session;
mod sys;
mod window;
mod work;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Twins for measuring what blocking IO costs.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// A TCP echo server on loopback.
    Echo(echo::Args),
    /// The load for an echo server.
    Load(load::Args),
    /// An echo server that answers after a while.
    Backend(backend::Args),
    /// A client that asks several backends at once.
    Fanout(fanout::Args),
    /// Random reads of a file.
    Files(files::Args),
    /// A ring of stages connected by pipes.
    Brigade(brigade::Args),
    /// A program that gains nothing by async IO.
    Control(control::Args),
    /// Windows with a working set, for hardware counters.
    Window(window::Args),
    /// How fast this CPU does the work: {"iterations_per_us":X}.
    SpinRate(work::SpinRateArgs),
}

fn main() -> ExitCode {
    let done = run(Args::parse().program);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returning ends the threads that still serve, so nothing has to shut them down.
fn run(program: Program) -> Result<()> {
    match program {
        Program::Echo(args) => echo::run(&args),
        Program::Load(args) => load::run(&args),
        Program::Backend(args) => backend::run(&args),
        Program::Fanout(args) => fanout::run(&args),
        Program::Files(args) => files::run(&args),
        Program::Brigade(args) => brigade::run(&args),
        Program::Control(args) => control::run(&args),
        Program::Window(args) => window::run(&args),
        Program::SpinRate(args) => work::spin_rate(&args),
    }
}
