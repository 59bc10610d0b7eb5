//! `cargo xtask roles`: small programs whose threads' parts are known, in the languages that are
//! installed here. `check` looks at each, and its roles and its answer are held against the truth.

mod rows;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::{
    harness::{
        choice::is_match,
        report::{Figure, Verdict},
    },
    host::{
        child::{self, Running, pause},
        markdown,
        numbers::NA,
        package::{self, TRUTH},
    },
    pairs::needs::{Need, Place},
    say::say,
};
use rows::{ROWS, Row};

/// Length of a measurement.
const CHECK: Duration = Duration::from_secs(3);
/// Time for all else that `check` does.
const CHECK_WITHIN: Duration = Duration::from_secs(60);
/// Limit for a program to become ready: a JVM compiles first.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Time that a program runs before `check` starts.
const WARM_UP: Duration = Duration::from_millis(300);
/// Share of the CPU of threads of one name whose role must be right. One that hardly ran may be
/// taken for idle.
const NEARLY_ALL: f64 = 0.9;

/// Small programs whose threads' parts are known: what `check` says of them.
#[derive(Args)]
pub(crate) struct Options {
    /// Only programs whose name matches; `*` stands for anything.
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Builds nothing of ours and takes `should-i-async` from here.
    #[arg(long, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// Measures in sampled windows, not everything.
    #[arg(long)]
    sampled: bool,
    /// Measures by raw tracepoints.
    #[arg(long)]
    raw: bool,
    /// Lists the programs, and runs nothing.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let chosen = |row: &&Row| options.only.as_ref().is_none_or(|glob| is_match(glob, row.id));
    let chosen: Vec<&Row> = ROWS.iter().filter(chosen).collect();
    ensure!(!chosen.is_empty(), "no program matches");
    if options.list {
        return chosen.iter().try_for_each(|row| say(&format!("{}: {}", row.id, row.words)));
    }
    child::catch_interrupts()?;
    let tool = package::Pair::find(root, TRUTH, options.binaries.as_deref())?.tool;
    let (mut lines, mut wrong) = (Vec::new(), 0);
    for row in &chosen {
        let found = row.measure(root, &tool, options)?;
        wrong += usize::from(found.is_wrong);
        say(&format!("{}: {}, {}", row.id, found.got, found.judged))?;
        lines.push(vec![row.id.to_owned(), row.expected(), found.got, found.judged]);
    }
    say(&markdown::table(&["Program", "Expected", "Got", "Judged"], lines))?;
    ensure!(wrong == 0, "{wrong} of {} programs are judged wrongly", chosen.len());
    Ok(())
}

/// The parts of a report that are held against the truth.
#[derive(Deserialize)]
struct Seen {
    verdict: Verdict,
    threads: Vec<Thread>,
}

#[derive(Deserialize)]
struct Thread {
    name: String,
    role: String,
    role_basis: String,
    cpu_ns: Figure<u64>,
}

impl Thread {
    fn cpu(&self) -> f64 {
        self.cpu_ns.value.unwrap_or(0) as f64
    }
}

/// What was found of a program.
struct Found {
    got: String,
    judged: String,
    is_wrong: bool,
}

impl Found {
    fn not_run(why: &anyhow::Error) -> Self {
        Self { got: NA.to_owned(), judged: format!("not run: {why:#}"), is_wrong: false }
    }
}

impl Row {
    /// Runs `check` on the program. An error is one of the tool; a program that cannot run is a
    /// row.
    fn measure(&self, root: &Path, tool: &Path, options: &Options) -> Result<Found> {
        let mut program = match self.start(root) {
            Ok(program) => program,
            Err(why) => {
                child::check_interrupt()?;
                return Ok(Found::not_run(&why));
            }
        };
        pause(WARM_UP)?;
        let mut command = Command::new(tool);
        command.args(["check", "--pid", &program.pid().to_string(), "-d", &format!("{}s", CHECK.as_secs()), "--json"]);
        command.args((!options.sampled).then_some("--exact"));
        command.args(options.raw.then_some("--raw-tracepoints"));
        let output = Running::start(&mut command)?.wait(CHECK + CHECK_WITHIN)?;
        program.check_alive()?;
        let kept = place(root, "reports")?.folder.join(format!("{}.json", self.id));
        fs::write(&kept, &output.stdout).with_context(|| format!("writing {}", kept.display()))?;
        Ok(self.judge(&serde_json::from_str(&output.stdout).context("`check` printed no report")?))
    }

