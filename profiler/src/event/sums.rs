//! event/sums: the sums of a thread, signed where they are signed.

use profiler_common::{counted_sums, signed_sums, thread};

use super::{
    class::{BlockClass, CLASS_COUNT, Family},
    error::LIMIT,
    stat::BUCKETS,
};

/// Buckets of [`Sums::concurrency`]: 0–7 exactly, then 8–15, 16–31 … and the last one open from
/// 1,024.
pub const CONCURRENCY_BUCKETS: usize = thread::CONCURRENCY_BUCKETS;

/// How the kernel counts a thread in the load average while it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loads {
    /// Not at all: most sleeps.
    #[default]
    No,
    /// As one, without a disk: uninterruptible (state D).
    Yes,
    /// As one, asleep for the disk.
    OnDisk,
}

/// Blocks of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClassSum {
    /// How often a thread was switched out to wait.
    pub blocks: u64,
    /// Switch-out to wake-up, ns.
    pub blocked: u64,
    /// Wake-up to switch-in, ns.
    pub run_delay: u64,
}

/// Sums of a thread over the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sums {
    /// CPU in user mode (page faults and interrupts that hit it included), ns.
    pub user: u64,
    /// CPU inside syscalls, ns.
    pub kernel: u64,
    /// Of that: calls that blocked, before their first block, ns.
    pub kernel_before: u64,
    /// Of that: calls that blocked, after their first block, ns.
    pub kernel_after: u64,
    /// How many calls returned.
    pub calls: u64,
    /// Calls that blocked and returned.
    pub blocked_calls: u64,
    /// `sys_exit` without `sys_enter`: a birth, or a call that began before the window.
    pub open_calls: u64,
    pub voluntary: u64,
    pub involuntary: u64,
    /// How often the thread was switched in.
    pub switch_ins: u64,
    /// Run-queue delay after a preemption, ns.
    pub preempted: u64,
    /// CPU that the kernel charged to the thread for coming back from blocking-IO blocks, over what
    /// the tracepoints saw of it, ns. Where a wake-up interrupts the idle task, the kernel's clock
    /// starts at the wake-up, and the switch comes later (`rq_clock_skip_update` in
    /// `wakeup_preempt`, kernel/sched/core.c).
    #[serde(with = "twos_complement")]
    pub charge_io: i64,
    /// Of that: for coming back to a CPU that had been idle or with somebody else than the target.
    #[serde(with = "twos_complement")]
    pub charge_away: i64,
    /// As `charge_io`, for coming back from all other blocks, from preemptions, and for first runs.
    /// It also holds the time that moves from thread to thread because the clock stands still
    /// before a switch. Over all threads that adds up to nothing.
    #[serde(with = "twos_complement")]
    pub charge_other: i64,
    /// CPU between switch-in and switch-out that the kernel did not charge to the thread, ns: the
    /// hypervisor ran somebody else (steal), or, where the kernel keeps such an account, interrupts
    /// (`update_rq_clock_task`, kernel/sched/core.c).
    pub uncharged: u64,
    /// Run-queue delay of a newborn, ns.
    pub born_delay: u64,
    /// Wake-ups by a thread of the same process.
    pub woken_by_self: u64,
    /// Wake-ups by another process.
    pub woken_by_other: u64,
    /// Wake-ups by the kernel: an interrupt that found the CPU idle, or a kernel thread.
    pub woken_by_kernel: u64,
    /// Wake-ups from a blocking-IO block by a thread of the same process.
    pub woken_io_by_self: u64,
    /// Wake-ups of other processes' threads while this one had the CPU.
    pub woke_other: u64,
    /// Switch-ins after blocking-IO blocks to a CPU that had been idle or with somebody else than
    /// the target.
    pub away_io: u64,
    /// Involuntary switches that gave the CPU to another thread of the target.
    pub preempted_by_own: u64,
    /// Time blocked on a file while a request of its own was at the device, ns.
    pub device_wait: u64,
    /// By how much the kernel's own count of voluntary switches moved while the thread was
    /// measured.
    pub kernel_voluntary: u64,
    /// By how much the kernel's count of involuntary switches moved in that time.
    pub kernel_involuntary: u64,
    /// By how much `se.sum_exec_runtime` (what schedstat prints first) moved in that time, ns.
    pub kernel_runtime: u64,
    /// CPU between the same two moments as `kernel_runtime`, by our own account, ns.
    pub checked_cpu: u64,
    /// Sum of the bursts, ns; there are `voluntary` of them.
    pub burst_sum: u64,
    /// Calls that move bytes and returned, blocked or not.
    #[serde(default)]
    pub io_calls: u64,
    /// Waits on several descriptors that returned, blocked or not.
    #[serde(default)]
    pub event_calls: u64,
    /// Waits on several descriptors that slept and that one of them ended.
    #[serde(default)]
    pub event_ends: u64,
    /// Of those: ended by another descriptor than such a wait before.
    #[serde(default)]
    pub event_turns: u64,
    /// Blocked time in which the kernel counted the thread in the load average
    /// (`sched_contributes_to_load`, kernel/sched/core.c), ns.
    #[serde(default)]
    pub loading: u64,
    /// Of that: asleep for the disk, ns.
    #[serde(default)]
    pub loading_disk: u64,
    /// Calls that returned and never began: a seccomp filter answered them, or a tracer.
    #[serde(default)]
    pub refused: u64,
    /// CPU in user mode that ended with such a return, from the return before it on, ns: these
    /// calls and the code before them.
    #[serde(default)]
    pub refused_user: u64,
    /// Blocks by class, indexed as [`BlockClass`].
    #[serde(with = "by_class")]
    pub classes: [ClassSum; CLASS_COUNT],
    /// Bursts: CPU from switch-in to the next block, log2 histogram.
    #[serde(with = "serde_big_array::BigArray")]
    pub bursts: [u32; BUCKETS],
    /// Other threads of the target running or runnable at each wake-up.
    pub concurrency: [u32; CONCURRENCY_BUCKETS],
}

