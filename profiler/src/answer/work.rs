//! What work a measurement saw, and the unit of it that two measurements have in common.

use crate::{aggregate::Window, event::BlockClass};

/// What figures are divided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Per {
    /// A second of the target's CPU.
    CpuSecond,
    /// A second of time.
    Second,
    /// A call that sent something on descriptors of a class.
    Message(BlockClass),
    /// A KiB read or written on descriptors of a class.
    KiB(BlockClass),
    /// A return of a syscall: a request, where each request makes one.
    Call {
        /// Name of the syscall.
        syscall: String,
    },
}

/// One of two recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The first: before, or the blocking one.
    First,
    /// The second: after, or the async one.
    Second,
}

/// A recording has none of the units that figures are divided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoUnits {
    /// The unit that is missing.
    pub per: Per,
    /// The recording that has none of it.
    pub recording: Which,
}

/// Why a unit was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// The user chose it.
    Given,
    /// Both sent most messages on that class: this many, in the first and in the second.
    MostMessages(f64, f64),
    /// Both sent most messages on that class, but these carry different numbers of bytes in the
    /// two, as if replies had left together.
    MessagesDiffer(f64, f64),
    /// Both moved most bytes on that class, this many in each, and neither sent much.
    MostBytes(f64, f64),
    /// The two have nothing in common but time.
    NothingInCommon,
}

/// A unit for each of two measurements, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// For the first and for the second.
    pub per: (Per, Per),
    /// What made it the unit: the user, or what both recordings have most of.
    pub why: Why,
}

/// Why CPU of two measurements cannot be compared.
#[derive(Clone, Debug, PartialEq)]
pub enum NotSameWork {
    /// They did so many of these a second.
    Rates {
        /// A message on that class, or a KiB.
        per: Per,
        /// How many a second the first did.
        first: f64,
        /// How many a second the second did.
        second: f64,
    },
    /// They received different numbers of bytes per byte sent on that class: the sizes of requests
    /// and replies differ.
    Sizes {
        /// The class of descriptor that the bytes were sent on.
        class: BlockClass,
        /// Bytes received per byte sent, in the first.
        first: f64,
        /// Bytes received per byte sent, in the second.
        second: f64,
    },
    /// What work the two did cannot be seen: their calls have nothing in common.
    Unseen,
}

/// A unit needs at least this many messages, or KiB, in both measurements.
const ENOUGH: f64 = 100.0;
/// Two measurements did the same if sizes and rates of messages differ by less than this factor.
const SAME: f64 = 1.25;
/// The same per second, where rates have to agree as closely as figures are read.
const SAME_RATE: f64 = 1.05;

/// Messages that were sent on a class, and bytes in both directions.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    messages: f64,
    sent: f64,
    bytes: f64,
}

impl Moved {
    fn new(window: &Window, class: BlockClass) -> Self {
        let sites = window.sites.iter().filter(|s| s.place.class == class);
        sites.fold(Self::default(), |sum, s| {
            let (sends, bytes) = (s.place.sends(), s.site.bytes as f64);
            let calls = s.site.calls.saturating_sub(s.site.errors) as f64;
            Self {
                messages: sum.messages + if sends { calls } else { 0.0 },
                sent: sum.sent + if sends { bytes } else { 0.0 },
                bytes: sum.bytes + bytes,
            }
        })
    }
}

/// CPU by the kernel's account, ns.
pub(super) fn cpu(window: &Window) -> f64 {
    let sums = window.sums();
    let unknown: u64 = window.threads.iter().map(|t| t.cpu_unknown.as_nanos()).sum();
    (sums.user + sums.kernel + unknown).saturating_add_signed(sums.charge()) as f64
}

/// Whether such descriptors carry work. Those that only wake a thread do not.
const fn carries_work(class: BlockClass) -> bool {
    use BlockClass::*;
    match class {
        Tcp | Udp | Unix | SocketOther | Pipe | File | BlockDevice | CharDevice | Journal => true,
        Unknown | Tty | EventFd | TimerFd | SignalFd | Inotify | AnonFd | BadFd | Accept | Futex | Sleep
        | EventWait | IoUring | LinuxAio | ChildWait | Signal | FileLock | Ipc | PageFault | Stopped | Exit
        | Compat | Other | Kernel | Timeout | Frozen | Traced => false,
    }
}

