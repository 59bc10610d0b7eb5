//! Rows: a language under a setting, as a group that the harness predicts and measures.

use std::{collections::BTreeMap, path::Path, rc::Rc, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{
    contained::{Contained, Role},
    engine::Engine,
    languages::{self, DEBIAN, Flags, Form, GO, Image, Language, PEER, SUITE, Side},
    setting::{Protocol, Setting},
};
use crate::{
    harness::{
        choice::is_match,
        forecast, measure,
        row::{Deadline, Group, Load, Row, Scenario},
        run::LIMIT,
        stage::WARM_UP,
        workload::{END_WITHIN, answer, number},
    },
    host::{
        child::{self, Running},
        numbers::{count, decimal},
    },
    pairs::needs::Place,
    say,
};

/// What is studied has a CPU to itself; its peer has the other one.
const TARGET_CPU: &str = "0";
const PEER_CPU: &str = "1";
/// Time under load before it counts, where a JIT compiler takes its time.
const JIT_WARM_UP: Duration = Duration::from_secs(8);
/// How long the blocking form is watched to find the rate that it can serve.
const CAPACITY: Duration = Duration::from_secs(3);
const SPINS_WITHIN: Duration = Duration::from_secs(60);

/// The loads of servers: the lab's, which knows latencies, and over UDP the client in C.
const LOAD: Form =
    Form { name: "load", image: Image::Debian, words: "/languages/rust/lab load", flags: Flags::Lab, protocols: &[] };
const DATAGRAMS: Form = Form {
    name: "load",
    image: Image::Static,
    words: "/c/lab ask --mode epoll",
    flags: Flags::Languages,
    protocols: &[],
};

/// A language under a setting, with those of its twins that are chosen.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) side: Side,
    pub(super) language: &'static Language,
    pub(super) setting: Setting,
    pub(super) twins: Vec<(Form, Scenario)>,
}

impl Chosen {
    /// The id of the group: the side and the language, then the setting.
    pub(super) fn id(&self) -> String {
        format!("{}-{}-{}", self.side.word(), self.language.name, self.setting.name())
    }

    /// The ids of its rows; of a control its own.
    pub(super) fn ids(&self) -> Vec<String> {
        if self.twins.is_empty() {
            return vec![self.id()];
        }
        self.twins.iter().map(|(form, _)| format!("{}-{}", self.id(), form.name)).collect()
    }
}

/// All rows of a side under these settings whose id matches; `*` stands for anything.
pub(super) fn chosen(side: Side, settings: &[Setting], only: Option<&str>) -> Result<Vec<Chosen>> {
    let (mut found, mut ids) = (Vec::new(), Vec::new());
    for setting in settings {
        if setting.percent.is_some() && (side == Side::Client || setting.protocol == Protocol::Udp) {
            bail!("--percent is for servers over TCP: a client sets its own pace");
        }
        if setting.protocol == Protocol::Udp && setting.bytes > 65_000 {
            bail!("a datagram has fewer than 65,000 bytes: leave {} out of --bytes", setting.bytes);
        }
        for language in languages::of_side(side) {
            let speaks = |form: &Form| form.protocols.contains(&setting.protocol);
            if !speaks(&language.blocking) {
                continue;
            }
            let twins = language.twins.iter().filter(|(form, _)| speaks(form)).copied().collect();
            let mut row = Chosen { side, language, setting: *setting, twins };
            ids.extend(row.ids());
            let matches = |id: &String| only.is_none_or(|glob| is_match(glob, id));
            if row.ids().iter().any(matches) {
                let id = row.id();
                row.twins.retain(|(form, _)| matches(&format!("{id}-{}", form.name)));
                found.push(row);
            }
        }
    }
    if found.is_empty() {
        bail!("no row matches; there are {}", ids.join(", "));
    }
    Ok(found)
}

/// Why a language cannot run here, by its name.
pub(super) type Obstacles = BTreeMap<&'static str, String>;

