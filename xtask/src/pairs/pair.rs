//! A pair of forms of a public program, or a control, and how the harness gets it.

use std::time::Duration;

use super::{
    needs::{Need, Place},
    program::{Counted, Public, Role, words},
};
use crate::harness::{
    report::Answer,
    row::{self, Group, Row, Scenario},
    stage::WARM_UP,
    workload::{self, Workload},
};
use crate::host::numbers::decimal;

/// One form of a public program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) name: &'static str,
    /// Its words: `{port}` to listen on, `{at}` where things are installed, `{sources}` those of
    /// ours, `{file}` to read, `{scratch}` to read and write, `{many}` requests at once.
    words: &'static str,
}

/// What keeps the program busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// It loads itself, and there is one way to do so.
    Alone,
    /// So many requests at once, from itself or from a load that keeps them up.
    Depth(u32),
    /// Connections that send the next request when the reply is there.
    Closed { connections: u32 },
    /// Arrivals at a share, in percent, of what the blocking form can serve.
    Open { connections: u32, percent: u32 },
}

impl Load {
    /// The load's part of an id; `None` where there is only one.
    fn name(self) -> Option<String> {
        match self {
            Self::Alone => None,
            Self::Depth(many) => Some(format!("d{many}")),
            Self::Closed { connections } => Some(format!("c{connections}")),
            Self::Open { connections, percent } => Some(format!("c{connections}-r{percent}")),
        }
    }

    /// Requests that are under way at once, at the most.
    fn many(self) -> u32 {
        match self {
            Self::Alone => 1,
            Self::Depth(many) => many,
            Self::Closed { connections } | Self::Open { connections, .. } => connections,
        }
    }
}

/// A pair, or a control: a program that async does not help.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) id: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) blocking: Form,
    /// The async forms, each with the scenario of the report that it follows.
    pub(super) async_forms: &'static [(Form, Scenario)],
    /// The first one stands alone in a quick run.
    pub(super) loads: &'static [Load],
    pub(super) counted: Counted,
    pub(super) speaks: Speaks,
    /// Seconds under load before it counts: a JIT compiler takes its time.
    pub(super) warm_up: u64,
    /// Limit of the memory of all forms together, and of the page cache of their files.
    pub(super) memory_mib: Option<u64>,
    /// The answers that are right; if empty, all that are not in [`WRONG`].
    pub(super) answers: &'static [Answer],
}

/// Answers that are wrong for a blocking form, because threads of it serve connections or files.
pub(crate) const WRONG: [Answer; 2] = [Answer::AlreadyAsync, Answer::Locks];

/// A public load does not say when it is at work: fio forks and connects first, which takes half a
/// second on a busy machine.
const PUBLIC_WARM_UP: Duration = Duration::from_millis(1500);

/// The protocol of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// The lab's load: GETs of this path.
    Http(&'static str),
    /// The lab's load: PING.
    Redis,
    /// A public load with these words. It does not count for the program.
    Public(&'static str),
    /// There is no load: the program loads itself.
    Nothing,
}

pub(super) const fn form(name: &'static str, words: &'static str) -> Form {
    Form { name, words }
}

pub(super) const CLOSED_8: Load = Load::Closed { connections: 8 };
pub(super) const CLOSED_64: Load = Load::Closed { connections: 64 };
/// Not 256: at a multiple of 128 the epoll form of libmicrohttpd 0.9.75 stands still.
pub(super) const CLOSED_250: Load = Load::Closed { connections: 250 };
pub(super) const OPEN_HALF: Load = Load::Open { connections: 64, percent: 50 };
/// Mostly idle: nearly each request finds its server asleep.
pub(super) const OPEN_FEW: Load = Load::Open { connections: 8, percent: 5 };

/// The fields that most servers have in common.
pub(super) const SERVER: Pair = Pair {
    id: "",
    needs: &[],
    blocking: form("", ""),
    async_forms: &[],
    loads: &[CLOSED_64, CLOSED_8],
    counted: Counted::Load,
    speaks: Speaks::Http("/"),
    warm_up: 0,
    memory_mib: None,
    answers: &[],
};

/// The fields that most programs have in common that load themselves.
pub(super) const ALONE: Pair =
    Pair { loads: &[Load::Alone], counted: Counted::Device, speaks: Speaks::Nothing, ..SERVER };

impl Pair {
    fn group_id(&self, load: &Load) -> String {
        load.name().map_or_else(|| self.id.to_owned(), |load| format!("{}-{load}", self.id))
    }

    /// The ids of its rows under a load.
    pub(super) fn ids(&self, load: &Load) -> Vec<String> {
        let group = self.group_id(load);
        if self.async_forms.is_empty() {
            return vec![group];
        }
        self.async_forms.iter().map(|(form, _)| format!("{group}-{}", form.name)).collect()
    }

    /// The line that `--list` prints.
    pub(super) fn line(&self, load: &Load) -> String {
        self.ids(load).join("  ")
    }

    /// The pair under a load, as the harness compares it.
    pub(super) fn group(&self, place: &Place, load: &Load, rate: Option<f64>, obstacle: Option<String>) -> Group {
        let id = self.group_id(load);
        let role = if self.speaks == Speaks::Nothing { Role::Alone } else { Role::Server };
        let public = |form: &Form| {
            let memory_mib = self.memory_mib;
            Box::new(Public { role, counted: self.counted, memory_mib, ..public(place, form, load.many()) })
        };
        Group {
            blocking: public(&self.blocking),
            load: self.load(place, load, rate),
            rows: self
                .async_forms
                .iter()
                .map(|(form, scenario)| Row {
                    id: format!("{id}-{}", form.name),
                    program: public(form),
                    scenario: *scenario,
                })
                .collect(),
            id,
            program: None,
            obstacle,
            grid: None,
            keeps_runs: false,
        }
    }

    fn load(&self, place: &Place, load: &Load, rate: Option<f64>) -> row::Load {
        let warm_up = WARM_UP.max(Duration::from_secs(self.warm_up));
        let many = load.many();
        let mut line: Vec<String> =
            ["load", "--connections", &many.to_string(), "--cpu", "1"].map(str::to_owned).into();
        match self.speaks {
            Speaks::Http(path) => line.extend(["--http".to_owned(), path.to_owned()]),
            Speaks::Redis => line.push("--redis".to_owned()),
            Speaks::Public(words) => {
                let warm_up = warm_up.max(PUBLIC_WARM_UP);
                let client = Public { role: Role::Client { warm_up }, ..public(place, &form("load", words), many) };
                return row::Load::Client(Box::new(client));
            }
            Speaks::Nothing => return row::Load::Alone,
        }
        line.extend(rate.into_iter().flat_map(|rate| ["--rate".to_owned(), decimal(rate, 0)]));
        let role = workload::Role::Client { seed: 1, warm_up };
        row::Load::Client(Box::new(Workload { binary: place.load.clone(), name: "load", arguments: line, role }))
    }
}

/// A form as a server whose load counts for it.
fn public(place: &Place, form: &Form, many: u32) -> Public {
    let shown = form.words.replace("{many}", &many.to_string());
    Public {
        name: form.name,
        words: words(&shown).iter().map(|word| place.fill(word)).collect(),
        shown,
        folder: place.folder.clone(),
        role: Role::Server,
        counted: Counted::Load,
        memory_mib: None,
    }
}
