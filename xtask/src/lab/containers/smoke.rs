//! The smallest form of the suite, for CI: no daemon and no image, but root folders and namespaces
//! of `unshare`, with the machine's own JVM. The bytes and the work of all languages are held
//! against each other; then a pair in C and a blocking client in Java, of a Go server, are looked
//! at and measured. No timing is checked.

use std::{fs, path::Path, rc::Rc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use serde_json::Value;

use super::{
    engine::Engine,
    folder::Folder,
    languages::{C, GO, Image, JAVA, SUITE, Side},
    rows::{self, Chosen, Maker, Obstacles},
    setting::{Protocol, Setting},
};
use crate::{
    harness::{
        judge::head_start,
        results::{self, Cell, Status},
        row::Group,
        run::Run,
        workload::{END_WITHIN, READY_WITHIN, answer, number},
    },
    host::{
        child::{self, Running, wait_until},
        package::Pair,
    },
    pairs::{needs::Place, pair::WRONG, smoke::Outcome},
};

/// Its folder, apart from that of a whole run.
const FOLDER: &str = "languages-smoke";
const SETTING: Setting =
    Setting { protocol: Protocol::Tcp, connections: 8, bytes: 64, work_us: 10, percent: None, think_us: 0 };
const SEED: u64 = 1;
/// Servers and clients whose digests must be equal: the same requests, and the same work for each.
const SERVERS: [(Image, &str); 4] = [
    (Image::Static, "/c/lab serve --mode threads --work 50"),
    (Image::Static, "/c/lab serve --mode epoll --work 50"),
    (Image::Static, "/go/lab serve --work 50"),
    (Image::Debian, "/languages/rust/lab echo --mode threads --work 50"),
];
const CLIENTS: [(Image, &str); 4] = [
    (Image::Static, "/c/lab ask --mode threads --work 50"),
    (Image::Static, "/c/lab ask --mode epoll --work 50"),
    (Image::Static, "/go/lab ask --work 50"),
    (Image::Debian, "java -cp /languages/java Lab ask --mode platform --work 50"),
];
const CONNECTIONS: u32 = 4;
const REQUESTS: u32 = 100;
/// Limit for a client to have asked all that.
const ASKED_WITHIN: Duration = Duration::from_secs(30);

/// Runs it.
pub(crate) fn run(root: &Path, programs: &Pair, install: bool) -> Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::NotRun("needs root".to_owned()));
    }
    child::catch_interrupts()?;
    let place = Place::with_sources(root, FOLDER, SUITE, programs.workload.clone())?;
    let needs = C.iter().chain(GO).chain(JAVA);
    if let Some(why_not) = needs.into_iter().find_map(|need| place.meet(need, install).err()) {
        return Ok(Outcome::NotRun(format!("{why_not:#}")));
    }
    let folder = Folder::of_host(&place, install)?;
    let network = folder.network()?;
    let engine = Rc::new(Engine::Folder(folder));
    same_work(&engine)?;
    let cells = measure(programs, &place, &engine)?;
    let [pair, client] = &cells[..] else { anyhow::bail!("{} rows, not 2", cells.len()) };
    must_hold(pair)?;
    must_hold(client)?;
    drop(engine);
    wait_until("a process is left in the network namespace", END_WITHIN, || Ok(!is_used(&network)))?;
    let answers: Vec<String> =
        cells.iter().filter_map(|cell| Some(cell.prediction.as_ref()?.sentence.clone())).collect();
    Ok(Outcome::Good(answers.join(" ")))
}

/// Every server does for the same requests what every client does.
fn same_work(engine: &Engine) -> Result<()> {
    let mut all = Vec::new();
    for (number, server) in SERVERS.into_iter().enumerate() {
        all.extend(digests(engine, number, server, CLIENTS[number])?);
    }
    let first = all.first().context("no digest")?.1.clone();
    let apart: Vec<&str> = all.iter().filter(|(_, digest)| *digest != first).map(|(line, _)| line.as_str()).collect();
    ensure!(apart.is_empty(), "other bytes or other work than the first program: {}", apart.join("; "));
    Ok(())
}

