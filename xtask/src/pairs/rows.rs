//! The rows: which public programs are compared, in which forms, under which loads.

use anyhow::{Result, bail};

use super::{
    needs::{Need, Place},
    program::{Counted, Public},
};
use crate::harness::{
    choice::is_match,
    report::Answer,
    row::{self, Group, Row, Scenario},
    stage::WARM_UP,
    workload::{Role, Workload},
};

/// One form of a public program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) name: &'static str,
    /// Its words: `{port}` to listen on, `{at}` where things are installed, `{sources}` those of
    /// ours, `{file}` to read.
    words: &'static str,
}

/// What keeps the program busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// It loads itself.
    Alone,
    /// Connections that send the next request when the reply is there.
    Closed { connections: u32 },
    /// Arrivals at a share, in percent, of what the blocking form can serve.
    Open { connections: u32, percent: u32 },
}

impl Load {
    /// For ids.
    fn name(self) -> Option<String> {
        match self {
            Self::Alone => None,
            Self::Closed { connections } => Some(format!("c{connections}")),
            Self::Open { connections, percent } => Some(format!("c{connections}-r{percent}")),
        }
    }
}

/// A pair, or a control: a program that async does not help.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) id: &'static str,
    pub(super) needs: &'static [Need],
    blocking: Form,
    /// The async forms, and the way of the report that each goes.
    async_forms: &'static [(Form, Scenario)],
    /// The first one stands alone in a quick run.
    loads: &'static [Load],
    counted: Counted,
    speaks: Speaks,
    /// Seconds under load before it counts: a JIT compiler takes its time.
    warm_up: u64,
    /// What a verdict may be; empty: anything that is not on [`WRONG`].
    pub(super) answers: &'static [Answer],
}

/// What no blocking form may be called: it serves connections or files by threads.
pub(super) const WRONG: [Answer; 2] = [Answer::AlreadyAsync, Answer::Locks];

/// What the load says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Http(&'static str),
    Redis,
}

const fn form(name: &'static str, words: &'static str) -> Form {
    Form { name, words }
}

const FEW: Load = Load::Closed { connections: 8 };
const SOME: Load = Load::Closed { connections: 64 };
/// Not 256: at a multiple of 128 the epoll form of libmicrohttpd 0.9.75 stands still.
const MANY: Load = Load::Closed { connections: 250 };
const HALF: Load = Load::Open { connections: 64, percent: 50 };

/// What most pairs have.
const SERVER: Pair = Pair {
    id: "",
    needs: &[],
    blocking: form("", ""),
    async_forms: &[],
    loads: &[SOME, FEW],
    counted: Counted::Load,
    speaks: Speaks::Http("/"),
    warm_up: 0,
    answers: &[],
};

const PYTHON: &[Need] =
    &[Need::Debian(&["python3-venv"]), Need::Python(&["gevent", "uvloop", "gunicorn", "packaging"])];
const TRIXIE: &[Need] = &[
    Need::Root { suite: "trixie", packages: &["openjdk-25-jdk-headless", "tomcat10"] },
    Need::Java { suite: "trixie", source: "Server.java" },
];
const FILES: &[Need] = &[Need::Debian(&["fio"]), Need::File { mib: 512 }];

