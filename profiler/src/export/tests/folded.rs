//! Folded stacks: every line reads back, and nothing is lost in between.

use proptest::prelude::*;

use super::build::{Build, HOSTILE, hostile, kernel, server, user, weights};
use crate::{
    answer::{Profile, Weight},
    export::folded::{Names, write},
    symbol::{Frame, Origin},
};

/// As flame graph tools read a line: what follows the last space is the count.
fn read(text: &str) -> Vec<(Vec<&str>, u64)> {
    text.lines()
        .map(|line| {
            assert!(!line.starts_with("# "), "a comment: {line}");
            let (stack, ns) = line.rsplit_once(' ').unwrap();
            let word = stack.rsplit_once(' ').map_or("x", |(_, word)| word);
            assert!(word.parse::<f64>().is_err(), "looks like a second count: {line}");
            (stack.split(';').collect(), ns.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_sum_of_the_lines_is_the_figure_to_the_nanosecond() {
    for profile in [server(), hostile(), Profile::default()] {
        for weight in Weight::ALL {
            for names in [Names::Plain, Names::Annotated] {
                let text = write(&profile, weight, names);
                assert_eq!(read(&text).iter().map(|(_, ns)| ns).sum::<u64>(), profile.total(weight));
            }
        }
    }
}

#[test]
fn lines_read_as_reviewed() {
    assert_eq!(
        write(&server(), Weight::Cost, Names::Annotated),
        "[no stack was taken] 3\n\
         main;echo::serve;echo::read_request_[i];<T as std::io::Read>::read_[i];read 500000\n\
         main;echo::serve;echo::read_request_[i];<T as std::io::Read>::read_[i];read;--;tcp_rcv_established_[k];\
         net_rx_action_[k] 1000001\n\
         main;echo::serve;read 7\n"
    );
    assert_eq!(
        write(&server(), Weight::Cpu, Names::Plain),
        "[no stack was taken] 23\nmain;Handler.handle;do_syscall_64 1234567\nmain;echo::serve;echo::read_request 900000001\n"
    );
    assert!(
        write(&server(), Weight::Cpu, Names::Annotated).contains("main;Handler.handle_[j];do_syscall_64_[k] 1234567\n")
    );
}

#[test]
fn no_name_changes_the_number_of_frames_or_lines() {
    let text = write(&hostile(), Weight::Cost, Names::Plain);
    let lines = read(&text);
    assert_eq!(lines.len(), HOSTILE.len() + 1, "the two stacks without frames are one");
    for (stack, ns) in &lines {
        let frames = if *ns == 3 { 1 } else { 4 };
        assert_eq!(stack.len(), frames, "{stack:?}");
        assert!(!stack.iter().any(|f| f.is_empty() || f.chars().any(char::is_control)), "{stack:?}");
    }
    assert!(text.contains("main;a:b;--;a:b "));
    assert!(text.contains("main;operator new_42;--;"));
    assert!(text.contains("[unknown] 3\n"));
}

#[test]
fn stacks_with_a_common_beginning_stand_together() {
    let mut build = Build::default();
    for name in ["a", "a::b", "a b"] {
        for below in [&[][..], &[kernel("x")], &[user("a")]] {
            let frames: Vec<Frame> = [user(name)].into_iter().chain(below.to_vec()).collect();
            build.stack(&frames, &[], weights(1, 0, 0, 0));
        }
    }
    let text = write(&build.profile, Weight::Cost, Names::Plain);
    let mut first: Vec<&str> = read(&text).iter().map(|(stack, _)| stack[0]).collect();
    first.dedup();
    assert_eq!(first, ["a", "a b", "a::b"]);
}

proptest! {
    #[test]
    fn whatever_the_names_the_sum_stays(
        names in prop::collection::vec(any::<String>(), 1..8),
        stacks in prop::collection::vec((prop::collection::vec(0u32..9, 0..6), prop::collection::vec(0u32..9, 0..3), 0u64..1 << 40), 0..20),
    ) {
        let mut build = Build::default();
        for (i, name) in names.iter().enumerate() {
            let origin = [Origin::User, Origin::Jit, Origin::Kernel, Origin::Mark][i % 4];
            build.profile.frames.push(Frame { origin, ..Frame::mark(name) });
        }
        for (frames, waker, ns) in &stacks {
            let stack = build.stack(&[], &[], weights(*ns, 0, 0, 0));
            (stack.frames, stack.waker) = (frames.clone(), waker.clone());
        }
        for names in [Names::Plain, Names::Annotated] {
            let text = write(&build.profile, Weight::Cost, names);
            prop_assert_eq!(read(&text).iter().map(|(_, ns)| ns).sum::<u64>(), build.profile.total(Weight::Cost));
        }
    }
}
