//! symbol/boundary: what a stripped file still tells of its functions: where each begins, from the
//! index of its unwind information (`.eh_frame_hdr`; Linux Standard Base, Core, 10.6.2), and which
//! exported function jumps into a nameless one.
//!
//! Compilers split functions: the exported `aeProcessEvents` of Redis tests its arguments and jumps
//! to the rest, a local function whose symbol `strip` removes. Where exactly one exported function
//! jumps to the start of a nameless one, that one is called `aeProcessEvents.local`.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// Encodings (`DW_EH_PE_…`) that every linker writes: count as `udata4`, table as `datarel |
/// sdata4`.
const COUNT: u8 = 0x03;
const TABLE: u8 = 0x3b;
/// Version, three encodings, pointer to `.eh_frame`, count.
const HEADER: usize = 12;
const ROW: usize = 8;

/// Where the function begins that an address is in. `index` is `.eh_frame_hdr`, which the file
/// places at `at`.
pub(super) fn function_start(index: &[u8], at: u64, address: u64) -> Option<u64> {
    let rows = rows(index)?;
    let start = |row: &[u8]| {
        let relative = i32::from_le_bytes(row.get(..4)?.try_into().ok()?);
        Some(at.wrapping_add_signed(i64::from(relative)))
    };
    let (mut low, mut high) = (0, rows.len() / ROW);
    while low < high {
        let middle = low.midpoint(high);
        match start(&rows[middle * ROW..])? <= address {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    start(&rows[low.checked_sub(1)? * ROW..])
}

fn rows(index: &[u8]) -> Option<&[u8]> {
    let &[1, _, COUNT, TABLE, ..] = index else { return None };
    let count = u32::from_le_bytes(index.get(8..HEADER)?.try_into().ok()?);
    index.get(HEADER..HEADER + usize::try_from(count).ok()?.checked_mul(ROW)?)
}

/// By the start of a nameless function: the exported function that jumps to it, where there is only
/// one.
pub(super) type Jumps = HashMap<u64, Option<String>>;

/// Finds them in a file; `is_start` tells whether a function begins at an address.
pub(super) fn jumps(file: &File, is_start: impl Fn(u64) -> bool) -> Option<Jumps> {
    // SAFETY: as for the mapping that unwinding reads (elf.rs): a program that runs, mapped
    // privately to be read.
    let map = unsafe { memmap2::Mmap::map(file) }.ok()?;
    let elf = object::File::parse(&*map).ok()?;
    let text = elf.section_by_name(".text")?;
    let (base, code) = (text.address(), text.data().ok()?);
    let functions = elf.dynamic_symbols().filter(|s| s.kind() == SymbolKind::Text && s.is_definition() && s.size() > 0);
    let functions: HashMap<u64, _> = functions.map(|symbol| (symbol.address(), symbol)).collect();
    let mut jumps = Jumps::new();
    for (&start, symbol) in &functions {
        let range = start..start.saturating_add(symbol.size());
        let body = range.start.checked_sub(base).zip(range.end.checked_sub(base));
        let body = body.and_then(|(from, to)| code.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?));
        let mut targets = body.map_or_else(Vec::new, |body| targets(body, &range));
        targets.sort_unstable();
        targets.dedup();
        for target in targets.into_iter().filter(|at| !functions.contains_key(at) && is_start(*at)) {
            let name = symbol.name().ok().map(str::to_owned);
            jumps.entry(target).and_modify(|only| *only = None).or_insert(name);
        }
    }
    Some(jumps)
}

/// Where a function's code may jump to outside of itself. Every byte is taken for an instruction's
/// start: what is none hits the start of a function by chance only.
#[cfg(target_arch = "x86_64")]
fn targets(body: &[u8], range: &Range<u64>) -> Vec<u64> {
    let mut targets = Vec::new();
    for at in 0..body.len() {
        let length = match &body[at..] {
            // `jmp rel32`, `jcc rel32`.
            [0xe9, ..] => 5,
            [0x0f, 0x80..=0x8f, ..] => 6,
            _ => continue,
        };
        let Some(offset) = body.get(at + length - 4..at + length).and_then(|bytes| bytes.try_into().ok()) else {
            continue;
        };
        let next = range.start + (at + length) as u64;
        targets.push(next.wrapping_add_signed(i64::from(i32::from_le_bytes(offset))));
    }
    targets.retain(|target| !range.contains(target));
    targets
}

/// As for x86_64: `b imm26`.
#[cfg(target_arch = "aarch64")]
fn targets(body: &[u8], range: &Range<u64>) -> Vec<u64> {
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
    let jumps = body.chunks_exact(4).map(word).enumerate().filter(|(_, word)| word >> 26 == 0b00_0101);
    let target = |(i, word): (usize, u32)| {
        let offset = i64::from((word << 6).cast_signed() >> 6) * 4;
        (range.start + i as u64 * 4).wrapping_add_signed(offset)
    };
    jumps.map(target).filter(|target| !range.contains(target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index at 0x1000 of functions at 0x800, 0x1800 and 0x2000.
    fn index() -> Vec<u8> {
        let mut bytes = vec![1, 0x1b, COUNT, TABLE, 0, 0, 0, 0, 3, 0, 0, 0];
        for start in [-0x800_i32, 0x800, 0x1000] {
            bytes.extend_from_slice(&start.to_le_bytes());
            bytes.extend_from_slice(&[0; 4]);
        }
        bytes
    }

    #[test]
    fn the_start_of_a_function_is_looked_up() {
        let index = index();
        let starts: Vec<Option<u64>> =
            [0x7ff, 0x800, 0x17ff, 0x1800, 0x9000].map(|at| function_start(&index, 0x1000, at)).to_vec();
        assert_eq!(starts, [None, Some(0x800), Some(0x800), Some(0x1800), Some(0x2000)]);
        assert_eq!(function_start(&index[..index.len() - 1], 0x1000, 0x800), None);
        assert_eq!(function_start(&[], 0x1000, 0x800), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn jumps_out_of_a_function_are_found() {
        // `jne +0x10` inside, `jmp 0x2000`, `je 0x3000`.
        let mut body = vec![0x0f, 0x85, 0x02, 0, 0, 0, 0xe9];
        body.extend_from_slice(&(0x2000_i32 - 0x100b).to_le_bytes());
        body.extend_from_slice(&[0x0f, 0x84]);
        body.extend_from_slice(&(0x3000_i32 - 0x1011).to_le_bytes());
        assert_eq!(targets(&body, &(0x1000..0x1011)), [0x2000, 0x3000]);
    }
}
