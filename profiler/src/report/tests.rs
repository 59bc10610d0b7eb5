//! The reports as they are read, and the JSON as it is promised.

mod births;
mod fixture;
mod stalls;
mod terms;
mod top;

use unicode_width::UnicodeWidthStr;

use fixture::{
    Case, called, counted, empty, event_loop, files, hand_over, named, one_connection, server, site, thread,
};

use super::{SCHEMA_VERSION, TextOptions, json, json_value, schema, text};
use crate::{
    aggregate::Role,
    answer::{Answer, ChildrenFacts, Decision, Quota, Report},
    event::BlockClass,
    machine::{Language, Runtime, Way},
    predict::WhatIf,
    quantity::Nanos,
    words::InWords as _,
};

fn idle() -> Case {
    let mut case = empty("sleeper");
    case.window.threads = vec![thread(fixture::PID, 20_000, 30_000, BlockClass::Sleep, 3)];
    case.window.sites = vec![called(site(BlockClass::Sleep, "clock_nanosleep", 0), 3, 3, 3_000_000_000)];
    named(case, &[], "sleeper")
}

/// Nothing to compare with, nothing known of the programs, and losses.
fn unavailable() -> Case {
    let mut case = server();
    case.inputs.reference = None;
    case.inputs.calibration = None;
    case.inputs.process_cpu = None;
    case.window.programs.clear();
    case.window.sites.push(called(site(BlockClass::Pipe, "read", 4), 40, 40, 1_000_000));
    case.window.quality.threads_lost = 12;
    case.window.quality.runs_missed = 3;
    case.window.threads[2].sums.kernel_voluntary += 2;
    case.inputs.window.windows = 10;
    case.inputs.window.measured = Nanos::from_millis(2_000);
    case
}

/// Names chosen to break a terminal or a table.
fn hostile() -> Case {
    let descriptor = format!("\x1b]0;owned\x07\x1b[2J{}", "漢字".repeat(30));
    let mut case = named(server(), &[(7, &descriptor)], "a\nb\t\u{202e}漢字");
    let process = &mut case.inputs.facts.processes[0];
    process.name = "evil\r\x1b[31m".to_owned();
    process.command = "x".repeat(250);
    process.ns_pids = vec![4242, 17, 1];
    process.container = Some("docker \u{9b}2J 0123456789abcdef".to_owned());
    case.inputs.facts.notes = vec!["2 processes of another user were left out\u{2028}".to_owned()];
    // Figures at their widest.
    let widest = &mut case.window.sites[0].site;
    (widest.calls, widest.blocked_calls, widest.blocks) = (u64::MAX, u64::MAX / 2, u64::MAX / 2);
    case.window.threads[0].sums.involuntary = 5_000_000_000_000;
    case
}

/// A server whose cgroup may use a fifth of a CPU.
fn throttled() -> Case {
    let mut case = server();
    case.inputs.facts.quota_cpus = Some(0.2);
    case.inputs.facts.quotas = vec![Quota {
        group: "/web\u{1b}[2J".to_owned(),
        cpus: Some(0.2),
        cpus_at_start: Some(0.2),
        periods: 30,
        throttled_periods: 29,
        throttled: Nanos::from_millis(2_400),
        over: Nanos::from_millis(3_000),
    }];
    case
}

fn nothing() -> Case {
    let mut case = empty("gone");
    case.inputs.reference = None;
    case.inputs.facts.processes.clear();
    case
}

fn reports() -> Vec<(&'static str, Report)> {
    vec![
        ("server", server().report()),
        ("counted", counted().report()),
        ("one_connection", one_connection().report()),
        ("event_loop", event_loop().report()),
        ("files", files().report()),
        ("idle", idle().report()),
        ("unavailable", unavailable().report()),
        ("hostile", hostile().report()),
        ("nothing", nothing().report()),
    ]
}

/// A live screen predicts now and then, and shows what is in use now.
#[test]
fn the_cpus_in_use_are_those_of_the_window_and_not_of_an_earlier_prediction() {
    let used = |report: &Report| report.capacity.as_ref().map(|capacity| capacity.used).unwrap();
    let (fresh, case) = (server().report(), server());
    let earlier = WhatIf { cpu: fresh.what_if.cpu / 4.0, ..fresh.what_if.clone() };
    assert_eq!(used(&Report::around(&case.window, case.inputs, earlier)), used(&fresh));
}

