//! Kinds whose workers need no driver: every wait of theirs ends by itself.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::thread::{ClockId, NanosleepRelativeResult, Timespec, clock_nanosleep_relative};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Certainty, Counters, Deed, Delta};
use crate::worker::Worker;
use crate::{disk, limited, sys};

/// What O_DIRECT wants length, offset and address to be a multiple of, on any disk.
const SECTOR: usize = 4096;

/// A pipe's default capacity: what can be written before anyone reads.
const PIPE_BYTES: u64 = 65536;

/// A buffer at an address that O_DIRECT takes.
#[repr(align(4096))]
struct Page([u8; SECTOR]);

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let calls = args.calls();
    let mut workers = Vec::new();
    match args.kind {
        Kind::Nonblock => workers = nonblock(calls)?,
        Kind::Pingpong => workers = pingpong(calls, args.ms, Duration::from_micros(args.us.unwrap_or(0)))?,
        _ => {
            for index in 0..args.workers() {
                workers.push(match args.kind {
                    Kind::Sleep => sleeper(calls, Duration::from_micros(args.us.unwrap_or(1000)))?,
                    Kind::Vfork => parent(calls, Duration::from_micros(args.us.unwrap_or(1000)))?,
                    Kind::Burn => burner(Duration::from_millis(args.ms.unwrap_or(100)))?,
                    Kind::FileDirect => direct_reader(&args.dir, index, calls)?,
                    Kind::Fsync | Kind::Msync | Kind::Sendfile | Kind::Splice | Kind::IoSubmit | Kind::MajorFault => {
                        disk::worker(args.kind, &args.dir, index, calls)?
                    }
                    other => limited::worker(other, calls, Duration::from_micros(args.us.unwrap_or(1000)))?,
                });
            }
        }
    }
    Ok(Play {
        workers,
        action: Box::new(|workers| workers.iter().try_for_each(Worker::release)),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

fn sleeper(calls: u64, each: Duration) -> Result<Worker> {
    let request = Timespec { tv_sec: i64::try_from(each.as_secs())?, tv_nsec: each.subsec_nanos().into() };
    Worker::spawn("sleep", move |_| {
        workloads::drop_timer_slack();
        let mut deed = Deed::new("sleep", "clock_nanosleep");
        for _ in 0..calls {
            let begun = Instant::now();
            let slept = clock_nanosleep_relative(ClockId::Monotonic, &request);
            ensure!(matches!(slept, NanosleepRelativeResult::Ok), "a sleep was cut short");
            deed.blocked_max += begun.elapsed();
            deed.blocked_min += each;
        }
        deed.calls = calls;
        deed.blocks = calls;
        deed.other_calls = vec![("prctl", 1)];
        Ok(deed)
    })
}

/// Stack of a child, which only sleeps.
const CHILD_STACK: usize = 64 << 10;

/// Waits in its kernel, uninterruptibly, until each child has ended.
fn parent(calls: u64, each: Duration) -> Result<Worker> {
    Worker::spawn("vfork", move |_| {
        let mut stack = vec![0u128; CHILD_STACK / size_of::<u128>()];
        let mut request = libc::timespec { tv_sec: each.as_secs().cast_signed(), tv_nsec: each.subsec_nanos().into() };
        let mut deed = Deed::new("other", "clone");
        for _ in 0..calls {
            let before = Counters::now()?;
            let begun = Instant::now();
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            let top = stack.as_mut_ptr_range().end;
            // SAFETY: the child has a stack of its own, and this thread waits until it has ended.
            // It touches nothing but that stack and the time that it sleeps for.
            let child = unsafe { libc::clone(child, top.cast(), flags, (&raw mut request).cast()) };
            deed.blocked_max += begun.elapsed();
            let used = Counters::now()?.since(&before);
            ensure!(child > 0, "clone: {}", std::io::Error::last_os_error());
            // SAFETY: a child of this thread that nobody else waits for.
            let waited = unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            ensure!(waited == child, "waitpid: {}", std::io::Error::last_os_error());
            deed.blocked_min += slept_at_least(each, &used);
        }
        deed.calls = calls;
        deed.other_calls = vec![("wait4", calls), ("getrusage", 2 * calls), ("clock_gettime", 2 * calls)];
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })
}

/// What a parent slept for, at the least. Its child may be asleep on another CPU before the parent
/// is: earlier by no more than the CPU time that the parent still needed, unless it had to wait for
/// a CPU as well.
fn slept_at_least(each: Duration, used: &Delta) -> Duration {
    if used.nivcsw == 0 { each.saturating_sub(used.cpu) } else { Duration::ZERO }
}

extern "C" fn child(request: *mut libc::c_void) -> libc::c_int {
    // SAFETY: what its parent gave it, which lives until it has ended.
    unsafe { libc::nanosleep(request.cast(), std::ptr::null_mut()) }
}

fn burner(how_long: Duration) -> Result<Worker> {
    Worker::spawn("burn", move |_| {
        let begun = Instant::now();
        let mut state = 1u64;
        while begun.elapsed() < how_long {
            // The clock is read through the vDSO, and rarely: this loop makes no syscall.
            for _ in 0..100_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            }
            std::hint::black_box(state);
        }
        Ok(Deed::new("none", "none"))
    })
}

fn direct_reader(dir: &Path, index: usize, calls: u64) -> Result<Worker> {
    let path = dir.join(format!("truth-{}-{index}", std::process::id()));
    let sectors = calls.min(4096);
    let file = make_direct_file(&path, sectors).with_context(|| format!("making {}", path.display()));
    // The open descriptor keeps the file; its name would outlive a killed process.
    let _ = std::fs::remove_file(&path);
    let file = file?;
    let mut page = Box::new(Page([0; SECTOR]));
    Worker::spawn("file-direct", move |_| {
        let mut deed = Deed::new("file", "pread64");
        for call in 0..calls {
            let begun = Instant::now();
            let got = file.read_at(&mut page.0, call % sectors * SECTOR as u64).context("reading with O_DIRECT")?;
            ensure!(got == SECTOR, "a read of {got} bytes");
            deed.blocked_max += begun.elapsed();
            deed.bytes += SECTOR as u64;
        }
        // Closing would free the blocks of the file, which has no name any more, and could wait for
        // the disk.
        std::mem::forget(file);
        deed.calls = calls;
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })
}

fn make_direct_file(path: &Path, sectors: u64) -> Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for _ in 0..sectors {
        file.write_all(&[0x5a; SECTOR])?;
    }
    file.sync_all()?;
    Ok(OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)?)
}