/// All of them.
const PAIRS: &[Pair] = &[
    Pair {
        id: "mhd",
        needs: &[
            Need::Debian(&["libmicrohttpd-dev", "gcc", "libc6-dev"]),
            Need::Built { compiler: "cc", source: "mhd.c", flags: &["-lmicrohttpd"] },
        ],
        blocking: form("threads", "{at}/mhd --port {port} --form threads"),
        async_forms: &[(form("epoll", "{at}/mhd --port {port} --form epoll"), Scenario::Naive)],
        loads: &[SOME, FEW, MANY, HALF],
        ..SERVER
    },
    Pair {
        id: "python",
        needs: PYTHON,
        blocking: form("threads", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form threads"),
        async_forms: &[
            (
                form("streams", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form streams"),
                Scenario::Runtime,
            ),
            (
                form("protocols", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form protocols"),
                Scenario::Runtime,
            ),
            (
                form("uvloop", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form uvloop-protocols"),
                Scenario::Runtime,
            ),
            (form("gevent", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form gevent"), Scenario::Runtime),
        ],
        ..SERVER
    },
    Pair {
        id: "python-timeout",
        needs: PYTHON,
        blocking: form("threads", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form threads --timeout 30"),
        async_forms: &[(
            form("gevent", "{at}/venv/bin/python {sources}/pyhttp.py --port {port} --form gevent --timeout 30"),
            Scenario::Runtime,
        )],
        ..SERVER
    },
    Pair {
        id: "gunicorn",
        needs: PYTHON,
        blocking: form(
            "gthread",
            "{at}/venv/bin/gunicorn --chdir {sources} --bind 127.0.0.1:{port} --workers 1 --worker-class gthread --threads 64 \
             --keep-alive 75 --log-level error wsgi_app:app",
        ),
        async_forms: &[(
            form(
                "gevent",
                "{at}/venv/bin/gunicorn --chdir {sources} --bind 127.0.0.1:{port} --workers 1 --worker-class gevent --keep-alive 75 \
                 --log-level error wsgi_app:app",
            ),
            Scenario::Runtime,
        )],
        loads: &[SOME, FEW, HALF],
        ..SERVER
    },
    Pair {
        id: "java",
        needs: TRIXIE,
        blocking: form(
            "platform",
            "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form platform\"",
        ),
        async_forms: &[(
            form(
                "virtual",
                "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form virtual\"",
            ),
            Scenario::Runtime,
        )],
        loads: &[SOME, FEW, HALF],
        warm_up: 6,
        ..SERVER
    },
    Pair {
        id: "java-timeout",
        needs: TRIXIE,
        blocking: form(
            "platform",
            "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form platform --timeout 30\"",
        ),
        async_forms: &[(
            form(
                "virtual",
                "unshare --mount sh -c \"mount -t proc proc {at}/trixie/proc && exec chroot {at}/trixie java -cp /pairs Server --port {port} --form virtual --timeout 30\"",
            ),
            Scenario::Runtime,
        )],
        warm_up: 6,
        ..SERVER
    },
    Pair {
        id: "tomcat",
        needs: TRIXIE,
        blocking: form("platform", "unshare --mount {sources}/tomcat.sh {at}/trixie {sources} {port} platform"),
        async_forms: &[(
            form("virtual", "unshare --mount {sources}/tomcat.sh {at}/trixie {sources} {port} virtual"),
            Scenario::Runtime,
        )],
        speaks: Speaks::Http("/fixed"),
        warm_up: 8,
        ..SERVER
    },
    Pair {
        id: "asio",
        needs: &[
            Need::Debian(&["libboost-dev", "g++"]),
            Need::Built { compiler: "c++", source: "asio.cpp", flags: &["-std=c++17", "-lpthread"] },
        ],
        blocking: form("threads", "{at}/asio --port {port} --form threads"),
        async_forms: &[(form("async", "{at}/asio --port {port} --form async"), Scenario::Naive)],
        loads: &[SOME, FEW, HALF],
        ..SERVER
    },
    Pair {
        id: "apache",
        needs: &[Need::Debian(&["apache2-bin"])],
        blocking: form("worker", "{sources}/apache.sh {at} {port} worker"),
        async_forms: &[(form("event", "{sources}/apache.sh {at} {port} event"), Scenario::Naive)],
        speaks: Speaks::Http("/fixed"),
        ..SERVER
    },
    Pair {
        id: "uwsgi",
        needs: &[Need::Debian(&["uwsgi-core", "uwsgi-plugin-python3", "uwsgi-plugin-gevent-python3"])],
        blocking: form(
            "threads",
            "uwsgi-core --plugin python3 --plugin http --http 127.0.0.1:{port} --http-keepalive=60 --http-to {at}/uwsgi-{port} \
             --socket {at}/uwsgi-{port} --master --die-on-term --need-app --disable-logging --chdir {sources} --wsgi-file wsgi_app.py \
             --processes 1 --listen 1024 --enable-threads --threads 64",
        ),
        async_forms: &[(
            form(
                "gevent",
                "uwsgi-core --plugin python3,gevent_python3 --plugin http --http 127.0.0.1:{port} --http-keepalive=60 --http-to \
                 {at}/uwsgi-{port} --socket {at}/uwsgi-{port} --master --die-on-term --need-app --disable-logging --chdir {sources} \
                 --wsgi-file wsgi_app.py --processes 1 --listen 1024 --gevent 1000 --gevent-monkey-patch",
            ),
            Scenario::Runtime,
        )],
        ..SERVER
    },
    Pair {
        id: "fio-read-direct",
        needs: FILES,
        blocking: form(
            "psync",
            "fio --name=pair --filename={file} --readonly --rw=randread --bs=4k --direct=1 --ioengine=psync --thread --numjobs=16 \
             --time_based --runtime=3600",
        ),
        async_forms: &[
            (
                form(
                    "io_uring",
                    "fio --name=pair --filename={file} --readonly --rw=randread --bs=4k --direct=1 --ioengine=io_uring --thread \
                     --iodepth=16 --time_based --runtime=3600",
                ),
                Scenario::Tuned,
            ),
            (
                form(
                    "libaio",
                    "fio --name=pair --filename={file} --readonly --rw=randread --bs=4k --direct=1 --ioengine=libaio --thread \
                     --iodepth=16 --time_based --runtime=3600",
                ),
                Scenario::Tuned,
            ),
        ],
        loads: &[Load::Alone],
        counted: Counted::Device,
        ..SERVER
    },
    Pair {
        id: "control-redis",
        needs: &[Need::Debian(&["redis-server"])],
        blocking: form("redis", "redis-server --port {port} --bind 127.0.0.1 --save \"\" --appendonly no"),
        speaks: Speaks::Redis,
        answers: &[Answer::AlreadyAsync],
        ..SERVER
    },
    Pair {
        id: "control-nginx",
        needs: &[Need::Debian(&["nginx-light"])],
        blocking: form("nginx", "{sources}/nginx.sh {at} {port}"),
        speaks: Speaks::Http("/fixed"),
        answers: &[Answer::AlreadyAsync],
        ..SERVER
    },
    Pair {
        id: "control-go",
        needs: &[Need::Debian(&["golang-go"]), Need::Built { compiler: "go", source: "gohttp.go", flags: &[] }],
        blocking: form("net/http", "{at}/gohttp --port {port}"),
        answers: &[Answer::AlreadyAsync],
        ..SERVER
    },
    Pair {
        id: "control-openssl",
        needs: &[Need::Debian(&["openssl"])],
        blocking: form("openssl", "openssl speed -seconds 600 -evp sha256"),
        loads: &[Load::Alone],
        counted: Counted::Clock,
        answers: &[Answer::CpuBound, Answer::NoBlockingIo],
        ..SERVER
    },
    Pair {
        id: "control-xz",
        needs: &[Need::Debian(&["xz-utils"]), Need::File { mib: 512 }],
        blocking: form("xz", "sh -c \"exec xz -6 -c {file} > /dev/null\""),
        loads: &[Load::Alone],
        counted: Counted::Clock,
        answers: &[Answer::CpuBound, Answer::NoBlockingIo, Answer::CostsLittle],
        ..SERVER
    },
];

/// The pairs whose rows match, with their loads; `*` stands for anything.
pub(super) fn chosen(quick: bool, only: Option<&str>) -> Result<Vec<(&'static Pair, Load)>> {
    let of =
        |pair: &'static Pair| pair.loads.iter().take(if quick { 1 } else { usize::MAX }).map(move |load| (pair, *load));
    let all: Vec<_> = PAIRS.iter().flat_map(of).collect();
    let Some(glob) = only else { return Ok(all) };
    let found: Vec<_> =
        all.iter().filter(|(pair, load)| pair.ids(load).iter().any(|id| is_match(glob, id))).copied().collect();
    if found.is_empty() {
        let ids: Vec<String> = all.iter().flat_map(|(pair, load)| pair.ids(load)).collect();
        bail!("no row matches; there are {}", ids.join(", "));
    }
    Ok(found)
}

/// The pair of a row or group.
pub(super) fn pair_of(id: &str) -> Option<&'static Pair> {
    let named = |pair: &&Pair| pair.loads.iter().any(|load| pair.ids(load).iter().any(|known| known == id));
    PAIRS.iter().find(named)
}

impl Pair {
    fn group_id(&self, load: &Load) -> String {
        load.name().map_or_else(|| self.id.to_owned(), |load| format!("{}-{load}", self.id))
    }

    /// The ids of its rows under a load.
    fn ids(&self, load: &Load) -> Vec<String> {
        let group = self.group_id(load);
        if self.async_forms.is_empty() {
            return vec![group];
        }
        self.async_forms.iter().map(|(form, _)| format!("{group}-{}", form.name)).collect()
    }

    /// For `--list`.
    pub(super) fn line(&self, load: &Load) -> String {
        self.ids(load).join("  ")
    }

    /// As the harness compares it.
    pub(super) fn group(&self, place: &Place, load: &Load, rate: Option<f64>, obstacle: Option<String>) -> Group {
        let id = self.group_id(load);
        Group {
            blocking: Box::new(self.public(place, &self.blocking)),
            load: self.load(place, load, rate),
            rows: self
                .async_forms
                .iter()
                .map(|(form, scenario)| Row {
                    id: format!("{id}-{}", form.name),
                    program: Box::new(self.public(place, form)),
                    scenario: *scenario,
                })
                .collect(),
            id,
            obstacle,
            grid: None,
        }
    }

    fn load(&self, place: &Place, load: &Load, rate: Option<f64>) -> row::Load {
        let connections = match load {
            Load::Alone => return row::Load::Alone,
            Load::Closed { connections } | Load::Open { connections, .. } => *connections,
        };
        let mut line: Vec<String> =
            ["load", "--connections", &connections.to_string(), "--cpu", "1"].map(str::to_owned).to_vec();
        match self.speaks {
            Speaks::Http(path) => line.extend(["--http".to_owned(), path.to_owned()]),
            Speaks::Redis => line.push("--redis".to_owned()),
        }
        line.extend(rate.into_iter().flat_map(|rate| ["--rate".to_owned(), format!("{rate:.0}")]));
        let warm_up = WARM_UP.max(std::time::Duration::from_secs(self.warm_up));
        let role = Role::Client { seed: 1, warm_up };
        row::Load::Client(Box::new(Workload { binary: place.load.clone(), name: "load", arguments: line, role }))
    }

    fn public(&self, place: &Place, form: &Form) -> Public {
        let fill = |word: String| {
            word.replace("{at}", &place.folder.display().to_string())
                .replace("{sources}", &place.sources.display().to_string())
                .replace("{file}", &place.file().display().to_string())
        };
        Public {
            name: form.name,
            shown: form.words.to_owned(),
            words: words(form.words).into_iter().map(fill).collect(),
            folder: place.folder.clone(),
            counted: self.counted,
            file: place.file(),
        }
    }
}

/// Words as a shell would have them: parts in double quotes stay together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        match i % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_is_found_by_it() {
        let all: Vec<(&Pair, String)> = chosen(false, None)
            .unwrap()
            .into_iter()
            .flat_map(|(pair, load)| pair.ids(&load).into_iter().map(move |id| (pair, id)))
            .collect();
        assert_eq!(all.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|(pair, id)| pair_of(id).is_some_and(|found| found.id == pair.id)));
        assert!(chosen(false, Some("no-such*")).is_err());
        assert!(chosen(true, None).unwrap().len() == PAIRS.len());
    }

    #[test]
    fn a_control_says_what_is_right_and_a_pair_what_is_wrong() {
        for pair in PAIRS {
            assert_eq!(pair.answers.is_empty(), !pair.async_forms.is_empty(), "{}", pair.id);
            assert_eq!(pair.id.starts_with("control-"), pair.async_forms.is_empty(), "{}", pair.id);
        }
    }

    #[test]
    fn quoted_parts_are_one_word() {
        assert_eq!(words("sh -c \"a b; c\" d \"\""), ["sh", "-c", "a b; c", "d", ""]);
    }
}
