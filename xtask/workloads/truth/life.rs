//! Kinds about the lives of threads and processes: birth, death, fork, exec, and the other syscall
//! table.

use std::cell::RefCell;
use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::play::Play;
use crate::row::{Certainty, Counters, Deed, Row, Truth};
use crate::served::{self, Service};
use crate::worker::{self, Worker};
use crate::{json, probe, sys};

const TRUE_PROGRAM: &CStr = c"/bin/true";

/// Threads one after the other: each starts, blocks once in a pipe read, and dies before the next
/// starts. One at a time, because starting and dying threads contend for the address space, and
/// would block on it.
pub(crate) fn churn(args: &Args) -> Result<Play> {
    let threads = args.calls();
    let rows = Rc::new(RefCell::new(Vec::with_capacity(usize::try_from(threads)?)));
    let finished = Rc::clone(&rows);
    let action = move |_: &[Worker]| {
        let (mut reader, mut writer) = sys::pipe()?;
        let tid = Arc::new(AtomicI32::new(0));
        for _ in 0..threads {
            tid.store(0, Ordering::Release);
            let (shared, mut end) = (Arc::clone(&tid), reader);
            let thread = std::thread::Builder::new().name("churn".into()).stack_size(128 * 1024).spawn(move || {
                let outcome = worker::counted(|| {
                    let mut deed = Deed::new("pipe", "read");
                    shared.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
                    let begun = Instant::now();
                    deed.bytes = end.read(&mut [0u8; 1])? as u64;
                    deed.blocked_max = begun.elapsed();
                    (deed.calls, deed.blocks) = (1, 1);
                    Ok(deed)
                });
                (outcome, end)
            })?;
            let born = loop {
                let born = tid.load(Ordering::Acquire);
                if born != 0 && probe::asleep_in(std::process::id(), born, &[libc::SYS_read])? {
                    break born;
                }
                probe::pause();
            };
            writer.write_all(b"x")?;
            while !probe::is_gone(std::process::id(), born) {
                probe::pause();
            }
            let (outcome, end) = thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
            reader = end;
            let (deed, delta) = outcome?;
            rows.borrow_mut().push(Row { tid: born, deed, delta, parked: false });
        }
        Ok(())
    };
    Ok(Play {
        workers: Vec::new(),
        action: Box::new(action),
        more_rows: Box::new(move || finished.take()),
        extra: vec![("threads_started", threads.to_string())],
    })
}

/// Pipe reads; after half of them the worker forks a child, which is held until the worker is
/// asleep in wait4, and then executes /bin/true.
pub(crate) fn forkexec(args: &Args) -> Result<Play> {
    let calls = args.calls();
    let half = calls / 2;
    let Service { mut call, mut wake, numbers, .. } = served::pipe_reader()?;
    let (child_gate, mut child_opener) = sys::pipe()?;
    let child = Arc::new(AtomicI32::new(0));
    let forked = Arc::clone(&child);
    let body = move |cell: &worker::Cell| {
        let mut deed = Deed::new("pipe", "read");
        for turn in 1..=calls + 1 {
            let begun = Instant::now();
            if turn == half + 1 {
                let pid = fork_true(&child_gate)?;
                forked.store(pid, Ordering::Release);
                cell.begin(turn);
                sys::wait_for(pid)?;
            } else {
                cell.begin(turn);
                deed.bytes += call(cell)?;
                deed.blocked_max += begun.elapsed();
            }
        }
        (deed.calls, deed.blocks) = (calls, calls);
        deed.other_blocks = vec![("child", 1)];
        deed.other_calls = vec![("clone", 1), ("wait4", 1)];
        Ok(deed)
    };
    let worker = Worker::spawn("forkexec", body)?;
    let action = move |workers: &[Worker]| {
        let worker = &workers[0];
        worker.release()?;
        for turn in 1..=calls + 1 {
            if turn == half + 1 {
                worker.await_asleep(turn, &[libc::SYS_wait4])?;
                let pid = child.load(Ordering::Acquire);
                while !probe::asleep_in(pid.unsigned_abs(), pid, &[libc::SYS_read])? {
                    probe::pause();
                }
                child_opener.write_all(b"x")?;
            } else {
                worker.await_asleep(turn, &numbers)?;
                worker.hold_then(Duration::ZERO, || wake(worker.cell()))?;
            }
        }
        Ok(())
    };
    let child_truth =
        json::Object::new().text("exec", "/bin/true").raw("blocks_before_exec", json::counts([("pipe", 1)]));
    Ok(Play {
        workers: vec![worker],
        action: Box::new(action),
        more_rows: Box::new(Vec::new),
        extra: vec![("child", child_truth.end())],
    })
}

/// Forks a child that waits at `gate` and then executes /bin/true.
fn fork_true(gate: &File) -> Result<i32> {
    let argv = [TRUE_PROGRAM.as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null()];
    // SAFETY: both arrays end with a null and point to a static text; execve is async-signal-safe.
    let exec = || unsafe {
        libc::execve(TRUE_PROGRAM.as_ptr(), argv.as_ptr(), envp.as_ptr());
        libc::_exit(127)
    };
    sys::fork_gated(gate, exec)
}

