//! `calibrate`: the cache, and the command itself with every section of its JSON. No test asserts a
//! time.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use should_i_async::{
    calibrate::{
        Beyond, BlockRow, CacheError, Calibration, CrowdRow, Essentials, FileRow, HandOverRow, StepRow, cache,
    },
    event::BlockClass,
    machine::Medium,
    quantity::Repeats,
};

/// Far longer than a quick calibration takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("calibrate-test-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn cost(median: f64) -> Repeats {
    Repeats { median, low: median * 0.9, high: median * 1.1, repeats: 21 }
}

fn essentials() -> Essentials {
    Essentials {
        kernel: "6.1.0 test/kernel".into(),
        machine: "A CPU, 4 CPUs".into(),
        pace: 8_000.0,
        taken_at: 1_700_000_000,
        syscall: cost(100.0),
        again: cost(200.0),
        steps: vec![StepRow {
            events: 1,
            ready: cost(2_000.0),
            level: cost(2_400.0),
            again: cost(2_600.0),
            runtime: Some(cost(2_900.125)),
            uring: None,
            beyond: Beyond { level: cost(400.0), again: cost(600.0), runtime: Some(cost(900.125)), uring: None },
        }],
        reads: Vec::new(),
        blocks: vec![BlockRow { medium: Medium::Pipe, via_idle: false, idle: 0, cost: cost(700.0), wake: cost(300.0) }],
        crowd: vec![CrowdRow { threads: 8, threaded: cost(2_500.0), looped: cost(2_200.0), colder: cost(300.0) }],
        relay: vec![CrowdRow { threads: 8, threaded: cost(900.0), looped: cost(500.0), colder: cost(400.0) }],
        hand_overs: vec![HandOverRow { class: BlockClass::Futex, via_idle: false, cost: cost(4_000.0) }],
        file: vec![FileRow { depth: 1, pread: cost(350.0), pool: None, pool_across: None, aio: None, uring: None }],
        others: 0.25,
        missing: Vec::new(),
    }
}

fn load(path: &std::path::Path) -> Result<Calibration, CacheError> {
    cache::load_at(path, "6.1.0 test/kernel", "A CPU, 4 CPUs")
}

#[test]
fn what_is_kept_comes_back_the_same() {
    let folder = Folder::new("round");
    let kept = Calibration::new(essentials(), None);
    let path = cache::path_in(&folder.0, &kept.essentials.kernel, &kept.essentials.machine);
    cache::store_at(&path, &kept).unwrap();
    cache::store_at(&path, &kept).unwrap();
    assert_eq!(load(&path).unwrap(), kept);
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [path], "nothing but the file itself");
}

#[test]
fn names_hold_no_separators_and_tell_machines_apart() {
    let name = |kernel, machine| cache::path_in("/x".as_ref(), kernel, machine);
    assert_eq!(name("6.1/../..", "a").parent().unwrap(), std::path::Path::new("/x"));
    assert_ne!(name("6.1", "a"), name("6.1", "b"));
    assert_ne!(name("6.1", "a"), name("6.2", "a"));
}

#[test]
fn a_file_that_is_missing_cut_or_foreign_is_refused_with_its_reason() {
    let folder = Folder::new("refused");
    let path = folder.0.join("calibration.json");
    assert!(matches!(load(&path), Err(CacheError::None)));

    let kept = Calibration::new(essentials(), None);
    cache::store_at(&path, &kept).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for end in [0, 1, text.len() / 2, text.len() - 2] {
        std::fs::write(&path, &text[..end]).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, CacheError::Damaged { .. }), "cut at {end}: {error}");
        assert!(error.to_string().contains("should-i-async calibrate"), "{error}");
    }
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(load(&path).is_err());

    let foreign = |change: &dyn Fn(&mut Calibration), word: &str| {
        let mut other = kept.clone();
        change(&mut other);
        cache::store_at(&path, &other).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, CacheError::Foreign { .. }) && error.to_string().contains(word), "{error}");
    };
    foreign(&|c| c.essentials.kernel = "5.10".into(), "another kernel");
    foreign(&|c| c.essentials.machine = "Another CPU".into(), "another machine");
    foreign(&|c| c.version = "0.0.0".into(), "another version");
    foreign(&|c| c.format += 1, "another layout");
}