/// The class that both have most of, with what each has; `None` where that is not one class, or too
/// little.
fn most((first, second): (&Window, &Window), of: fn(&Moved) -> f64) -> Option<(BlockClass, Moved, Moved)> {
    let largest = |window| {
        let moved = |class| (class, Moved::new(window, class));
        let classes = BlockClass::ALL.into_iter().filter(|&class| carries_work(class)).map(moved);
        classes.max_by(|(_, a), (_, b)| of(a).total_cmp(&of(b)))
    };
    let ((class, a), (other, b)) = (largest(first)?, largest(second)?);
    (class == other && of(&a).min(of(&b)) >= ENOUGH).then_some((class, a, b))
}

fn differ(a: f64, b: f64, factor: f64) -> bool {
    a.max(b) > factor * a.min(b)
}

impl Per {
    /// How many of them a measurement saw.
    pub(super) fn count(&self, window: &Window) -> f64 {
        match self {
            Self::CpuSecond => cpu(window) / 1e9,
            Self::Second => window.measured.as_secs_f64(),
            Self::Message(class) => Moved::new(window, *class).messages,
            Self::KiB(class) => Moved::new(window, *class).bytes / 1024.0,
            Self::Call { syscall } => {
                let sites = window.sites.iter().filter(|s| s.place.syscall == *syscall);
                sites.map(|s| s.site.calls).sum::<u64>() as f64
            }
        }
    }

    /// How many of these units a measurement saw; `None` where it saw none.
    pub(super) fn some(&self, window: &Window, recording: Which) -> Result<f64, NoUnits> {
        let count = self.count(window);
        if count > 0.0 { Ok(count) } else { Err(NoUnits { per: self.clone(), recording }) }
    }
}

impl Unit {
    /// The units that the user chose.
    pub const fn given(first: Per, second: Per) -> Self {
        Self { per: (first, second), why: Why::Given }
    }

    /// What two measurements have in common: messages sent on the class that both have most of,
    /// else bytes, else seconds.
    pub fn chosen(first: &Window, second: &Window) -> Self {
        let both = |per: Per, why| Self { per: (per.clone(), per), why };
        if let Some((class, a, b)) = most((first, second), |moved| moved.messages) {
            let (one, other) = (a.sent / a.messages, b.sent / b.messages);
            return match differ(one, other, SAME) {
                true => both(Per::KiB(class), Why::MessagesDiffer(one, other)),
                false => both(Per::Message(class), Why::MostMessages(a.messages, b.messages)),
            };
        }
        match most((first, second), |moved| moved.bytes / 1024.0) {
            Some((class, a, b)) => both(Per::KiB(class), Why::MostBytes(a.bytes, b.bytes)),
            None => both(Per::Second, Why::NothingInCommon),
        }
    }

