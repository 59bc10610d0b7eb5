//! serve: figures over HTTP, for those who fetch them from time to time.
//!
//! One thread answers. What a client can cost is bounded: [`MOST_CLIENTS`] at a time, each with one
//! small request and [`PATIENCE`] to take the answer, which all that ask share. No part of a request
//! reaches the file system, and nothing in it is repeated in an answer.

mod listen;
mod pages;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

pub use listen::{Address, ListenError, Listener};
use pages::Pages;

use crate::feed::Metered;

/// So many clients are answered at a time; others are turned away at once.
pub const MOST_CLIENTS: usize = 256;
/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(5);
/// How long a client may take in all.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a request may be long, bytes: it is a line and a few headers.
const LONGEST_HEAD: usize = 16 << 10;
/// How soon a signal or the end of the measurement is noticed.
const NOTICED: Duration = Duration::from_millis(100);

impl Listener {
    /// Answers until it is told to stop, or until there are no more figures to come.
    ///
    /// # Errors
    /// There is no runtime to be had, or the address cannot be listened on any more.
    pub fn serve(self, metered: Arc<dyn Metered>, stop: &AtomicBool) -> Result<(), ListenError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ListenError::Runtime)?;
        runtime.block_on(self.answer(metered, stop))
    }

    async fn answer(self, metered: Arc<dyn Metered>, stop: &AtomicBool) -> Result<(), ListenError> {
        let pages = Arc::new(Pages::new(Arc::clone(&metered), self.is_local()));
        let room = Arc::new(Semaphore::new(MOST_CLIENTS));
        let ready = self.ready()?;
        while !stop.load(Ordering::Relaxed) && !metered.is_over() {
            match timeout(NOTICED, ready.accept()).await {
                Err(_) => {}
                // A client that has gone again, or no descriptor is left for it: others may do better.
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
    let service = service_fn(|request| {
        let answer = pages.answer(&request);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(client), service);
    // Whoever does not take its answer gets none.
    let _ = timeout(PATIENCE, connection).await;
}
