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
        peers::{Peers, ROOM},
        stats::Cost,
    },
    Medium, ReadCost,
};

/// Sizes of a message, bytes.
const SIZES: [usize; 2] = [64, 4096];
/// Messages that wait before a repeat is timed; what a pipe holds without a reader sets the limit.
const MESSAGES: usize = 12;
const REPEATS: usize = 101;

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
pub(super) fn measure() -> Result<Vec<ReadCost>, CalibrateError> {
    let failed = || CalibrateError::system("a pipe or socket of the calibration");
    let watch = Watch::new();
    let mut found = Vec::new();
    for medium in Medium::ALL {
        let (mut reader, mut writer) = ends(medium).map_err(failed())?;
        for bytes in SIZES {
            let mut repeats = Vec::with_capacity(REPEATS);
            for repeat in 0..=REPEATS {
                let spent = series(&mut reader, &mut writer, bytes, watch).map_err(failed())?;
                // The first warms up.
                if repeat > 0 {
                    repeats.push(spent as f64 / MESSAGES as f64);
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
