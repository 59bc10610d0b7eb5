//! The programs: languages with their blocking form, and what each async form is for `check`.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::setting::Protocol::{self, Http, Tcp, Udp};
use crate::{harness::row::Scenario, pairs::needs::Need};

/// The name of the suite in messages, and its folder below target/.
pub(super) const SUITE: &str = "languages";

/// What is studied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// The root that a program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// Nothing but static programs.
    Static,
    /// A Debian with a JVM and Python.
    Debian,
}

/// How a program calls what all of them are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    /// Those of xtask/languages.
    Languages,
    /// Those of the lab, which speaks TCP only and ends by itself after some time.
    Lab,
}

/// A form of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) image: Image,
    /// The program, and the words that say which form it takes.
    pub(super) words: &'static str,
    pub(super) flags: Flags,
    pub(super) protocols: &'static [Protocol],
}

/// A blocking form with its async twins; without them a control, which is async by nature.
#[derive(Debug)]
pub(super) struct Language {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) blocking: Form,
    pub(super) twins: &'static [(Form, Scenario)],
    /// The words that say how fast the work runs, in the same image.
    pub(super) spin: &'static str,
}

const ALL: &[Protocol] = &[Tcp, Http, Udp];
const STREAMS: &[Protocol] = &[Tcp, Http];

const fn form(name: &'static str, words: &'static str) -> Form {
    Form { name, image: Image::Debian, words, flags: Flags::Languages, protocols: ALL }
}

/// A form of the lab's, in Rust.
const fn lab(name: &'static str, words: &'static str) -> Form {
    Form { flags: Flags::Lab, protocols: &[Tcp], ..form(name, words) }
}

/// A form with nothing but itself in its root.
const fn alone(name: &'static str, words: &'static str) -> Form {
    Form { image: Image::Static, ..form(name, words) }
}

pub(super) const C: &[Need] = &[
    Need::Debian(&["gcc", "libc6-dev"]),
    Need::Built { compiler: "cc", source: "c/lab.c", flags: &["-static", "-pthread"] },
];
const CPP: &[Need] = &[
    C[0],
    C[1],
    Need::Debian(&["g++", "libboost-dev"]),
    Need::Built { compiler: "c++", source: "cpp/lab.cpp", flags: &["-std=c++17", "-static", "-pthread"] },
];
pub(super) const GO: &[Need] =
    &[Need::Debian(&["golang-go"]), Need::Built { compiler: "go", source: "go/lab.go", flags: &[] }];
pub(super) const JAVA: &[Need] = &[
    Need::Debian(&["openjdk-17-jdk-headless"]),
    Need::Built { compiler: "javac", source: "java/Lab.java", flags: &["--release", "17"] },
];

/// What the image of Debian has, beside the programs. Of the pairs' folder.
pub(super) const DEBIAN: Need = Need::Root { suite: "trixie", packages: &["openjdk-25-jdk-headless", "python3"] };

const C_SPIN: &str = "/c/lab spin-rate";
const GO_SPIN: &str = "/go/lab spin-rate";
const JAVA_SPIN: &str = "java -cp /languages/java Lab spin-rate";
const PYTHON_SPIN: &str = "python3 /languages/python/lab.py spin-rate";
const RUST_SPIN: &str = "/languages/rust/lab spin-rate";

/// The server that clients are studied with: the fastest one, so that they are the bottleneck.
pub(super) const PEER: Form = alone("go", "/go/lab serve");

const SERVERS: &[Language] = &[
    Language {
        name: "c",
        needs: CPP,
        blocking: alone("threads", "/c/lab serve --mode threads"),
        twins: &[
            (alone("epoll", "/c/lab serve --mode epoll"), Scenario::Level),
            (Form { protocols: STREAMS, ..alone("asio", "/cpp/lab serve --mode asio") }, Scenario::Level),
        ],
        spin: C_SPIN,
    },
    Language {
        name: "java",
        needs: JAVA,
        blocking: form("platform", "java -cp /languages/java Lab serve --mode platform"),
        twins: &[
            (form("virtual", "java -cp /languages/java Lab serve --mode virtual"), Scenario::Virtual),
            (
                Form { protocols: STREAMS, ..form("nio", "java -cp /languages/java Lab serve --mode nio") },
                Scenario::Selector,
            ),
        ],
        spin: JAVA_SPIN,
    },
    Language {
        name: "python",
        needs: &[],
        blocking: form("threads", "python3 /languages/python/lab.py serve --mode threads"),
        twins: &[
            (
                Form { protocols: STREAMS, ..form("streams", "python3 /languages/python/lab.py serve --mode streams") },
                Scenario::Streams,
            ),
            (form("protocols", "python3 /languages/python/lab.py serve --mode protocols"), Scenario::Protocols),
        ],
        spin: PYTHON_SPIN,
    },
    Language {
        name: "rust",
        needs: &[],
        blocking: lab("threads", "/languages/rust/lab echo --mode threads"),
        twins: &[
            (lab("tokio", "/languages/rust/lab echo --mode tokio"), Scenario::Runtime),
            (lab("uring", "/languages/rust/lab echo --mode uring"), Scenario::Tuned),
        ],
        spin: RUST_SPIN,
    },
    Language { name: "go", needs: GO, blocking: PEER, twins: &[], spin: GO_SPIN },
];

const CLIENTS: &[Language] = &[
    Language {
        name: "c",
        needs: C,
        blocking: alone("threads", "/c/lab ask --mode threads"),
        twins: &[(alone("epoll", "/c/lab ask --mode epoll"), Scenario::Level)],
        spin: C_SPIN,
    },
    Language {
        name: "java",
        needs: JAVA,
        blocking: form("platform", "java -cp /languages/java Lab ask --mode platform"),
        twins: &[(form("virtual", "java -cp /languages/java Lab ask --mode virtual"), Scenario::Virtual)],
        spin: JAVA_SPIN,
    },
    Language {
        name: "python",
        needs: &[],
        blocking: form("threads", "python3 /languages/python/lab.py ask --mode threads"),
        twins: &[(
            Form { protocols: STREAMS, ..form("streams", "python3 /languages/python/lab.py ask --mode streams") },
            Scenario::Streams,
        )],
        spin: PYTHON_SPIN,
    },
    Language {
        name: "rust",
        needs: &[],
        blocking: lab("threads", "/languages/rust/lab fanout --fan 1 --mode threads"),
        twins: &[(lab("tokio", "/languages/rust/lab fanout --fan 1 --mode tokio"), Scenario::Runtime)],
        spin: RUST_SPIN,
    },
    Language { name: "go", needs: GO, blocking: alone("goroutines", "/go/lab ask"), twins: &[], spin: GO_SPIN },
];

/// The languages of a side.
pub(super) const fn of_side(side: Side) -> &'static [Language] {
    match side {
        Side::Server => SERVERS,
        Side::Client => CLIENTS,
    }
}