/// Installs and builds what the rows need. What cannot be had is an obstacle of its language.
pub(super) fn meet_needs(place: &Place, debian: &Place, rows: &[Chosen], install: bool) -> Result<Obstacles> {
    let mut obstacles = Obstacles::new();
    let root = debian.meet(&DEBIAN, install);
    child::check_interrupt()?;
    for row in rows {
        say::progress(SUITE, &format!("preparing {}", row.language.name))?;
        let uses_debian =
            std::iter::once(&row.language.blocking).chain(row.language.twins.iter().map(|(form, _)| form));
        let of_root = uses_debian.into_iter().any(|form| form.image == Image::Debian) || row.side == Side::Server;
        let why_not = root.as_ref().err().filter(|_| of_root).map(|error| format!("{error:#}"));
        // The peer of clients, and the program that stays.
        let needs = row.language.needs.iter().chain(GO);
        let why_not = why_not
            .or_else(|| needs.into_iter().find_map(|need| Some(format!("{:#}", place.meet(need, install).err()?))));
        child::check_interrupt()?;
        if let Some(why_not) = why_not {
            obstacles.insert(row.language.name, why_not);
        }
    }
    Ok(obstacles)
}

/// Measures the prices of the interpreters that some rows run in: `check` does not do so by itself.
pub(super) fn calibrate_runtimes(tool: &Path, groups: &[Group]) -> Result<()> {
    for language in ["java", "python"] {
        let is_its = |group: &&Group| group.obstacle.is_none() && group.program == Some(language);
        if let Some(group) = groups.iter().find(is_its) {
            say::progress(SUITE, &format!("prices of {language}"))?;
            forecast::calibrate_runtime_of(tool, group)?;
        }
    }
    Ok(())
}

/// Makes groups of rows.
pub(super) struct Maker {
    engine: Rc<Engine>,
    seed: u64,
    /// Iterations of the work loop per µs, by language.
    rates: BTreeMap<&'static str, f64>,
}

impl Maker {
    pub(super) fn new(engine: Rc<Engine>, seed: u64) -> Self {
        Self { engine, seed, rates: BTreeMap::new() }
    }

    /// Measures how fast the work runs in each language.
    pub(super) fn calibrate(&mut self, rows: &[Chosen], obstacles: &Obstacles) -> Result<()> {
        for row in rows {
            let Language { name, blocking, spin, .. } = row.language;
            if obstacles.contains_key(name) || self.rates.contains_key(name) {
                continue;
            }
            let words: Vec<String> = spin.split(' ').map(str::to_owned).collect();
            let container = format!("sia-languages-spin-{name}");
            let mut spin = Running::start(&mut self.engine.command(&container, blocking.image, TARGET_CPU, &words))?;
            let said =
                answer(&mut spin, "iterations_per_us", SPINS_WITHIN).with_context(|| format!("work in {name}"))?;
            let rate = number(&said, "iterations_per_us")?;
            spin.close(END_WITHIN)?;
            say::progress(SUITE, &format!("work in {name}: {} iterations per µs", decimal(rate, 1)))?;
            self.rates.insert(name, rate);
        }
        Ok(())
    }

    /// A row as the harness compares it.
    pub(super) fn group(&self, row: &Chosen, obstacles: &Obstacles) -> Result<Group> {
        let obstacle = obstacles.get(row.language.name).cloned();
        let mut group = self.with_load(row, None, obstacle);
        let Some(percent) = row.setting.percent.filter(|_| group.obstacle.is_none()) else { return Ok(group) };
        match measure::rate(&group, CAPACITY, Deadline::after(LIMIT)) {
            Ok(rate) => {
                say::progress(SUITE, &format!("{} can serve {} requests/s", row.id(), count(rate)))?;
                group = self.with_load(row, Some(rate * f64::from(percent) / 100.0), None);
            }
            Err(error) => {
                child::check_interrupt()?;
                group.obstacle = Some(format!("the rate that it can serve: {error:#}"));
            }
        }
        Ok(group)
    }

    fn with_load(&self, row: &Chosen, rate: Option<f64>, obstacle: Option<String>) -> Group {
        let id = row.id();
        let target = |form: &Form| Box::new(self.target(row, *form));
        Group {
            blocking: target(&row.language.blocking),
            load: self.load(row, rate),
            rows: row
                .twins
                .iter()
                .map(|(form, scenario)| Row {
                    id: format!("{id}-{}", form.name),
                    program: target(form),
                    scenario: *scenario,
                })
                .collect(),
            id,
            // The Rust forms are programs of the lab, which must not be judged by themselves.
            program: Some(if row.language.name == "rust" { "echo" } else { row.language.name }),
            obstacle,
            grid: None,
            keeps_runs: true,
        }
    }

