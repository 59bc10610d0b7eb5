//! Windows made by hand, whose reports the tests look at.

use std::collections::HashMap;

use crate::{
    aggregate::{OpenEnd, Quality, ThreadTotals, Window},
    answer::{
        By, ConnectionFacts, Ended, Facts, Inputs, LoadAverages, Member, Overhead, ProcessFacts, Report, Told, Top,
        TopRow, WindowFacts,
    },
    cost::Reference,
    event::{
        BlockClass, BlockEnd, DeviceRecord, Place, ProgramRecord, SampleCounts, Side, Site, SiteRecord, Span, Stat,
        Sums,
    },
    machine::{BlockCost, FileCost, HandOverCost, PriceList, Step},
    quantity::{Addr, Estimate, Nanos, Tgid, Tid},
};

pub(super) const PID: u32 = 4242;
const WALL: u64 = 10_000_000_000;

/// What is put together before it becomes a report.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) window: Window,
    pub(super) inputs: Inputs,
}

impl Case {
    pub(super) fn report(self) -> Report {
        Report::new(&self.window, self.inputs)
    }
}

/// A target without threads, measured for ten seconds.
pub(super) fn empty(name: &str) -> Case {
    let process = ProcessFacts {
        tgid: PID,
        ns_pids: vec![PID],
        name: name.to_owned(),
        command: format!("/usr/bin/{name} --listen 0.0.0.0:7000"),
        container: None,
    };
    Case {
        window: Window {
            start: Nanos::ZERO,
            end: Nanos::from_nanos(WALL),
            measured: Nanos::from_nanos(WALL),
            threads: Vec::new(),
            pooled: Sums::ZERO,
            sites: Vec::new(),
            overflow: site(BlockClass::Other, "none", 0).site,
            spans: Vec::new(),
            samples: SampleCounts::default(),
            devices: Vec::new(),
            quality: Quality::default(),
            ipc: None,
            programs: Vec::new(),
        },
        inputs: Inputs {
            facts: Facts {
                processes: vec![process],
                notes: Vec::new(),
                kernel: "6.18.3".to_owned(),
                cpus: 2,
                allowed_cpus: 2,
                form: "tp_btf".to_owned(),
                began_at: 1_700_000_000,
                runtime: None,
                quota_cpus: None,
                quotas: Vec::new(),
            },
            window: WindowFacts {
                wall: Nanos::from_nanos(WALL),
                measured: Nanos::from_nanos(WALL),
                windows: 1,
                ended: Ended::DurationOver,
            },
            reference: Some(Reference {
                per_block: 1_180.0,
                standard_error: 9.0,
                blocks: 2_000,
                per_wake: Some(420.0),
                pace: None,
            }),
            calibration: Some(calibration()),
            load_averages: Some(LoadAverages { minute: Some((1.5, 2.25)), updates: 2 }),
            own_cpu: Nanos::from_millis(41),
            own_bytes: 23 << 20,
            ..Inputs::default()
        },
    }
}

/// A machine on which waiting in another way has a price.
fn calibration() -> PriceList {
    let cost = |ns: f64| Estimate { value: ns, low: ns * 0.97, high: ns * 1.03 };
    let step = |events: u32, again: f64| Step {
        events,
        ready: cost(2_000.0),
        level: cost(again - 180.0),
        again: cost(again),
        runtime: Some(cost(again + 90.0)),
        uring: Some(cost(again - 60.0)),
    };
    let block = |idle, ns: f64| BlockCost { class: BlockClass::Tcp, idle, cost: cost(ns), wake: cost(400.0) };
    let file = |depth| FileCost { depth, pread: cost(430.0), pool: Some(cost(5_000.0)), uring: Some(cost(600.0)) };
    PriceList {
        steps: vec![step(1, 2_700.0), step(8, 2_350.0), step(64, 2_320.0)],
        blocks: vec![block(None, 840.0), block(Some(40e3), 3_200.0), block(Some(5e6), 10_700.0)],
        files: vec![file(1), file(8)],
        hand_overs: vec![HandOverCost { class: BlockClass::Futex, via_idle: false, cost: cost(4_000.0) }],
        source: "made up".to_owned().into(),
        ..PriceList::default()
    }
}

