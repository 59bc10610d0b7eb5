//! The child: an interpreter that runs our server, with no more rights than it needs, and how it is
//! talked to.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt as _, process::CommandExt as _},
    },
    process::{ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, poll};

use super::{
    super::rig::{
        clock,
        peers::{self, Peers},
    },
    confine::{FIRST, confine, execute, own_network},
    error::RuntimeError,
    program::{Program, User},
    run::{IDLE, Run, WARM_UP},
};
use crate::machine::{Language, Way};
use crate::process;
use crate::quantity::{Nanos, Tgid, Tid};
use crate::text::{clean, fit::cut_chars};

/// Nobody: what services that own nothing run as.
const NOBODY: u32 = 65_534;
/// It may be silent for so long.
const PATIENCE: Duration = Duration::from_secs(8);
/// Of what it says on stderr, so much is shown.
const MOST_SAID: usize = 300;

/// After this time it is asked first whether it waits by now, and then after twice as long each
/// time: a look takes its CPU.
const LOOK: Duration = Duration::from_micros(30);
const MOST_LOOKS: u32 = 8;

/// The script that CPython runs.
const CPYTHON: &str = include_str!("cpython.py");
/// The class that a JVM runs, made of `jvm/Child.java` beside it: most machines have no compiler.
const JVM: &[u8] = include_bytes!("jvm/child.jar");
/// Little memory, and nothing written anywhere.
/// All compiler threads from the start, so that none ends and leaves its CPU to the process.
const JVM_FLAGS: [&str; 8] = [
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:-UseDynamicNumberOfCompilerThreads",
    "-Xmx64m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-XX:CompressedClassSpaceSize=32m",
    "-XX:ReservedCodeCacheSize=48m",
    "-XX:ErrorFile=/dev/null",
];

/// A form that the child offers.
struct Form {
    name: String,
    /// Where it is reached, if it is not given its connections.
    port: Option<u16>,
}

impl Form {
    /// Reads `NAME` or `NAME:PORT`.
    fn read(text: &str) -> Self {
        let (name, port) = text.split_once(':').unwrap_or((text, ""));
        Self { name: name.to_owned(), port: port.parse().ok() }
    }
}

/// A child that answers.
pub(super) struct Child {
    process: std::process::Child,
    orders: Option<ChildStdin>,
    answers: ChildStdout,
    /// This end of the connections that the child was given.
    given: Rc<[TcpStream]>,
    /// The other end. It stays open, so that a child that ends is noticed by its last words and not
    /// by a reset connection.
    _far: Vec<TcpStream>,
    version: String,
    forms: Vec<Form>,
    language: Language,
    /// Threads of its just-in-time compiler: what they do is over in a server that has run for a
    /// while.
    compilers: Vec<Tid>,
    deadline: Instant,
    is_over: bool,
}