macro_rules! number_of {
    ($($name:ident)*) => { [$(stringify!($name)),*].len() };
}

// The two lists of names have every word of `Sums` but its arrays.
const _: () = assert!(
    8 * (counted_sums!(number_of) + signed_sums!(number_of))
        == size_of::<Sums>()
            - size_of::<[ClassSum; CLASS_COUNT]>()
            - size_of::<[u32; BUCKETS]>()
            - size_of::<[u32; CONCURRENCY_BUCKETS]>()
);

impl Default for Sums {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Sums {
    pub const ZERO: Self = Self {
        user: 0,
        kernel: 0,
        kernel_before: 0,
        kernel_after: 0,
        calls: 0,
        blocked_calls: 0,
        open_calls: 0,
        voluntary: 0,
        involuntary: 0,
        switch_ins: 0,
        preempted: 0,
        charge_io: 0,
        charge_away: 0,
        charge_other: 0,
        uncharged: 0,
        born_delay: 0,
        woken_by_self: 0,
        woken_by_other: 0,
        woken_by_kernel: 0,
        woken_io_by_self: 0,
        woke_other: 0,
        away_io: 0,
        preempted_by_own: 0,
        device_wait: 0,
        kernel_voluntary: 0,
        kernel_involuntary: 0,
        kernel_runtime: 0,
        checked_cpu: 0,
        burst_sum: 0,
        io_calls: 0,
        event_calls: 0,
        event_ends: 0,
        event_turns: 0,
        loading: 0,
        loading_disk: 0,
        refused: 0,
        refused_user: 0,
        classes: [ClassSum { blocks: 0, blocked: 0, run_delay: 0 }; CLASS_COUNT],
        bursts: [0; BUCKETS],
        concurrency: [0; CONCURRENCY_BUCKETS],
    };

    /// Blocks of all classes of a family.
    pub fn blocks_in(&self, family: Family) -> u64 {
        let classes = BlockClass::ALL.into_iter().filter(|c| c.family() == family);
        classes.map(|c| self.classes[c as usize].blocks).sum()
    }

    /// What the kernel charged to the thread beyond what the tracepoints saw of it, ns.
    pub const fn charge(&self) -> i64 {
        self.charge_io.wrapping_add(self.charge_other).wrapping_sub_unsigned(self.uncharged)
    }

