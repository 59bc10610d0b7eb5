//! What a read costs whose data is there, by medium and size: what a read that blocked is held against where the target
//! has none that did not.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use super::{
    super::{
        CalibrateError,
        clock::{self, Watch},
        pace::Pacer,
        peers::{Peers, ROOM},
        stats::Cost,
    },
    Effort, Medium, ReadCost,
};

/// Sizes of a message, bytes.
const SIZES: [usize; 2] = [64, 4096];
/// Messages that wait before a repeat is timed; what a pipe holds without a reader sets the limit.
const MESSAGES: usize = 12;
/// Repeats at the least effort.
const REPEATS: usize = 251;

/// Both ends of a medium.
fn ends(medium: Medium) -> io::Result<(File, File)> {
    let (reader, writer): (OwnedFd, OwnedFd) = match medium {
        Medium::Pipe => {
            let (reader, writer) = io::pipe()?;
            (reader.into(), writer.into())
        }
        Medium::Unix => {
            let (reader, writer) = UnixStream::pair()?;
            (reader.into(), writer.into())
        }
        Medium::Tcp => {
            let mut peers = Peers::connect(1)?;
            let (server, client) = (peers.server.pop(), peers.client.pop());
            match (server, client) {
                (Some(server), Some(client)) => (server.into(), client.into()),
                _ => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    };
    Ok((reader.into(), writer.into()))
}

/// Through every medium.
pub(super) fn measure(effort: Effort, mut pacer: Pacer) -> Result<Vec<ReadCost>, CalibrateError> {
    let failed = || CalibrateError::system("a pipe or socket of the calibration");
    let watch = Watch::new();
    let mut found = Vec::new();
    for medium in Medium::ALL {
        let (mut reader, mut writer) = ends(medium).map_err(failed())?;
        for bytes in SIZES {
            let most = REPEATS * effort.times() as usize;
            let mut repeats = Vec::with_capacity(most);
            pacer.mark();
            for repeat in 0..=most {
                let spent = series(&mut reader, &mut writer, bytes, watch).map_err(failed())?;
                let spent = pacer.steady(spent as f64 / MESSAGES as f64);
                // The first warms up.
                if repeat > 0 {
                    repeats.push(spent);
                }
            }
            let cost = Cost::of(&repeats).ok_or_else(|| CalibrateError::Failed("a read took no time".into()))?;
            found.push(ReadCost { medium, bytes: bytes as u32, cost });
        }
    }
    Ok(found)
}

fn series(reader: &mut File, writer: &mut File, bytes: usize, watch: Watch) -> io::Result<u64> {
    let message = [7; ROOM];
    for _ in 0..MESSAGES {
        writer.write_all(&message[..bytes])?;
    }
    let mut room = [0; ROOM];
    let begun = clock::thread_cpu();
    for _ in 0..MESSAGES {
        reader.read_exact(&mut room[..bytes])?;
    }
    Ok(watch.since(begun))
}
