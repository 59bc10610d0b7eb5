//! Profiles: one at a time, for as long as was asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{CONTENT_DISPOSITION, HeaderName, HeaderValue},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::replies::{Answer, answered, said, said_of};
use crate::{
    feed::{Form, NoProfile, ProfileOrder, Profiler},
    quantity::Nanos,
    words,
};

/// The longest profile, in seconds, and how long one is unless its reader says so.
pub(super) const LONGEST: u64 = 60;
const USUAL: u64 = 10;
/// The same of a page: whoever looks at it waits for it.
const USUAL_PAGE: u64 = 5;
/// In a query: the page stays as it is.
const HOLD: &str = "hold";
/// How long a page waits for another profile to be over: a browser asks for it again while the one
/// before is still being ended.
const PAGE_WAITS: Duration = Duration::from_secs(20);
/// A browser that got no page asks again after so many seconds.
const ASKS_AGAIN: HeaderValue = HeaderValue::from_static("5");
/// Browsers load a page anew after so many seconds.
const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// What takes them, and whether it does.
pub(super) struct Desk {
    profiler: Arc<dyn Profiler>,
    room: Arc<Semaphore>,
}

/// Ends a measurement that nobody waits for any more.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Desk {
    pub(super) fn new(profiler: Arc<dyn Profiler>) -> Self {
        Self { profiler, room: Arc::new(Semaphore::new(1)) }
    }

    /// A profile as it was ordered, or why there is none.
    pub(super) async fn take(&self, query: &str, form: Form) -> Answer {
        let Some(order) = order(query, form) else { return said(StatusCode::BAD_REQUEST, words::serve::BAD_PROFILE) };
        let mut answer = self.measure(order).await;
        if form == Form::Page && !is_held(query) {
            // What is not there now may be there soon.
            let soon = if answer.status() == StatusCode::OK { HeaderValue::from_static("1") } else { ASKS_AGAIN };
            answer.headers_mut().insert(REFRESH, soon);
        }
        answer
    }

    /// The room for one profile at a time. A page waits for it a little, others do not.
    async fn room(&self, form: Form) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&self.room);
        match form {
            Form::Page => tokio::time::timeout(PAGE_WAITS, room.acquire_owned()).await.ok()?.ok(),
            Form::Pprof(_) => room.try_acquire_owned().ok(),
        }
    }

    async fn measure(&self, order: ProfileOrder) -> Answer {
        let form = order.form;
        let Some(permit) = self.room(form).await else {
            return said(StatusCode::TOO_MANY_REQUESTS, words::serve::ONE_PROFILE);
        };
        let (tell, told) = oneshot::channel();
        let ends = Ends(Arc::default());
        let (profiler, stop) = (Arc::clone(&self.profiler), Arc::clone(&ends.0));
        let work = move || {
            let taken = profiler.profile(&order, &stop);
            // The room is free once the measurement is over, whoever still waits for it.
            drop(permit);
            let _ = tell.send(taken);
        };
        if std::thread::Builder::new().name("sia-profile".into()).spawn(work).is_err() {
            return said(StatusCode::SERVICE_UNAVAILABLE, words::serve::NO_PROFILE_NOW);
        }
        let taken = told.await;
        drop(ends);
        match taken {
            Ok(Ok(bytes)) if form == Form::Page => {
                answered(StatusCode::OK, "text/html; charset=utf-8", Bytes::from(bytes))
            }
            Ok(Ok(bytes)) => file(bytes),
            Ok(Err(NoProfile::WhichProcess)) => said(StatusCode::BAD_REQUEST, words::serve::WHICH_PROCESS),
            Ok(Err(NoProfile::NoTarget)) => said(StatusCode::NOT_FOUND, words::serve::NO_TARGET_HERE),
            Ok(Err(NoProfile::Failed(why))) => said_of(StatusCode::INTERNAL_SERVER_ERROR, why + "\n"),
            Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, words::serve::NO_PROFILE_NOW),
        }
    }
}

fn file(bytes: Vec<u8>) -> Answer {
    let mut answer: Response<_> = answered(StatusCode::OK, "application/octet-stream", Bytes::from(bytes));
    let name = HeaderValue::from_static("attachment; filename=\"profile.pb.gz\"");
    answer.headers_mut().insert(CONTENT_DISPOSITION, name);
    answer
}

/// Whether a page is to stay as it is. Otherwise it comes anew as soon as it is there: while the
/// next one is measured, the browser shows this one.
fn is_held(query: &str) -> bool {
    query.split('&').any(|word| word == HOLD)
}

/// What a query asks for: `seconds=10&pid=71`. What it does not know it leaves alone: clients have
/// parameters of their own.
fn order(query: &str, form: Form) -> Option<ProfileOrder> {
    let usual = if form == Form::Page { USUAL_PAGE } else { USUAL };
    let mut order = ProfileOrder { pid: None, length: Nanos::from_millis(usual * 1_000), form };
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("seconds", seconds)) => {
                let seconds: u64 = seconds.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds))?;
                order.length = Nanos::from_millis(seconds * 1_000);
            }
            Some(("pid", pid)) => order.pid = Some(pid.parse().ok().filter(|pid| *pid > 0)?),
            _ => {}
        }
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Weight;

    #[test]
    fn a_query_says_how_long_and_of_whom() {
        let form = Form::Pprof(Weight::Blocked);
        let ordered = |query: &str| order(query, form).map(|order| (order.length.as_nanos(), order.pid));
        let second = 1_000_000_000;
        for (query, expected) in [
            ("", (10 * second, None)),
            ("seconds=1", (second, None)),
            ("seconds=60&pid=71", (60 * second, Some(71))),
            ("debug=1&delta&x=%20", (10 * second, None)),
        ] {
            assert_eq!(ordered(query), Some(expected), "{query}");
        }
        assert_eq!(order("hold", Form::Page).map(|order| order.length.as_nanos()), Some(5 * second));
        for query in
            ["seconds=0", "seconds=61", "seconds=-1", "seconds=", "seconds=1.5", "pid=0", "pid=x", "pid=99999999999"]
        {
            assert_eq!(ordered(query), None, "{query}");
        }
    }
}