    fn contained(&self, form: Form, arguments: Vec<String>, role: Role, cpu: &'static str) -> Contained {
        Contained { engine: Rc::clone(&self.engine), form, arguments, role, cpu }
    }

    /// What is studied.
    fn target(&self, row: &Chosen, form: Form) -> Contained {
        let Setting { connections, work_us, .. } = row.setting;
        let rate = self.rates.get(row.language.name).copied().unwrap_or(0.0);
        let mut arguments = said(form, row.setting);
        arguments.extend(["--work".to_owned(), decimal(f64::from(work_us) * rate, 0)]);
        let role = match row.side {
            Side::Server => Role::Server,
            Side::Client => {
                let flag = if form.flags == Flags::Lab { "--workers" } else { "--connections" };
                arguments.extend([flag.to_owned(), connections.to_string()]);
                Role::Client { warm_up: warm_up(row) }
            }
        };
        self.contained(form, arguments, role, TARGET_CPU)
    }

    /// Its peer.
    fn load(&self, row: &Chosen, rate: Option<f64>) -> Load {
        let Setting { protocol, connections, bytes, think_us, .. } = row.setting;
        let flag = |name: &str, value: String| [name.to_owned(), value];
        let many = flag("--connections", connections.to_string());
        if row.side == Side::Client {
            let mut arguments = said(PEER, row.setting);
            arguments.extend(flag("--think-us", think_us.to_string()));
            return Load::Backend(Box::new(self.contained(PEER, arguments, Role::Server, PEER_CPU)));
        }
        let warm_up = warm_up(row);
        if protocol == Protocol::Udp {
            let arguments = [said(DATAGRAMS, row.setting), many.to_vec()].concat();
            return Load::Client(Box::new(self.contained(DATAGRAMS, arguments, Role::Client { warm_up }, PEER_CPU)));
        }
        let mut arguments = many.to_vec();
        match protocol {
            Protocol::Http => arguments.extend(flag("--http", "/".to_owned())),
            _ => arguments.extend(flag("--bytes", bytes.to_string())),
        }
        arguments.extend(rate.into_iter().flat_map(|rate| flag("--rate", decimal(rate, 0))));
        arguments.extend(flag("--seed", self.seed.to_string()));
        if rate.is_none() {
            arguments.extend(flag("--think-us", think_us.to_string()));
        }
        Load::Client(Box::new(self.contained(LOAD, arguments, Role::Load { warm_up, rate }, PEER_CPU)))
    }
}

/// What a server and a client are both told.
fn said(form: Form, setting: Setting) -> Vec<String> {
    let mut words = vec!["--bytes".to_owned(), setting.bytes.to_string()];
    if form.flags == Flags::Languages {
        words.extend(["--protocol".to_owned(), setting.protocol.word().to_owned()]);
    }
    words
}

fn warm_up(row: &Chosen) -> Duration {
    if row.language.name == "java" { JIT_WARM_UP } else { WARM_UP }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::setting::tests::SETTING, *};

    #[test]
    fn every_row_has_an_id_of_its_own() {
        let settings = [SETTING, Setting { protocol: Protocol::Udp, ..SETTING }];
        for side in [Side::Server, Side::Client] {
            let ids: Vec<String> = chosen(side, &settings, None).unwrap().iter().flat_map(Chosen::ids).collect();
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
            assert!(ids.contains(&format!("{}-java-tcp-c64-b64-w10us-virtual", side.word())), "{ids:?}");
            assert!(!ids.iter().any(|id| id.contains("rust-udp")), "{ids:?}");
        }
    }

    #[test]
    fn a_glob_chooses_single_twins_and_what_makes_no_sense_is_refused() {
        let rows = chosen(Side::Server, &[SETTING], Some("*-c-*-epoll")).unwrap();
        assert_eq!(rows.iter().flat_map(Chosen::ids).collect::<Vec<_>>(), ["server-c-tcp-c64-b64-w10us-epoll"]);
        assert!(chosen(Side::Server, &[SETTING], Some("cobol*")).is_err());
        assert!(chosen(Side::Client, &[Setting { percent: Some(50), ..SETTING }], None).is_err());
        let large = Setting { protocol: Protocol::Udp, bytes: 65_536, ..SETTING };
        assert!(chosen(Side::Server, &[large], None).is_err());
    }
}
