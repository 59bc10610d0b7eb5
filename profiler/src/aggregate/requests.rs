//! aggregate/requests: what clients asked for, out of the stream of block ends: from the moment
//! when a client's data woke the thread that waited for it, until that thread waits for the client
//! again. Only threads that wait for a client by themselves have such requests: in a loop one
//! thread serves many, and what it does for whom cannot be told.

use std::collections::{BTreeMap, HashSet};

use crate::{
    event::{BlockClass, BlockEnd, Family, Span},
    quantity::{Nanos, Tid, listed, weights},
};

/// Spans that are so close to each other are one: the stream was only taken out in between.
const NEXT_TO: Nanos = Nanos::from_millis(1);

listed! {
    /// What a request's time goes to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    pub enum Spent {
        /// On a CPU.
        Cpu,
        /// Waiting for a CPU: after wake-ups, and while somebody else had it.
        RunQueue,
        /// Waiting for another thread: a lock, or a piece of work that was handed on.
        Lock,
        /// Waiting for files, pages and block devices.
        Disk,
        /// Waiting for somebody else than the client: sockets, pipes, events.
        Service,
        /// Waiting until the client takes what it is sent.
        Client,
        /// Asleep for a set time.
        Timer,
        /// Everything else.
        Other,
    }
}

impl Spent {
    /// What a block in the middle of a request is.
    fn on(end: &BlockEnd, is_client: bool) -> Self {
        use BlockClass::{Journal, PageFault};
        match (end.class, end.class.family()) {
            _ if is_client => Self::Client,
            (class, _) if class.is_file() => Self::Disk,
            (PageFault | Journal, _) => Self::Disk,
            (_, Family::BlockingIo | Family::EventWait | Family::Accept) => Self::Service,
            (_, Family::Lock) => Self::Lock,
            (_, Family::Timer) => Self::Timer,
            (_, Family::Other) => Self::Other,
        }
    }

    /// Whether another way of waiting has any part in it.
    pub const fn depends_on_waiting(self) -> bool {
        matches!(self, Self::Cpu | Self::RunQueue | Self::Lock)
    }
}

/// A descriptor of one thread.
pub type Connection = (Tid, i32);

/// The descriptors that are clients' connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients(HashSet<Connection>);

impl Clients {
    /// Whether no connection is known to be a client's.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Connection> for Clients {
    fn from_iter<T: IntoIterator<Item = Connection>>(connections: T) -> Self {
        Self(connections.into_iter().collect())
    }
}

impl Clients {
    /// The client whose connection a block was on.
    fn of(&self, end: &BlockEnd) -> Option<Connection> {
        let connection = (end.tid, end.fd?);
        self.0.contains(&connection).then_some(connection)
    }

    /// Whether this block was a wait for a client to send something, whatever ended it.
    pub(crate) fn awaited(&self, end: &BlockEnd) -> bool {
        !end.sends && self.of(end).is_some()
    }

    /// Whether it ended because a client sent something.
    pub(crate) fn asked(&self, end: &BlockEnd) -> bool {
        self.awaited(end) && end.class.family() == Family::BlockingIo && !end.class.is_file()
    }
}

/// A request from its first byte to the next wait for its client.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub client: Connection,
    pub length: Nanos,
    /// From its first byte to the client's next request: its end is not known before.
    pub known_after: Nanos,
    /// The parts of the length, by [`Spent`].
    pub spent: [Nanos; Spent::ALL.len()],
    /// Blocks in it, the wait for it not counted.
    pub blocks: u32,
    /// Whom it waited for, and how long.
    pub services: Vec<(Connection, Nanos)>,
}

impl Request {
    fn add(&mut self, spent: Spent, time: Nanos) {
        self.spent[spent as usize] += time;
    }
}

/// Spans that follow each other at once, by runs: what goes on from one to the next is not cut.
pub fn runs_of(spans: &[Span]) -> impl Iterator<Item = &[Span]> {
    spans.chunk_by(|one, next| next.start.saturating_sub(one.end) <= NEXT_TO)
}

/// The requests of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requests {
    pub ended: Vec<Request>,
    /// How long after the beginning of each request, of all that began, the stream went on.
    pub left: Vec<Nanos>,
}

impl Requests {
    /// Of all spans.
    pub fn new(spans: &[Span], clients: &Clients) -> Self {
        let mut requests = Self::default();
        if clients.is_empty() {
            return requests;
        }
        for run in runs_of(spans) {
            let mut threads: BTreeMap<Tid, Thread> = BTreeMap::new();
            let mut begun = Vec::new();
            for end in run.iter().flat_map(|span| &span.ends) {
                let thread = threads.entry(end.tid).or_default();
                begun.extend(clients.asked(end).then_some(end.wake));
                match thread.block_ended(end, clients) {
                    Ended::Seen(request) => requests.ended.push(request),
                    // It did not go on, and is not known to have ended.
                    Ended::Unknown(at) => {
                        begun.iter().rposition(|&begun| begun == at).map(|at| begun.swap_remove(at));
                    }
                    Ended::None => {}
                }
            }
            // The stream breaks off: what goes on has no end.
            let until = run.last().map_or(Nanos::ZERO, |span| span.end);
            requests.left.extend(begun.into_iter().map(|begun| until.saturating_sub(begun)));
        }
        requests
    }

