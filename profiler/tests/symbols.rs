//! Stacks of programs as a distribution ships them: stripped, without frame pointers, in mount
//! namespaces of their own. Taken while they sleep, by the kernel's own account of where.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use should_i_async::process;
use should_i_async::quantity::Tgid;
use should_i_async::symbol::{Counters, Frame, Symbolizer, Unwinder, application_frame, sleeping_stack};

/// More than a stack of these programs holds.
const STACK: usize = 64 << 10;

/// A process that ends with its test.
struct Running(Child);

impl Running {
    fn start(program: &str, args: &[&str]) -> Option<Self> {
        let quiet = Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        quiet.ok().map(Self)
    }

    fn tgid(&self) -> Tgid {
        Tgid::from_raw(self.0.id())
    }

    /// The named stacks of its threads: of the first look that is `enough`, else of the last one.
    fn stacks(&self, enough: impl Fn(&[Vec<Frame>]) -> bool) -> (Vec<Vec<Frame>>, Counters) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let mut unwinder = Unwinder::new();
            let mut symbolizer = Symbolizer::new(unwinder.modules());
            let threads = process::threads(self.tgid()).into_iter();
            let asleep: Vec<_> = threads.filter_map(|tid| sleeping_stack(self.tgid(), tid, STACK)).collect();
            let stacks: Vec<_> = asleep.iter().map(|s| symbolizer.stack(&unwinder.unwind(&s.copy()))).collect();
            if enough(&stacks) || Instant::now() > until {
                return (stacks, unwinder.counters());
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a test cannot run, that is a failure in CI and a loud skip elsewhere.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}, and CI must run this test");
    // Not println!: libtest captures that, and a skip is to be seen.
    let _ = writeln!(std::io::stdout(), "SKIPPED ({why})");
}

fn calls(stack: &[Frame], name: &str) -> bool {
    stack.iter().any(|frame| frame.name.contains(name))
}

#[test]
fn a_stripped_server_is_followed_to_the_start_of_every_thread_and_named() {
    let socket = std::env::temp_dir().join(format!("symbols-{}.sock", std::process::id()));
    let args = ["--port", "0", "--save", "", "--unixsocket", socket.to_str().unwrap()];
    let Some(server) = Running::start("redis-server", &args) else {
        return skip("redis-server is not installed");
    };
    // The event loop, and its helpers for slow work.
    let ready = |stacks: &[Vec<Frame>]| {
        let helpers = stacks.iter().filter(|stack| calls(stack, "bioProcessBackgroundJobs")).count();
        helpers >= 2 && stacks.iter().any(|stack| calls(stack, "epoll_wait"))
    };
    let (stacks, counters) = server.stacks(ready);
    assert!(ready(&stacks), "{stacks:#?}");
    assert_eq!((counters.truncated, counters.no_module), (0, 0));
    let event_loop = stacks.iter().find(|stack| calls(stack, "epoll_wait")).unwrap();
    // The function that waits is local and its symbol is stripped, so it has the name of an
    // exported one before it.
    let innermost = application_frame(event_loop).unwrap();
    assert!(innermost.named && innermost.name.starts_with("ae"), "{event_loop:#?}");
    assert!(calls(event_loop, "aeMain") && calls(event_loop, "main"));
    let _ = std::fs::remove_file(socket);
}

#[test]
fn a_program_that_only_its_own_mount_namespace_has_is_named() {
    if !rustix::process::geteuid().is_root() {
        return skip("needs root");
    }
    // Ends when its input does: the shell is replaced.
    let script = "mount -t tmpfs none /mnt && cp /bin/cat /mnt/inside && exec /mnt/inside";
    let Some(cat) = Running::start("unshare", &["--mount", "sh", "-c", script]) else {
        return skip("unshare is not installed");
    };
    let ready = |stacks: &[Vec<Frame>]| {
        stacks.first().and_then(|stack| application_frame(stack)).is_some_and(|frame| frame.module == "inside")
    };
    let (stacks, counters) = cat.stacks(ready);
    assert!(ready(&stacks), "{stacks:#?}");
    assert!(calls(&stacks[0], "read") && calls(&stacks[0], "__libc_start_"), "{stacks:#?}");
    assert_eq!(counters.truncated, 0);
    assert!(!std::path::Path::new("/mnt/inside").exists());
}
