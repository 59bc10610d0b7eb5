//! The crowd: what code costs more right after a block, when many threads take turns on one CPU.
//!
//! Each thread has a connection of its own: it reads a message, answers it, and blocks for the
//! next. A driver on the same CPU puts messages on some of the connections and then leaves the CPU
//! to their threads. Each switch is from one of them to the next, and nothing else runs meanwhile,
//! neither here nor on a sibling of this CPU. The loop gets its messages from the same driver.
//!
//! Only the answer is timed, from the read's return to the write's, with the little that a server
//! does in user mode between them: it checks the message, counts it in the connection's session and
//! formats a reply. A thread and a loop execute the same instructions in the same order, but the
//! thread comes to them by a switch from another thread, with another stack in user mode and in the
//! kernel. Threads and loop take turns too, so that the machine's drift is in both.

use std::{
    io::{self, Write as _},
    thread,
    time::{Duration, Instant},
};

use crate::{
    calibrate::{
        error::CalibrateError,
        result::{CrowdRow, Missing},
        rig::{
            clock,
            pace::Pacer,
            peers::{MESSAGE, Peers, ROOM},
        },
    },
    quantity::{Nanos, Repeats, median},
};

use super::effort::Effort;

/// What this part is called.
pub(super) const WHAT: &str = "code after a block among many threads";
/// Threads that take turns. They have 2 descriptors each, within the usual limit of 1,024.
const THREADS: [usize; 3] = [8, 64, 400];
/// Messages that are there at once. The driver puts so few in place within its slice.
const BATCH: usize = 50;
/// How often threads and loop take turns at the least effort, unless that takes too long.
const TURNS: usize = 16;
/// No further turn begins after so long, at the least effort, so that a slow or busy machine takes
/// fewer turns.
const LONG: Duration = Duration::from_millis(250);
/// A crowd whose first turn is expected to last longer is not begun.
const TOO_LONG: Duration = Duration::from_millis(1_000);
/// Messages of each connection in one turn.
pub(super) const ROUNDS: usize = 8;
/// The first of those, which are not timed.
pub(super) const WARM: usize = 2;
/// Stack of a thread, bytes. Its few calls need no more.
const STACK: usize = 64 * 1024;

/// Measures answers to a driver's messages, by number of threads, all on `cpu`.
pub(super) fn measure(
    cpu: usize,
    effort: Effort,
    pacer: Pacer,
    missing: &mut Vec<Missing>,
) -> Result<Vec<CrowdRow>, CalibrateError> {
    let crowd = |count| {
        let peers = Peers::connect(count)?;
        let sessions = sessions(peers.server.len());
        Ok(Crowd { peers, sessions })
    };
    by_number(WHAT, cpu, effort, pacer, missing, crowd)
}

/// Work on messages that many threads can do in turns, and one loop alone.
pub(super) trait Party {
    /// Times of a message by threads, ns. Each thread has a connection of its own and inherits the
    /// caller's CPU.
    fn by_threads(&mut self) -> io::Result<Vec<f64>>;
    /// Times of a message by one loop, ns, as many as by threads.
    fn by_loop(&mut self) -> io::Result<Vec<f64>>;
}

/// Measures what a party's threads take beyond its loop, by their number, all on `cpu`.
pub(super) fn by_number<P: Party>(
    what: &str,
    cpu: usize,
    effort: Effort,
    pacer: Pacer,
    missing: &mut Vec<Missing>,
    party: impl Fn(usize) -> io::Result<P>,
) -> Result<Vec<CrowdRow>, CalibrateError> {
    let mut refuse = |why: String| missing.push(Missing { what: what.into(), why });
    clock::pin(&[cpu]).map_err(CalibrateError::system("pinning a thread"))?;
    let mut found = Vec::new();
    let mut each = Duration::ZERO;
    for threads in THREADS {
        let expected = each * threads as u32;
        if expected > TOO_LONG {
            refuse(format!("{threads} threads would take {} here: is the machine busy?", Nanos::from(expected)));
            continue;
        }
        match party(threads).and_then(|party| pair(party, effort, pacer)) {
            Ok(pair) => {
                each = pair.first_turn / threads as u32;
                match pair.cost(threads as u32) {
                    Some(cost) => found.push(cost),
                    None => refuse(format!("no round of {threads} threads could be timed")),
                }
            }
            Err(error) => refuse(format!("{threads} threads: {error}")),
        }
    }
    Ok(found)
}

/// Times by threads and by one loop over as many connections, ns, in the order of the rounds.
#[derive(Default)]
struct Pair {
    threaded: Vec<f64>,
    looped: Vec<f64>,
    first_turn: Duration,
}

impl Pair {
    fn cost(&self, threads: u32) -> Option<CrowdRow> {
        let colder: Vec<f64> = self.threaded.iter().zip(&self.looped).map(|(threads, one)| threads - one).collect();
        let [threaded, looped, colder] = [&self.threaded, &self.looped, &colder].map(|rounds| Repeats::new(rounds));
        Some(CrowdRow { threads, threaded: threaded?, looped: looped?, colder: colder? })
    }
}