    /// The share of those that began which nothing stands for: they are longer than all that was
    /// seen to its end.
    pub fn unseen(&self, weights: &[f64]) -> f64 {
        1.0 - (weights.iter().sum::<f64>() / self.left.len().max(1) as f64).min(1.0)
    }

    /// For how many requests each one stands that was seen to its end.
    pub fn weights(&self) -> Vec<f64> {
        let ns = |time: Nanos| time.as_nanos() as f64;
        let left: Vec<f64> = self.left.iter().copied().map(ns).collect();
        weights(self.ended.iter().map(|request| ns(request.known_after)), &left)
    }
}

/// What a block says of the request before it.
enum Ended {
    /// Nothing: there was none, or it goes on.
    None,
    Seen(Request),
    /// It is over, but not known since when: it began at this moment.
    Unknown(Nanos),
}

/// A thread on its way through the stream.
#[derive(Default)]
struct Thread {
    /// When it came back to a CPU last; `None` before its first block.
    runs_since: Option<Nanos>,
    /// The request that it works on, and when its data came.
    open: Option<(Nanos, Request)>,
}

impl Thread {
    /// The next block of this thread; a request that it ends.
    fn block_ended(&mut self, end: &BlockEnd, clients: &Clients) -> Ended {
        let ran_from = self.runs_since.replace(end.wake + end.delay);
        if let (Some((_, request)), Some(from)) = (&mut self.open, ran_from) {
            let there = end.off.saturating_sub(from);
            let cpu = end.burst.min(there);
            request.add(Spent::Cpu, cpu);
            request.add(Spent::RunQueue, there.saturating_sub(cpu));
        }
        let (awaited, asked) = (clients.awaited(end), clients.asked(end));
        // The thread waits for its client again, or for the next one.
        let over = awaited || end.class.family() == Family::Accept;
        let mut ended = Ended::None;
        if over && let Some((begun, mut request)) = self.open.take() {
            request.length = end.off.saturating_sub(begun);
            request.known_after = end.wake.saturating_sub(begun);
            // What a worker of a pool did before its next client came is not known: the request was
            // over before it waited for work.
            let is_same = !awaited || request.client == (end.tid, end.fd.unwrap_or(-1));
            ended = if is_same { Ended::Seen(request) } else { Ended::Unknown(begun) };
        }
        if asked && let Some(client) = clients.of(end) {
            let mut request = Request {
                client,
                length: Nanos::ZERO,
                known_after: Nanos::ZERO,
                spent: Default::default(),
                blocks: 0,
                services: Vec::new(),
            };
            request.add(Spent::RunQueue, end.delay);
            self.open = Some((end.wake, request));
        } else if let Some((_, request)) = &mut self.open {
            let time = end.wake.saturating_sub(end.off);
            let to_client = end.fd.is_some_and(|fd| request.client == (end.tid, fd));
            let spent = Spent::on(end, to_client);
            request.add(spent, time);
            request.add(Spent::RunQueue, end.delay);
            request.blocks += 1;
            if spent == Spent::Service {
                request.services.push(((end.tid, end.fd.unwrap_or(-1)), time));
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: i32 = 7;
    const DATABASE: i32 = 9;

    fn us(us: u64) -> Nanos {
        Nanos::from_micros(us)
    }

    /// A block of thread 1 from `off` to `wake`, which ran `burst` before it and waited 5 µs for a
    /// CPU after it.
    fn block(class: BlockClass, fd: Option<i32>, (off, wake, burst): (u64, u64, u64)) -> BlockEnd {
        BlockEnd {
            tid: Tid::from_raw(1),
            waker: None,
            class,
            fd,
            sends: false,
            away: false,
            off: us(off),
            wake: us(wake),
            burst: us(burst),
            delay: us(5),
        }
    }

    fn clients() -> Clients {
        [(Tid::from_raw(1), CLIENT)].into_iter().collect()
    }

    fn span(from: u64, to: u64, ends: Vec<BlockEnd>) -> Span {
        Span { start: us(from), end: us(to), ends }
    }

    #[test]
    fn a_request_goes_from_its_data_to_the_next_wait_for_its_client() {
        let ends = vec![
            block(BlockClass::Tcp, Some(CLIENT), (100, 200, 10)),
            // 45 µs there, of which it had a CPU for 40.
            block(BlockClass::Tcp, Some(DATABASE), (250, 1_250, 40)),
            block(BlockClass::Futex, None, (1_300, 1_330, 45)),
            block(BlockClass::File, Some(3), (1_340, 1_440, 5)),
            BlockEnd { sends: true, ..block(BlockClass::Tcp, Some(CLIENT), (1_450, 1_475, 5)) },
            block(BlockClass::Tcp, Some(CLIENT), (1_500, 1_900, 20)),
        ];
        let requests = Requests::new(&[span(0, 2_000, ends)], &clients());
        let [request] = requests.ended.as_slice() else { panic!("{requests:#?}") };
        assert_eq!((request.length, request.known_after, request.blocks), (us(1_300), us(1_700), 4));
        let spent = |of: Spent| request.spent[of as usize];
        assert_eq!((spent(Spent::Service), spent(Spent::Lock), spent(Spent::Disk)), (us(1_000), us(30), us(100)));
        assert_eq!((spent(Spent::Client), spent(Spent::Cpu)), (us(25), us(40 + 45 + 5 + 5 + 20)));
        // Five times 5 µs after a wake-up, and 5 µs of a preemption.
        assert_eq!(spent(Spent::RunQueue), us(30));
        assert_eq!(request.spent.into_iter().sum::<Nanos>(), request.length);
        assert_eq!(request.services, [((Tid::from_raw(1), DATABASE), us(1_000))]);
        assert_eq!(requests.left, [us(1_800), us(100)], "the second one goes on");
        // Half of those that began were watched for as long as the first one needed.
        assert_eq!(requests.weights(), [2.0]);
        assert_eq!(Requests::new(&[], &clients()), Requests::default());
    }

    #[test]
    fn spans_side_by_side_are_one_and_others_cut_off() {
        let first = || vec![block(BlockClass::Tcp, Some(CLIENT), (100, 200, 10))];
        let second = || vec![block(BlockClass::Tcp, Some(CLIENT), (2_500, 2_600, 10))];
        let near = [span(0, 1_000, first()), span(1_010, 3_000, second())];
        let requests = Requests::new(&near, &clients());
        assert_eq!((requests.ended.len(), requests.ended[0].length), (1, us(2_300)));
        let apart = [span(0, 1_000, first()), span(2_400, 3_000, second())];
        let requests = Requests::new(&apart, &clients());
        assert_eq!((requests.ended.len(), requests.left), (0, vec![us(800), us(400)]));
    }

    #[test]
    fn the_next_clients_wait_ends_it_only_where_its_own_end_was_seen() {
        let other = 8;
        let both: Clients = [(Tid::from_raw(1), CLIENT), (Tid::from_raw(1), other)].into_iter().collect();
        let with = |between: Vec<BlockEnd>| {
            let mut ends = vec![block(BlockClass::Tcp, Some(CLIENT), (100, 200, 10))];
            ends.extend(between);
            ends.push(block(BlockClass::Tcp, Some(other), (900, 1_000, 5)));
            Requests::new(&[span(0, 2_000, ends)], &both).ended
        };
        assert_eq!(with(vec![block(BlockClass::Futex, None, (300, 800, 5))]), []);
        let accepted = with(vec![block(BlockClass::Accept, Some(3), (300, 800, 5))]);
        assert_eq!((accepted.len(), accepted[0].length), (1, us(100)));
    }

    #[test]
    fn a_wait_that_its_limit_ends_is_no_request_and_no_part_of_one() {
        let ends = vec![
            block(BlockClass::Tcp, Some(CLIENT), (100, 200, 10)),
            block(BlockClass::Timeout, Some(CLIENT), (300, 5_300, 95)),
            block(BlockClass::Timeout, Some(CLIENT), (5_310, 10_310, 5)),
            block(BlockClass::Tcp, Some(CLIENT), (10_320, 10_400, 5)),
            block(BlockClass::Tcp, Some(CLIENT), (10_500, 10_600, 95)),
        ];
        let requests = Requests::new(&[span(0, 20_000, ends)], &clients());
        let lengths: Vec<Nanos> = requests.ended.iter().map(|request| request.length).collect();
        assert_eq!((lengths, requests.left.len()), (vec![us(100), us(100)], 3));
    }

    /// A worker of a pool that waits for its next client: when it was done with the one before is
    /// not known, so that is none of those that began either.
    #[test]
    fn what_is_over_at_an_unknown_moment_is_not_among_those_that_began() {
        let clients: Clients = [CLIENT, 8].into_iter().map(|fd| (Tid::from_raw(1), fd)).collect();
        let ends =
            vec![block(BlockClass::Tcp, Some(CLIENT), (100, 200, 10)), block(BlockClass::Tcp, Some(8), (300, 400, 10))];
        let requests = Requests::new(&[span(0, 2_000, ends)], &clients);
        assert_eq!((requests.ended.len(), requests.left.as_slice()), (0, [us(1_600)].as_slice()));
        assert_eq!(requests.unseen(&requests.weights()), 1.0);
    }

    #[test]
    fn without_clients_there_are_none() {
        let ends = || vec![block(BlockClass::Tcp, Some(DATABASE), (100, 200, 10))];
        assert_eq!(Requests::new(&[span(0, 1_000, ends())], &Clients::default()), Requests::default());
        assert_eq!(Requests::new(&[span(0, 1_000, ends())], &clients()), Requests::default());
    }
}
