//! Filing: telling the kernel side which threads are the target's.

use crate::{
    kernel::{LoadError, Session},
    process::{self, Target},
};

/// Files every thread that lives now. Births are followed by the kernel side from the attachment
/// on; a thread born by one that was not filed yet is found by looking again.
pub(super) fn file_threads(session: &mut Session, target: &Target) -> Result<(), LoadError> {
    if let Some(only) = &target.threads_only {
        session.ignore_births();
        for process in &target.processes {
            for tid in process::threads(process.tgid) {
                if only.contains(&tid) {
                    session.add_thread(process.tgid, tid);
                }
            }
        }
        return Ok(());
    }
    for tgid in target.tgids() {
        session.add_process(tgid)?;
    }
    for _ in 0..8 {
        let mut new = 0;
        for tgid in target.tgids() {
            for tid in process::threads(tgid) {
                new += usize::from(session.add_thread(tgid, tid));
            }
        }
        if new == 0 {
            break;
        }
    }
    Ok(())
}

/// Threads that came without the fork tracepoint: the kernel's own workers for io_uring
/// (`create_io_thread`).
pub(super) fn file_late_threads(session: &mut Session, target: &Target) {
    if target.threads_only.is_some() {
        return;
    }
    let known = session.threads_by_process();
    for tgid in target.tgids() {
        // One small call tells whether the list is worth reading.
        let filed = known.get(&tgid).copied().unwrap_or(0);
        if process::thread_count(tgid).is_none_or(|threads| threads <= filed) {
            continue;
        }
        for tid in process::threads(tgid) {
            session.add_thread(tgid, tid);
        }
    }
}
