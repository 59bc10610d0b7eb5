//! The machine at a glance, in words.

use crate::{
    answer::{Answer, By, Top, TopRow},
    text::clean::clean,
    text::numbers::{NA, bytes, count, cpus, percent, plural, span, whole_percent, whole_range},
};

/// What its columns mean.
pub const TOP_COLUMNS: &str = "cost: what the processor pays to block on IO and to come back (direct cost), in percent of one \
     CPU, and as a share of the row's own; blocks: of all classes; mostly on: what most of them are on; role: of the threads \
     with the most CPU; async?: what `check` would say, with the share of its CPU that would come back (90 %)";

impl By {
    /// As typed after `--by`, and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Container => "container",
            Self::Cgroup => "cgroup",
        }
    }
}

impl TopRow {
    /// What it is: a command's name, a container, a control group.
    pub fn title(&self) -> String {
        let gone = self.members.iter().all(|member| member.name.is_empty());
        match self.by {
            _ if gone => plural(self.members.len() as u64, "process that has gone", "processes that have gone"),
            By::Process => self.members.first().map_or_else(String::new, |member| member.name.clone()),
            By::Container => self.container.clone().unwrap_or_else(|| "outside of containers".to_owned()),
            By::Cgroup => self.cgroup.clone(),
        }
    }

    /// Its processes: a PID, or how many there are.
    pub fn processes(&self) -> String {
        self.pid().map_or_else(|| plural(self.members.len() as u64, "process", "processes"), |pid| pid.to_string())
    }

    /// The same in a column: a PID, or a number of processes with a sign.
    pub fn processes_short(&self) -> String {
        self.pid().map_or_else(|| format!("×{}", self.members.len()), |pid| pid.to_string())
    }

    /// What most of its blocks are on.
    pub fn mostly_words(&self) -> String {
        self.mostly.map_or("–", |class| class.name()).to_owned()
    }

    /// What its threads with the most CPU are.
    pub fn role_words(&self) -> String {
        self.role.map_or("–", |line| line.role.name()).to_owned()
    }

    /// Its cost in percent of a CPU; `n/a` where there is none.
    pub fn cost_words(&self) -> String {
        self.cost.value().map_or_else(|| NA.to_owned(), |&cost| percent(cost))
    }

    /// The same as a share of its own CPU.
    pub fn cost_share(&self) -> String {
        self.cost_ratio().map_or_else(|| NA.to_owned(), percent)
    }

    /// What `check` would say of it; a dash where it did too little to be asked.
    pub fn answer(&self) -> String {
        let Some(verdict) = &self.verdict else { return "–".to_owned() };
        let short = verdict.answer.short();
        match (verdict.answer, self.saving) {
            (Answer::Yes | Answer::YesTuned | Answer::Unsure, Some(saving)) => {
                format!("{short}: {} ({})", whole_percent(saving.value), whole_range(saving.low, saving.high))
            }
            _ => short.to_owned(),
        }
    }
}

impl Top {
    /// What is shown, and for how long it was looked at.
    pub fn title(&self) -> String {
        let processes: usize = self.rows.iter().map(|row| row.members.len()).sum();
        format!(
            "what blocking IO costs, by {}: {}, {} in {} ({})",
            self.by.name(),
            span(self.window.wall.as_nanos() as f64),
            plural(self.rows.len() as u64, "row", "rows"),
            plural(processes as u64, "process", "processes"),
            plural(u64::from(self.cpus), "CPU", "CPUs"),
        )
    }

    /// All rows together.
    pub fn sum(&self) -> String {
        format!(
            "in all {} of {} in use, of which blocking IO costs {}",
            cpus(self.cpu()),
            plural(u64::from(self.cpus), "CPU", "CPUs"),
            cpus(self.cost())
        )
    }

    /// What looking cost.
    pub fn overhead_words(&self) -> String {
        let machine = |load: f64| percent(load / f64::from(self.cpus.max(1)));
        let programs = self.overhead.programs.map_or_else(
            || format!("what the programs cost the processes is not known ({NA})"),
            |load| format!("the programs cost the processes {} CPUs ({} of the machine)", cpus(load), machine(load)),
        );
        let attached = self.window.measured.ratio_to(self.window.wall).min(1.0);
        format!(
            "{programs}, attached for {} of the time; the profiler itself took {} CPUs ({}) and {}",
            whole_percent(attached),
            cpus(self.overhead.own),
            machine(self.overhead.own),
            bytes(self.overhead.own_bytes)
        )
    }

    /// What was lost, a line each.
    pub fn losses_words(&self) -> Vec<String> {
        let lost = self.quality.losses().into_iter().filter(|&(n, _)| n > 0);
        lost.map(|(n, what)| format!("!! LOST {} {}", count(n), what.words())).collect()
    }

    /// Who is not in it; `None` where everyone is.
    pub fn left_out_words(&self) -> Option<String> {
        let first = self.left_out.first()?;
        let count = plural(self.left_out.len() as u64, "process is left out", "processes are left out, the first");
        Some(format!("{count}: {}", clean(first)))
    }
}