/// The descriptor of each thread's client.
const CLIENT: i32 = 7;

/// What was streamed of `threads` threads that are woken together, ten times in a tenth of a
/// second.
fn spans(threads: u32, class: BlockClass) -> Vec<Span> {
    let at = |us: u64| Nanos::from_micros(us);
    let end = |thread: u32, round: u64| BlockEnd {
        tid: Tid::from_raw(PID + thread),
        waker: None,
        class,
        away: thread == 0,
        fd: Some(CLIENT),
        sends: false,
        off: at(round * 1_000 + u64::from(thread) * 16),
        wake: at(round * 1_000 + 450 + u64::from(thread) * 4),
        burst: at(15),
        delay: at(if thread == 0 { 30 } else { 90 }),
    };
    let span = |n: u64| Span {
        start: at(n * 100_000),
        end: at(n * 100_000 + 10_000),
        ends: (0..10).flat_map(|r| (0..threads).map(move |t| end(t, n * 100 + r))).collect(),
    };
    (0..8).map(span).collect()
}

/// The clients of `threads` threads.
fn clients(threads: u32) -> Vec<ConnectionFacts> {
    let name = "tcp 127.0.0.1:7777".to_owned();
    let client =
        |thread| ConnectionFacts { tid: Tid::from_raw(PID + thread), fd: CLIENT, client: true, name: name.clone() };
    (0..threads).map(client).collect()
}

/// A thread that the ledger closes for: what is left of the wall is blocked in `class`.
pub(super) fn thread(tid: u32, user: u64, kernel: u64, class: BlockClass, blocks: u64) -> ThreadTotals {
    let delay = blocks * 9_000;
    let mut sums = Sums {
        user,
        kernel,
        calls: blocks * 2,
        blocked_calls: blocks,
        voluntary: blocks,
        kernel_voluntary: blocks,
        switch_ins: blocks,
        kernel_runtime: user + kernel + blocks * 250,
        checked_cpu: user + kernel,
        burst_sum: user + kernel,
        woken_by_other: blocks,
        ..Sums::ZERO
    };
    sums.classes[class as usize].blocks = blocks;
    sums.classes[class as usize].blocked = WALL - user - kernel - delay;
    sums.classes[class as usize].run_delay = delay;
    if class.family() == crate::event::Family::BlockingIo {
        sums.charge_io += (blocks * 250).cast_signed();
        sums.charge_away += (blocks * 250).cast_signed();
    } else {
        sums.charge_other += (blocks * 250).cast_signed();
    }
    sums.concurrency[0] = (blocks / 2) as u32;
    sums.concurrency[1] = (blocks / 4) as u32;
    sums.concurrency[9] = (blocks - blocks / 2 - blocks / 4) as u32;
    ThreadTotals {
        ring: false,
        space: 2 * PID,
        open_end: OpenEnd::Blocked(class),
        asleep_at_start: true,
        ..ThreadTotals::running(tid, PID, Nanos::from_nanos(WALL), sums)
    }
}

fn stat(count: u64, ns: u64) -> Stat {
    let mut stat = Stat::ZERO;
    (0..count).for_each(|i| stat.add(ns + i % 7));
    stat
}

/// A site that nothing called yet.
pub(super) fn site(class: BlockClass, syscall: &str, fd: i32) -> SiteRecord {
    let place =
        Place { syscall: syscall.to_owned(), class, ip: Addr::from_raw(0x7f00_1234_0000 + fd as u64), space: 1 };
    SiteRecord::with_one_size(place, (Tgid::from_raw(PID), Some(fd)), 3, Site::ZERO)
}

/// `blocked` of its `calls` blocked for `wait` ns.
pub(super) fn called(mut record: SiteRecord, calls: u64, blocked: u64, wait: u64) -> SiteRecord {
    let site = &mut record.site;
    site.calls = calls;
    site.blocked_calls = blocked;
    site.blocks = blocked;
    site.bytes = calls * 128;
    site.cpu_before = blocked * 700;
    site.cpu_direct_warm = stat(calls - blocked, 1_400);
    site.cpu_blocked_near = stat(blocked, 3_100);
    site.blocked = stat(blocked, wait);
    site.run_delay = stat(blocked, 9_000);
    site.user_after_blocked = stat(blocked, 5_200);
    site.user_after_direct = stat(calls - blocked, 4_800);
    SiteRecord::with_one_size(record.place, record.last_caller, 3, record.site)
}

