//! Compares every file that the command makes of the kept recordings with the one in `goldens/`,
//! byte for byte. No test here needs rights. `cargo xtask goldens` renews what is kept, and
//! `src/cli/screens.rs` compares the screens.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use should_i_async::export::Format;

/// Set by `cargo xtask goldens`: write instead of comparing.
const RENEW: &str = "RENEW_GOLDENS";
const RECORDING: &str = "recording.sia";
/// Columns shown of a line that differs.
const SHOWN: usize = 160;

/// A test for each recording, and the list of them.
macro_rules! recordings {
    ($($test:ident: $name:literal,)*) => {
        const RECORDINGS: &[&str] = &[$($name),*];
        $(#[test]
        fn $test() {
            of_one($name);
        })*
    };
}

recordings! {
    already_async: "already-async",
    counted: "counted",
    cpu_bound: "cpu-bound",
    demo: "demo",
    echo_pool: "echo-pool",
    echo_threads: "echo-threads",
    files_direct: "files-direct",
    idle: "idle",
    locks: "locks",
    many_threads: "many-threads",
    sampled: "sampled",
}

#[test]
fn every_recording_kept_is_compared() {
    let mut kept: Vec<String> = fs::read_dir(goldens())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join(RECORDING).exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, RECORDINGS);
}

#[test]
fn two_recordings_compared() {
    let scratch = Scratch::new("compared");
    let drawn = scratch.0.join("diff.svg");
    let two = |more: &[&str]| {
        let mut command = tool();
        command.current_dir(goldens()).args(more);
        finished(&mut command).stdout
    };
    let (threads, pool) = (&format!("echo-threads/{RECORDING}"), &format!("echo-pool/{RECORDING}"));
    let twin = &format!("already-async/{RECORDING}");
    let mut made = BTreeMap::new();
    made.insert("diff.txt".to_owned(), two(&["diff", threads, pool, "-o", drawn.to_str().unwrap()]));
    made.insert("diff.svg".to_owned(), fs::read(drawn).unwrap());
    let table = scratch.0.join("diff.md");
    two(&["diff", threads, pool, "-o", table.to_str().unwrap()]);
    made.insert("diff.md".to_owned(), fs::read(table).unwrap());
    made.insert("diff-per-request.txt".to_owned(), two(&["diff", threads, pool, "--per", "sendto"]));
    made.insert("predict-check.txt".to_owned(), two(&["predict-check", threads, twin]));
    made.insert("row.json".to_owned(), two(&["predict-check", threads, twin, "--row", "echo-c16-loop"]));
    settle("compared", &made);
}

/// What CPU per second would say of a twin that served twice as much is no saving.
#[test]
fn recordings_of_other_work_are_not_compared() {
    let file = |name: &str| format!("{name}/{RECORDING}");
    let fails = |more: &[&str], said: &str| {
        let found = tool().current_dir(goldens()).args(more).output().unwrap();
        let error = String::from_utf8_lossy(&found.stderr).into_owned();
        assert_eq!(found.status.code(), Some(9), "{more:?}: {error}");
        assert!(error.contains(said), "{more:?}: {error}");
    };
    let (threads, twin, locks) = (&file("echo-threads"), &file("already-async"), &file("locks"));
    fails(&["predict-check", threads, twin, "--per", "second"], "did not do the same work");
    fails(&["diff", threads, twin, "--per", "second"], "/s, per message sent on tcp");
    fails(&["predict-check", threads, twin, "--per", "second", "--row", "echo"], "did not do the same work");
    fails(&["predict-check", threads, locks], "nothing in common");
}

/// The script for CI jobs ends as `diff` does, and its comment is there all the same.
#[test]
fn a_comparison_in_a_job_has_its_comment_and_its_exit_code() {
    let scratch = Scratch::new("comment");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/packaging/should-i-async-comment");
    let job = |args: &[&str]| {
        let mut command = Command::new("sh");
        command
            .current_dir(goldens())
            .arg(script)
            .args(args)
            .env("SHOULD_I_ASYNC", env!("CARGO_BIN_EXE_should-i-async"));
        command.output().unwrap().status.code()
    };
    let (threads, pool) = (&format!("echo-threads/{RECORDING}"), &format!("echo-pool/{RECORDING}"));
    let comment = scratch.0.join("comment.md");
    let out = comment.to_str().unwrap();
    assert_eq!(job(&["diff", out, threads, pool]), Some(0));
    let made = fs::read(&comment).unwrap();
    assert_eq!(made, fs::read(goldens().join("compared/diff.md")).unwrap());
    fs::remove_file(&comment).unwrap();
    let twin = &format!("already-async/{RECORDING}");
    assert_eq!(job(&["diff", out, twin, threads, "0%"]), Some(8), "threads cost more than a loop");
    assert!(comment.exists());
    for wrong in [&["diff", out, threads][..], &["check", out, "a.sia", "true"], &["other"], &[]] {
        assert_eq!(job(wrong), Some(2), "{wrong:?}");
    }
    let refused = tool().current_dir(goldens()).args(["diff", threads, pool, "-o", "a.png"]).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && error.contains("as .svg or .md"), "{error}");
}

/// A truth without an interval is none.
#[test]
fn recordings_too_short_for_an_interval_are_no_row() {
    let short = &format!("counted/{RECORDING}");
    let found = tool().current_dir(goldens()).args(["predict-check", short, short, "--row", "a"]).output().unwrap();
    let error = String::from_utf8_lossy(&found.stderr).into_owned();
    assert_eq!((found.status.code(), found.stdout.is_empty()), (Some(9), true), "{error}");
    assert!(error.contains("no row without an interval: one of the two has fewer than three seconds"), "{error}");
}