impl Child {
    /// Starts it with so many connections. It ends after `limit`, whatever it does.
    pub(super) fn start(program: &Program, connections: usize, limit: Duration) -> Result<Self, RuntimeError> {
        own_network(program.place.as_ref());
        let (peers, library) = match program.language {
            Language::Jvm => (Peers::connect(0), Some(library()?)),
            _ => (Peers::connect(connections), None),
        };
        let peers = peers.map_err(RuntimeError::system("connections on loopback"))?;
        let mut sockets = peers.server_fds();
        sockets.extend(library.as_ref().map(AsRawFd::as_raw_fd));
        if sockets.iter().any(|&socket| socket >= FIRST) {
            return Err(RuntimeError::Said("too many descriptors are open".into()));
        }
        let outranked = clock::outrank();
        let arguments = arguments(program, connections)?;
        let user = program.user.unwrap_or(User { uid: NOBODY, gid: NOBODY });
        let place = program.place.as_ref().map(|place| (place.mounts.as_raw_fd(), place.root.as_raw_fd()));
        let exe = program.file.as_raw_fd();
        // The executable is the one that is open, whatever has its name by now.
        let mut command = Command::new("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let become_it = move || {
            confine(&sockets, user, place, outranked)?;
            execute(exe, &arguments)
        };
        // SAFETY: between fork and exec it makes system calls alone, and allocates nothing but the
        // few words of the arguments' addresses.
        unsafe { command.pre_exec(become_it) };
        let mut process = command.spawn().map_err(RuntimeError::system("starting the interpreter"))?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(RuntimeError::Said("no pipes".into()));
        };
        let mut child = Self {
            process,
            orders: Some(orders),
            answers,
            given: peers.client.into(),
            _far: peers.server,
            version: String::new(),
            forms: Vec::new(),
            language: program.language,
            compilers: Vec::new(),
            deadline: Instant::now() + limit,
            is_over: false,
        };
        let hello = child.line()?;
        child.compilers = child.compiler_threads();
        let mut words = hello.split_whitespace().map(str::to_owned);
        child.version = words.next().unwrap_or_default();
        child.forms = words.map(|form| Form::read(&form)).collect();
        let plain = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_digit())
                && text.len() < 40
                && text.chars().all(|c| c.is_ascii_graphic())
        };
        if !plain(&child.version) {
            return Err(RuntimeError::Said(format!("it began with {hello:?}")));
        }
        Ok(child)
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The ways that it offers.
    pub(super) fn ways(&self) -> Vec<Way> {
        Way::in_language(self.language).filter(|way| self.forms.iter().any(|form| form.name == way.name())).collect()
    }

    /// Its CPU so far, ns.
    pub(super) fn cpu(&self) -> Result<u64, RuntimeError> {
        let cpu = process::cpu_time(self.tgid());
        cpu.map(Nanos::as_nanos).ok_or_else(|| RuntimeError::Ended(String::new()))
    }

    fn tgid(&self) -> Tgid {
        Tgid::from_raw(self.process.id())
    }

    fn compiler_threads(&self) -> Vec<Tid> {
        if self.language != Language::Jvm {
            return Vec::new();
        }
        let tgid = self.tgid();
        let is_compiler = |&tid: &Tid| process::comm(tgid, tid).is_some_and(|name| is_compiler(&name));
        process::threads(tgid).into_iter().filter(is_compiler).collect()
    }

    /// Its CPU so far without that of its compiler, ns. None of its threads runs now: they share
    /// this thread's CPU.
    fn cpu_of_program(&self) -> Result<u64, RuntimeError> {
        let tgid = self.tgid();
        let of = |&tid: &Tid| process::counters(tgid, tid).and_then(|counters| counters.on_cpu);
        let compiling: Nanos = self.compilers.iter().filter_map(of).sum();
        Ok(self.cpu()?.saturating_sub(compiling.as_nanos()))
    }

    /// Sleeps until the child has answered, and sleeps too: its clock stands still. It has this
    /// thread's CPU while this thread sleeps.
    fn until_it_waits(&self, clients: &[TcpStream]) -> Result<(), RuntimeError> {
        let (mut cpu, mut look) = (self.cpu()?, LOOK);
        for _ in 0..MOST_LOOKS {
            std::thread::sleep(look);
            look *= 2;
            let now = self.cpu()?;
            if now == std::mem::replace(&mut cpu, now) && peers::have_replied(clients) {
                break;
            }
        }
        Ok(())
    }

    /// A form from its start to its end; CPU for a message, ns.
    pub(super) fn run(&mut self, run: &Run<'_>) -> Result<f64, RuntimeError> {
        let Run { form, connections, rounds, batches, timed, asleep } = *run;
        let idle = if timed { IDLE } else { 0 };
        let quiet = u8::from(asleep);
        let order = format!("{form} {connections} {rounds} {batches} {idle} {quiet}\n");
        let sent = self.orders.as_mut().map_or(Ok(()), |pipe| pipe.write_all(order.as_bytes()));
        sent.map_err(|_| self.ended())?;
        let port = self.forms.iter().find(|known| known.name == form).and_then(|form| form.port);
        let clients = port.map_or_else(|| Ok(Rc::clone(&self.given)), |port| connect(port, connections));
        let clients = clients.map_err(RuntimeError::system("connecting to the interpreter"))?;
        let clients = clients.get(..connections as usize).unwrap_or_default();
        self.expect(b'r')?;
        let warm = (batches / WARM_UP).max(2).min(batches - 2);
        // With the last batch the form comes to its end, which is no part of its price.
        let counted = warm..batches - 1;
        let (mut begun, mut ended) = (0, 0);
        for batch in 0..batches {
            if batch == counted.start {
                begun = self.cpu_of_program()?;
            }
            if batch == counted.end {
                ended = self.cpu_of_program()?;
            }
            peers::fill(clients).map_err(RuntimeError::system("sending to the interpreter"))?;
            if asleep {
                self.until_it_waits(clients)?;
            } else {
                self.expect(b'.')?;
            }
            peers::drain(clients).map_err(RuntimeError::system("its replies"))?;
        }
        self.expect(b'e')?;
        Ok(ended.saturating_sub(begun) as f64 / f64::from(counted.len() as u32 * connections))
    }

    /// Ends it, and everything that it started in its own group.
    pub(super) fn end(&mut self) {
        self.orders = None;
        // Once it is reaped, its number may be another's.
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let pid = i32::try_from(self.process.id()).unwrap_or(i32::MAX);
        // SAFETY: no memory is touched. The child leads a session of its own and is not reaped yet,
        // so that the group is its own.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn expect(&mut self, want: u8) -> Result<(), RuntimeError> {
        let got = self.byte()?;
        if got == want { Ok(()) } else { Err(RuntimeError::Said(format!("{:?} for {:?}", got as char, want as char))) }
    }

    fn line(&mut self) -> Result<String, RuntimeError> {
        let mut line = Vec::new();
        while line.len() < 400 {
            match self.byte()? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
                byte => line.push(byte),
            }
        }
        Err(RuntimeError::Said("a line without an end".into()))
    }

    fn byte(&mut self) -> Result<u8, RuntimeError> {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(PATIENCE);
        let timeout = rustix::time::Timespec { tv_sec: left.as_secs() as i64, tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.answers, PollFlags::IN)];
        let silent = if left < PATIENCE {
            RuntimeError::Said("it was not done in time".into())
        } else {
            RuntimeError::Silent { waited: left.into() }
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(_) => return Err(silent),
            Ok(_) => {}
        }
        let mut byte = [0];
        match self.answers.read(&mut byte) {
            Ok(1) => Ok(byte[0]),
            _ => Err(self.ended()),
        }
    }

    /// With the last line that it said on stderr.
    fn ended(&mut self) -> RuntimeError {
        self.end();
        let mut said = Vec::new();
        if let Some(stderr) = self.process.stderr.take() {
            // Whoever got away from its group may hold the other end open.
            let _ = rustix::io::ioctl_fionbio(&stderr, true);
            let _ = stderr.take(64 * 1024).read_to_end(&mut said);
        }
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let last = cut_chars(&clean::line(last), MOST_SAID);
        RuntimeError::Ended(if last.is_empty() { String::new() } else { format!(" ({last})") })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// The names of HotSpot's (from JDK 9 on), Graal's and OpenJ9's, as much of them as the kernel
/// keeps.
fn is_compiler(name: &str) -> bool {
    ["C1 Compiler", "C2 Compiler", "JVMCI", "JIT Compilation"].iter().any(|own| name.starts_with(own))
}

/// The class that a JVM runs, as a file without a name.
fn library() -> Result<OwnedFd, RuntimeError> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let made = rustix::fs::memfd_create("child.jar", flags).map_err(io::Error::from).and_then(|fd| {
        let mut file = File::from(fd);
        file.write_all(JVM)?;
        Ok(OwnedFd::from(file))
    });
    made.map_err(RuntimeError::system("a file in memory"))
}

