//! The crowd: what code costs more right after a block when many threads take turns, on one CPU.
//!
//! Each thread has a connection of its own: it reads a message, answers it, and blocks for the next. A driver on another CPU
//! puts a message on every connection, and takes the answers without ever sleeping. What is timed is the answer alone, from the
//! read's return to the write's: the same instructions in the same order whether a thread or a loop executes them, but the
//! thread comes to them by a switch from another thread, with another kernel stack, task and descriptor table entry.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    super::{
        CalibrateError, clock,
        peers::{MESSAGE, PATIENCE, Peers, ROOM},
        stats::{Cost, median},
    },
    CrowdCost, Missing,
};

/// Threads that take turns: 2 descriptors each, within the usual limit of 1,024.
const THREADS: [usize; 3] = [8, 64, 400];
/// Messages of each thread.
const ROUNDS: usize = 24;
/// Of those, the first are not timed.
const WARM: usize = 4;
/// Stack of a thread, bytes: what its few calls need.
const STACK: usize = 64 * 1024;

/// By number of threads, on `server` with the driver on `driver`.
pub(super) fn measure(
    server: usize,
    driver: Option<usize>,
    missing: &mut Vec<Missing>,
) -> Result<Vec<CrowdCost>, CalibrateError> {
    let mut refuse = |why: String| missing.push(Missing { what: "code after a block among many threads".into(), why });
    let Some(driver) = driver else {
        refuse("this process may use one CPU only: threads and their driver need one each".into());
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for threads in THREADS {
        match pair(threads, server, driver) {
            Ok(Some((own, alone))) => found.push(CrowdCost { threads: threads as u32, threaded: own, looped: alone }),
            Ok(None) => refuse(format!("no round of {threads} threads could be timed")),
            Err(error) => refuse(format!("{threads} threads: {error}")),
        }
    }
    clock::pin(&[server]).map_err(CalibrateError::system("pinning a thread"))?;
    Ok(found)
}

/// Answers by as many threads, and by one loop over as many connections.
fn pair(count: usize, server: usize, driver: usize) -> io::Result<Option<(Cost, Cost)>> {
    let threaded = drive(Peers::connect(count)?, driver, |streams, stop| by_threads(streams, server, stop))?;
    let looped = drive(Peers::connect(count)?, driver, |streams, stop| by_loop(streams, server, stop))?;
    Ok(Cost::of(&per_round(&threaded)).zip(Cost::of(&per_round(&looped))))
}

/// The median over the connections, round by round: a mean would be that of the interrupts among them.
fn per_round(times: &[Vec<u64>]) -> Vec<f64> {
    (WARM..ROUNDS)
        .filter_map(|round| {
            let all: Vec<f64> = times.iter().filter_map(|t| t.get(round)).map(|&ns| ns as f64).collect();
            (!all.is_empty()).then(|| median(&all))
        })
        .collect()
}

/// Starts the servers, sends the rounds, and answers what each connection's answers took, ns.
fn drive(
    peers: Peers,
    driver: usize,
    serve: impl FnOnce(Vec<TcpStream>, &Arc<AtomicBool>) -> io::Result<Vec<Server>>,
) -> io::Result<Vec<Vec<u64>>> {
    let stop = Arc::new(AtomicBool::new(false));
    let Peers { server, client } = peers;
    let servers = serve(server, &stop)?;
    clock::pin(&[driver])?;
    let sent = rounds(&client);
    stop.store(true, Ordering::Relaxed);
    // Ends the reads that still wait.
    drop(client);
    let mut times = Vec::new();
    for server in servers {
        times.extend(server.join().map_err(|_| io::Error::other("a thread of the calibration panicked"))?);
    }
    sent.map(|()| times)
}

fn rounds(clients: &[TcpStream]) -> io::Result<()> {
    clients.iter().try_for_each(|c| c.set_nonblocking(true))?;
    let mut reply = [0; ROOM];
    for _ in 0..ROUNDS {
        let begun = clock::wall();
        for mut client in clients {
            client.write_all(&[7; MESSAGE])?;
        }
        for mut client in clients {
            // Never asleep: an answer wakes nobody.
            let mut got = 0;
            while got < MESSAGE {
                match client.read(&mut reply) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(n) => got += n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if Duration::from_nanos(clock::wall() - begun) > PATIENCE {
                            return Err(io::ErrorKind::TimedOut.into());
                        }
                        std::hint::spin_loop();
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(())
}

/// Serves connections; answers what each of their answers took, ns.
type Server = std::thread::JoinHandle<Vec<Vec<u64>>>;

fn by_threads(streams: Vec<TcpStream>, cpu: usize, stop: &Arc<AtomicBool>) -> io::Result<Vec<Server>> {
    let mut servers = Vec::with_capacity(streams.len());
    for stream in streams {
        let stop = stop.clone();
        let thread = std::thread::Builder::new().name("calibrate".into()).stack_size(STACK).spawn(move || {
            let mut times = Vec::with_capacity(ROUNDS);
            if clock::pin(&[cpu]).is_ok() {
                clock::never_preempt();
                while !stop.load(Ordering::Relaxed) && answer(&stream, &mut times) {}
            }
            vec![times]
        })?;
        servers.push(thread);
    }
    Ok(servers)
}

fn by_loop(streams: Vec<TcpStream>, cpu: usize, stop: &Arc<AtomicBool>) -> io::Result<Vec<Server>> {
    let stop = stop.clone();
    let thread = std::thread::Builder::new().name("calibrate".into()).spawn(move || {
        let mut times = vec![Vec::with_capacity(ROUNDS); streams.len()];
        if clock::pin(&[cpu]).is_ok() && streams.iter().all(|s| s.set_nonblocking(true).is_ok()) {
            clock::never_preempt();
            'all: while !stop.load(Ordering::Relaxed) {
                for (stream, times) in streams.iter().zip(&mut times) {
                    let begun = times.len();
                    // Round by round: as the loop of a server that has more to do than it can.
                    while times.len() == begun && !stop.load(Ordering::Relaxed) {
                        if !answer(stream, times) {
                            break 'all;
                        }
                    }
                }
            }
        }
        times
    })?;
    Ok(vec![thread])
}

/// One message in, one answer out, timed from the one's return to the other's; whether there may be more.
fn answer(mut stream: &TcpStream, times: &mut Vec<u64>) -> bool {
    let mut room = [0; ROOM];
    match stream.read(&mut room) {
        Ok(0) => false,
        Ok(n) => {
            let begun = clock::wall();
            let sent = stream.write_all(&room[..n]).is_ok();
            times.push(clock::wall() - begun);
            sent
        }
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_answers_every_round() {
        let allowed = clock::allowed().unwrap();
        let (first, second) = clock::two_cpus(&allowed);
        let driver = second.unwrap_or(first);
        for serve in [by_threads, by_loop] {
            let peers = Peers::connect(5).unwrap();
            let times = std::thread::spawn(move || drive(peers, driver, |s, stop| serve(s, first, stop)));
            let times = times.join().unwrap().unwrap();
            assert_eq!(times.iter().map(Vec::len).collect::<Vec<_>>(), [ROUNDS; 5]);
            assert_eq!(per_round(&times).len(), ROUNDS - WARM);
        }
    }
}
