//! Compares the screens of `live FILE`, for each of the kept recordings, with those kept beside it.
//! `cargo xtask goldens` renews what is kept; `tests/goldens.rs` compares the files that the
//! command writes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    pipeline::{live, playback::Playback},
    record::{Part, Recording},
    tui::{
        Title,
        tests::{counted, screens_of},
    },
};

/// Set by `cargo xtask goldens`: write instead of comparing.
const RENEW: &str = "RENEW_GOLDENS";
const RECORDING: &str = "recording.sia";
/// Set by `cargo xtask goldens --record`: make the recording that no machine at hand can make.
const RECORD: &str = "RECORD_GOLDENS";
const COUNTED: &str = "counted";

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("goldens")
}

#[test]
fn one_recording_has_hardware_counters() {
    let folder = goldens().join(COUNTED);
    let file = folder.join(RECORDING);
    if std::env::var_os(RECORD).is_some() {
        let (window, inputs) = counted();
        let part =
            Part { at: window.end.saturating_sub(window.start), own_cpu: inputs.own_cpu, window: window.clone() };
        fs::create_dir_all(folder).unwrap();
        Recording { made_by: "0.1.0".to_owned(), window, inputs, parts: vec![part], ..Recording::default() }
            .write(&file)
            .unwrap();
    }
    assert!(Recording::read(&file).unwrap().window.ipc.is_some());
}

#[test]
fn screens_of_kept_recordings_are_as_kept() {
    let mut folders: Vec<_> = fs::read_dir(goldens()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join(RECORDING).exists());
    folders.sort();
    assert!(folders.len() >= 8, "{folders:?}");
    let differences: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = folders.iter().map(|folder| scope.spawn(move || of_one(folder))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(
        differences.is_empty(),
        "{}\nIf that is meant: `cargo xtask goldens` keeps what is shown now.",
        differences.join("\n")
    );
}

/// Names the screens that differ from what is kept, each with its first such line. Keeps them
/// instead where they are to be renewed.
fn of_one(folder: &Path) -> Vec<String> {
    let mut feed = Playback::new(Recording::read(&folder.join(RECORDING)).unwrap());
    let pid = feed.report().facts.processes.first().map(|p| p.tgid);
    let title = Title { name: RECORDING.to_owned(), pid, interval: live::INTERVAL, ipc_reason: None };
    let kept_in = folder.join("screens");
    let renew = std::env::var_os(RENEW).is_some();
    if renew {
        let _ = fs::remove_dir_all(&kept_in);
        fs::create_dir_all(&kept_in).unwrap();
    }
    let mut differences = Vec::new();
    for (name, shown) in screens_of(&mut feed, &title) {
        let file = kept_in.join(format!("{name}.txt"));
        if renew {
            fs::write(&file, shown).unwrap();
            continue;
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        if kept != shown {
            differences.push(format!("{} differs in {}", file.display(), first_difference(&kept, &shown)));
        }
    }
    differences
}

fn first_difference(kept: &str, shown: &str) -> String {
    let (mut before, mut after) = (kept.split('\n'), shown.split('\n'));
    let mut line = 1;
    loop {
        let (kept, now) = (before.next(), after.next());
        if kept != now {
            let [kept, now] = [kept, now].map(|line| line.unwrap_or("(the end)"));
            return format!("line {line}:\n  kept: {kept}\n  now:  {now}");
        }
        line += 1;
    }
}
