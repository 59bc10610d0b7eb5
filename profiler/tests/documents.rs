//! What documents show of the tool's output: each such block names the command that makes it, of a
//! kept recording or of the help, and which of its lines it shows:
//!
//! ```text
//! <!-- made by `should-i-async report docs/tutorial/demo.sia`: first 12, "WHAT IF" 9 -->
//! ```
//!
//! The block below such a line holds these parts, with `…` where lines are left out. What was seen
//! once on a machine is kept as text, and `cat FILE` shows it. No test here needs rights. `cargo
//! xtask goldens` renews the blocks.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Set by `cargo xtask goldens`: write instead of comparing.
const RENEW: &str = "RENEW_GOLDENS";
/// The documents, and how many blocks each has at least.
const DOCUMENTS: [(&str, usize); 2] = [("docs/tutorial.md", 8), ("docs/article.md", 1)];
const BEGIN: &str = "<!-- made by `";
const END: &str = " -->";
const OPEN: &str = "```text";
const CLOSE: &str = "```";
const LEFT_OUT: &str = "…";

#[test]
fn what_documents_show_is_what_the_tool_says() {
    for (name, least) in DOCUMENTS {
        let path = root().join(name);
        let text = fs::read_to_string(&path).unwrap();
        let (made, blocks) = renewed(name, &text);
        assert!(blocks >= least, "{name}: {blocks} blocks are compared");
        if std::env::var_os(RENEW).is_some() {
            fs::write(&path, made).unwrap();
            continue;
        }
        for (n, (kept, now)) in text.lines().zip(made.lines()).enumerate() {
            assert_eq!(kept, now, "{name}:{}: if that is meant, `cargo xtask goldens` shows what is made now", n + 1);
        }
        assert_eq!(text, made, "{name}");
    }
}

/// The document with all its blocks made anew, and how many there are. Every block of output has to
/// say what makes it.
fn renewed(name: &str, text: &str) -> (String, usize) {
    let mut made = String::new();
    let mut blocks = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        made.push_str(line);
        made.push('\n');
        assert_ne!(line, OPEN, "{name}: a block of output without the command that makes it");
        let Some(source) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) else { continue };
        let (command, parts) = source.split_once("`: ").unwrap();
        assert_eq!(lines.next(), Some(OPEN), "{name}: {line}");
        lines.find(|line| *line == CLOSE).unwrap();
        let shown = shown(&output(command), parts).unwrap_or_else(|error| panic!("{name}: {source}: {error}"));
        made.push_str(&format!("{OPEN}\n{shown}{CLOSE}\n"));
        blocks += 1;
    }
    (made, blocks)
}

/// What a command prints on stdout, or a file that is kept.
fn output(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let (program, arguments) = words.split_first().unwrap();
    if *program == "cat" {
        return fs::read_to_string(root().join(arguments[0])).unwrap();
    }
    assert_eq!(*program, "should-i-async", "{command}");
    let mut tool = Command::new(env!("CARGO_BIN_EXE_should-i-async"));
    let done = tool.env_clear().current_dir(root()).args(arguments).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// The parts of an output: `all`, `first N`, or `"BEGINNING" N`, the line with this beginning and
/// those behind it, N in all.
fn shown(output: &str, parts: &str) -> Result<String, String> {
    let all: Vec<&str> = output.trim_end().lines().collect();
    let mut text = String::new();
    let mut at = 0;
    for part in parts.split(", ") {
        let (from, count) = match part.rsplit_once(' ') {
            _ if part == "all" => (0, all.len()),
            Some(("first", count)) => (0, count.parse().map_err(|_| format!("{part}: no number"))?),
            Some((beginning, count)) => {
                let wanted = beginning.trim_matches('"');
                let place = all.iter().skip(at).position(|line| line.starts_with(wanted));
                let from = at + place.ok_or_else(|| format!("no line begins with {beginning}"))?;
                (from, count.parse().map_err(|_| format!("{part}: no number"))?)
            }
            None => return Err(format!("{part}: not a part")),
        };
        if from > at {
            text.push_str(LEFT_OUT);
            text.push('\n');
        }
        at = (from + count).min(all.len());
        for line in all[from..at].join("\n").trim_end().lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    if at < all.len() {
        text.push_str(LEFT_OUT);
        text.push('\n');
    }
    Ok(text)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn parts_of_an_output_are_shown_in_order() {
    let output = "yes\n\nWHAT IF\n  a\n  b\nCPU\n  c\n";
    assert_eq!(shown(output, "all").unwrap(), output);
    assert_eq!(shown(output, "first 1").unwrap(), "yes\n…\n");
    assert_eq!(shown(output, "first 2, \"WHAT IF\" 2, \"CPU\" 9").unwrap(), "yes\nWHAT IF\n  a\n…\nCPU\n  c\n");
    for wrong in ["\"MEMORY\" 2", "\"CPU\" 1, \"WHAT\" 1", "first", "first x"] {
        assert!(shown(output, wrong).is_err(), "{wrong}");
    }
}

#[test]
#[should_panic(expected = "without the command")]
fn output_that_nobody_makes_is_refused() {
    renewed("a.md", "# A\n\n```text\nYes.\n```\n");
}

#[test]
fn a_block_is_made_anew() {
    let text = "a\n<!-- made by `should-i-async --version`: all -->\n```text\nold\n```\nb\n";
    let (made, blocks) = renewed("a.md", text);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        made,
        format!("a\n<!-- made by `should-i-async --version`: all -->\n```text\nshould-i-async {version}\n```\nb\n")
    );
    assert_eq!(blocks, 1);
}