/// The digests of a server and a client, after so many requests.
fn digests(
    engine: &Engine,
    number: usize,
    server: (Image, &str),
    client: (Image, &str),
) -> Result<[(String, String); 2]> {
    let start = |what: &str, (image, line): (Image, &str), more: &[String]| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).chain(more.iter().cloned()).collect();
        Running::start(&mut engine.command(&format!("sia-languages-{what}-{number}"), image, "0,1", &words))
    };
    let mut served = start("server", server, &[])?;
    let port = answer(&mut served, "port", READY_WITHIN).with_context(|| server.1.to_owned())?;
    let port = port.get("port").cloned().unwrap_or_default().to_string();
    let more = ["--port", &port, "--connections", &CONNECTIONS.to_string(), "--requests", &REQUESTS.to_string()];
    let mut asks = start("client", client, &more.map(str::to_owned))?;
    answer(&mut asks, "pid", READY_WITHIN).with_context(|| client.1.to_owned())?;
    let wanted = f64::from(CONNECTIONS * REQUESTS);
    wait_until(client.1, ASKED_WITHIN, || {
        asks.send("count")?;
        Ok(self::number(&answer(&mut asks, "operations", READY_WITHIN)?, "operations")? >= wanted)
    })?;
    let asked = last(asks, wanted).with_context(|| client.1.to_owned())?;
    let answered = last(served, wanted).with_context(|| server.1.to_owned())?;
    Ok([(server.1.to_owned(), answered), (client.1.to_owned(), asked)])
}

/// The digest of a program that is asked to end.
fn last(program: Running, wanted: f64) -> Result<String> {
    let said = program.close(END_WITHIN)?;
    let line = said.stdout.lines().last().context("it said nothing")?;
    let value: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    ensure!(number(&value, "operations")? == wanted && number(&value, "errors")? == 0.0, "{line}");
    Ok(value.get("digest").and_then(Value::as_str).context("no digest")?.to_owned())
}

/// Predicts and measures the pair in C, and the client in Java without a twin.
fn measure(programs: &Pair, place: &Place, engine: &Rc<Engine>) -> Result<Vec<Cell>> {
    let pair = rows::chosen(Side::Server, &[SETTING], Some("server-c-*-epoll"))?;
    let client = rows::chosen(Side::Client, &[SETTING], Some("client-java-*"))?;
    let without_twin = client.into_iter().map(|row| Chosen { twins: Vec::new(), ..row });
    let chosen: Vec<Chosen> = pair.into_iter().chain(without_twin).collect();
    let none = Obstacles::new();
    let mut maker = Maker::new(Rc::clone(engine), SEED);
    maker.calibrate(&chosen, &none)?;
    let groups: Vec<Group> = chosen.iter().map(|row| maker.group(row, &none)).collect::<Result<_>>()?;
    let run = Run::smallest(SUITE, &programs.tool, &place.folder);
    let mut cells = Vec::new();
    run.predict_and_measure(groups, &mut Rng::with_seed(SEED), |so_far| {
        cells = so_far.cells;
        Ok(())
    })?;
    Ok(cells)
}

/// What holds of every row, however busy the machine is.
fn must_hold(cell: &Cell) -> Result<()> {
    let id = &cell.id;
    ensure!(cell.status == Status::Done, "{id}: {}", cell.reason.as_deref().unwrap_or("no reason is given"));
    let prediction = cell.prediction.as_ref().with_context(|| format!("{id}: no prediction"))?;
    ensure!(!WRONG.contains(&prediction.answer), "{id} is called {:?}: {}", prediction.answer, prediction.sentence);
    ensure!(prediction.cpu_cores > 0.0 && prediction.switches_per_s > 0.0, "{id}: {prediction:?}");
    let truth = cell.truth.as_ref().with_context(|| format!("{id}: no truth"))?;
    worked(&truth.blocking).with_context(|| format!("{id}: the blocking form"))?;
    if cell.control {
        return Ok(());
    }
    worked(&truth.twin).with_context(|| format!("{id}: the async form"))?;
    let ahead = head_start(std::slice::from_ref(cell), truth.first_started_unix_ns).context("no time of a start")?;
    ensure!(ahead > 0.0, "{id}: an async form was started before the prediction was on disk");
    Ok(())
}

/// A form did something, and has every figure that all of them have.
fn worked(runs: &[results::Run]) -> Result<()> {
    let [run] = runs else { anyhow::bail!("{} rounds", runs.len()) };
    let beside = run.beside.context("a figure is missing")?;
    ensure!(run.operations_per_s > 0.0 && run.cpu_per_operation_ns > 0.0, "no work: {run:?}");
    ensure!(beside.load_cpu_ns > 0.0 && beside.grown_bytes.is_some(), "no peer: {run:?}");
    Ok(())
}

/// Whether some process is in this network namespace.
fn is_used(network: &Path) -> bool {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.into_iter().any(|process| fs::read_link(process.path().join("ns/net")).is_ok_and(|found| found == network))
}
