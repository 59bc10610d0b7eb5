//! Threads whose part in their program is known: who fights over a lock, who hands work over, who
//! serves. How often they wait is theirs to race for.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::args::{Args, Kind};
use crate::play::Play;
use crate::row::{Certainty, Deed};
use crate::sys;
use crate::worker::Worker;

/// Computing under a lock, or for a job.
const WORK: Duration = Duration::from_micros(20);
/// Workers of a pool.
const POOL: usize = 4;
/// What a thread computes that is started anew for each round.
const ROUND: Duration = Duration::from_millis(5);

/// A step of a worker, again and again until the time is over; false: it has ended.
type Step = Box<dyn FnMut() -> Result<bool> + Send>;

pub(crate) fn set_up(args: &Args) -> Result<Play> {
    let long = Duration::from_millis(args.ms.unwrap_or(1500));
    let steps: Vec<(&str, Step)> = match args.kind {
        Kind::RoleMutex => same("fights", 8, fighter(&Arc::new(Mutex::new(0)))),
        Kind::RolePthreadMutex => same("fights", 8, pthread_fighter()),
        Kind::RoleParkingLot => same("fights", 8, parking_lot_fighter()),
        Kind::RoleJoin => vec![joins(long, computing)],
        Kind::RoleJoinIo => joined_servers(long)?,
        Kind::RoleRounds => vec![joins(ROUND, computing)],
        Kind::RoleCondvar => pool(false)?,
        Kind::RoleReply => pool(true)?,
        Kind::RoleSemaphore => semaphore_pool()?,
        Kind::RoleChannel => channel()?,
        Kind::RoleLoop => event_loop(long)?,
        Kind::RoleServe => servers(long)?,
        Kind::RoleBrief => brief_servers(long)?,
        other => bail!("{other:?} has no roles"),
    };
    let workers = steps.into_iter().map(|(name, step)| run(name, step, long)).collect::<Result<_>>()?;
    Ok(Play {
        workers,
        action: Box::new(|workers| workers.iter().try_for_each(Worker::release)),
        more_rows: Box::new(Vec::new),
        extra: Vec::new(),
    })
}

fn run(name: &str, step: Step, long: Duration) -> Result<Worker> {
    Worker::spawn(name, move |_| {
        let mut deed = Deed::new("futex", "futex");
        repeat(step, long)?;
        deed.certainty = Certainty::Counted;
        Ok(deed)
    })
}

fn repeat(mut step: Step, long: Duration) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < long && step()? {}
    Ok(())
}

fn same(name: &'static str, n: usize, step: impl Fn() -> Step) -> Vec<(&'static str, Step)> {
    (0..n).map(|_| (name, step())).collect()
}

/// Works under std's mutex most of the time.
fn fighter(lock: &Arc<Mutex<u64>>) -> impl Fn() -> Step {
    let lock = Arc::clone(lock);
    move || {
        let lock = Arc::clone(&lock);
        Box::new(move || {
            let mut held = lock.lock().map_err(|_| anyhow::anyhow!("the lock is poisoned"))?;
            *held += 1;
            workloads::spin(WORK);
            Ok(true)
        })
    }
}

/// A mutex of the C library, at an address that stays.
struct Pthread(Box<std::cell::UnsafeCell<libc::pthread_mutex_t>>);
// SAFETY: it is only used by the C library's calls, which are made for several threads.
unsafe impl Send for Pthread {}
// SAFETY: as above.
unsafe impl Sync for Pthread {}

fn pthread_fighter() -> impl Fn() -> Step {
    let lock = Arc::new(Pthread(Box::new(std::cell::UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))));
    move || {
        let lock = Arc::clone(&lock);
        Box::new(move || {
            // SAFETY: an initialised mutex that lives as long as any step.
            unsafe { libc::pthread_mutex_lock(lock.0.get()) };
            workloads::spin(WORK);
            // SAFETY: as above, and this thread holds it.
            unsafe { libc::pthread_mutex_unlock(lock.0.get()) };
            Ok(true)
        })
    }
}

fn parking_lot_fighter() -> impl Fn() -> Step {
    let lock = Arc::new(parking_lot::Mutex::new(0u64));
    move || {
        let lock = Arc::clone(&lock);
        Box::new(move || {
            let mut held = lock.lock();
            *held += 1;
            workloads::spin(WORK);
            Ok(true)
        })
    }
}