/// Runs the command with a cache of its own; one that takes too long is ended.
fn calibrate(args: &[&str], cache: &std::path::Path) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_should-i-async"))
        .arg("calibrate")
        .args(args)
        .env("XDG_CACHE_HOME", cache)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipes = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |from: &mut dyn std::io::Read| {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    };
    std::thread::scope(|scope| {
        let out = scope.spawn(|| read(&mut pipes.0));
        let err = scope.spawn(|| read(&mut pipes.1));
        let until = Instant::now() + LIMIT;
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if Instant::now() > until {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("it did not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        (code, out.join().unwrap(), err.join().unwrap())
    })
}

/// A cost that was measured: positive, and within its spread.
fn is_cost(value: &Value, place: &str) {
    let number = |key: &str| value[key].as_f64().unwrap_or_else(|| panic!("{place}.{key}: {value}"));
    assert!(number("median") > 0.0, "{place}: {value}");
    assert!(number("low") <= number("median") && number("median") <= number("high"), "{place}: {value}");
    assert!(value["repeats"].as_u64().unwrap() > 0, "{place}");
}

/// What a section that is missing is called there.
fn said_of(section: &str) -> &str {
    match section {
        "blocks" => "block",
        "crowd" => "code after a block among many threads",
        "relay" => "wake-ups among many threads",
        "hand_overs" => "hand-over",
        "file" => "cached reads",
        other => other,
    }
}

#[test]
fn a_quick_calibration_has_every_section_and_is_kept() {
    let folder = Folder::new("quick");
    let (code, out, err) = calibrate(&["--quick", "--json"], &folder.0);
    assert_eq!(code, Some(0), "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["schema"], "should-i-async/calibration/1");
    assert!(found["full"].is_null());
    let essentials = &found["essentials"];
    let missing = essentials["missing"].as_array().unwrap();
    for entry in missing {
        assert!(!entry["what"].as_str().unwrap().is_empty() && !entry["why"].as_str().unwrap().is_empty(), "{entry}");
    }
    let is_missing = |what: &str| missing.iter().any(|m| m["what"].as_str().unwrap().contains(what));
    for (section, value) in essentials.as_object().unwrap() {
        match value {
            // Each is filled, or why it is not is said.
            Value::Array(rows) if section != "missing" => {
                assert!(!rows.is_empty() || is_missing(said_of(section)), "{section}: {missing:?}");
            }
            Value::Object(_) => is_cost(value, section),
            _ => assert!(!value.is_null(), "{section}"),
        }
    }

    let steps = essentials["steps"].as_array().unwrap();
    let events: Vec<u64> = steps.iter().map(|step| step["events"].as_u64().unwrap()).collect();
    assert_eq!(events, [1, 2, 4, 8, 16, 64]);
    for step in steps {
        for variant in ["ready", "level", "again"] {
            is_cost(&step[variant], variant);
        }
        for (variant, what) in [("runtime", "runtime server step"), ("uring", "io_uring server step")] {
            // Not here, and nobody says why: that must not be.
            assert!(!step[variant].is_null() || is_missing(what), "{variant}: {missing:?}");
            if !step[variant].is_null() {
                is_cost(&step[variant], variant);
            }
        }
    }
    for medium in ["pipe", "unix", "tcp"] {
        let is_near = |b: &&Value| b["medium"] == medium && b["via_idle"] == false;
        let block = essentials["blocks"].as_array().unwrap().iter().find(is_near);
        assert!(block.is_some() || is_missing("block"), "{medium}: {missing:?}");
        for field in ["median", "low", "high"] {
            assert!(block.is_none_or(|b| b["cost"][field].is_f64()), "{block:?}");
        }
    }
    let depths: Vec<u64> =
        essentials["file"].as_array().unwrap().iter().map(|step| step["depth"].as_u64().unwrap()).collect();
    assert!(depths == [1, 8, 64] || is_missing("cached reads"), "{depths:?}");

    let kept: Vec<_> = std::fs::read_dir(folder.0.join("should-i-async")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 1);
    let name = kept[0].file_name().into_string().unwrap();
    assert!(name.starts_with("calibration-") && name.ends_with(".json"), "{name}");
    assert!(err.contains(&name), "{err}");
}

#[test]
fn a_cache_that_cannot_be_written_loses_nothing_but_the_cache() {
    let folder = Folder::new("unwritable");
    // A file where the folder should be stops root too.
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let (code, out, err) = calibrate(&["--quick"], &file);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("server step") && err.contains("not kept"), "{out}{err}");
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

#[test]
fn a_folder_that_does_not_exist_is_a_wrong_flag() {
    let folder = Folder::new("nowhere");
    let (code, out, err) = calibrate(&["--dir", "/nonexistent/folder"], &folder.0);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("/nonexistent/folder"), "{err}");
}

#[test]
fn a_runtime_is_measured_in_each_of_its_forms_and_kept() {
    let python = std::path::Path::new("/usr/bin/python3");
    if !python.exists() {
        eprintln!("SKIPPED (no /usr/bin/python3 here)");
        return;
    }
    let folder = Folder::new("runtime");
    let (code, out, err) = calibrate(&["--runtime", "/usr/bin/python3", "--json"], &folder.0);
    assert_eq!(code, Some(0), "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let costs = found["costs"].as_array().unwrap();
    for way in ["Streams", "Protocols"] {
        let of_way: Vec<&Value> = costs.iter().filter(|cost| cost["way"] == way).collect();
        assert_eq!(of_way.len(), 9, "three numbers of events, three amounts of work: {out}");
        assert!(of_way.iter().all(|cost| cost["beyond"]["low"].as_f64() <= cost["beyond"]["high"].as_f64()));
    }
    for way in found["runtime"]["ways"].as_array().unwrap() {
        let sleep = found["sleeps"].as_array().unwrap().iter().find(|sleep| &sleep["way"] == way);
        let price = sleep.map(|sleep| ["low", "high"].map(|end| sleep["beyond"][end].as_f64().unwrap()));
        assert!(price.is_some_and(|[low, high]| low <= high), "{way}: {out}");
    }
    assert_eq!(found["runtime"]["version"][0], 3);
    let kept: Vec<_> = std::fs::read_dir(folder.0.join("should-i-async")).unwrap().flatten().collect();
    let name = kept[0].file_name().into_string().unwrap();
    assert!(kept.len() == 1 && name.starts_with("runtime-"), "{name}");
}

#[test]
fn a_file_system_is_measured_when_it_is_named_and_kept_by_its_device() {
    let folder = Folder::new("file");
    // Whoever writes to the disk meanwhile is left alone.
    let quiet = |flags: &[&str]| {
        let until = Instant::now() + LIMIT;
        loop {
            let found = calibrate(flags, &folder.0);
            if Instant::now() > until || !found.2.contains("serves requests at") {
                return found;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    let (code, out, err) = quiet(&["--file", env!("CARGO_TARGET_TMPDIR"), "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    let places = |queue: &str| -> Vec<(bool, u64, u64)> {
        let rows = found["requests"].as_array().unwrap().iter().filter(|row| row["queue"] == queue);
        rows.map(|row| {
            (row["write"].as_bool().unwrap(), row["depth"].as_u64().unwrap(), row["batch"].as_u64().unwrap())
        })
        .collect()
    };
    let one = |write| {
        let deep = [4, 16, 64].into_iter().flat_map(move |depth| [(write, depth, 1), (write, depth, depth)]);
        [(write, 1, 1)].into_iter().chain(deep)
    };
    let wanted: Vec<_> = one(false).chain(one(true)).collect();
    assert_eq!(places("ring"), wanted);
    assert_eq!(places("aio"), wanted);
    let (major, minor) = (found["device"][0].as_u64().unwrap(), found["device"][1].as_u64().unwrap());
    let kept: Vec<_> =
        std::fs::read_dir(folder.0.join("should-i-async")).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(kept, [format!("files-{major}-{minor}.json").as_str()]);
    let (code, text, _) = quiet(&["--file", env!("CARGO_TARGET_TMPDIR")]);
    assert!(
        code == Some(0) && text.contains("reads one by one") && text.contains("fdatasync after a write: "),
        "{text}"
    );
}

#[test]
fn a_file_system_that_cannot_be_measured_is_named() {
    let folder = Folder::new("no-file");
    for (named, said) in [("/no/such/folder", "no such folder"), ("/dev/shm", "/dev/shm")] {
        let (code, out, err) = calibrate(&["--file", named], &folder.0);
        assert!(code == Some(2) && out.is_empty() && err.contains(said), "{named}: {code:?} {err}");
    }
}

#[test]
fn what_is_no_runtime_or_ends_before_it_is_measured_is_named() {
    let folder = Folder::new("no-runtime");
    let make = |name: &str, from: &str| {
        let path = folder.0.join(name);
        std::fs::copy(from, &path).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let script = folder.0.join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let own = std::process::id().to_string();
    for (named, want, says) in [
        ("/no/such/python3".to_owned(), 2, "No such file"),
        (script.to_str().unwrap().to_owned(), 2, "name the interpreter that it starts"),
        ("/bin/true".to_owned(), 2, "neither python3 nor java"),
        (own, 2, "no interpreter or virtual machine"),
        // Programs that are not what their names say.
        (make("python3", "/bin/true"), 3, "ended before it was measured"),
        (make("python3.9", "/bin/echo"), 3, "did not do as asked"),
    ] {
        let (code, out, err) = calibrate(&["--runtime", &named], &folder.0);
        assert!(code == Some(want) && err.contains(says) && out.is_empty(), "{named}: {code:?} {err}{out}");
    }
    assert!(!folder.0.join("should-i-async").exists(), "nothing is kept of it");
}

/// A program that is no interpreter, and does what its name says.
const MISBEHAVES: &str = r#"
use std::os::unix::process::CommandExt as _;

fn main() {
    let name = std::env::args().next().unwrap();
    let rest = || std::thread::sleep(std::time::Duration::from_secs(600));
    if std::env::args().nth(1).as_deref() == Some("stay") || name.ends_with("hangs") {
        rest();
    } else if name.ends_with("leaves") {
        std::process::Command::new("/proc/self/exe").arg0(&name).arg("stay").spawn().unwrap();
    } else {
        let all: Vec<Vec<u8>> = (0..64).map(|_| Vec::with_capacity(1 << 28)).collect();
        println!("{}", std::hint::black_box(all).len());
        rest();
    }
}
"#;

#[test]
fn an_interpreter_that_hangs_leaves_somebody_behind_or_takes_all_memory_is_ended() {
    let folder = Folder::new("misbehaves");
    let (source, built) = (folder.0.join("misbehaves.rs"), folder.0.join("built"));
    std::fs::write(&source, MISBEHAVES).unwrap();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let status = Command::new(rustc).args(["--edition", "2021", "-o"]).arg(&built).arg(&source).status().unwrap();
    assert!(status.success());
    for (kind, says) in [
        ("hangs", "was silent for 8.00 s, and was ended"),
        ("leaves", "ended before it was measured"),
        ("grows", "ended before it was measured"),
    ] {
        let program = folder.0.join(format!("python3-{kind}"));
        std::fs::copy(&built, &program).unwrap();
        let (code, out, err) = calibrate(&["--runtime", program.to_str().unwrap()], &folder.0);
        assert!(code == Some(3) && err.contains(says) && out.is_empty(), "{kind}: {code:?} {err}{out}");
        let lives = |process: &std::fs::DirEntry| {
            std::fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe == program)
        };
        // Whoever was killed may take a moment to go.
        let until = Instant::now() + LIMIT;
        while std::fs::read_dir("/proc").unwrap().flatten().any(|process| lives(&process)) {
            assert!(Instant::now() < until, "{kind}: somebody is left");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert!(!folder.0.join("should-i-async").exists(), "nothing is kept of it");
}
