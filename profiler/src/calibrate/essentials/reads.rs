//! What a read costs whose data is there, by medium and size. Reads that blocked are compared with
//! it if the target has none that did not block.
//!
//! As in a server, each message comes through a pair of ends of its own, and over sockets each is
//! answered before the next one comes. Without an answer, TCP would do more work in the read: it
//! sends an acknowledgement at once when it empties a connection on which nothing is ever sent back
//! (`tcp_cleanup_rbuf` in net/ipv4/tcp.c).

use std::{
    fs::File,
    io::{self, Read, Write},
};

use crate::{
    calibrate::{
        error::CalibrateError,
        result::ReadRow,
        rig::{
            block,
            clock::{self, Watch},
            pace::Pacer,
            peers::{MESSAGE, ROOM},
        },
    },
    machine::Medium,
    quantity::Repeats,
};

use super::effort::{Effort, Schedule};

/// Sizes of a message, bytes.
const SIZES: [usize; 2] = [64, 4096];
/// Messages that are in place before a repeat is timed, each in a pair of ends of its own.
const MESSAGES: usize = 12;
/// The schedule at the least effort.
const REPEATS: Schedule = Schedule { least: 21, length: 500_000_000, most: 251, longest: 500_000_000, fewest: 21 };

/// Both ends of a medium.
struct Ends {
    reader: File,
    writer: File,
}

impl Ends {
    fn new(medium: Medium) -> io::Result<Self> {
        block::link(medium).map(|(reader, writer)| Self { reader: reader.into(), writer: writer.into() })
    }
}

/// Measures reads on every medium.
pub(super) fn measure(effort: Effort, mut pacer: Pacer) -> Result<Vec<ReadRow>, CalibrateError> {
    let failed = || CalibrateError::system("a pipe or socket of the calibration");
    let (watch, plan) = (Watch::new(), REPEATS.at(effort));
    let mut found = Vec::new();
    for medium in Medium::ALL {
        let all: io::Result<Vec<Ends>> = (0..MESSAGES).map(|_| Ends::new(medium)).collect();
        let mut all = all.map_err(failed())?;
        for bytes in SIZES {
            let mut repeats = Vec::with_capacity(plan.most);
            pacer.mark();
            for repeat in plan.begin_warm() {
                let spent = series(&mut all, bytes, watch).map_err(failed())?;
                let spent = pacer.steady(spent as f64 / MESSAGES as f64);
                if repeat > 0 {
                    repeats.push(spent);
                }
                if medium != Medium::Pipe {
                    answer(&mut all).map_err(failed())?;
                }
            }
            let cost = Repeats::new(&repeats).ok_or_else(|| CalibrateError::Failed("a read took no time".into()))?;
            found.push(ReadRow { medium, bytes: bytes as u32, cost });
        }
    }
    Ok(found)
}

fn series(all: &mut [Ends], bytes: usize, watch: Watch) -> io::Result<u64> {
    let message = [7; ROOM];
    for ends in all.iter_mut() {
        ends.writer.write_all(&message[..bytes])?;
    }
    let mut room = [0; ROOM];
    let begun = clock::thread_cpu();
    for ends in all {
        ends.reader.read_exact(&mut room[..bytes])?;
    }
    Ok(watch.since(begun))
}

fn answer(all: &mut [Ends]) -> io::Result<()> {
    for ends in all {
        let mut answer = [7; MESSAGE];
        ends.reader.write_all(&answer)?;
        ends.writer.read_exact(&mut answer)?;
    }
    Ok(())
}