/// Names for descriptors and threads.
pub(super) fn named(mut case: Case, fds: &[(i32, &str)], threads: &str) -> Case {
    let name = |fd| fds.iter().find(|(known, _)| Some(*known) == fd).map(|(_, name)| (*name).to_owned());
    let sites = case.window.sites.iter();
    case.inputs.descriptors =
        sites.filter_map(|s| Some((s.place.clone(), name(s.last_caller.1)?))).collect::<HashMap<_, _>>();
    case.inputs.thread_names =
        case.window.threads.iter().map(|t| (t.tid, threads.to_owned())).collect::<HashMap<_, _>>();
    let charge: u64 = case.window.threads.iter().map(|t| t.sums.voluntary * 250).sum();
    let cpu: u64 = case.window.threads.iter().map(|t| t.cpu().as_nanos()).sum();
    case.inputs.process_cpu = Some(Nanos::from_nanos(cpu + charge + cpu / 500));
    case.window.quality.open_at_start = case.window.threads.len() as u64;
    case.window.quality.open_at_end = case.window.threads.len() as u64;
    case
}

/// Thread per connection, over TCP.
pub(super) fn server() -> Case {
    let mut case = empty("echo-server");
    case.window.threads = (0..14).map(|i| thread(PID + i, 250_000_000, 200_000_000, BlockClass::Tcp, 20_000)).collect();
    case.window.threads.push(thread(PID + 14, 1_000_000, 1_000_000, BlockClass::Accept, 14));
    case.window.sites = vec![
        called(site(BlockClass::Tcp, "read", 7), 300_000, 280_000, 450_000),
        called(site(BlockClass::Accept, "accept4", 3), 14, 14, 700_000_000),
        called(site(BlockClass::Tcp, "write", 7), 300_000, 0, 0),
    ];
    case.window.spans = spans(14, BlockClass::Tcp);
    case.inputs.connections = Some(clients(14));
    case.window.programs = vec![ProgramRecord {
        name: "sched_switch".to_owned(),
        runs: 1_000_000,
        time: Nanos::from_millis(121),
        missed: 0,
    }];
    named(case, &[(7, "10.0.0.1:7000 ← 10.0.0.2:41822"), (3, "listening on 0.0.0.0:7000")], "conn")
}

/// The same on a machine with hardware counters.
pub(super) fn counted() -> Case {
    let mut case = server();
    let place = |syscall: &str| case.window.sites.iter().find(|s| s.place.syscall == syscall).map(|s| s.place.clone());
    let (read, write) = (place("read"), place("write"));
    // Often enough without a block before them to be compared by time as well.
    let often = &mut case.window.sites[0];
    often.site.user_after_direct = stat(40_000, 4_800);
    often.sizes[0].user_direct = often.site.user_after_direct;
    if let (Some(read), Some(write)) = (read, write) {
        case.window.ipc = Some(crate::cost::ipc::made::server(read, write));
    }
    case
}

/// The same with a single connection.
pub(super) fn one_connection() -> Case {
    let mut case = server();
    case.window.threads.truncate(1);
    case.window.sites = vec![called(site(BlockClass::Tcp, "read", 7), 21_000, 20_000, 450_000)];
    let site = &mut case.window.sites[0].site;
    std::mem::swap(&mut site.cpu_blocked_near, &mut site.cpu_blocked_away);
    case.window.threads[0].sums.away_io = 20_000;
    case.window.spans = spans(1, BlockClass::Tcp);
    named(case, &[(7, "10.0.0.1:7000 ← 10.0.0.2:41822")], "conn")
}

