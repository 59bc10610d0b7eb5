//! cli: raw flags, then validated settings, then work. Results go to stdout, everything else to
//! stderr.

mod calibrate;
mod check;
mod command;
mod demo;
mod doctor;
#[cfg(test)]
mod documents;
mod exit;
mod flags;
mod live;
mod output;
mod pages;
mod recordings;
mod runtime;
#[cfg(test)]
mod screens;
#[cfg(feature = "serve")]
mod serve;
mod settings;
mod stalls;
mod top;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;

pub use exit::Exit;
pub use flags::Flags;
use flags::Sub;

/// Parses, works, and says how it ended; see [`Exit`] for the codes.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Large blocks always go back to the kernel when they are freed. Otherwise glibc raises this
    // threshold by itself, and a daemon would keep what one report needed.
    #[cfg(target_env = "gnu")]
    // SAFETY: called before any other thread exists.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
    }
    let flags = match Flags::try_parse_from(args) {
        Ok(flags) => flags,
        Err(mut error) => {
            if error.kind() == clap::error::ErrorKind::UnknownArgument {
                // clap's tip is `-- ARG`, which would run ARG as a command.
                error.remove(clap::error::ContextKind::Suggested);
            }
            // clap writes help and version to stdout, and errors to stderr.
            // `--help | head` has seen enough: that is not our failure.
            let failed = error.print().is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe);
            return match (error.use_stderr(), failed) {
                (true, _) => Exit::Usage.into(),
                (false, true) => Exit::Output.into(),
                (false, false) => Exit::Success.into(),
            };
        }
    };
    let result = match flags.sub {
        Sub::Check(flags) => check::run(&flags),
        Sub::Live(flags) => live::run(&flags),
        Sub::Top(flags) => top::run(&flags),
        Sub::Stalls(flags) => stalls::run(&flags),
        #[cfg(feature = "serve")]
        Sub::Serve(flags) => serve::run(&flags),
        Sub::Record(flags) => recordings::record(&flags),
        Sub::Report(flags) => recordings::report(&flags),
        Sub::Diff(flags) => recordings::diff(&flags),
        Sub::PredictCheck(flags) => recordings::predict_check(&flags),
        Sub::Doctor => doctor::run(),
        Sub::Demo(flags) => demo::run(&flags),
        Sub::Calibrate(flags) => calibrate::run(&flags),
        Sub::Schema(flags) => output::print(&flags.text()),
        Sub::Pages(flags) => pages::run(&flags),
        Sub::Launch(flags) => Err(command::launch(&flags).into()),
        Sub::DemoServer(flags) => crate::demo::server(&flags.settings()).context(demo::FAILED),
        Sub::DemoClient(flags) => crate::demo::client(&flags.settings()).context(demo::FAILED),
    };
    match result {
        Ok(()) => Exit::Success.into(),
        Err(error) => {
            if let Some(text) = exit::message(&error) {
                output::complain(&text);
            }
            exit::code(&error).into()
        }
    }
}
