//! The room that a target's CPUs have left, in words.

use crate::{
    answer::{Capacity, InWay, Limit, Workers},
    text::numbers::{NA, cpus, decimal, plural},
};

impl Capacity {
    /// What it shows.
    pub const TITLE: &str = "how many times today's load its CPUs carry";

    /// All that it says, a line each.
    pub fn lines(capacity: Option<&Self>) -> Vec<String> {
        let Some(capacity) = capacity else { return vec![format!("{NA}: it hardly ran")] };
        let ways = capacity.ways_line();
        [Some(capacity.now()), ways, capacity.workers.as_ref().map(Workers::sentence)].into_iter().flatten().collect()
    }

    /// What it uses, and when its CPUs are full.
    pub fn now(&self) -> String {
        let of = format!("it uses {} of {}", cpus(self.used), self.room());
        if self.is_full() {
            return format!("{of}: it is full");
        }
        let disks = if self.on_files { "; its disks may be full before" } else { "" };
        format!(
            "{of}: full at {} times today's load, if a request costs what it costs now; on an emptier CPU it is dearer, \
             so that it is mostly more, and far more where little of a CPU is in use{disks}",
            decimal(self.times(), 1)
        )
    }

    /// The CPUs that it can fill, and what keeps it from more.
    fn room(&self) -> String {
        let whole = self.cpus.fract() == 0.0;
        let number = match self.cpus {
            1.0 => "one CPU".to_owned(),
            cpus => format!("{} CPUs", decimal(cpus, if whole { 0 } else { 2 })),
        };
        let count = |what: &str| format!("the {number} that {what}");
        match self.limit {
            Limit::Cpus => count("it may use"),
            Limit::Quota => count("its quota leaves"),
            Limit::OneLock => count("its interpreter's lock lets it use"),
            Limit::Threads => count("its threads can use"),
        }
    }

    fn ways_line(&self) -> Option<String> {
        let ways: Vec<String> = self.ways.iter().map(InWay::phrase).collect();
        (!ways.is_empty()).then(|| format!("in other ways, on all CPUs that are left to it: {}", ways.join(", ")))
    }
}

impl InWay {
    fn phrase(&self) -> String {
        let one = |times: f64| decimal(times, 1);
        format!(
            "{} {} ({}–{})",
            self.way.in_a_sentence(),
            one(self.times.value),
            one(self.times.low),
            one(self.times.high)
        )
    }
}

impl Workers {
    fn sentence(&self) -> String {
        let of = format!(
            "of its {} {} are busy in the mean",
            plural(self.threads, "pool worker", "pool workers"),
            decimal(self.busy, 1)
        );
        if self.are_all_busy() {
            return format!("{of}: work waits in the queue; more workers are the cheapest cure where CPU is left");
        }
        format!(
            "{of} (Little's law): work begins to queue at {} times today's load at the latest",
            decimal(self.times(), 1)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{machine::Way, quantity::Estimate};

    #[test]
    fn room_is_told_with_what_limits_it() {
        let times = Estimate { low: 3.51, value: 4.0, high: 4.9 };
        let mut capacity = Capacity {
            used: 0.62,
            cpus: 2.0,
            limit: Limit::Cpus,
            on_files: false,
            ways: vec![InWay { way: Way::Level, times }],
            workers: Some(Workers { threads: 8, busy: 5.2 }),
        };
        let lines = Capacity::lines(Some(&capacity));
        assert!(lines[0].starts_with("it uses 0.620 of the 2 CPUs that it may use: full at 3.2 times"), "{lines:?}");
        assert!(lines[1].ends_with("4.0 (3.5–4.9)"), "{lines:?}");
        assert_eq!(
            lines[2],
            "of its 8 pool workers 5.2 are busy in the mean (Little's law): work begins to queue at 1.5 times today's load \
             at the latest"
        );
        (capacity.used, capacity.cpus, capacity.limit) = (0.99, 1.0, Limit::OneLock);
        capacity.workers = Some(Workers { threads: 8, busy: 8.0 });
        let lines = Capacity::lines(Some(&capacity));
        assert!(lines[0].ends_with("the one CPU that its interpreter's lock lets it use: it is full"), "{lines:?}");
        assert!(lines[2].contains("cheapest cure"), "{lines:?}");
        assert_eq!(Capacity::lines(None), ["n/a: it hardly ran"]);
    }
}