#[test]
fn a_row_without_a_prediction_says_why() {
    let file = &format!("echo-threads/{RECORDING}");
    let mut command = tool();
    command.current_dir(goldens()).args(["predict-check", file, file, "--row", "a", "--way", "streams"]);
    let row: serde_json::Value = serde_json::from_slice(&finished(&mut command).stdout).unwrap();
    let prediction = &row["prediction"];
    assert_eq!(prediction["refused"], "no price for streams on that machine");
    assert!(prediction["saving"].is_null() && prediction["unsure"].is_null(), "{prediction:#}");
    assert_eq!((&row["scenario"], &row["truth"]["saving"]["value"]), (&"streams".into(), &0.0.into()));
}

/// Everything that the command makes of one recording.
fn of_one(name: &str) {
    let scratch = Scratch::new(name);
    let report = |more: &[&str]| {
        let mut command = tool();
        command.current_dir(&scratch.0).arg("report").arg(goldens().join(name).join(RECORDING)).args(more);
        command
    };
    let mut made = BTreeMap::new();
    for (file, flags) in [("plain.txt", &[][..]), ("verbose.txt", &["-v"]), ("explain.txt", &["--explain"])] {
        made.insert(file.to_owned(), finished(&mut report(flags)).stdout);
    }
    let files = Format::ALL.into_iter().filter(|&format| format != Format::Ipc);
    let files = files.map(|format| (format!("report{}", format.ending()), format));
    let wanted: Vec<String> = files.clone().flat_map(|(file, _)| ["-o".to_owned(), file]).collect();
    finished(&mut report(&wanted.iter().map(String::as_str).collect::<Vec<_>>()));
    for (file, format) in files {
        let bytes = fs::read(scratch.0.join(&file)).unwrap();
        assert!(bytes.to_ascii_lowercase().starts_with(format.begins()), "{file}");
        made.insert(file, bytes);
    }
    // Where the machine counted nothing, there is no curve: then it is the reason that is kept.
    let curve = report(&["-o", "report.ipc.svg"]).output().unwrap();
    match fs::read(scratch.0.join("report.ipc.svg")) {
        Ok(picture) => made.insert("report.ipc.svg".to_owned(), picture),
        Err(_) => made.insert("no-ipc.txt".to_owned(), curve.stderr),
    };
    settle(name, &made);
}

fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_should-i-async"));
    command.env_clear();
    command
}

fn finished(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("goldens")
}

/// A folder that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sia-goldens-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Compares what was made with what is kept in a folder, or keeps it.
fn settle(name: &str, made: &BTreeMap<String, Vec<u8>>) {
    let folder = goldens().join(name);
    fs::create_dir_all(&folder).unwrap();
    let kept: BTreeMap<String, Vec<u8>> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file() && entry.file_name() != RECORDING)
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    if std::env::var_os(RENEW).is_some() {
        kept.keys()
            .filter(|file| !made.contains_key(*file))
            .for_each(|file| fs::remove_file(folder.join(file)).unwrap());
        made.iter().for_each(|(file, bytes)| fs::write(folder.join(file), bytes).unwrap());
        return;
    }
    let mut differences = Vec::new();
    for file in made.keys().chain(kept.keys().filter(|file| !made.contains_key(*file))) {
        let difference = match (kept.get(file), made.get(file)) {
            (Some(kept), Some(made)) => difference(kept, made),
            (Some(_), None) => Some("is no longer made".to_owned()),
            _ => Some("is not kept".to_owned()),
        };
        differences.extend(difference.map(|what| format!("profiler/tests/goldens/{name}/{file} {what}")));
    }
    assert!(
        differences.is_empty(),
        "{}\nIf that is meant: `cargo xtask goldens` keeps what is made now.",
        differences.join("\n")
    );
}

/// The first line in which two files differ.
fn difference(kept: &[u8], made: &[u8]) -> Option<String> {
    if kept == made {
        return None;
    }
    let (Ok(kept), Ok(made)) = (std::str::from_utf8(kept), std::str::from_utf8(made)) else {
        let at = kept.iter().zip(made).position(|(kept, made)| kept != made);
        return Some(format!("differs from byte {} on", at.unwrap_or_else(|| kept.len().min(made.len()))));
    };
    let (mut before, mut after) = (kept.split('\n'), made.split('\n'));
    for line in 1.. {
        let (kept, made) = (before.next(), after.next());
        if kept != made {
            let [kept, made] = [kept, made].map(|line| line.unwrap_or("(the end)").chars().collect::<Vec<_>>());
            let same = kept.iter().zip(&made).take_while(|(kept, made)| kept == made).count();
            let part = |line: &[char]| line.iter().skip(same.saturating_sub(SHOWN / 2)).take(SHOWN).collect::<String>();
            return Some(format!("differs in line {line}:\n  kept: {}\n  now:  {}", part(&kept), part(&made)));
        }
    }
    None
}

#[test]
fn the_first_difference_is_shown() {
    assert_eq!(difference(b"a\nb\n", b"a\nb\n"), None);
    assert_eq!(difference(b"a\nb\n", b"a\nc\n").unwrap(), "differs in line 2:\n  kept: b\n  now:  c");
    assert_eq!(difference(b"a\n", b"a").unwrap(), "differs in line 2:\n  kept: \n  now:  (the end)");
    assert_eq!(difference(b"\xff\x01", b"\xff\x02").unwrap(), "differs from byte 1 on");
}
