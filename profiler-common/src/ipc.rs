//! Instructions and cycles after a return to user mode: sums to which the user side fits lines, and
//! from which it draws curves.
//!
//! A *window* runs from a return to user mode to the next `sys_enter` or switch-out. Its kind is
//! what came before it. The counters are the CPU's, so a window that a switch cut is left out and
//! counted. So is one in which the counters were multiplexed.

/// What came before a window.
pub mod before {
    /// The thread's first return of a measurement, or its birth: what came before is not known.
    pub const NONE: u32 = 0;
    /// A call that did not block.
    pub const DIRECT: u32 = 1;
    /// A call that blocked.
    pub const BLOCKED: u32 = 2;
    /// The thread was preempted.
    pub const PREEMPTED: u32 = 3;
    /// How many kinds there are.
    pub const KINDS: usize = 4;
}

/// Optional counters beside cycles and instructions, user mode only.
pub mod extra {
    /// Misses of the last-level cache.
    pub const LLC: usize = 0;
    /// Misses of the data TLB.
    pub const DTLB: usize = 1;
    /// Branches that were predicted wrongly.
    pub const BRANCH: usize = 2;
    /// How many there are.
    pub const EXTRAS: usize = 3;
}

/// Which counters the running machine gives: bits of the programs' constant `COUNTERS`.
pub mod counter {
    use super::extra::EXTRAS;

    /// Cycles in user mode. Without them there is nothing.
    pub const CYCLES: u32 = 1;
    /// Instructions in user mode.
    pub const INSTRUCTIONS: u32 = 2;
    /// Cycles, the kernel's included.
    pub const CYCLES_ALL: u32 = 4;
    /// Instructions, the kernel's included.
    pub const INSTRUCTIONS_ALL: u32 = 8;

    /// An optional counter, see [`super::extra`].
    pub const fn extra(which: usize) -> u32 {
        assert!(which < EXTRAS);
        16 << which
    }
}

/// A window that is open: where the counters stood at the return.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenWindow {
    /// What came before it, plus one; 0: no window is open. Written last, and cleared first: an
    /// overflow interrupts.
    pub kind: u32,
    /// Returns until the next one whose counters are read.
    pub skip: u32,
    /// The site whose return it was.
    pub site: u32,
    /// The CPU whose counters they are.
    pub cpu: u32,
    /// Cycles in user mode.
    pub cycles: u64,
    /// Instructions in user mode.
    pub instructions: u64,
    /// Cycles, the kernel's included.
    pub all_cycles: u64,
    /// Instructions, the kernel's included.
    pub all_instructions: u64,
    /// Time for which the counters were enabled and did not run, ns: moves where they are
    /// multiplexed.
    pub stopped: u64,
    /// The thread's user CPU, ns.
    pub user: u64,
    /// The optional counters, see [`extra`].
    pub extras: [u64; extra::EXTRAS],
    /// Keeps the size a multiple of a cache line.
    pub reserved: u64,
}

/// Bins of a curve for every doubling of the instructions since the return.
pub const BINS_PER_OCTAVE: usize = 4;
/// Doublings a curve spans: up to 2^32 instructions.
pub const OCTAVES: usize = 32;
/// Bins of one curve. Bin `o * BINS_PER_OCTAVE + q` holds `[2^o · (1 + q/4), 2^o · (1 + (q+1)/4))`
/// instructions.
pub const BINS: usize = OCTAVES * BINS_PER_OCTAVE;

/// A sum that does not overflow: of products of numbers below 2^32.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wide {
    /// The lower 64 bits.
    pub low: u64,
    /// The upper 64 bits.
    pub high: u64,
}

impl Wide {
    /// The sum of nothing.
    pub const ZERO: Self = Self { low: 0, high: 0 };

    /// Adds a product of two numbers below 2^32.
    #[inline(always)]
    pub fn add(&mut self, product: u64) {
        let low = self.low.wrapping_add(product);
        if low < product {
            self.high += 1;
        }
        self.low = low;
    }

    /// Adds another sum, with the carry.
    pub fn merge(&mut self, other: &Self) {
        let (low, carry) = self.low.overflowing_add(other.low);
        self.low = low;
        self.high += other.high + u64::from(carry);
    }
}

