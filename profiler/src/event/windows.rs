//! event/windows: instructions and cycles of windows after returns to user mode.

use profiler_common::ipc;

use super::{
    ipc_layout::{before, extra},
    stat::wide,
};

/// Pairs of (instructions, cycles), user mode only: what a line `cycles = a + b·instructions` is
/// fitted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pairs {
    /// Number of pairs added up.
    pub count: u64,
    /// Sum of the cycles.
    pub cycles: u64,
    /// Sum of the instructions.
    pub instructions: u64,
    /// Sum of the squares of the cycles.
    #[serde(with = "halves")]
    pub cycles_squared: u128,
    /// Sum of the squares of the instructions.
    #[serde(with = "halves")]
    pub instructions_squared: u128,
    /// Sum of cycles · instructions.
    #[serde(with = "halves")]
    pub product: u128,
}

impl Pairs {
    /// Before the first window.
    pub const ZERO: Self =
        Self { count: 0, cycles: 0, instructions: 0, cycles_squared: 0, instructions_squared: 0, product: 0 };

    pub fn add(&mut self, instructions: u64, cycles: u64) {
        self.count += 1;
        self.cycles += cycles;
        self.instructions += instructions;
        self.cycles_squared += u128::from(cycles) * u128::from(cycles);
        self.instructions_squared += u128::from(instructions) * u128::from(instructions);
        self.product += u128::from(cycles) * u128::from(instructions);
    }

    /// Adds what was summed elsewhere, or later.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.cycles += other.cycles;
        self.instructions += other.instructions;
        self.cycles_squared += other.cycles_squared;
        self.instructions_squared += other.instructions_squared;
        self.product += other.product;
    }

    /// Takes away what had been summed in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.count = self.count.saturating_sub(earlier.count);
        self.cycles = self.cycles.saturating_sub(earlier.cycles);
        self.instructions = self.instructions.saturating_sub(earlier.instructions);
        self.cycles_squared = self.cycles_squared.saturating_sub(earlier.cycles_squared);
        self.instructions_squared = self.instructions_squared.saturating_sub(earlier.instructions_squared);
        self.product = self.product.saturating_sub(earlier.product);
    }
}

/// Windows of one kind at one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Windows {
    /// Instructions and cycles in user mode.
    pub user: Pairs,
    /// Sum of the cycles with the kernel's, from the return's tracepoint to the window's end.
    pub all_cycles: u64,
    /// Sum of the instructions with the kernel's, over the same time.
    pub all_instructions: u64,
    /// User-mode time of these windows, ns: cycles over it are the clock rate.
    pub user_ns: u64,
    /// Sums of the optional counters, see [`extra`].
    pub extras: [u64; extra::EXTRAS],
}

impl Windows {
    /// Before the first window.
    pub const ZERO: Self =
        Self { user: Pairs::ZERO, all_cycles: 0, all_instructions: 0, user_ns: 0, extras: [0; extra::EXTRAS] };

    /// Adds what was seen elsewhere, or later.
    pub fn merge(&mut self, other: &Self) {
        self.user.merge(&other.user);
        self.all_cycles += other.all_cycles;
        self.all_instructions += other.all_instructions;
        self.user_ns += other.user_ns;
        for (mine, theirs) in self.extras.iter_mut().zip(other.extras) {
            *mine += theirs;
        }
    }

    /// Takes away what had been seen in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.user.reduce(&earlier.user);
        self.all_cycles = self.all_cycles.saturating_sub(earlier.all_cycles);
        self.all_instructions = self.all_instructions.saturating_sub(earlier.all_instructions);
        self.user_ns = self.user_ns.saturating_sub(earlier.user_ns);
        for (mine, theirs) in self.extras.iter_mut().zip(earlier.extras) {
            *mine = mine.saturating_sub(theirs);
        }
    }
}

/// The windows after one site's returns, by what came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SiteWindows {
    /// By kind, see [`before`].
    pub kinds: [Windows; before::KINDS],
}

impl SiteWindows {
    /// Adds what was seen elsewhere, or later.
    pub fn merge(&mut self, other: &Self) {
        self.kinds.iter_mut().zip(&other.kinds).for_each(|(a, b)| a.merge(b));
    }

    /// Takes away what had been seen in an earlier snapshot.
    pub fn reduce(&mut self, earlier: &Self) {
        self.kinds.iter_mut().zip(&earlier.kinds).for_each(|(a, b)| a.reduce(b));
    }
}

impl From<&ipc::Pairs> for Pairs {
    fn from(raw: &ipc::Pairs) -> Self {
        let ipc::Pairs { count, cycles, instructions, cycles_squared, instructions_squared, product } = raw;
        Self {
            count: *count,
            cycles: *cycles,
            instructions: *instructions,
            cycles_squared: whole(cycles_squared),
            instructions_squared: whole(instructions_squared),
            product: whole(product),
        }
    }
}

fn whole(raw: &ipc::Wide) -> u128 {
    wide(raw.low, raw.high)
}

impl From<&ipc::Windows> for Windows {
    fn from(raw: &ipc::Windows) -> Self {
        let ipc::Windows { user, all_cycles, all_instructions, user_ns, extras } = raw;
        Self {
            user: Pairs::from(user),
            all_cycles: *all_cycles,
            all_instructions: *all_instructions,
            user_ns: *user_ns,
            extras: *extras,
        }
    }
}

impl From<&ipc::SiteWindows> for SiteWindows {
    fn from(raw: &ipc::SiteWindows) -> Self {
        Self { kinds: std::array::from_fn(|kind| Windows::from(&raw.kinds[kind])) }
    }
}

/// A sum of products in a recording: in two halves, as the wire has it.
mod halves {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::wide;

    #[derive(Serialize, Deserialize)]
    struct Halves {
        low: u64,
        high: u64,
    }

    pub(super) fn serialize<S: Serializer>(sum: &u128, to: S) -> Result<S::Ok, S::Error> {
        Halves { low: *sum as u64, high: (sum >> 64) as u64 }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        Halves::deserialize(from).map(|Halves { low, high }| wide(low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_summed_as_in_the_kernel_and_kept_in_two_halves() {
        let (mut own, mut raw) = (Pairs::ZERO, ipc::Pairs::ZERO);
        for (instructions, cycles) in [(u64::from(u32::MAX), 9), (u64::from(u32::MAX), u64::from(u32::MAX)), (3, 7)] {
            own.add(instructions, cycles);
            raw.add(instructions, cycles);
        }
        assert!(own.instructions_squared > u128::from(u64::MAX));
        assert_eq!(Pairs::from(&raw), own);
        let kept = serde_json::to_value(own).unwrap();
        assert_eq!(kept["instructions_squared"]["high"], raw.instructions_squared.high);
        assert_eq!(kept["product"]["low"], raw.product.low);
        assert_eq!(serde_json::from_value::<Pairs>(kept).unwrap(), own);
    }
}
