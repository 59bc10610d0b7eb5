//! Stalls of event loops, as they are read and as they are promised.

use unicode_width::UnicodeWidthStr;

use super::super::{TextOptions, stalls, stalls_json, stalls_schema};
use crate::{
    aggregate::{ThreadTotals, Window},
    answer::{Caught, Facts, Inputs, Instead, Part, ProcessFacts, Stall, StallStack, Stalls, WindowFacts},
    event::{BUCKETS, BlockClass, LongestBlock, LoopRecord, Place, Sums, Turn, TurnSums},
    quantity::{Addr, Nanos, Tgid, Tid},
    symbol::{Frame, Origin},
};

const PID: u32 = 4_242;

fn ms(n: u64) -> Nanos {
    Nanos::from_millis(n)
}

fn frame(name: &str, module: &str) -> Frame {
    Frame {
        name: name.to_owned(),
        module: module.to_owned(),
        source: None,
        origin: Origin::User,
        inlined: false,
        named: true,
    }
}

fn turn(at: u64, length: u64, ready: Option<u32>) -> Turn {
    Turn {
        from: ms(at),
        to: ms(at + length),
        open: false,
        ended: false,
        user: ms(1),
        kernel: Nanos::ZERO,
        delay: Nanos::ZERO,
        blocked: Vec::new(),
        blocks: 1,
        longest: None,
        ready,
    }
}

/// A stall on a journal, of a known function.
fn syncs(at: u64, length: u64, ready: u32) -> Stall {
    let place = Place { syscall: "fsync".into(), class: BlockClass::Journal, ip: Addr::from_raw(16), space: 1 };
    let (off, spent) = (ms(at + 1), ms(length - 1));
    let longest = Some(LongestBlock { off, length: spent, class: BlockClass::Journal, place: Some(place) });
    let blocked = vec![(BlockClass::Journal, spent)];
    let parts = vec![
        Part { what: Instead::Blocked(BlockClass::Journal), stack: Some(0), time: spent },
        Part { what: Instead::Ran, stack: None, time: ms(1) },
    ];
    let turn = Turn { blocked, longest, ..turn(at, length, Some(ready)) };
    Stall { tgid: Tgid::from_raw(PID), tid: Tid::from_raw(PID), turn, parts }
}

/// A stall of computing, whose samples differ in their innermost frames.
fn computes(at: u64, length: u64) -> Stall {
    let parts = [(1, 6), (2, 6)].map(|(stack, time)| Part { what: Instead::Ran, stack: Some(stack), time: ms(time) });
    let turn = Turn { user: ms(length), blocks: 0, ..turn(at, length, Some(0)) };
    Stall { tgid: Tgid::from_raw(PID), tid: Tid::from_raw(PID), turn, parts: parts.to_vec() }
}

fn record(tid: u32, turns: u64, shared: bool, slept: bool) -> LoopRecord {
    let mut buckets = [0; BUCKETS];
    (buckets[14], buckets[24]) = (turns as u32 - 1, 1);
    LoopRecord {
        tgid: Tgid::from_raw(PID),
        tid: Tid::from_raw(tid),
        slept,
        shared,
        turn: None,
        sums: TurnSums { watched: ms(10_000), waits: turns, own: 0, turns, turned: ms(1_000), most: ms(31), buckets },
    }
}

fn caught() -> Caught {
    let frames = vec![
        Frame::mark("redis-server"),
        frame("main", "redis-server"),
        frame("flush\x1b[31mAppendOnlyFile", "redis-server"),
        frame("fsync", "libc.so.6"),
        frame("keysCommand", "redis-server"),
        frame("stringmatchlen", "redis-server"),
        frame("dictNext", "redis-server"),
    ];
    let stack = |frames: &[u32]| StallStack { frames: frames.to_vec(), waker: Vec::new() };
    Caught {
        over: ms(10),
        loops: vec![record(PID, 2_000, false, true)],
        stalls: vec![syncs(1_000, 31, 12), syncs(2_000, 21, 40), computes(3_000, 12)],
        frames,
        stacks: vec![stack(&[0, 1, 2, 3]), stack(&[0, 1, 4, 5]), stack(&[0, 1, 4, 6])],
        ..Caught::default()
    }
}