    /// Adds a sleep, by how the kernel counts it in the load average.
    pub fn count_load(&mut self, loads: Loads, slept: u64) {
        if loads != Loads::No {
            self.loading += slept;
        }
        if loads == Loads::OnDisk {
            self.loading_disk += slept;
        }
    }

    /// Adds what another thread, or a later window, summed.
    pub fn merge(&mut self, other: &Self) {
        macro_rules! words {
            ($($name:ident)*) => { $(self.$name = self.$name.wrapping_add(other.$name);)* };
        }
        counted_sums!(words);
        signed_sums!(words);
        for (own, other) in self.classes.iter_mut().zip(&other.classes) {
            own.blocks += other.blocks;
            own.blocked += other.blocked;
            own.run_delay += other.run_delay;
        }
        add(&mut self.bursts, &other.bursts);
        add(&mut self.concurrency, &other.concurrency);
    }

    /// Whether other sums can be a part of these.
    pub fn has(&self, part: &Self) -> bool {
        let counts = |sums: &Self| [sums.user, sums.kernel, sums.calls, sums.voluntary, sums.involuntary];
        let classes = self.classes.iter().zip(&part.classes);
        counts(self).iter().zip(counts(part)).all(|(whole, part)| *whole >= part)
            && classes.into_iter().all(|(whole, part)| whole.blocks >= part.blocks && whole.blocked >= part.blocked)
    }

    /// Takes away what had been summed in an earlier snapshot. A counter that would come out
    /// negative is zero; what is signed may be negative.
    pub fn reduce(&mut self, earlier: &Self) {
        macro_rules! counted {
            ($($name:ident)*) => { $(self.$name = self.$name.saturating_sub(earlier.$name);)* };
        }
        macro_rules! signed {
            ($($name:ident)*) => { $(self.$name = self.$name.wrapping_sub(earlier.$name);)* };
        }
        counted_sums!(counted);
        signed_sums!(signed);
        // A wait that was counted by its class, and that its limit has ended since, is a time-out
        // now. What the class has lost since the earlier snapshot, the time-outs have gained.
        let mut moved = ClassSum::default();
        for (own, earlier) in self.classes.iter_mut().zip(&earlier.classes) {
            let less = |own: &mut u64, earlier: u64, moved: &mut u64| {
                *moved += earlier.saturating_sub(*own);
                *own = own.saturating_sub(earlier);
            };
            less(&mut own.blocks, earlier.blocks, &mut moved.blocks);
            less(&mut own.blocked, earlier.blocked, &mut moved.blocked);
            less(&mut own.run_delay, earlier.run_delay, &mut moved.run_delay);
        }
        let ended = &mut self.classes[BlockClass::Timeout as usize];
        ended.blocks = ended.blocks.saturating_sub(moved.blocks);
        ended.blocked = ended.blocked.saturating_sub(moved.blocked);
        ended.run_delay = ended.run_delay.saturating_sub(moved.run_delay);
        take(&mut self.bursts, &earlier.bursts);
        take(&mut self.concurrency, &earlier.concurrency);
    }

    /// The first counter that holds more than two years of nanoseconds: memory that is no record.
    pub(super) fn insane(&self) -> Option<&'static str> {
        macro_rules! named {
            ($($name:ident)*) => { [$((stringify!($name), self.$name)),*] };
        }
        let counted = counted_sums!(named).into_iter().find(|&(_, value)| value >= LIMIT).map(|(name, _)| name);
        let signed = || signed_sums!(named).into_iter().find(|(_, value)| value.unsigned_abs() >= LIMIT);
        let class = |c: &ClassSum| c.blocks >= LIMIT || c.blocked >= LIMIT || c.run_delay >= LIMIT;
        counted
            .or_else(|| signed().map(|(name, _)| name))
            .or_else(|| self.classes.iter().any(class).then_some("classes"))
    }
}

/// Counts of a histogram wrap, as the kernel's do.
fn add(own: &mut [u32], other: &[u32]) {
    own.iter_mut().zip(other).for_each(|(own, other)| *own = own.wrapping_add(*other));
}

fn take(own: &mut [u32], earlier: &[u32]) {
    own.iter_mut().zip(earlier).for_each(|(own, earlier)| *own = own.saturating_sub(*earlier));
}