fn connect(port: u16, connections: u32) -> io::Result<Rc<[TcpStream]>> {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    (0..connections).map(|_| peers::client(&address)).collect()
}

/// The words of its command line.
fn arguments(program: &Program, connections: usize) -> Result<Vec<CString>, RuntimeError> {
    let (first, library) = (FIRST.to_string(), format!("/proc/self/fd/{FIRST}"));
    let count = connections.to_string();
    let words: Vec<&str> = match program.language {
        Language::Jvm => JVM_FLAGS.into_iter().chain(["-cp", &library, "Child"]).collect(),
        _ => vec!["-I", "-B", "-c", CPYTHON, &first, &count],
    };
    let name = program.path.as_os_str().as_bytes();
    let all = [name].into_iter().chain(words.into_iter().map(str::as_bytes)).map(CString::new);
    all.collect::<Result<_, _>>().map_err(|_| RuntimeError::Said("a name with a zero byte".into()))
}

#[cfg(test)]
mod tests {
    use super::is_compiler;

    #[test]
    fn compiler_threads_are_known_by_what_the_kernel_keeps_of_their_names() {
        for name in ["C1 CompilerThre", "C2 CompilerThre", "JVMCI-native Co", "JIT Compilation"] {
            assert!(is_compiler(name), "{name}");
        }
        for name in ["java", "VM Thread", "ForkJoinPool-1-", "GC Thread#0"] {
            assert!(!is_compiler(name), "{name}");
        }
    }
}