fn inputs() -> Inputs {
    let process = ProcessFacts { tgid: PID, name: "redis-server".into(), ..ProcessFacts::default() };
    Inputs {
        facts: Facts { processes: vec![process], cpus: 2, ..Facts::default() },
        window: WindowFacts { wall: ms(10_000), measured: ms(10_000), ..WindowFacts::default() },
        thread_names: [(Tid::from_raw(PID), "redis-server".to_owned())].into(),
        ..Inputs::default()
    }
}

fn window() -> Window {
    let sums = Sums { event_calls: 2_000, calls: 9_000, user: 900_000_000, ..Sums::ZERO };
    let thread = ThreadTotals::running(PID, PID, ms(10_000), sums);
    Window { start: Nanos::ZERO, end: ms(10_000), measured: ms(10_000), threads: vec![thread], ..Window::default() }
}

fn found(caught: Caught) -> Stalls {
    Stalls::new(caught, &window(), &inputs())
}

#[test]
fn the_stalls_look_as_reviewed() {
    insta::assert_snapshot!("stalls", stalls(&found(caught()), &TextOptions::default()));
}

#[test]
fn no_line_is_wider_than_the_page_and_no_name_is_markup() {
    for width in [80, 100, 132] {
        let text = stalls(&found(caught()), &TextOptions { width, verbose: true, ..TextOptions::default() });
        assert!(text.lines().all(|line| line.width() <= width), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
}

#[test]
fn what_others_waited_longest_for_comes_first() {
    let found = found(caught());
    assert_eq!(found.stalls[0].turn.ready, Some(40));
    let [first, .., last] = found.causes.as_slice() else { panic!("{:#?}", found.causes) };
    assert_eq!((first.what, first.stalls), (Instead::Blocked(BlockClass::Journal), 2));
    assert_eq!(first.others, ms(31 * 12 + 21 * 40));
    // Most of the CPU is below one function, whatever the samples hit.
    let ran = found.causes.iter().find(|cause| cause.what == Instead::Ran && cause.place.is_some()).unwrap();
    assert_eq!((ran.place.as_deref(), ran.time), (Some("keysCommand"), ms(12)));
    assert_eq!((last.what, last.place.as_deref()), (Instead::Ran, None));
    let sentence = found.sentence();
    assert!(
        sentence.starts_with("It is async, and its loop stands still 0.6 % of the time: 0.5 % blocked on journal"),
        "{sentence}"
    );
}

#[test]
fn the_flame_graph_has_the_time_that_loops_stood_still() {
    let found = found(caught());
    let parts: u64 = found.stalls.iter().flat_map(|stall| &stall.parts).map(|part| part.time.as_nanos()).sum();
    assert_eq!(found.profile().total(crate::answer::Weight::Blocked), parts);
}

#[test]
fn a_watchdog_of_a_shared_loop_is_no_loop_and_one_without_stalls_says_so() {
    let mut caught = caught();
    caught.loops.push(record(7, 100, true, false));
    caught.stalls.clear();
    let mut calm = record(PID, 2_000, false, true);
    calm.sums.most = ms(3);
    let found_in = found;
    let found = found(caught);
    assert_eq!(found.loops.len(), 1);
    assert!(found.sentence().contains("those stalls were lost"), "{}", found.sentence());
    let healthy = found_in(Caught { loops: vec![calm], stalls: Vec::new(), ..self::caught() });
    assert_eq!(healthy.sentence(), "Its loop never stood still for 10.0 ms or longer: its longest turn took 3.00 ms.");
    let none = Stalls::new(Caught::default(), &Window::default(), &inputs());
    assert!(none.sentence().starts_with("None of its threads waits for events"), "{}", none.sentence());
}

#[test]
fn the_json_holds_to_its_schema() {
    let found = found(caught());
    let json: serde_json::Value = serde_json::from_str(&stalls_json(&found)).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&stalls_schema()).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(json["stalls"][0]["ready_count"]["value"], 40);
    assert_eq!(json["stalls"].as_array().unwrap().len(), 3);
}