/// One thread around epoll.
pub(super) fn event_loop() -> Case {
    let mut case = empty("nginx");
    case.window.threads = vec![thread(PID, 900_000_000, 700_000_000, BlockClass::EventWait, 60_000)];
    case.window.sites = vec![
        called(site(BlockClass::EventWait, "epoll_wait", 5), 90_000, 60_000, 120_000),
        called(site(BlockClass::Tcp, "recvfrom", 6), 200_000, 0, 0),
    ];
    named(case, &[(5, "anon_inode:[eventpoll]")], "nginx")
}

/// An event loop with a pool: its threads wait for each other so often beside so many calls that
/// find their data. No calls: threads that fight for locks.
pub(super) fn hand_over(waits: u64, calls: u64) -> Case {
    let mut case = empty("pool");
    case.window.threads = vec![
        thread(PID, 300_000_000, 400_000_000, BlockClass::EventWait, 3_000),
        thread(PID + 1, 300_000_000, 400_000_000, BlockClass::Futex, waits),
    ];
    case.window.sites = vec![
        called(site(BlockClass::Futex, "futex", 5), 2 * waits, waits, 120_000),
        called(site(BlockClass::EventWait, "epoll_wait", 7), calls / 2, 3_000.min(calls / 2), 9_000),
    ];
    if calls > 0 {
        case.window.sites.push(called(site(BlockClass::Tcp, "recvfrom", 6), calls, 0, 0));
    }
    named(case, &[], "pool")
}

/// Waits for a device below its files.
pub(super) fn files() -> Case {
    let mut case = empty("indexer");
    let mut reader = thread(PID, 300_000_000, 500_000_000, BlockClass::File, 40_000);
    reader.sums.device_wait = 7_900_000_000;
    (reader.sums.loading, reader.sums.loading_disk) = (8_100_000_000, 7_900_000_000);
    case.window.threads = vec![reader];
    let path = "/var/lib/indexer/segments/2026/07/a-rather-long-directory-name/of-the-kind-programs-have/0001.seg";
    case.window.sites = vec![called(site(BlockClass::File, "pread64", 9), 64_000, 40_000, 205_000)];
    let own = stat(40_000, 180_000);
    let queue = stat(40_000, 2_100);
    let side = |n: u64| Side {
        requests: n,
        reads: n,
        bytes: n * 16_384,
        queue_time: Nanos::from_nanos(if n == 0 { 0 } else { queue.sum }),
        service_time: Nanos::from_nanos(if n == 0 { 0 } else { own.sum }),
        queue: if n == 0 { Stat::ZERO.buckets } else { queue.buckets },
        service: if n == 0 { Stat::ZERO.buckets } else { own.buckets },
    };
    case.window.devices = vec![DeviceRecord { major: 259, minor: 0, target: side(40_000), others: side(0) }];
    case.inputs.device_names = HashMap::from([((259, 0), "nvme0n1".to_owned())]);
    named(case, &[(9, path)], "reader")
}

/// A machine on which these run, one of them with a name made to break a table.
pub(super) fn machine() -> Top {
    let member = |pid: u32, name: &str| Member {
        pid,
        name: name.to_owned(),
        command: format!("/usr/bin/{name} --listen 0.0.0.0:7000"),
    };
    let cases = [(4_242, "ev\x1b[31mil 漢字", event_loop()), (812, "postgres", files()), (77, "echo-server", server())];
    let idle = (1, "init", empty("init"));
    let rows = cases.into_iter().chain([idle]).map(|(pid, name, case)| {
        let cgroup = "/system.slice/x.service".to_owned();
        {
            let told = Told::can_be_asked(&case.window).then(|| Told::new(&case.window, case.inputs, None).0);
            TopRow::new((By::Process, vec![member(pid, name)]), None, cgroup, &case.window, told.as_ref())
        }
    });
    let (one, mut quality) = (server(), Quality::default());
    quality.calls_without_site = 12;
    Top {
        by: By::Process,
        rows: rows.collect(),
        window: one.inputs.window,
        cpus: 4,
        left_out: vec!["no rights to look into process 9".to_owned()],
        overhead: Overhead { programs: Some(0.031), own: 0.02, own_bytes: 47 << 20 },
        quality,
    }
    .ranked()
}