impl From<&thread::ClassSum> for ClassSum {
    fn from(raw: &thread::ClassSum) -> Self {
        let &thread::ClassSum { blocks, blocked, run_delay } = raw;
        Self { blocks, blocked, run_delay }
    }
}

impl From<&thread::Sums> for Sums {
    fn from(raw: &thread::Sums) -> Self {
        let classes = std::array::from_fn(|i| ClassSum::from(&raw.classes[i]));
        let mut sums = Self { classes, bursts: raw.bursts, concurrency: raw.concurrency, ..Self::ZERO };
        macro_rules! counted {
            ($($name:ident)*) => { $(sums.$name = raw.$name;)* };
        }
        macro_rules! signed {
            ($($name:ident)*) => { $(sums.$name = raw.$name.cast_signed();)* };
        }
        counted_sums!(counted);
        signed_sums!(signed);
        sums
    }
}

/// Signed numbers in a recording: in two's complement, as the wire has them, so that every build
/// reads every other's recordings.
mod twos_complement {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.cast_unsigned())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        u64::deserialize(from).map(u64::cast_signed)
    }
}

/// Sums by class in a recording: an older one has fewer classes.
mod by_class {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{CLASS_COUNT, ClassSum};

    pub(super) fn serialize<S: Serializer>(value: &[ClassSum; CLASS_COUNT], to: S) -> Result<S::Ok, S::Error> {
        value.as_slice().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[ClassSum; CLASS_COUNT], D::Error> {
        let read = Vec::<ClassSum>::deserialize(from)?;
        if read.len() > CLASS_COUNT {
            return Err(serde::de::Error::invalid_length(read.len(), &"as many classes as this build knows"));
        }
        Ok(std::array::from_fn(|i| read.get(i).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_timed_out_after_a_snapshot_is_counted_once() {
        let (tcp, timeout) = (BlockClass::Tcp as usize, BlockClass::Timeout as usize);
        let sum = |blocks, blocked| ClassSum { blocks, blocked, run_delay: 0 };
        let (mut earlier, mut later) = (Sums::ZERO, Sums::ZERO);
        earlier.classes[tcp] = sum(10, 5_000);
        // One of the ten slept on for 2 µs, and was ended by its limit; another wait came.
        (later.classes[tcp], later.classes[timeout]) = (sum(10, 4_500), sum(1, 3_000));
        later.reduce(&earlier);
        assert_eq!((later.classes[tcp], later.classes[timeout]), (sum(0, 0), sum(1, 2_500)));
    }

    #[test]
    fn a_recording_with_fewer_classes_can_be_read() {
        let mut kept = serde_json::to_value(Sums::ZERO).unwrap();
        kept["classes"].as_array_mut().unwrap().truncate(32);
        assert_eq!(serde_json::from_value::<Sums>(kept).unwrap(), Sums::ZERO);
    }

    #[test]
    fn charges_are_signed_and_counters_never_wrap() {
        let earlier = Sums { charge_io: 5, calls: 9, ..Sums::ZERO };
        let mut later = Sums { charge_io: -3, calls: 8, ..Sums::ZERO };
        later.reduce(&earlier);
        assert_eq!((later.charge_io, later.calls), (-8, 0));
    }

    #[test]
    fn a_charge_below_zero_is_decoded_from_the_wire_and_from_a_recording() {
        let mut raw = thread::Sums::ZERO;
        (raw.charge_away, raw.calls, raw.classes[1].blocks) = ((-7i64).cast_unsigned(), 3, 2);
        let sums = Sums::from(&raw);
        assert_eq!((sums.charge_away, sums.calls, sums.classes[1].blocks), (-7, 3, 2));
        let kept = serde_json::to_value(sums).unwrap();
        assert_eq!(kept["charge_away"], raw.charge_away);
        assert_eq!(serde_json::from_value::<Sums>(kept).unwrap(), sums);
    }

    #[test]
    fn a_sum_of_more_than_two_years_is_insane_whatever_its_sign() {
        assert_eq!(Sums::ZERO.insane(), None);
        assert_eq!(Sums { charge_other: -(1 << 57), ..Sums::ZERO }.insane(), Some("charge_other"));
        assert_eq!(Sums { user: 1 << 57, ..Sums::ZERO }.insane(), Some("user"));
    }
}