/// A thread that starts others, which do their steps for some time, and waits for their ends.
fn joins(
    long: Duration,
    mut others: impl FnMut() -> Vec<(&'static str, Step)> + Send + 'static,
) -> (&'static str, Step) {
    let step = move || {
        let start =
            |(name, step): (&str, Step)| thread::Builder::new().name(name.to_owned()).spawn(move || repeat(step, long));
        let started = others().into_iter().map(start).collect::<Result<Vec<_>, _>>()?;
        for other in started {
            other.join().map_err(|_| anyhow::anyhow!("a thread has panicked"))??;
        }
        Ok(true)
    };
    ("joins", Box::new(step))
}

fn computing() -> Vec<(&'static str, Step)> {
    same("computes", POOL, || {
        Box::new(|| {
            workloads::spin(WORK);
            Ok(true)
        })
    })
}

/// As [`servers`], whose threads on the side that serves are started and waited for by another.
fn joined_servers(long: Duration) -> Result<Vec<(&'static str, Step)>> {
    let (mut serving, mut steps): (Vec<_>, Vec<_>) =
        servers(long)?.into_iter().partition(|(name, _)| *name == "serves");
    steps.push(joins(long, move || std::mem::take(&mut serving)));
    Ok(steps)
}

/// What a job is: a read that never blocks.
fn job(zero: &mut File) -> Result<()> {
    zero.read_exact(&mut [0u8; 512])?;
    workloads::spin(WORK);
    Ok(())
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<(u64, u64)>,
    submitted: Condvar,
    done: Condvar,
}

/// One thread that submits, and workers that read; with `reply` it waits until its job is done.
fn pool(reply: bool) -> Result<Vec<(&'static str, Step)>> {
    const LONG: Duration = Duration::from_millis(20);
    let queue = Arc::new(Queue::default());
    let mut steps: Vec<(&str, Step)> = Vec::new();
    let own = Arc::clone(&queue);
    let poisoned = || anyhow::anyhow!("the queue is poisoned");
    steps.push((
        "submits",
        Box::new(move || {
            let mut jobs = own.jobs.lock().map_err(|_| poisoned())?;
            jobs.0 += 1;
            own.submitted.notify_one();
            if reply {
                let done = jobs.1;
                let _ = own.done.wait_timeout_while(jobs, LONG, |jobs| jobs.1 == done);
            } else {
                drop(jobs);
                workloads::spin(3 * WORK);
            }
            Ok(true)
        }),
    ));
    for _ in 0..POOL {
        let queue = Arc::clone(&queue);
        let mut zero = File::open("/dev/zero")?;
        steps.push((
            "works",
            Box::new(move || {
                let jobs = queue.jobs.lock().map_err(|_| poisoned())?;
                let waited = queue.submitted.wait_timeout_while(jobs, LONG, |jobs| jobs.0 == 0);
                let (mut jobs, _) = waited.map_err(|_| poisoned())?;
                if jobs.0 > 0 {
                    jobs.0 -= 1;
                    drop(jobs);
                    job(&mut zero)?;
                    queue.jobs.lock().map_err(|_| poisoned())?.1 += 1;
                    queue.done.notify_one();
                }
                Ok(true)
            }),
        ));
    }
    Ok(steps)
}

/// As [`pool`] without replies, by a semaphore of the C library.
fn semaphore_pool() -> Result<Vec<(&'static str, Step)>> {
    struct Semaphore(Box<std::cell::UnsafeCell<libc::sem_t>>);
    // SAFETY: it is only used by the C library's calls, which are made for several threads.
    unsafe impl Send for Semaphore {}
    // SAFETY: as above.
    unsafe impl Sync for Semaphore {}
    // SAFETY: all zeroes is a value of it; sem_init makes it a semaphore.
    let semaphore = Arc::new(Semaphore(Box::new(std::cell::UnsafeCell::new(unsafe { std::mem::zeroed() }))));
    // SAFETY: it lives as long as any step.
    unsafe { libc::sem_init(semaphore.0.get(), 0, 0) };
    let own = Arc::clone(&semaphore);
    let mut steps: Vec<(&str, Step)> = vec![(
        "submits",
        Box::new(move || {
            // SAFETY: initialised above.
            unsafe { libc::sem_post(own.0.get()) };
            workloads::spin(3 * WORK);
            Ok(true)
        }),
    )];
    for _ in 0..POOL {
        let semaphore = Arc::clone(&semaphore);
        let mut zero = File::open("/dev/zero")?;
        steps.push((
            "works",
            Box::new(move || {
                let until = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
                let until = libc::timespec { tv_sec: until.tv_sec + 1, tv_nsec: until.tv_nsec };
                // SAFETY: initialised above, and a time.
                if unsafe { libc::sem_timedwait(semaphore.0.get(), &raw const until) } == 0 {
                    job(&mut zero)?;
                }
                Ok(true)
            }),
        ));
    }
    Ok(steps)
}

/// Two threads and two channels: one asks, the other reads and answers.
fn channel() -> Result<Vec<(&'static str, Step)>> {
    const LONG: Duration = Duration::from_millis(20);
    let (ask, asked) = mpsc::channel::<()>();
    let (answer, answered) = mpsc::channel::<()>();
    let mut zero = File::open("/dev/zero")?;
    Ok(vec![
        (
            "submits",
            Box::new(move || {
                // The other one's time may be over a moment earlier.
                let is_there = ask.send(()).is_ok();
                if is_there {
                    let _ = answered.recv_timeout(LONG);
                }
                Ok(is_there)
            }),
        ),
        (
            "works",
            Box::new(move || {
                if asked.recv_timeout(LONG).is_ok() {
                    job(&mut zero)?;
                    let _ = answer.send(());
                }
                Ok(true)
            }),
        ),
    ])
}

/// A loop that waits for four connections, whose other ends are in other processes, and answers;
/// beside it helpers, which wait for a third more often than the loop waits.
fn event_loop(long: Duration) -> Result<Vec<(&'static str, Step)>> {
    use rustix::event::epoll;
    let (gate, mut opener) = sys::pipe()?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for n in 0..4 {
        let (near, far) = sys::tcp()?;
        // Forked before any thread is there.
        sys::fork_gated(&gate, || crate::prefork::ask(&near, Duration::from_millis(1)))?;
        epoll::add(&poll, &far, epoll::EventData::new_u64(n), epoll::EventFlags::IN)?;
        connections.push(far);
    }
    let mut opened = false;
    let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: (long / 10).subsec_nanos().into() };
    let serve = move || {
        if !std::mem::replace(&mut opened, true) {
            opener.write_all(b"xxxx")?;
        }
        let mut events = Vec::with_capacity(4);
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&limit))?;
        for event in &events {
            let mut message = [0u8; 64];
            let mut connection = &connections[usize::try_from(event.data.u64())?];
            let got = connection.read(&mut message)?;
            workloads::spin(3 * WORK);
            connection.write_all(&message[..got])?;
        }
        Ok(true)
    };
    let mut steps: Vec<(&str, Step)> = vec![("serves", Box::new(serve))];
    let mut helped = Vec::new();
    for _ in 0..2 {
        let (help, asked) = mpsc::channel::<()>();
        helped.push(help);
        steps.push(("helps", Box::new(move || Ok(asked.recv().is_ok()))));
    }
    steps.push((
        "asks",
        Box::new(move || {
            thread::sleep(15 * WORK);
            Ok(helped.iter().all(|help| help.send(()).is_ok()))
        }),
    ));
    Ok(steps)
}

