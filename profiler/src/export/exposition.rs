//! Figures as Prometheus reads them: the text format 0.0.4, and OpenMetrics 1.0.

use std::fmt::Write as _;

use crate::{
    answer::{By, Metrics, Tally, TopRow, Turns},
    event::BlockClass,
    text::clean::spelled,
    words::metrics::{Kind, Metric},
};

/// Which of the two formats is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The text format of Prometheus, which has no units and no end.
    #[default]
    Text,
    OpenMetrics,
}

impl Dialect {
    /// The media type of what is written.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything that is told of the figures.
pub fn exposition(metrics: &Metrics, dialect: Dialect) -> String {
    let mut page = Page { dialect, text: String::new() };
    let rows: Vec<Row> =
        metrics.top.rows.iter().zip(&metrics.tallies).map(|(row, tally)| Row::new(row, tally)).collect();
    page.counters_of(&rows);
    page.gauges_of(&rows);
    page.turns_of(&rows);
    page.machine(metrics);
    page.own(metrics);
    if dialect == Dialect::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

/// A target, and how each of its figures is labelled.
struct Row<'a> {
    labels: String,
    row: &'a TopRow,
    tally: &'a Tally,
}

impl<'a> Row<'a> {
    fn new(row: &'a TopRow, tally: &'a Tally) -> Self {
        let first = row.members.first();
        let pid = first.map_or_else(String::new, |member| member.pid.to_string());
        let name = first.map_or("", |member| &member.name);
        let container = row.container.as_deref().unwrap_or_default();
        let unit = row.unit().unwrap_or_default();
        let labels = match row.by {
            By::Process => labels(&[
                ("pid", &pid),
                ("process", name),
                ("container", container),
                ("cgroup", &row.cgroup),
                ("unit", unit),
            ]),
            // Those that are in none have no such label, as Prometheus sees an empty one.
            By::Container => labels(&[("container", container)]),
            By::Cgroup => labels(&[("cgroup", &row.cgroup), ("unit", unit)]),
        };
        Self { labels, row, tally }
    }

