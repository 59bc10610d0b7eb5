//! `storage`: what `cargo xtask lab files` measures beside fio. Readers of a file, threads that
//! hand their CPU over to each other, and a file that answers late.
//!
//! Readers and hand-overs end by themselves after `--ms`, and print one line of JSON ([`window`]).

mod hand;
mod read;
mod slow;
mod window;

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};

/// Reads files, hands over CPUs, and serves a slow file.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// Reads random blocks of a file, many at once.
    Read(read::Args),
    /// Two threads of a CPU that wake each other in turn.
    Hand(hand::Args),
    /// A FUSE file whose every read waits.
    Slow(slow::Args),
}

fn main() -> ExitCode {
    let done = match Args::parse().program {
        Program::Read(args) => read::run(&args),
        Program::Hand(args) => hand::run(&args),
        Program::Slow(args) => slow::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "storage: {error:#}");
            ExitCode::FAILURE
        }
    }
}