/// Three workers: a pipe with enough in it, /dev/zero, and an empty pipe that answers EAGAIN.
fn nonblock(calls: u64) -> Result<Vec<Worker>> {
    ensure!(calls <= PIPE_BYTES, "nonblock reads what a pipe holds: --n is at most {PIPE_BYTES}");
    let (full, mut filler) = sys::pipe()?;
    filler.write_all(&vec![b'x'; usize::try_from(calls)?])?;
    let (empty, writer) = sys::pipe()?;
    rustix::io::ioctl_fionbio(&empty, true)?;
    let read = |class: &'static str, mut file: File, keep: Option<File>| {
        Worker::spawn("nonblock", move |_| {
            // Without a writer the empty pipe would read as ended.
            let _keep = keep;
            let mut deed = Deed::new(class, "read");
            for _ in 0..calls {
                match file.read(&mut [0u8; 1]) {
                    Ok(got) => deed.bytes += got as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => deed.errors += 1,
                    Err(error) => return Err(error).context("a read that should not block"),
                }
            }
            deed.calls = calls;
            Ok(deed)
        })
    };
    Ok(vec![
        read("pipe", full, Some(filler))?,
        read("chardev", File::open("/dev/zero")?, None)?,
        read("pipe", empty, Some(writer))?,
    ])
}

/// Two workers and two pipes: `rounds`, or as many as fit into `ms`. Whether a read blocks is a
/// race, so the truth is what the kernel counted. Both on one CPU, which makes every hand-over a
/// switch and not an interrupt to another CPU: several hundred thousand switches a second, fewer
/// where each computes for `think` after each read.
fn pingpong(rounds: u64, ms: Option<u64>, think: Duration) -> Result<Vec<Worker>> {
    let (mut ping_reader, mut ping_writer) = sys::pipe()?;
    let (mut pong_reader, mut pong_writer) = sys::pipe()?;
    let finish = |mut deed: Deed, rounds: u64| -> Deed {
        deed.calls = rounds;
        deed.bytes = rounds;
        deed.other_calls = vec![("write", rounds)];
        deed.certainty = Certainty::Counted;
        deed
    };
    // They inherit it: a thread that moves itself to another CPU blocks for that.
    let everywhere = sys::stay_on_one_cpu()?;
    let ping = Worker::spawn("ping", move |_| {
        let limit = ms.map(Duration::from_millis);
        let (begun, mut done) = (Instant::now(), 0);
        let mut byte = [1u8];
        while byte[0] == 1 {
            done += 1;
            byte[0] = u8::from(limit.map_or(done < rounds, |limit| begun.elapsed() < limit));
            ping_writer.write_all(&byte)?;
            pong_reader.read_exact(&mut byte)?;
            workloads::spin(think);
        }
        Ok(finish(Deed::new("pipe", "read"), done))
    })?;
    let pong = Worker::spawn("pong", move |_| {
        let (mut byte, mut done) = ([1u8], 0);
        while byte[0] == 1 {
            ping_reader.read_exact(&mut byte)?;
            workloads::spin(think);
            pong_writer.write_all(&byte)?;
            done += 1;
        }
        Ok(finish(Deed::new("pipe", "read"), done))
    })?;
    rustix::thread::sched_setaffinity(None, &everywhere).context("sched_setaffinity")?;
    Ok(vec![ping, pong])
}
