//! The command `should-i-async`. Everything is in the library; this is its one exit point.

fn main() -> std::process::ExitCode {
    should_i_async::cli::run(std::env::args_os())
}