#[test]
fn the_text_reads_as_reviewed() {
    for (name, report) in reports() {
        insta::assert_snapshot!(name, text(&report, &TextOptions::default()));
    }
    let all = TextOptions { width: 80, top_sites: 1, top_threads: 2, verbose: true, explain: true, color: true };
    insta::assert_snapshot!("server_narrow_verbose", text(&server().report(), &all).replace('\x1b', "ESC"));
}

#[test]
fn no_line_is_wider_than_the_page_and_no_control_character_gets_through() {
    for (name, report) in reports() {
        for width in [0, 80, 81, 87, 93, 100, 160] {
            for verbose in [false, true] {
                let text = text(&report, &TextOptions { width, verbose, ..TextOptions::default() });
                for line in text.lines() {
                    assert!(line.width() <= width.max(80), "{name} at {width}: {line}");
                    assert!(!line.chars().any(char::is_control), "{name}: {line:?}");
                    assert_eq!(line, line.trim_end(), "{name}");
                }
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_the_ink() {
    for (_, report) in reports() {
        let with = text(&report, &TextOptions { color: true, ..TextOptions::default() });
        assert!(with.contains("\x1b[1m"));
        let without = with.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(without, text(&report, &TextOptions::default()));
    }
}

#[test]
fn a_quota_is_told_wherever_its_time_is_shown() {
    let report = throttled().report();
    assert_eq!((report.what_if.allowed_cpus, report.what_if.loops), (1, 1));
    let page = text(&report, &TextOptions::default());
    let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "its cgroup /web\u{fffd}[2J may use 0.20 CPUs; it was held back for 80.0 % of the time (2.40 s; its quota was used up in 29 of 30",
        "run-queue delay holds the time in which its cgroup's quota held it back",
        "2 CPUs, 2 allowed · 0.20 CPUs by its cgroup's quota",
        "1 event loop on 0.20 CPUs by its cgroup's quota",
        "A quota held it back, so it has more work than CPU",
    ] {
        assert!(flat.contains(part), "{part}: {page}");
    }
    let json = json_value(&report);
    assert_eq!(json["target"]["quotas"][0]["throttled_ns"]["value"], 2_400_000_000u64);
    assert_eq!((&json["what_if"]["quota_cpus"], &json["what_if"]["allowed_cpus"]), (&0.2.into(), &1.into()));
    let unlimited = text(&server().report(), &TextOptions::default());
    assert!(!unlimited.contains("quota"), "{unlimited}");
}

/// A program that hardly runs, and a thread of the kernel's that does for its ring.
fn beside_ring(name: &str) -> Report {
    let mut case = empty("ring");
    let mut of_ring = thread(fixture::PID + 1, 0, 9_800_000_000, BlockClass::Kernel, 0);
    of_ring.ring = true;
    case.window.threads = vec![of_ring, thread(fixture::PID, 60_000_000, 60_000_000, BlockClass::Sleep, 300)];
    case.window.sites = vec![called(site(BlockClass::Sleep, "clock_nanosleep", 0), 300, 300, 30_000_000)];
    named(case, &[], name).report()
}

#[test]
fn a_ring_that_polls_is_no_work_of_the_program() {
    let report = beside_ring("iou-sqp-4242");
    assert_eq!(report.verdict.answer, Answer::NoBlockingIo);
    let sentence = report.verdict.sentence();
    assert!(sentence.contains("0.980 CPUs go to its ring's polling thread") && !sentence.contains("goes into its own"));
    let roles: Vec<Role> = report.threads.iter().map(|t| t.role.role).collect();
    assert_eq!(roles[0], Role::RingPoller);
    let (cpu, lines) = (&report.cpu, report.cpu.lines());
    assert_eq!(cpu.rings, Nanos::from_millis(9_800));
    assert!(lines.iter().any(|(name, _)| *name == "io_uring's threads") && cpu.rest.abs() < 1e6, "{cpu:?}");
    assert_eq!(json_value(&report)["cpu"]["rings_ns"]["value"], 9_800_000_000u64);
    assert!(server().report().cpu.lines().iter().all(|(name, _)| *name != "io_uring's threads"));
}

#[test]
fn workers_of_a_ring_are_known_without_their_names() {
    for name in ["iou-wrk-4242", "", "postgres"] {
        let report = beside_ring(name);
        assert_eq!(report.threads[0].role.role, Role::RingWorker, "{name}");
        let sentence = report.verdict.sentence();
        assert!(sentence.contains("0.980 CPUs go to the workers of its ring"), "{sentence}");
    }
}

#[test]
fn calls_that_a_filter_answers_are_not_called_the_programs_own_code() {
    let refused = |share: u64| {
        let mut case = empty("filtered");
        let mut thread = thread(fixture::PID, 1_000_000_000, 10_000_000, BlockClass::Sleep, 300);
        (thread.sums.refused, thread.sums.refused_user) = (1_000_000 * share.min(1), share * 10_000_000);
        case.window.threads = vec![thread];
        case.window.sites = vec![called(site(BlockClass::Sleep, "clock_nanosleep", 0), 300, 300, 30_000_000)];
        named(case, &[], "filtered").report()
    };
    let most = refused(90);
    let said = most.verdict.sentence() + &most.verdict.evidence_lines().join("; ");
    assert!(said.contains("1,000,000 of its calls were answered by a seccomp filter") && !said.contains("own work"));
    let page = text(&most, &TextOptions::default());
    assert!(page.contains("1,000,000 calls were answered by a seccomp filter"), "{page}");
    assert_eq!(json_value(&most)["cpu"]["refused_calls_count"]["value"], 1_000_000);
    for none in [refused(0), server().report()] {
        assert!(none.cpu.refused().is_none() && !text(&none, &TextOptions::default()).contains("seccomp"));
    }
}

#[test]
fn a_quota_on_several_cpus_and_one_that_changed_are_told_as_such() {
    let mut quota = throttled().inputs.facts.quotas.remove(0);
    (quota.throttled, quota.cpus) = (Nanos::from_millis(4_800), None);
    let words = quota.in_words();
    assert!(words.contains("any number of CPUs (0.20 when the measurement began)"), "{words}");
    assert!(words.contains("held back for 4.80 s in 3.00 s, its CPUs added up"), "{words}");
    (quota.throttled, quota.throttled_periods) = (Nanos::ZERO, 0);
    assert!(quota.in_words().ends_with("it was not held back") && !quota.held_back());
}

#[test]
fn what_is_unavailable_is_a_word_and_never_0() {
    let text = text(&unavailable().report(), &TextOptions::default());
    for name in ["blocking IO, direct", "other switches", "softirq"] {
        let line = text.lines().find(|l| l.trim_start().starts_with(name)).unwrap();
        assert!(line.contains("n/a") && !line.contains("0 ns") && !line.contains("0 %"), "{line}");
    }
    let json = json_value(&unavailable().report());
    for key in ["blocking_io_ns", "blocking_io_ratio", "other_switches_ns", "softirq_ns"] {
        let figure = &json["cpu"][key];
        assert!(figure["value"].is_null() && figure["provenance"] == "unavailable", "{key}: {figure}");
        assert!(figure["note"].as_str().is_some_and(|n| !n.is_empty()), "{key}: {figure}");
    }
}

#[test]
fn counted_cycles_stand_for_windows_of_time_and_say_so() {
    let options = TextOptions { explain: true, ..TextOptions::default() };
    let report = counted().report();
    let with = text(&report, &options);
    let flat = with.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "indirect part 4.4 %, measured (hardware counters: 11,000 windows at 1 site)",
        "user mode, hardware counters: 1.00 µs per block",
        "user windows: 400 ns per block",
        "same sites and sizes, after a block against after none; user mode by hardware counters",
        "95 % of it after",
        "310 windows cut by a switch",
    ] {
        assert!(flat.contains(part), "{part}: {with}");
    }
    let json = json_value(&report);
    assert_eq!(json["ipc"]["indirect_total_ns"]["provenance"], "measured");
    assert_eq!(json["ipc"]["indirect_total_by_time_ns"]["provenance"], "modelled");
    let without = text(&server().report(), &options);
    assert!(!without.contains("IPC AFTER RETURNS") && without.contains("no hardware counters ran"), "{without}");
    let json = json_value(&server().report());
    assert!(json["ipc"]["indirect_total_ns"]["value"].is_null() && json["ipc"]["unavailable"].is_string());
}

#[test]
fn locks_a_pool_and_rare_parks_beside_an_event_loop_are_told_apart() {
    let answer = |waits, calls| hand_over(waits, calls).report().verdict.answer;
    assert_eq!(answer(60_000, 0), Answer::Locks);
    assert_eq!(answer(60_000, 100), Answer::Locks);
    assert_eq!(answer(60_000, 90_000), Answer::HandOver);
    // As the idle threads of a Go server park: the loop serves.
    assert_eq!(answer(3_500, 400_000), Answer::AlreadyAsync);
    // Seven parks of a server that is busy all the while carry no answer.
    assert_eq!(answer(7, 400_000), Answer::AlreadyAsync);
    let said = hand_over(60_000, 90_000).report().verdict.sentence();
    assert!(said.contains("threads waited for each other 60,000 times beside 90,000 calls"), "{said}");
    assert!(said.contains("take 19.1 % of its CPU in the kernel"), "{said}");
}

#[test]
fn no_answer_rests_on_few_events() {
    // An idle server: 57 blocks in ten seconds.
    let mut idle = hand_over(55, 0);
    let few = |thread: &mut crate::aggregate::ThreadTotals, blocks| {
        for sum in thread.sums.classes.iter_mut().filter(|sum| sum.blocks > 0) {
            sum.blocks = blocks;
        }
        (thread.sums.user, thread.sums.kernel) = (400_000, 600_000);
    };
    few(&mut idle.window.threads[0], 2);
    few(&mut idle.window.threads[1], 55);
    assert_eq!(idle.clone().report().verdict.answer, Answer::NotEnoughData);
    // A master: its children work, or do not.
    let with = |cpu| {
        let mut master = idle.clone();
        master.inputs.children = Some(ChildrenFacts { count: 4, cpu });
        master.report().verdict
    };
    let said = with(Nanos::from_millis(3_940));
    assert_eq!((said.answer, said.answer.decision()), (Answer::ChildrenWork, Decision::Abstains));
    let sentence = said.sentence();
    assert!(
        sentence.starts_with("Not known: the work is done by 4 processes below it, which used 3.94 s"),
        "{sentence}"
    );
    assert!(sentence.ends_with("add --tree."), "{sentence}");
    assert_eq!(with(Nanos::from_millis(1)).answer, Answer::NotEnoughData);
    // A server that works itself keeps its answer, with a line on the others.
    let mut busy = hand_over(3_500, 400_000);
    busy.inputs.children = Some(ChildrenFacts { count: 1, cpu: Nanos::from_millis(3_940) });
    let busy = busy.report().verdict;
    assert_eq!(busy.answer, Answer::AlreadyAsync);
    let lines = busy.evidence_lines();
    assert!(lines.iter().any(|line| line.starts_with("1 process below it used 3.94 s of CPU meanwhile")), "{lines:?}");
}

#[test]
fn a_runtime_that_parks_its_tasks_hides_what_they_wait_for() {
    let go = |waits, calls, language| {
        let mut case = hand_over(waits, calls);
        case.inputs.facts.runtime = Some(Runtime { language, ..Runtime::default() });
        case.report().verdict
    };
    let said = go(60_000, 0, Language::Go);
    assert_eq!((said.answer, said.answer.decision()), (Answer::ParkedTasks, Decision::No));
    let sentence = said.sentence();
    assert!(sentence.starts_with("No: it does no blocking IO. Go parks goroutines in user space"), "{sentence}");
    assert!(sentence.contains("cannot be seen from the kernel. Its 60,000 waits on locks"), "{sentence}");
    assert_eq!(go(60_000, 0, Language::Beam).answer, Answer::ParkedTasks);
    assert_eq!(go(60_000, 90_000, Language::Go).answer, Answer::AlreadyAsync, "however often its threads park");
    assert_eq!(go(60_000, 0, Language::Node).answer, Answer::Locks, "whose pool is of plain threads");
}

#[test]
fn waits_for_the_journal_are_said_and_are_no_waits_for_a_device() {
    let mut case = files();
    case.window.threads.push(thread(fixture::PID + 1, 10_000_000, 90_000_000, BlockClass::Journal, 60_000));
    case.window.sites.push(called(site(BlockClass::Journal, "fsync", 10), 60_000, 60_000, 100_000));
    let on_files = case.window.threads[0].sums.classes[BlockClass::File as usize].blocked;
    let report = case.report();
    assert_eq!(json_value(&report)["devices"]["file_wait_ns"]["value"], on_files);
    let lines = report.verdict.evidence_lines();
    let said = "60,000 of its 100,000 blocks on files are for the file system's journal";
    assert!(lines.iter().any(|line| line.starts_with(said)), "{lines:?}");
    assert!(!files().report().verdict.evidence_lines().iter().any(|line| line.contains("journal")));
}

#[test]
fn losses_are_loud() {
    let text = text(&unavailable().report(), &TextOptions::default());
    assert!(text.contains("!! LOST") && text.contains("12 threads not measured"), "{text}");
    assert!(text.contains("!! counts differ in threads 4244"), "{text}");
}

#[test]
fn lists_are_cut_in_the_text_and_whole_in_json() {
    let options = TextOptions { top_sites: 1, top_threads: 2, ..TextOptions::default() };
    let report = server().report();
    let text = text(&report, &options);
    assert!(text.contains("… and 13 more threads"), "{text}");
    assert!(text.contains("… and 1 more blocking site"), "{text}");
    let json = json_value(&report);
    assert_eq!(json["threads"].as_array().map(Vec::len), Some(15));
    assert_eq!(json["sites"].as_array().map(Vec::len), Some(3));
}

#[test]
fn json_is_what_the_schema_promises() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, report) in reports() {
        let value: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        assert_eq!(value["schema_version"], SCHEMA_VERSION);
    }
    // The schema is no rubber stamp: a missing figure that passes for 0 is refused, and so is a
    // value without origin.
    let good = json_value(&server().report());
    for (pointer, bad) in [
        ("/cpu/softirq_ns/value", serde_json::json!(0)),
        ("/cpu/total_ns/value", serde_json::Value::Null),
        ("/cpu/total_ns/provenance", serde_json::json!("guessed")),
        ("/schema_version", serde_json::json!(SCHEMA_VERSION + 1)),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).unwrap() = bad;
        assert!(!validator.is_valid(&value), "{pointer}");
    }
}

