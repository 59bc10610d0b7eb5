//! serve: figures over HTTP, for those who fetch them from time to time.
//!
//! One thread answers. What a client can cost is bounded: [`MOST_CLIENTS`] at a time, each with one
//! small request and [`PATIENCE`] to take the answer, which all that ask share; profiles are taken
//! one at a time. No part of a request reaches the file system, and nothing in it is repeated in an
//! answer.

mod access;
mod listen;
mod pages;
mod profiles;
mod replies;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use access::Access;
pub use access::{Token, TokenError};
pub use listen::{Address, ListenError, Listener};
use pages::Pages;

use crate::feed::{Metered, Profiler};

/// So many clients are answered at a time; others are turned away at once.
pub const MOST_CLIENTS: usize = 256;
/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(5);
/// How long a client may take in all.
const PATIENCE: Duration = Duration::from_secs(15);
/// And beyond that, one that waits for a profile: it is measured, and then worked out.
const LONG_PATIENCE: Duration = Duration::from_secs(profiles::LONGEST + 60);
/// What a request may be long, bytes: it is a line and a few headers.
const LONGEST_HEAD: usize = 16 << 10;
/// How soon a signal or the end of the measurement is noticed.
const NOTICED: Duration = Duration::from_millis(100);

/// What is handed out.
pub struct Source {
    pub metered: Arc<dyn Metered>,
    pub profiler: Arc<dyn Profiler>,
    /// What has to be said for a profile.
    pub token: Option<Token>,
}

impl Listener {
    /// Answers until it is told to stop, or until there are no more figures to come.
    ///
    /// # Errors
    /// There is no runtime to be had, or the address cannot be listened on any more.
    pub fn serve(self, source: Source, stop: &AtomicBool) -> Result<(), ListenError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ListenError::Runtime)?;
        runtime.block_on(self.answer(source, stop))
    }

    async fn answer(self, source: Source, stop: &AtomicBool) -> Result<(), ListenError> {
        let Source { metered, profiler, token } = source;
        let access = Access { local: self.is_local(), token };
        let pages = Arc::new(Pages::new(Arc::clone(&metered), profiler, access));
        let room = Arc::new(Semaphore::new(MOST_CLIENTS));
        let ready = self.ready()?;
        while !stop.load(Ordering::Relaxed) && !metered.is_over() {
            match timeout(NOTICED, ready.accept()).await {
                Err(_) => {}
                // A client that has gone again, or no descriptor is left for it.
                Ok(Err(_)) => tokio::time::sleep(NOTICED).await,
                Ok(Ok(client)) => {
                    if let Ok(permit) = Arc::clone(&room).try_acquire_owned() {
                        tokio::spawn(answer_one(client, Arc::clone(&pages), permit));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Answers one client, once.
async fn answer_one(client: impl AsyncRead + AsyncWrite + Unpin, pages: Arc<Pages>, _permit: OwnedSemaphorePermit) {
    let is_slow = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        let pages = &pages;
        is_slow.store(pages.is_slow(&request), Ordering::Relaxed);
        async { Ok::<_, Infallible>(pages.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(client), service);
    let mut connection = pin!(connection);
    // Whoever does not take its answer gets none.
    if timeout(PATIENCE, &mut connection).await.is_err() && is_slow.load(Ordering::Relaxed) {
        let _ = timeout(LONG_PATIENCE, connection).await;
    }
}