/// Pairs of (instructions, cycles), user mode only: what a line `cycles = a + b·instructions` is
/// fitted to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Number of pairs added up.
    pub count: u64,
    /// Sum of the cycles.
    pub cycles: u64,
    /// Sum of the instructions.
    pub instructions: u64,
    /// Sum of the squares of the cycles.
    pub cycles_squared: Wide,
    /// Sum of the squares of the instructions.
    pub instructions_squared: Wide,
    /// Sum of cycles · instructions.
    pub product: Wide,
}

impl Pairs {
    /// Before the first pair.
    pub const ZERO: Self = Self {
        count: 0,
        cycles: 0,
        instructions: 0,
        cycles_squared: Wide::ZERO,
        instructions_squared: Wide::ZERO,
        product: Wide::ZERO,
    };

    /// Adds one pair; both numbers below 2^32.
    #[inline(always)]
    pub fn add(&mut self, instructions: u64, cycles: u64) {
        self.count += 1;
        self.cycles += cycles;
        self.instructions += instructions;
        self.cycles_squared.add(cycles * cycles);
        self.instructions_squared.add(instructions * instructions);
        self.product.add(cycles * instructions);
    }

    /// Adds what another CPU summed.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.cycles += other.cycles;
        self.instructions += other.instructions;
        self.cycles_squared.merge(&other.cycles_squared);
        self.instructions_squared.merge(&other.instructions_squared);
        self.product.merge(&other.product);
    }
}

/// Windows of one kind at one site.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// Adds what another CPU saw.
    pub fn merge(&mut self, other: &Self) {
        self.user.merge(&other.user);
        self.all_cycles += other.all_cycles;
        self.all_instructions += other.all_instructions;
        self.user_ns += other.user_ns;
        for (mine, theirs) in self.extras.iter_mut().zip(other.extras) {
            *mine += theirs;
        }
    }
}

/// What one CPU saw of the windows after one site's returns, by what came before.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteWindows {
    /// By kind, see [`before`].
    pub kinds: [Windows; before::KINDS],
}

impl SiteWindows {
    /// Adds what another CPU saw.
    pub fn merge(&mut self, other: &Self) {
        self.kinds.iter_mut().zip(&other.kinds).for_each(|(a, b)| a.merge(b));
    }
}

/// The bin of a curve that a number of instructions falls into.
#[inline(always)]
pub fn bin(instructions: u64) -> usize {
    let n = if instructions == 0 { 1 } else { instructions };
    let mut octave = 0usize;
    let mut rest = n;
    // By halves, because BPF has no instruction for the place of the highest bit.
    if rest >> 32 != 0 {
        return BINS - 1;
    }
    if rest >> 16 != 0 {
        octave += 16;
        rest >>= 16;
    }
    if rest >> 8 != 0 {
        octave += 8;
        rest >>= 8;
    }
    if rest >> 4 != 0 {
        octave += 4;
        rest >>= 4;
    }
    if rest >> 2 != 0 {
        octave += 2;
        rest >>= 2;
    }
    if rest >> 1 != 0 {
        octave += 1;
    }
    let quarter = if octave >= 2 { (n >> (octave - 2)) & 3 } else { (n << (2 - octave)) & 3 };
    octave * BINS_PER_OCTAVE + quarter as usize
}

/// What was seen and what was left out; one per CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpcCounts {
    /// Returns at which the counters could have been read.
    pub returns: u64,
    /// Windows that were not left out.
    pub windows: u64,
    /// Windows left out: cut by a switch.
    pub switched: u64,
    /// Windows left out: the counters did not run all the time.
    pub multiplexed: u64,
    /// Windows left out: a counter could not be read.
    pub failed: u64,
    /// Windows left out: 2^32 cycles or instructions and more.
    pub too_long: u64,
    /// Overflow samples that fell into a window of the target.
    pub samples: u64,
    /// Overflow samples of the target outside of any open window.
    pub samples_outside: u64,
    /// Overflow samples left out for the same reasons as windows.
    pub samples_failed: u64,
    /// Overflows that reached the program, whoever was running.
    pub overflows: u64,
}

impl IpcCounts {
    /// Adds what another CPU counted.
    pub fn merge(&mut self, other: &Self) {
        self.returns += other.returns;
        self.windows += other.windows;
        self.switched += other.switched;
        self.multiplexed += other.multiplexed;
        self.failed += other.failed;
        self.too_long += other.too_long;
        self.samples += other.samples;
        self.samples_outside += other.samples_outside;
        self.samples_failed += other.samples_failed;
        self.overflows += other.overflows;
    }
}