#[test]
fn every_figure_names_its_unit_in_its_key() {
    fn walk(path: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                let figure = map.contains_key("provenance");
                let unit = ["_ns", "_bytes", "_ratio", "_count"].iter().any(|u| path.ends_with(u));
                assert!(!figure || unit, "{path}");
                map.iter().filter(|_| !figure).for_each(|(key, value)| walk(key, value));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|v| walk(path, v)),
            _ => {}
        }
    }
    reports().iter().for_each(|(_, report)| walk("", &json_value(report)));
}

#[test]
fn the_schema_is_the_same_every_time_and_described_throughout() {
    assert_eq!(schema(), schema());
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    for (name, of) in schema["$defs"].as_object().unwrap() {
        for (key, property) in of["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{key}");
        }
    }
}

#[test]
fn each_way_class_and_role_is_in_the_documents() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let ways = schema["$defs"]["Scenario"]["properties"]["name"]["description"].as_str().unwrap();
    for way in Way::ALL {
        assert!(ways.contains(&format!("`{}`", way.name())), "{way:?}: the comment on `name` in json/whatif.rs");
    }
    let guide = include_str!("../../../docs/reading-a-report.md");
    let (_, table) = guide.split_once("\n| class | the thread waits in |\n").unwrap();
    let rows = table.lines().skip(1).map_while(|row| row.strip_prefix("| ")?.split_once(" | "));
    let classes: Vec<&str> = rows.flat_map(|(classes, _)| classes.split(", ")).collect();
    for class in BlockClass::ALL {
        assert!(classes.contains(&class.name()), "{class:?}: the table in docs/reading-a-report.md");
    }
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let roles: Vec<&str> = rows.flat_map(|(roles, _)| roles.split(", ")).collect();
    for role in Role::ALL {
        assert!(roles.contains(&role.name()), "{role:?}: the table of roles in docs/reading-a-report.md");
    }
}
