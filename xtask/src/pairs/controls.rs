//! Programs that async does not help, and the only right answers about them.

use super::{
    needs::Need,
    pair::{ALONE, Pair, SERVER, Speaks, form},
    program::Counted,
};
use crate::harness::report::Answer;

pub(super) const PAIRS: &[Pair] = &[
    Pair {
        id: "control-redis",
        needs: &[Need::Debian(&["redis-server"])],
        blocking: form("redis", "redis-server --port {port} --bind 127.0.0.1 --save \"\" --appendonly no"),
        speaks: Speaks::Redis,
        answers: &[Answer::AlreadyAsync],
        ..SERVER
    },
    Pair {
        id: "control-nginx",
        needs: &[Need::Debian(&["nginx-light"])],
        blocking: form("nginx", "{sources}/nginx.sh {at} {port} static"),
        speaks: Speaks::Http("/fixed"),
        answers: &[Answer::AlreadyAsync],
        ..SERVER
    },
    Pair {
        id: "control-go",
        needs: &[Need::Debian(&["golang-go"]), Need::Built { compiler: "go", source: "gohttp.go", flags: &[] }],
        blocking: form("net/http", "{at}/gohttp --port {port}"),
        answers: &[Answer::AlreadyAsync],
        ..SERVER
    },
    Pair {
        id: "control-openssl",
        needs: &[Need::Debian(&["openssl"])],
        blocking: form("openssl", "openssl speed -seconds 600 -evp sha256"),
        counted: Counted::Clock,
        answers: &[Answer::CpuBound, Answer::NoBlockingIo],
        ..ALONE
    },
    Pair {
        id: "control-xz",
        needs: &[Need::Debian(&["xz-utils"]), Need::File],
        blocking: form("xz", "sh -c \"exec xz -6 -c {file} > /dev/null\""),
        counted: Counted::Clock,
        answers: &[Answer::CpuBound, Answer::NoBlockingIo, Answer::CostsLittle],
        ..ALONE
    },
    Pair {
        id: "control-mutex",
        needs: &[
            Need::Debian(&["gcc", "libc6-dev"]),
            Need::Built { compiler: "cc", source: "mutex.c", flags: &["-lpthread"] },
        ],
        // On one CPU a lock is fought over only when its holder is preempted.
        blocking: form("mutex", "taskset -c 0,1 {at}/mutex --threads 8"),
        counted: Counted::Clock,
        answers: &[Answer::Locks],
        ..ALONE
    },
];
