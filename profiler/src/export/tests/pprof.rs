//! pprof, read back by the wire format's own rules: none of the writer's types is used.

use std::io::Read;

use super::{
    build::{hostile, server},
    fixture,
};
use crate::{
    answer::{Profile, Weight},
    export::pprof::encode,
};

/// A field of a message: a number, or bytes.
#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// A message, taken apart.
#[derive(Clone, Debug, Default)]
struct Message(Vec<(u64, Value)>);

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a number is cut");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number without end");
}

impl Message {
    fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => Value::Number(varint(&mut bytes)),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    Value::Bytes(value.to_vec())
                }
                kind => panic!("wire type {kind}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    /// 0 where it is not there, as the format says.
    fn number(&self, field: u64) -> u64 {
        let mut found = self.0.iter().filter(|(f, _)| *f == field);
        match found.next() {
            Some((_, Value::Number(n))) => *n,
            Some(other) => panic!("{other:?}"),
            None => 0,
        }
    }

    /// Every number of a field, packed or not.
    fn numbers(&self, field: u64) -> Vec<u64> {
        let mut out = Vec::new();
        for (_, value) in self.0.iter().filter(|(f, _)| *f == field) {
            match value {
                Value::Number(n) => out.push(*n),
                Value::Bytes(bytes) => {
                    let mut bytes = bytes.as_slice();
                    while !bytes.is_empty() {
                        out.push(varint(&mut bytes));
                    }
                }
            }
        }
        out
    }

    fn bytes(&self, field: u64) -> Vec<Vec<u8>> {
        let in_field = |(f, value): &(u64, Value)| match value {
            Value::Bytes(bytes) if *f == field => Some(bytes.clone()),
            _ => None,
        };
        self.0.iter().filter_map(in_field).collect()
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        self.bytes(field).iter().map(|b| Self::read(b)).collect()
    }
}

/// A file, with its table of strings.
struct File {
    root: Message,
    strings: Vec<String>,
}

impl File {
    fn read(profile: &Profile) -> Self {
        let bytes = encode(profile, &fixture::server().report(), Weight::Cost).unwrap();
        let mut raw = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut raw).unwrap();
        let root = Message::read(&raw);
        let strings = root.bytes(6).into_iter().map(|b| String::from_utf8(b).unwrap()).collect();
        Self { root, strings }
    }

    fn string(&self, number: u64) -> &str {
        &self.strings[number as usize]
    }

    /// Names of a sample's functions, the outermost first, as a reader prints them.
    fn stack(&self, sample: &Message) -> Vec<String> {
        let (locations, functions) = (self.root.messages(4), self.root.messages(5));
        let mut names = Vec::new();
        for id in sample.numbers(1) {
            let location = locations.iter().find(|l| l.number(1) == id).expect("a location that is there");
            for line in location.messages(4) {
                let function =
                    functions.iter().find(|f| f.number(1) == line.number(1)).expect("a function that is there");
                names.push(self.string(function.number(2)).to_owned());
            }
        }
        names.reverse();
        names
    }

    fn labels(&self, sample: &Message) -> Vec<(&str, &str)> {
        sample.messages(3).iter().map(|l| (self.string(l.number(1)), self.string(l.number(2)))).collect()
    }
}

#[test]
fn values_sum_to_the_figures() {
    for profile in [server(), hostile(), Profile::default()] {
        let file = File::read(&profile);
        let types: Vec<(&str, &str)> =
            file.root.messages(1).iter().map(|t| (file.string(t.number(1)), file.string(t.number(2)))).collect();
        let ns = "nanoseconds";
        assert_eq!(
            types,
            [("blocking_cost", ns), ("blocked_time", ns), ("run_delay", ns), ("cpu", ns), ("samples", "count")]
        );
        let samples = file.root.messages(2);
        let values: Vec<Vec<u64>> = samples.iter().map(|s| s.numbers(2)).collect();
        assert!(values.iter().all(|v| v.len() == types.len()));
        for (column, weight) in Weight::ALL.into_iter().enumerate() {
            assert_eq!(values.iter().map(|v| v[column]).sum::<u64>(), profile.total(weight), "{weight:?}");
        }
        assert_eq!(values.iter().map(|v| v[4]).sum::<u64>(), profile.stacks.iter().map(|s| s.samples).sum::<u64>());
    }
}

#[test]
fn the_tables_are_as_the_format_wants_them() {
    for profile in [server(), hostile()] {
        let file = File::read(&profile);
        assert_eq!(file.strings[0], "");
        let mut sorted = file.strings.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), file.strings.len(), "a string twice");
        for (field, what) in [(3, "mapping"), (4, "location"), (5, "function")] {
            let ids: Vec<u64> = file.root.messages(field).iter().map(|m| m.number(1)).collect();
            assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "{what}");
        }
        let mappings = file.root.messages(3).len() as u64;
        assert!(file.root.messages(4).iter().all(|l| l.number(2) <= mappings && !l.messages(4).is_empty()));
        assert!(file.root.messages(5).iter().all(|f| !file.string(f.number(2)).is_empty()));
        // Names are there: no reader has to look for the programs.
        assert!(file.root.messages(3).iter().all(|m| m.number(7) == 1 && !file.string(m.number(5)).is_empty()));
        assert_eq!(file.string(file.root.number(14)), "blocking_cost");
        assert_eq!(file.root.number(9), 1_700_000_000_000_000_000);
        assert_eq!(file.root.number(10), 10_000_000_000);
        let report = fixture::server().report();
        assert_eq!(file.string(file.root.numbers(13)[0]), report.verdict.sentence());
    }
}

#[test]
fn stacks_read_back_with_inlined_frames_and_wakers() {
    let file = File::read(&server());
    let samples = file.root.messages(2);
    let own = ["main", "echo::serve", "echo::read_request", "<T as std::io::Read>::read", "read"];
    assert_eq!(file.stack(&samples[1]), own);
    let waker = ["--", "tcp_rcv_established", "net_rx_action"];
    assert_eq!(file.stack(&samples[0]), own.into_iter().chain(waker).collect::<Vec<_>>());
    // main, serve with two frames inlined into it, the mark.
    assert_eq!(samples[1].numbers(1).len(), 3);
    let location = file.root.messages(4).into_iter().find(|l| l.messages(4).len() == 3).unwrap();
    let lines: Vec<u64> = location.messages(4).iter().map(|l| l.number(2)).collect();
    assert_eq!(lines, [0, 77, 40], "the innermost first");

    assert_eq!(
        file.labels(&samples[0]),
        [("kind", "block"), ("syscall", "read"), ("class", "tcp"), ("descriptor", "10.0.0.1:7000 ← 10.0.0.2:41822")]
    );
    assert_eq!(file.labels(&samples[3]), [("kind", "cpu-clock")]);
    assert_eq!(file.labels(&samples[5]), [("kind", "rest"), ("class", "futex")]);
}

#[test]
fn the_same_measurement_gives_the_same_bytes() {
    let report = fixture::server().report();
    assert_eq!(encode(&server(), &report, Weight::Cost).unwrap(), encode(&server(), &report, Weight::Cost).unwrap());
}