fn pair(mut party: impl Party, effort: Effort, mut pacer: Pacer) -> io::Result<Pair> {
    let mut pair = Pair::default();
    let begun = Instant::now();
    pacer.mark();
    for turn in 0..TURNS * effort.times() as usize {
        let mut steady = |times: Vec<f64>| {
            let common = pacer.factor();
            times.into_iter().map(move |ns| ns * common)
        };
        pair.threaded.extend(steady(party.by_threads()?));
        pair.looped.extend(steady(party.by_loop()?));
        if turn == 0 {
            pair.first_turn = begun.elapsed();
        }
        if begun.elapsed() > LONG * effort.times() {
            break;
        }
    }
    Ok(pair)
}

/// A builder for one of a party's threads.
pub(super) fn thread() -> thread::Builder {
    thread::Builder::new().name("calibrate".into()).stack_size(STACK)
}

/// The result of a joined thread.
pub(super) fn ended<T>(joined: thread::Result<io::Result<T>>) -> io::Result<T> {
    joined.unwrap_or_else(|_| Err(io::Error::other("a thread of the calibration panicked")))
}

/// The median over the connections, round by round. Interrupts would dominate a mean.
fn per_round(times: &[Vec<u64>]) -> Vec<f64> {
    (WARM..ROUNDS)
        .filter_map(|round| {
            let all: Vec<f64> = times.iter().filter_map(|t| t.get(round)).map(|&ns| ns as f64).collect();
            (!all.is_empty()).then(|| median(&all))
        })
        .collect()
}

/// The batches of connections that get a message at once: the first connection of each, and how
/// many they are.
fn batches(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).step_by(BATCH).map(move |first| (first, BATCH.min(count - first)))
}

/// Connections on which the calling thread, the driver, puts messages.
struct Crowd {
    peers: Peers,
    sessions: Vec<Session>,
}

impl Party for Crowd {
    fn by_threads(&mut self) -> io::Result<Vec<f64>> {
        let Self { peers, sessions } = self;
        let times: io::Result<Vec<Vec<u64>>> = thread::scope(|scope| {
            let mut servers = Vec::with_capacity(peers.server.len());
            for (stream, session) in peers.server.iter().zip(sessions) {
                servers.push(thread().spawn_scoped(scope, move || {
                    clock::never_preempt();
                    // If a message does not come, the wait ends, and the thread with it.
                    (0..ROUNDS).map(|_| answer(stream, stream, session)).collect::<io::Result<Vec<u64>>>()
                })?);
            }
            for _ in 0..ROUNDS {
                for (first, count) in batches(peers.server.len()) {
                    peers.fill(first, count)?;
                    // The last reply is read first. By then the others are most likely there, and
                    // wake nobody.
                    peers.drain(first + count - 1, 1)?;
                    peers.drain(first, count - 1)?;
                }
            }
            servers.into_iter().map(|server| ended(server.join())).collect()
        });
        Ok(per_round(&times?))
    }

    fn by_loop(&mut self) -> io::Result<Vec<f64>> {
        let Self { peers, sessions } = self;
        let mut times = vec![Vec::with_capacity(ROUNDS); peers.server.len()];
        for _ in 0..ROUNDS {
            for (first, count) in batches(peers.server.len()) {
                peers.fill(first, count)?;
                let connections = peers.server.iter().zip(sessions.iter_mut()).zip(&mut times);
                for ((stream, session), times) in connections.skip(first).take(count) {
                    times.push(answer(stream, stream, session)?);
                }
                peers.drain(first, count)?;
            }
        }
        Ok(per_round(&times))
    }
}

/// Reads one message and writes one answer. Returns the time from the return of the read to that of
/// the write, ns.
pub(super) fn answer(mut from: impl io::Read, mut to: impl io::Write, session: &mut Session) -> io::Result<u64> {
    let mut room = [0; ROOM];
    let n = from.read(&mut room)?;
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let begun = clock::wall();
    to.write_all(&session.reply(&room[..n])?)?;
    Ok(clock::wall() - begun)
}

/// What a server knows of a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    name: String,
    pub(super) messages: u64,
    /// Checksum of all its messages.
    checksum: u32,
}

pub(super) fn sessions(count: usize) -> Vec<Session> {
    (0..count).map(|i| Session { name: format!("session {i}"), ..Session::default() }).collect()
}

impl Session {
    fn reply(&mut self, message: &[u8]) -> io::Result<[u8; MESSAGE]> {
        self.messages += 1;
        // FNV-1a.
        self.checksum =
            message.iter().fold(self.checksum, |sum, &byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut reply = [b' '; MESSAGE];
        write!(reply.as_mut_slice(), "{} {} {:x}", self.name, self.messages, self.checksum)?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_answers_every_round() {
        let allowed = clock::allowed().unwrap();
        // It runs on a thread of its own, because pinning would stay with the test's thread.
        let times = thread::spawn(move || {
            clock::pin(&[clock::two_cpus(&allowed).0]).unwrap();
            let mut crowd = Crowd { peers: Peers::connect(BATCH + 3).unwrap(), sessions: sessions(BATCH + 3) };
            let times = [crowd.by_threads().unwrap(), crowd.by_loop().unwrap()];
            assert!(crowd.sessions.iter().all(|session| session.messages == 2 * ROUNDS as u64));
            times
        });
        for times in times.join().unwrap() {
            assert_eq!(times.len(), ROUNDS - WARM);
            assert!(times.iter().all(|&ns| ns > 0.0), "{times:?}");
        }
    }

    #[test]
    fn batches_are_all_connections_once() {
        for count in [1, BATCH - 1, BATCH, BATCH + 1, 400] {
            let all: Vec<usize> = batches(count).flat_map(|(first, count)| first..first + count).collect();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
