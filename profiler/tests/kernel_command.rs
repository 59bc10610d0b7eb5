//! `check -- CMD` of a command that forks often: the measurement is sampled, and still ends with
//! the command.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

#[allow(unused_imports, unused_macros, reason = "each test program uses its own part")]
mod common;

/// The script for CI jobs: the comment, the recording, and the command's own exit code.
#[test]
fn a_command_in_a_job_has_its_comment_and_its_exit_code() {
    if !common::can_measure() {
        return;
    }
    let dir = std::env::temp_dir().join(format!("sia-kernel-comment-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let [comment, kept, summary] = ["comment.md", "kept.sia", "summary"].map(|name| dir.join(name));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/packaging/should-i-async-comment");
    let job = |command: &str| {
        let mut job = Command::new("sh");
        job.arg(script).arg("check").args([&comment, &kept]).args(["--", "sh", "-c", command]);
        job.env("SHOULD_I_ASYNC", env!("CARGO_BIN_EXE_should-i-async")).env("GITHUB_STEP_SUMMARY", &summary);
        job.stdin(Stdio::null()).output().unwrap()
    };
    let ended = job("sleep 0.3; exit 7");
    assert_eq!(ended.status.code(), Some(7), "{}", String::from_utf8_lossy(&ended.stderr));
    let said = std::fs::read_to_string(&comment).unwrap();
    assert!(said.starts_with("**") && said.contains("<details>") && said.contains("(PID "), "{said}");
    assert_eq!(said, std::fs::read_to_string(&summary).unwrap());
    assert!(kept.exists());
    // Whoever would have told the exit code is killed.
    assert_eq!(job("kill -9 $PPID").status.code(), Some(1));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_command_that_forks_often_ends_the_measurement_with_its_end() {
    if !common::can_measure() {
        return;
    }
    // The command says when it is over: how long 300 processes take depends on the machine.
    let over = std::env::temp_dir().join(format!("sia-kernel-command-{}", std::process::id()));
    let script = "for i in $(seq 1 300); do cat /dev/null; done; : > \"$0\"";
    let mut check = Command::new(env!("CARGO_BIN_EXE_should-i-async"))
        .args(["check", "--max-sites", "16", "--max-overhead", "0.1%", "--", "sh", "-c", script])
        .arg(&over)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut until = Instant::now() + Duration::from_secs(300);
    let mut ended = false;
    while check.try_wait().unwrap().is_none() {
        if !ended && over.exists() {
            ended = true;
            until = Instant::now() + Duration::from_secs(30);
        }
        if Instant::now() > until {
            check.kill().unwrap();
            check.wait().unwrap();
            panic!("still measuring a command that {}", if ended { "is gone" } else { "ought to be gone" });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_file(&over).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("target exited"));
}