    fn start(&self, root: &Path) -> Result<Running> {
        let compiler = match &self.built {
            Some(Need::Built { compiler, .. }) => compiler,
            _ => "none",
        };
        let place = place(root, compiler)?;
        self.built.iter().try_for_each(|need| place.meet(need, false))?;
        let mut words = self.words.split_whitespace().map(|word| place.fill(word));
        let mut program = Running::start(Command::new(words.next().unwrap_or_default()).args(words))?;
        program.next_line(READY_WITHIN)?;
        Ok(program)
    }

    /// What is right, in words.
    fn expected(&self) -> String {
        let roles = self.threads.iter().map(|(name, roles)| format!("{name}: {}", roles.join(" or ")));
        let answers: Vec<String> = self.answers.iter().map(|answer| format!("{answer:?}")).collect();
        roles.chain([answers.join(" or ")]).collect::<Vec<_>>().join("; ")
    }

    fn judge(&self, seen: &Seen) -> Found {
        let (mut got, mut is_wrong) = (Vec::new(), !self.answers.contains(&seen.verdict.answer));
        for (name, roles) in self.threads {
            let named: Vec<&Thread> = seen.threads.iter().filter(|t| *name == "*" || t.name == *name).collect();
            let all: f64 = named.iter().map(|t| t.cpu()).sum();
            let right: f64 = named.iter().filter(|t| roles.contains(&t.role.as_str())).map(|t| t.cpu()).sum();
            is_wrong |= all == 0.0 || right < NEARLY_ALL * all;
            let busiest = named.iter().max_by(|a, b| a.cpu().total_cmp(&b.cpu())).map_or(NA, |t| &t.role_basis);
            got.push(format!("{name}: {} ({busiest})", counts(&named)));
        }
        got.push(format!("{:?}", seen.verdict.answer));
        let judged = if is_wrong { "WRONG" } else { "right" };
        Found { got: got.join("; "), judged: judged.to_owned(), is_wrong }
    }
}

/// How many threads have which role, those with the most CPU first.
fn counts(threads: &[&Thread]) -> String {
    let mut roles: Vec<(&str, usize, f64)> = Vec::new();
    for thread in threads {
        match roles.iter_mut().find(|(role, ..)| *role == thread.role) {
            Some(found) => (found.1, found.2) = (found.1 + 1, found.2 + thread.cpu()),
            None => roles.push((&thread.role, 1, thread.cpu())),
        }
    }
    roles.sort_by(|a, b| b.2.total_cmp(&a.2));
    roles.iter().map(|(role, n, _)| format!("{n} {role}")).collect::<Vec<_>>().join(", ")
}

/// Where programs of one compiler are built, and their sources.
fn place(root: &Path, folder: &str) -> Result<Place> {
    let folder = root.join("target").join("roles").join(folder);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok(Place { folder, sources: root.join("xtask").join("programs").join("roles"), load: PathBuf::new() })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn seen(answer: &str, threads: &[(&str, &str, u64)]) -> Seen {
        let thread = |(name, role, cpu): &(&str, &str, u64)| serde_json::json!({"name": name, "role": role, "role_basis": "", "cpu_ns": {"value": cpu}});
        let threads: Vec<_> = threads.iter().map(thread).collect();
        let verdict = serde_json::json!({"answer": answer, "sentence": ""});
        serde_json::from_value(serde_json::json!({"verdict": verdict, "threads": threads})).unwrap()
    }

    #[test]
    fn roles_and_answer_must_be_right() {
        let row = ROWS.iter().find(|row| row.id == "glibc-mutex").unwrap();
        let wrong = |answer, threads: &[_]| row.judge(&seen(answer, threads)).is_wrong;
        assert!(!wrong("locks", &[("fights", "lock-bound", 99), ("fights", "idle", 1), ("other", "timer", 50)]));
        assert!(wrong("locks", &[("fights", "lock-bound", 80), ("fights", "pool-worker", 20)]));
        assert!(wrong("cpu_bound", &[("fights", "lock-bound", 99)]));
        assert!(wrong("locks", &[("other", "lock-bound", 99)]), "no such thread");
    }

    #[test]
    fn names_are_unique_and_roles_are_the_reports() {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../../docs/report.schema.json")).unwrap();
        let kinds = schema["$defs"]["RoleName"]["oneOf"].as_array().unwrap();
        let known: HashSet<&str> = kinds.iter().map(|kind| kind["const"].as_str().unwrap()).collect();
        let keys = &schema["$defs"]["Thread"]["properties"];
        assert!(["name", "role", "role_basis", "cpu_ns"].iter().all(|key| keys.get(key).is_some()));
        let ids: HashSet<&str> = ROWS.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), ROWS.len());
        for row in ROWS {
            assert!(row.threads.iter().flat_map(|(_, roles)| *roles).all(|role| known.contains(role)), "{}", row.id);
        }
    }
}