/// Pipe reads; after half of them the worker, which is not the leader, executes this program anew.
/// The kernel kills the other threads and gives the worker the leader's tid; [`second_image`] goes
/// on with the reads.
pub(crate) fn exec_nonleader(args: &Args) -> Result<Play> {
    let calls = args.calls();
    let half = calls / 2;
    let Service { mut call, mut wake, numbers, .. } = served::pipe_reader()?;
    let worker = Worker::spawn("exec-nonleader", move |cell| {
        let start = Counters::now()?;
        for turn in 1..=half {
            cell.begin(turn);
            call(cell)?;
        }
        let at_exec = Counters::now()?.since(&start);
        let handed = format!("{}:{half}:{}:{}:{}", cell.tid(), start.nvcsw, start.nivcsw, at_exec.nvcsw);
        let error = Command::new("/proc/self/exe")
            .args(["exec-second", "--n", &(calls - half).to_string(), "--handed", &handed])
            .exec();
        bail!("exec of itself: {error}")
    })?;
    Ok(Play {
        workers: vec![worker],
        action: Box::new(move |workers| {
            workers[0].release()?;
            for turn in 1..=half {
                workers[0].await_asleep(turn, &numbers)?;
                wake(workers[0].cell())?;
            }
            // The exec ends this thread: only a failed one lets it see the worker done.
            while !workers[0].is_done() {
                std::thread::sleep(Duration::from_millis(1));
            }
            workers[0].row().map(drop)
        }),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

/// Starts a thread that ends each read of the leader once the leader is asleep in it. Returns when
/// the thread runs.
fn drive_leader(turn: Arc<AtomicU64>, calls: u64, mut writer: File) -> Result<()> {
    let driver_runs = Arc::new(AtomicBool::new(false));
    let (runs, tgid) = (Arc::clone(&driver_runs), std::process::id());
    let leader = i32::try_from(tgid)?;
    // The watchdog bounds this thread's waits, as it does all others.
    std::thread::Builder::new().name("driver".into()).spawn(move || -> Result<()> {
        runs.store(true, Ordering::Release);
        for expected in 1..=calls {
            while turn.load(Ordering::Acquire) != expected || !probe::asleep_in(tgid, leader, &[libc::SYS_read])? {
                probe::pause();
            }
            writer.write_all(b"x")?;
        }
        Ok(())
    })?;
    while !driver_runs.load(Ordering::Acquire) {
        std::hint::spin_loop();
    }
    Ok(())
}

/// What runs after exec-nonleader's exec, on the thread that is now the leader.
pub(crate) fn second_image(args: &Args) -> Result<Truth> {
    let handed = args.handed.as_deref().context("exec-second is started by exec-nonleader only")?;
    let fields: Vec<u64> = handed.split(':').map(str::parse).collect::<Result<_, _>>()?;
    let [old_tid, reads_before, nvcsw_start, nivcsw_start, nvcsw_to_exec] = fields[..] else {
        bail!("--handed takes five numbers");
    };
    let (mut reader, writer) = sys::pipe()?;
    let calls = args.calls();
    let turn = Arc::new(AtomicU64::new(0));
    let leader = i32::try_from(std::process::id())?;
    drive_leader(Arc::clone(&turn), calls, writer)?;
    let before = Counters::now()?;
    let mut deed = Deed::new("pipe", "read");
    for call in 1..=calls {
        let begun = Instant::now();
        turn.store(call, Ordering::Release);
        deed.bytes += reader.read(&mut [0u8; 1])? as u64;
        deed.blocked_max += begun.elapsed();
    }
    let after = Counters::now()?;
    let own = after.since(&before);
    deed.bytes += reads_before;
    deed.calls = reads_before + calls;
    deed.blocks = deed.calls;
    // The counters belong to the task and live on through the exec.
    let mut delta = own;
    delta.nvcsw = after.nvcsw - nvcsw_start;
    delta.nivcsw = after.nivcsw - nivcsw_start;
    let at_exec = delta.nvcsw - nvcsw_to_exec - own.nvcsw;
    deed.other_blocks = vec![("other", at_exec)];
    deed.certainty = if at_exec == 0 { Certainty::Exact } else { Certainty::Counted };
    let exec = json::Object::new()
        .raw("tid_before", old_tid)
        .raw("tid_after", leader)
        .raw("reads_before", reads_before)
        .raw("reads_after", calls)
        .raw("nvcsw_before", nvcsw_to_exec)
        .raw("nvcsw_in_exec_and_start", at_exec)
        .raw("nvcsw_after", own.nvcsw)
        .end();
    Ok(Truth {
        kind: "exec-nonleader".into(),
        main: own,
        rows: vec![Row { tid: leader, deed, delta, parked: false }],
        extra: vec![("exec", exec)],
    })
}
