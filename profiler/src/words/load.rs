//! The load average in words.

use crate::{
    answer::{Load, MachineLoad, Note},
    quantity::{Estimate, Figure},
    text::numbers::{NA, decimal, decimal_in_range, percent},
    words::in_words::note,
};

/// Below this a part of the load is not worth its words.
const LITTLE: f64 = 0.005;

impl Load {
    /// What it shows.
    pub const TITLE: &str = "what the target adds to the machine's load average, in threads";

    /// A figure of it in a line; `n/a` with the reason where there is none.
    pub fn line(figure: &Figure<Self, Note>) -> String {
        figure.value().map_or_else(|| format!("{NA}: {}", note(figure)), Self::sentence)
    }

    /// What it is made of.
    pub fn sentence(&self) -> String {
        let parts = [
            (self.on_cpu, "on a CPU"),
            (self.runnable, "waiting for a CPU"),
            (self.disk, "asleep for a disk, which takes no CPU"),
            (self.other, "in another uninterruptible sleep (D), which takes no CPU"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(part, _)| part.value >= LITTLE)
            .map(|(part, name)| format!("{} {name}", threads(*part)))
            .collect();
        if parts.is_empty() {
            return "it adds nothing to the load average".to_owned();
        }
        format!("a load of {} in the mean: {}", threads(self.total), parts.join(", "))
    }

    /// Why a high load says little of the CPU, in a line of the evidence.
    pub fn mostly_asleep(&self) -> String {
        let (count, what) = if self.disk.value >= self.other.value {
            (self.disk.value, "threads that wait for a disk and use no CPU")
        } else {
            (self.other.value, "threads in uninterruptible sleep (D), without a disk, that use no CPU")
        };
        format!("it makes a load of {}, of which {} are {what}", decimal(self.total.value, 1), decimal(count, 1))
    }

    /// What the kernel said of the machine.
    pub fn machine_line(&self) -> Option<String> {
        let MachineLoad { before, after, mean } = self.machine?;
        let went =
            format!("the machine's load average (1 minute) went from {} to {}", decimal(before, 2), decimal(after, 2));
        Some(match mean {
            None => format!("{went}: it was not updated meanwhile"),
            Some(mean) if mean < self.total.value.max(LITTLE) => {
                format!("{went}, as a load of {} makes it", decimal(mean, 1))
            }
            Some(mean) => format!(
                "{went}, as a load of {} makes it: {} of that is the target's",
                decimal(mean, 1),
                percent(self.total.value / mean)
            ),
        })
    }
}

/// A mean number of threads, with its interval where it has one.
fn threads(mean: Estimate) -> String {
    if mean.half_width() > LITTLE { decimal_in_range(mean, 2) } else { decimal(mean.value, 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(on_cpu: f64, disk: f64, mean: Option<f64>) -> Load {
        let exact = Estimate::exact;
        Load {
            on_cpu: exact(on_cpu),
            runnable: exact(0.0),
            disk: exact(disk),
            other: exact(0.0),
            total: exact(on_cpu + disk),
            machine: Some(MachineLoad { before: 1.5, after: 12.25, mean }),
        }
    }

    #[test]
    fn a_load_is_told_by_its_parts() {
        let sleepers = load(0.3, 38.0, Some(40.0));
        assert_eq!(
            sleepers.sentence(),
            "a load of 38.30 in the mean: 0.30 on a CPU, 38.00 asleep for a disk, which takes no CPU"
        );
        assert_eq!(
            sleepers.mostly_asleep(),
            "it makes a load of 38.3, of which 38.0 are threads that wait for a disk and use no CPU"
        );
        let line = sleepers.machine_line().unwrap();
        assert!(line.ends_with("as a load of 40.0 makes it: 95.7 % of that is the target's"), "{line}");
        assert_eq!(load(0.0, 0.0, None).sentence(), "it adds nothing to the load average");
        // Rounding and the noise of the average never make it more than all.
        let line = load(1.0, 40.0, Some(40.0)).machine_line().unwrap();
        assert!(line.ends_with("as a load of 40.0 makes it"), "{line}");
    }
}
