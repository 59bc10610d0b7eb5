//! Reads and writes by size, from the page cache and past it.

use std::{fs::File, os::unix::fs::FileExt as _};

use crate::calibrate::{
    result::{Figure, SizeRow},
    rig::{
        clock::{self, Watch},
        scratch::{Aligned, FILE_BYTES, Files},
    },
};

use super::budget::{Budget, Cell};

/// Bytes of a read or a write, each four times the size before.
const SIZES: [usize; 8] = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// The smallest size that `O_DIRECT` takes.
const DIRECT: usize = 4 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

pub(super) fn measure(files: &Files) -> Vec<SizeRow> {
    SIZES.iter().map(|&bytes| row(bytes, files)).collect()
}

fn row(bytes: usize, files: &Files) -> SizeRow {
    // As many calls as touch 4 MiB, within limits, so that every size takes about the same time.
    let cached = ((4 << 20) / bytes).clamp(8, 400);
    let direct = ((1 << 20) / bytes).clamp(2, 24);
    let (cached_read, _) = cell(&files.cached, bytes, cached, Way::Read);
    let (cached_write, _) = cell(&files.cached, bytes, cached, Way::Write);
    let past = |way| match &files.direct {
        _ if bytes < DIRECT => {
            let why = "smaller than a block: O_DIRECT refuses it";
            (Figure::unavailable(why), Figure::unavailable(why))
        }
        Ok(file) => cell(file, bytes, direct, way),
        Err(why) => (Figure::unavailable(why), Figure::unavailable(why)),
    };
    let (direct_read, direct_read_latency) = past(Way::Read);
    let (direct_write, direct_write_latency) = past(Way::Write);
    SizeRow {
        bytes: bytes as u64,
        cached_read,
        cached_write,
        direct_read,
        direct_write,
        direct_read_latency,
        direct_write_latency,
    }
}

/// CPU and wall time per call, ns.
fn cell(file: &File, bytes: usize, calls: usize, way: Way) -> (Figure, Figure) {
    let watch = Watch::new();
    let mut buffer = Aligned::new(bytes);
    let (mut cpu, mut wall) = (Cell::default(), Cell::default());
    let mut budget = Budget::new(7, 21, 180);
    let mut at = 0;
    while let Some(repeat) = budget.next() {
        let (wall_begun, cpu_begun) = (clock::wall(), clock::thread_cpu());
        let done = (0..calls).try_for_each(|_| {
            // A stride of an odd number of pages visits all of the file before it comes back.
            at = (at + bytes.max(4096) * 5) % (FILE_BYTES - bytes + 1) / 4096 * 4096;
            match way {
                Way::Read => file.read_exact_at(buffer.bytes(), at as u64),
                Way::Write => file.write_all_at(buffer.bytes(), at as u64),
            }
        });
        let spent = watch.since(cpu_begun);
        let elapsed = clock::wall() - wall_begun;
        let per = |ns: u64| done.as_ref().map(|()| ns as f64 / calls as f64).map_err(ToString::to_string);
        cpu.take(repeat, per(spent));
        wall.take(repeat, per(elapsed));
        if cpu.hopeless() {
            break;
        }
    }
    (cpu.figure(), wall.figure())
}