    /// Whether what one unit takes can be compared.
    ///
    /// # Errors
    /// The unit is a second, and the two did different amounts of work in one; or it is a byte, and
    /// the bytes are of different requests.
    pub fn check(&self, first: &Window, second: &Window) -> Result<(), NotSameWork> {
        if self.why == Why::NothingInCommon {
            return Err(NotSameWork::Unseen);
        }
        let windows = (first, second);
        if let (Why::MessagesDiffer(..), Some((class, a, b))) = (self.why, most(windows, |moved| moved.messages)) {
            let received = |moved: Moved| (moved.bytes - moved.sent) / moved.sent.max(1.0);
            let (first, second) = (received(a), received(b));
            let same = !differ(first, second, SAME);
            return if same { Ok(()) } else { Err(NotSameWork::Sizes { class, first, second }) };
        }
        if self.per != (Per::Second, Per::Second) {
            return Ok(());
        }
        // A user who asks for "per second" says that the load was the same. The rates that were
        // seen must not contradict that.
        let messages = most(windows, |moved| moved.messages).map(|(class, ..)| Per::Message(class));
        let moved = || most(windows, |moved| moved.bytes / 1024.0).map(|(class, ..)| Per::KiB(class));
        let Some(per) = messages.or_else(moved) else { return Ok(()) };
        let rate = |window: &Window| per.count(window) / window.measured.as_secs_f64().max(1e-9);
        let (first, second) = (rate(first), rate(second));
        if differ(first, second, SAME_RATE) { Err(NotSameWork::Rates { per, first, second }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Place, Site, SiteRecord},
        quantity::{Addr, Nanos, Tgid},
    };

    /// A second in which so many messages of so many bytes were sent by a call.
    fn sent(syscall: &str, class: BlockClass, calls: u64, bytes: u64) -> Window {
        let place = Place { syscall: syscall.into(), class, ip: Addr::from_raw(1), space: 0 };
        let mut site = SiteRecord::with_one_size(place, (Tgid::from_raw(1), None), 3, Site::ZERO);
        (site.site.calls, site.site.bytes) = (calls, calls * bytes);
        Window { measured: Nanos::from_millis(1_000), sites: vec![site], ..Window::default() }
    }

    #[test]
    fn messages_are_what_two_servers_have_in_common() {
        let (a, b) = (sent("sendto", BlockClass::Tcp, 54_000, 64), sent("write", BlockClass::Tcp, 93_000, 64));
        let unit = Unit::chosen(&a, &b);
        assert_eq!(unit.per, (Per::Message(BlockClass::Tcp), Per::Message(BlockClass::Tcp)));
        assert_eq!((unit.why, unit.check(&a, &b)), (Why::MostMessages(54_000.0, 93_000.0), Ok(())));
    }

    /// The same with so many bytes received.
    fn received(mut window: Window, class: BlockClass, bytes: u64) -> Window {
        window.sites.extend(sent("read", class, bytes / 64, 64).sites);
        window
    }

    #[test]
    fn messages_of_another_size_are_counted_by_their_bytes() {
        let (tcp, file) = (BlockClass::Tcp, BlockClass::File);
        let one_by_one = received(sent("write", tcp, 54_000, 64), tcp, 54_000 * 64);
        let gathered = received(sent("writev", tcp, 9_000, 512), tcp, 9_000 * 512);
        let unit = Unit::chosen(&one_by_one, &gathered);
        assert_eq!((unit.per.0.clone(), unit.check(&one_by_one, &gathered)), (Per::KiB(tcp), Ok(())));
        let larger = received(sent("write", tcp, 54_000, 512), tcp, 54_000 * 64);
        let found = Unit::chosen(&one_by_one, &larger).check(&one_by_one, &larger);
        assert!(matches!(found, Err(NotSameWork::Sizes { .. })), "{found:?}");
        let (a, b) = (sent("pread64", file, 900, 4096), sent("read", file, 50, 65_536));
        assert_eq!(Unit::chosen(&a, &b).per.0, Per::KiB(file));
    }

    #[test]
    fn a_second_is_no_unit_where_the_rates_differ() {
        let seconds = Unit::given(Per::Second, Per::Second);
        let (a, b) = (sent("write", BlockClass::Tcp, 54_000, 64), sent("write", BlockClass::Tcp, 93_000, 64));
        let rates = |per, first, second| Err(NotSameWork::Rates { per, first, second });
        assert_eq!(seconds.check(&a, &b), rates(Per::Message(BlockClass::Tcp), 54_000.0, 93_000.0));
        assert_eq!(seconds.check(&a, &a), Ok(()));
        let (a, b) = (sent("pread64", BlockClass::File, 1_000, 4096), sent("pread64", BlockClass::File, 2_000, 4096));
        assert_eq!(seconds.check(&a, &b), rates(Per::KiB(BlockClass::File), 4_000.0, 8_000.0));
    }

    #[test]
    fn what_is_beside_the_work_is_no_unit() {
        // Its sends go through a ring. What both write to a pipe is not their work.
        let a = Window {
            sites: [sent("write", BlockClass::Tcp, 54_000, 64).sites, sent("write", BlockClass::Pipe, 120, 8).sites]
                .concat(),
            ..sent("write", BlockClass::Tcp, 1, 1)
        };
        let b = sent("write", BlockClass::Pipe, 120, 8);
        assert_eq!(Unit::chosen(&a, &b).check(&a, &b), Err(NotSameWork::Unseen));
        let wakes = sent("write", BlockClass::EventFd, 9_000, 8);
        assert_eq!(Unit::chosen(&wakes, &wakes).check(&wakes, &wakes), Err(NotSameWork::Unseen));
    }

    #[test]
    fn what_has_nothing_in_common_is_not_compared() {
        let (a, b) =
            (sent("write", BlockClass::Tcp, 54_000, 64), sent("io_uring_enter", BlockClass::IoUring, 9_000, 0));
        let unit = Unit::chosen(&a, &b);
        assert_eq!((unit.per.0.clone(), unit.check(&a, &b)), (Per::Second, Err(NotSameWork::Unseen)));
    }
}