/// Threads that serve a connection each, and work under one lock: as those of an interpreter do.
fn servers(long: Duration) -> Result<Vec<(&'static str, Step)>> {
    let lock = Arc::new(Mutex::new(0u64));
    let mut steps: Vec<(&str, Step)> = Vec::new();
    for _ in 0..8 {
        let (near, far) = sys::tcp()?;
        for end in [&near, &far] {
            // Whoever is left when the other has ended does not wait for ever.
            end.set_read_timeout(Some(long / 10))?;
        }
        let lock = Arc::clone(&lock);
        steps.push((
            "serves",
            Box::new(move || {
                let mut message = [0u8; 64];
                let got = (&far).read(&mut message);
                if let Ok(1..) = got {
                    *lock.lock().map_err(|_| anyhow::anyhow!("the lock is poisoned"))? += 1;
                    workloads::spin(WORK);
                    return Ok((&far).write_all(&message).is_ok());
                }
                // Nothing to read is the end.
                Ok(got.is_err())
            }),
        ));
        steps.push((
            "asks",
            Box::new(move || {
                let asked = (&near).write_all(&[1u8; 64]).is_ok();
                let _ = (&near).read(&mut [0u8; 64]);
                Ok(asked)
            }),
        ));
    }
    Ok(steps)
}

/// A thread for each connection, which reads one request, answers and ends.
fn brief_servers(long: Duration) -> Result<Vec<(&'static str, Step)>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // Nobody waits for ever when the clients have ended.
    set_socket_timeout(&listener, Timeout::Recv, Some(long / 10))?;
    let accepts = move || {
        let Ok((connection, _)) = listener.accept() else { return Ok(true) };
        connection.set_read_timeout(Some(long / 10))?;
        thread::Builder::new().name("brief".to_owned()).spawn(move || answer(&connection))?;
        Ok(true)
    };
    let asks = || {
        move || {
            // The last connection may find nobody who accepts it.
            let Ok(connection) = TcpStream::connect(address) else { return Ok(false) };
            connection.set_read_timeout(Some(long / 10))?;
            let asked = (&connection).write_all(&[1u8; 64]).is_ok();
            Ok(asked && (&connection).read(&mut [0u8; 64]).is_ok_and(|got| got > 0))
        }
    };
    let mut steps: Vec<(&str, Step)> = vec![("accepts", Box::new(accepts))];
    for _ in 0..4 {
        steps.push(("asks", Box::new(asks())));
    }
    Ok(steps)
}

/// Reads a request and answers it.
fn answer(mut connection: &TcpStream) {
    let mut request = [0u8; 64];
    if connection.read_exact(&mut request).is_ok() {
        workloads::spin(WORK);
        // A client that has gone needs no answer.
        let _ = connection.write_all(&request);
    }
}
