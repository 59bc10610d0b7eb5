//! `cargo xtask pictures`: the pictures of README and docs, made from the demo's server under load:
//! screens of `live` as a terminal shows them, and a flame graph.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    exec,
    host::{
        child::{self, Running},
        file::Scratch,
    },
    say::say,
};

/// Folder of the pictures.
const FOLDER: &str = "docs/pictures";
/// Connections of the demo.
const CONNECTIONS: &str = "64";
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a screen collects data before its picture is taken: a trend needs a few intervals.
const GATHER: Duration = Duration::from_secs(14);
/// Columns and rows of the terminal.
const SIZE: [&str; 2] = ["110", "34"];

/// Make the pictures of README and docs (docs/pictures); needs root and tmux.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// A view: its key, and its file's name.
const VIEWS: [(&str, &str); 4] =
    [("1", "live-overview"), ("3", "live-sites"), ("4", "live-what-if"), ("7", "live-flame")];

pub(crate) fn run(root: &Path, _options: &Options) -> Result<()> {
    child::catch_interrupts()?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--release", "--locked", "--package", "should-i-async"]);
    cargo.args(["--bin", "should-i-async", "--message-format=json-render-diagnostics"]);
    let tool = executable(&exec::output(&mut cargo)?).context("cargo built no should-i-async")?;
    // By its name alone: the picture shows the command line, and its folder does not matter.
    let command = |args: &[&str]| {
        let mut command = Command::new(&tool);
        std::os::unix::process::CommandExt::arg0(&mut command, "should-i-async");
        command.args(args);
        command
    };
    fs::create_dir_all(root.join(FOLDER)).with_context(|| format!("making {FOLDER}"))?;

    let mut server = Running::start(&mut command(&["demo-server", "--seconds", "90"]))?;
    let port = server.next_line(LIMIT)?.trim().to_owned();
    let load = ["demo-client", "--seconds", "90", "--connections", CONNECTIONS, "--port", &port];
    let client = Running::start(&mut command(&load))?;
    let pid = server.pid().to_string();
    let done = flame(root, &command, &pid).and_then(|()| screens(root, &tool, &pid));
    client.end(|| {});
    server.end(|| {});
    done
}

fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    })
}

fn flame(root: &Path, command: &dyn Fn(&[&str]) -> Command, pid: &str) -> Result<()> {
    let folder = Scratch::new("pictures")?;
    let recording = folder.join("demo.sia");
    let recording = recording.to_str().context("the scratch folder's name")?;
    let picture = root.join(FOLDER).join("flame.svg");
    let picture = picture.to_str().context("the checkout's name")?;
    exec::output(&mut command(&["record", "-p", pid, "-d", "6s", "-o", recording]))?;
    exec::output(&mut command(&["report", recording, "-o", picture]))?;
    say(&format!("pictures: wrote {FOLDER}/flame.svg"))
}

/// A terminal of its own; it ends when the value is dropped.
struct Terminal {
    name: String,
}

impl Terminal {
    fn tmux(&self, args: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", &self.name, "-f", "/dev/null"]).args(args);
        tmux.env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color").env_remove("TMUX").env_remove("NO_COLOR");
        exec::output(&mut tmux)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

fn screens(root: &Path, tool: &Path, pid: &str) -> Result<()> {
    let terminal = Terminal { name: format!("sia-pictures-{}", std::process::id()) };
    let tool = tool.to_str().context("the program's path")?;
    let line = format!("exec '{tool}' live --exact -p {pid}");
    terminal.tmux(&["new-session", "-d", "-x", SIZE[0], "-y", SIZE[1], "sh", "-c", &line])?;
    child::pause(GATHER)?;
    for (key, name) in VIEWS {
        terminal.tmux(&["send-keys", key])?;
        child::pause(Duration::from_millis(700))?;
        let screen = terminal.tmux(&["capture-pane", "-p", "-e"])?;
        ensure!(screen.contains("overview"), "the screen is not there:\n{screen}");
        let picture = anstyle_svg::Term::new().render_svg(&screen);
        let file = root.join(FOLDER).join(format!("{name}.svg"));
        fs::write(&file, picture + "\n").with_context(|| format!("writing {}", file.display()))?;
        say(&format!("pictures: wrote {FOLDER}/{name}.svg"))?;
    }
    terminal.tmux(&["send-keys", "q"])?;
    Ok(())
}
