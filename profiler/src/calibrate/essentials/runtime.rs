//! A tokio current-thread server that is measured from inside. The task that writes the last reply
//! of a batch stops the clock, takes the replies, puts the next batch in place and starts the
//! clock. The runtime never leaves its loop, so that its steady state is timed: park (one
//! `epoll_wait`), wakers, task polls, reads, writes.

use std::{
    future::poll_fn,
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    runtime::{Builder, Runtime},
};

use crate::calibrate::rig::{
    clock::{self, Watch},
    peers::{self, MESSAGE, Peers, ROOM},
};

/// What the tasks share. One thread runs them all.
struct Shared {
    clients: Vec<TcpStream>,
    /// Replies of the batch that are still to be written.
    open: AtomicUsize,
    batch: Mutex<Batch>,
}

struct Batch {
    watch: Watch,
    first: usize,
    size: usize,
    /// Batches to come, this one included.
    left: usize,
    /// Whether this is the first batch, which warms up and is not timed.
    warming: bool,
    begun: u64,
    spent: u64,
    failure: Option<io::Error>,
    waiter: Option<Waker>,
}

/// The server, its runtime and the other ends.
pub(super) struct RuntimeServer {
    runtime: Runtime,
    shared: Arc<Shared>,
}

impl RuntimeServer {
    /// A server with a task for each of these connections.
    pub(super) fn new(peers: Peers, watch: Watch) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let batch =
            Batch { watch, first: 0, size: 0, left: 0, warming: true, begun: 0, spent: 0, failure: None, waiter: None };
        let shared = Arc::new(Shared { clients: peers.client, open: AtomicUsize::new(0), batch: Mutex::new(batch) });
        for stream in peers.server {
            stream.set_nonblocking(true)?;
            let shared = Arc::clone(&shared);
            let _context = runtime.enter();
            let stream = tokio::net::TcpStream::from_std(stream)?;
            runtime.spawn(async move {
                if let Err(error) = serve(stream, &shared).await {
                    shared.fail(error);
                }
            });
        }
        Ok(Self { runtime, shared })
    }

    /// CPU of `batches` batches of `size` messages on connections from `first` on, ns.
    pub(super) fn series(&self, first: usize, size: usize, batches: usize) -> io::Result<u64> {
        {
            let mut batch = self.shared.batch();
            (batch.first, batch.size, batch.left) = (first, size, batches + 1);
            (batch.warming, batch.spent) = (true, 0);
        }
        self.runtime.block_on(async {
            self.shared.begin(&mut self.shared.batch())?;
            poll_fn(|context| {
                let mut batch = self.shared.batch();
                if let Some(error) = batch.failure.take() {
                    return Poll::Ready(Err(error));
                }
                if batch.left == 0 {
                    return Poll::Ready(Ok(batch.spent));
                }
                batch.waiter = Some(context.waker().clone());
                Poll::Pending
            })
            .await
        })
    }
}

async fn serve(mut stream: tokio::net::TcpStream, shared: &Shared) -> io::Result<()> {
    let mut room = [0; ROOM];
    // This loop ends with the runtime, or when the other end closes.
    loop {
        let n = stream.read(&mut room).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&room[..n]).await?;
        if n != MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if shared.open.fetch_sub(1, Relaxed) == 1 {
            shared.turn()?;
        }
    }
}

impl Shared {
    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch in place and starts the clock.
    fn begin(&self, batch: &mut Batch) -> io::Result<()> {
        self.open.store(batch.size, Relaxed);
        peers::fill(&self.clients[batch.first..batch.first + batch.size])?;
        batch.begun = clock::thread_cpu();
        Ok(())
    }

    /// The last reply of a batch is written.
    fn turn(&self) -> io::Result<()> {
        let mut batch = self.batch();
        let spent = batch.watch.since(batch.begun);
        if !std::mem::take(&mut batch.warming) {
            batch.spent += spent;
        }
        peers::drain(&self.clients[batch.first..batch.first + batch.size])?;
        batch.left = batch.left.saturating_sub(1);
        if batch.left == 0 {
            if let Some(waiter) = batch.waiter.take() {
                waiter.wake();
            }
            return Ok(());
        }
        batch.first = (batch.first + batch.size) % peers::in_turns(batch.size);
        self.begin(&mut batch)
    }

    fn fail(&self, error: io::Error) {
        let mut batch = self.batch();
        batch.failure = Some(error);
        if let Some(waiter) = batch.waiter.take() {
            waiter.wake();
        }
    }
}
