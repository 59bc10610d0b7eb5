//! Profiles made by hand.

use crate::{
    answer::{Profile, Stack, StackQuality, Weights},
    event::BlockClass,
    symbol::{Frame, Origin},
};

/// A profile under way.
#[derive(Default)]
pub(in crate::export) struct Build {
    pub(in crate::export) profile: Profile,
}

pub(in crate::export) fn user(name: &str) -> Frame {
    Frame { module: "echo-server".to_owned(), origin: Origin::User, ..Frame::mark(name) }
}

pub(in crate::export) fn kernel(name: &str) -> Frame {
    Frame { module: "[kernel]".to_owned(), origin: Origin::Kernel, ..Frame::mark(name) }
}

pub(in crate::export) fn weights(cost: u64, blocked: u64, run_delay: u64, cpu: u64) -> Weights {
    Weights { cost, blocked, run_delay, cpu }
}

impl Build {
    /// Index of a frame; the same frame is not taken twice.
    pub(in crate::export) fn frame(&mut self, frame: Frame) -> u32 {
        let frames = &mut self.profile.frames;
        let at = frames.iter().position(|f| *f == frame).unwrap_or_else(|| {
            frames.push(frame);
            frames.len() - 1
        });
        at as u32
    }

    pub(in crate::export) fn stack(&mut self, frames: &[Frame], waker: &[Frame], weights: Weights) -> &mut Stack {
        let frames = frames.iter().map(|f| self.frame(f.clone())).collect();
        let waker = waker.iter().map(|f| self.frame(f.clone())).collect();
        self.profile.stacks.push(Stack { site: None, class: None, frames, waker, samples: 1, weights });
        self.profile.stacks.last_mut().unwrap()
    }
}

/// What a thread-per-connection server looks like: blocks with and without a waker, inlined frames,
/// CPU, and a rest.
pub(in crate::export) fn server() -> Profile {
    let mut build = Build::default();
    let main = user("main");
    let serve = Frame { source: Some(("src/serve.rs".to_owned(), 40)), ..user("echo::serve") };
    let inlined = Frame { source: Some(("src/serve.rs".to_owned(), 77)), inlined: true, ..user("echo::read_request") };
    let inner = Frame { inlined: true, ..user("<T as std::io::Read>::read") };
    let read = Frame::mark("read");
    let waker = [kernel("tcp_rcv_established"), kernel("net_rx_action")];
    let own = [main.clone(), serve.clone(), inlined.clone(), inner, read.clone()];
    let block = |stack: &mut Stack| {
        stack.site = Some(0);
        stack.class = Some(BlockClass::Tcp);
    };
    block(build.stack(&own, &waker, weights(1_000_001, 5_000_000_007, 40_003, 0)));
    block(build.stack(&own, &[], weights(500_000, 1_000_000_000, 9_000, 0)));
    block(build.stack(&[main.clone(), serve.clone(), read], &[], weights(7, 11, 13, 0)));
    build.stack(&[main.clone(), serve, inlined], &[], weights(0, 0, 0, 900_000_001));
    let jit = Frame { module: "[jit]".to_owned(), origin: Origin::Jit, ..Frame::mark("Handler.handle") };
    build.stack(&[main, jit, kernel("do_syscall_64")], &[], weights(0, 0, 0, 1_234_567));
    let rest = build.stack(&[Frame::mark("[no stack was taken]")], &[], weights(3, 17, 19, 23));
    (rest.samples, rest.class) = (0, Some(BlockClass::Futex));
    build.profile.quality =
        StackQuality { samples: 3, clock_samples: 2, lost: 0, truncated: 1, named: 3, with_waker: 1 };
    build.profile
}

/// Names chosen to break a format.
pub(in crate::export) const HOSTILE: [&str; 10] = [
    "a;b",
    "operator new 42",
    "x\ny\tz",
    "# comment",
    "</script><script>alert(1)</script>",
    "]]>\u{0}\x1b[31m<&\"'",
    "\u{202e}desrever",
    "",
    "漢字 3.5",
    "--><!-- \u{fffe}",
];

pub(in crate::export) fn hostile() -> Profile {
    let mut build = Build::default();
    for (i, name) in HOSTILE.into_iter().enumerate() {
        let ns = 1_000_000 + i as u64;
        let module = Frame { module: format!("{name}.so"), ..user(name) };
        build.stack(&[user("main"), module.clone()], &[module], weights(ns, ns, ns, ns));
    }
    // What no reader of a cut file may trip over: frames that are not there, and none at all.
    let broken = build.stack(&[], &[], weights(1, 1, 1, 1));
    broken.site = Some(1_000_000);
    broken.frames = vec![4_000_000_000];
    build.stack(&[], &[], weights(2, 2, 2, 2));
    build.profile
}

/// So many distinct stacks, thirty deep, most of them sharing most of their frames with others.
pub(in crate::export) fn large(stacks: u64) -> Profile {
    let mut build = Build::default();
    for i in 0..4_000 {
        let module = format!("lib{}.so", i % 40);
        let name = format!("some_crate::a_module_{}::Type<T>::a_method_{i}", i % 60);
        build.profile.frames.push(Frame { module, ..user(&name) });
    }
    let mut seed = 1u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for n in 0..stacks {
        let trunk = random(50);
        // Twenty frames of one of fifty trunks, ten of the stack's own.
        let trunk = (0..20).map(|depth| (trunk * 20 + depth) % 4_000);
        let frames = trunk.chain((0..10).map(|_| random(4_000)).collect::<Vec<_>>()).map(|i| i as u32).collect();
        let weights = weights(random(1_000_000), random(1_000_000_000), random(100_000), n % 7 * random(1_000_000));
        build.profile.stacks.push(Stack {
            site: Some(0),
            class: Some(BlockClass::Tcp),
            frames,
            waker: Vec::new(),
            samples: 1,
            weights,
        });
    }
    build.profile
}