    fn with(&self, name: &str, value: &str) -> String {
        let more = labels(&[(name, value)]);
        if self.labels.is_empty() { more } else { format!("{},{more}", self.labels) }
    }
}

/// `pid="1",process="init"`.
fn labels(pairs: &[(&str, &str)]) -> String {
    let given = pairs.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(",")
}

/// The value of a label, whatever the target has put into it. People read it too, on terminals.
fn escaped(value: &str) -> String {
    spelled(value).replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// What was counted of each class.
fn by_class(counted: &[f64]) -> impl Iterator<Item = (BlockClass, f64)> {
    BlockClass::ALL.into_iter().map(|class| (class, counted[class as usize]))
}

/// Upper bounds of the lengths of turns that are told apart, as powers of two of a nanosecond: the
/// kernel programs count by these. From 0.13 ms to 4.3 s.
const TURN_BOUNDS: [usize; 11] = [17, 20, 22, 23, 24, 25, 26, 27, 28, 30, 32];

struct Page {
    dialect: Dialect,
    text: String,
}

impl Page {
    /// The figures of one metric. A figure without labels has none in braces.
    fn metric(&mut self, metric: &Metric, samples: impl IntoIterator<Item = (String, f64)>) {
        let mut samples = samples.into_iter().filter(|(_, value)| value.is_finite()).peekable();
        if samples.peek().is_none() {
            return;
        }
        self.announce(metric);
        for (labels, value) in samples {
            self.sample(&metric.sample(), &labels, value);
        }
    }

    fn announce(&mut self, metric: &Metric) {
        let (Metric { name, kind, unit, help }, sample) = (*metric, metric.sample());
        // Writing to a string cannot fail.
        let _ = match self.dialect {
            Dialect::OpenMetrics => {
                let unit = unit.map(|unit| format!("# UNIT {name} {unit}\n")).unwrap_or_default();
                write!(self.text, "# TYPE {name} {}\n{unit}# HELP {name} {help}\n", kind.name())
            }
            Dialect::Text => {
                let kind = if kind == Kind::Info { Kind::Gauge } else { kind };
                write!(self.text, "# HELP {sample} {help}\n# TYPE {sample} {}\n", kind.name())
            }
        };
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }

    /// How long turns were, of the targets whose loops were watched.
    fn turns_of(&mut self, rows: &[Row<'_>]) {
        let watched: Vec<&Row<'_>> = rows.iter().filter(|row| row.tally.turns.watched > 0.0).collect();
        if watched.is_empty() {
            return;
        }
        let Metric { name, .. } = Metric::TURNS;
        self.announce(&Metric::TURNS);
        for row in &watched {
            let turns = &row.tally.turns;
            for bits in TURN_BOUNDS {
                let shorter: u64 = turns.buckets.iter().take(bits).sum();
                let bound = ((1u64 << bits) as f64 / 1e9).to_string();
                self.sample(&format!("{name}_bucket"), &row.with("le", &bound), shorter as f64);
            }
            self.sample(&format!("{name}_bucket"), &row.with("le", "+Inf"), turns.count() as f64);
            self.sample(&format!("{name}_sum"), &row.labels, turns.away);
            self.sample(&format!("{name}_count"), &row.labels, turns.count() as f64);
        }
        let of = |value: fn(&Turns) -> f64| {
            let told = watched.iter().map(|row| (row.labels.clone(), value(&row.tally.turns)));
            told.collect::<Vec<_>>()
        };
        let (stalls, stood) = (of(|turns| turns.stalls as f64), of(|turns| turns.stood));
        let time = of(|turns| turns.watched);
        self.metric(&Metric::STALLS, stalls);
        self.metric(&Metric::STOOD, stood);
        self.metric(&Metric::WATCHED, time);
    }

    fn each<'a>(&mut self, metric: &Metric, rows: &[Row<'a>], value: impl Fn(&Row<'a>) -> Option<f64>) {
        self.metric(metric, rows.iter().filter_map(|row| Some((row.labels.clone(), value(row)?))));
    }

    fn counters_of(&mut self, rows: &[Row<'_>]) {
        let of_class = |counted: fn(&Tally) -> &[f64]| {
            rows.iter().flat_map(move |row| {
                // Those that it never waited for would be most of the page.
                let waited = by_class(counted(row.tally)).filter(|(_, value)| *value > 0.0);
                waited.map(|(class, value)| (row.with("class", class.name()), value))
            })
        };
        self.each(&Metric::CPU, rows, |row| Some(row.tally.cpu));
        self.metric(&Metric::BLOCKED, of_class(|tally| &tally.blocked));
        self.metric(&Metric::BLOCKS, of_class(|tally| &tally.blocks));
        self.each(&Metric::RUN_DELAY, rows, |row| Some(row.tally.run_delay));
        let switches = rows.iter().flat_map(|row| {
            [("voluntary", row.tally.voluntary), ("involuntary", row.tally.involuntary)]
                .map(|(kind, value)| (row.with("kind", kind), value))
        });
        self.metric(&Metric::SWITCHES, switches);
        self.each(&Metric::CALLS, rows, |row| Some(row.tally.calls));
        self.each(&Metric::HAND_OFFS, rows, |row| Some(row.tally.hand_offs));
    }

    fn gauges_of(&mut self, rows: &[Row<'_>]) {
        self.each(&Metric::THREADS, rows, |row| Some(row.row.threads as f64));
        self.each(&Metric::COST, rows, |row| row.row.cost.value().copied());
        self.each(&Metric::SAVING, rows, |row| Some(row.row.saving?.value));
        self.each(&Metric::SAVING_LOW, rows, |row| Some(row.row.saving?.low));
        self.each(&Metric::SAVING_HIGH, rows, |row| Some(row.row.saving?.high));
        let answers = rows.iter().filter_map(|row| {
            let verdict = row.row.verdict.as_ref()?;
            Some((row.with("answer", verdict.answer.key()), 1.0))
        });
        self.metric(&Metric::ANSWER, answers);
    }

    fn one(&mut self, metric: &Metric, value: f64) {
        self.metric(metric, [(String::new(), value)]);
    }

    fn machine(&mut self, metrics: &Metrics) {
        self.one(&Metric::TARGETS, metrics.targets as f64);
        self.one(&Metric::UNLISTED, metrics.targets.saturating_sub(metrics.top.rows.len() as u64) as f64);
        self.one(&Metric::LEFT_OUT, metrics.top.left_out.len() as f64);
        self.one(&Metric::ALL_CPU, metrics.whole.cpu);
        let all = |counted: &[f64]| {
            let samples = by_class(counted).map(|(class, value)| (labels(&[("class", class.name())]), value));
            samples.collect::<Vec<_>>()
        };
        self.metric(&Metric::ALL_BLOCKED, all(&metrics.whole.blocked));
        self.metric(&Metric::ALL_BLOCKS, all(&metrics.whole.blocks));
    }

    fn own(&mut self, metrics: &Metrics) {
        self.one(&Metric::WALL, metrics.wall.as_secs_f64());
        self.one(&Metric::MEASURED, metrics.measured.as_secs_f64());
        let lost = metrics.lost.iter().map(|(count, what)| (labels(&[("what", what.key())]), *count as f64));
        self.metric(&Metric::LOST, lost);
        if let Some(programs) = metrics.programs {
            self.one(&Metric::PROGRAMS, programs.as_secs_f64());
        }
        self.one(&Metric::OWN, metrics.own_cpu.as_secs_f64());
        self.one(&Metric::OWN_PEAK, metrics.top.overhead.own_bytes as f64);
        self.metric(&Metric::BUILD, [(labels(&[("version", env!("CARGO_PKG_VERSION"))]), 1.0)]);
    }
}
