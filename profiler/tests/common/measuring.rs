//! A measurement on a thread of its own, that has begun when the test goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use should_i_async::kernel::Form;
use should_i_async::pipeline::{Measurement, Progress, Request, measure};
use should_i_async::process::{self, TargetSpec};

/// A measurement that goes on.
pub(crate) struct Measuring {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Measurement>>,
}

struct Begun(Sender<()>);

impl Progress for Begun {
    fn begun(&mut self) {
        let _ = self.0.send(());
    }
}

/// Everything of a process, for as long as it takes, whatever it costs.
pub(crate) fn request(pid: u32) -> Request {
    request_for(&TargetSpec { pids: vec![pid], ..TargetSpec::default() })
}

pub(crate) fn request_for(spec: &TargetSpec) -> Request {
    Request::exact(process::resolve(spec).unwrap())
}

/// As [`request`], with raw tracepoints.
pub(crate) fn raw_request(pid: u32) -> Request {
    Request { form: Some(Form::Raw), ..request(pid) }
}

impl Measuring {
    /// Returns once events count.
    pub(crate) fn start(request: Request) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (begun, wait) = channel();
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || measure(&request, &flag, &mut Begun(begun)));
        if wait.recv().is_err() {
            match thread.join() {
                Ok(Err(failure)) => panic!("cannot measure: {failure:#}"),
                other => panic!("the measurement never began: {:?}", other.map(|m| m.is_ok())),
            }
        }
        Self { stop, thread }
    }

    /// Ends the measurement and waits for its result.
    pub(crate) fn stop(self) -> Measurement {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Waits until it ends by itself.
    pub(crate) fn join(self) -> Measurement {
        self.thread.join().unwrap().unwrap_or_else(|failure| panic!("{failure:#}"))
    }
}
