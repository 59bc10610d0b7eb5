//! Filing: telling the kernel side which threads are the target's.

use crate::{
    kernel::{LoadError, Session},
    process::{self, Target},
    quantity::Tgid,
};

/// Files every thread that lives now. Births are followed by the kernel side from the attachment
/// on; a thread born by one that was not filed yet is found by looking again. Who has the number of
/// a process that has ended is left alone.
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
    let mut living: Vec<Tgid> = Vec::new();
    for process in target.processes.iter().filter(|process| process::is_alive(process)) {
        session.add_process(process.tgid)?;
        living.push(process.tgid);
    }
    for _ in 0..8 {
        let mut new = 0;
        for &tgid in &living {
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
    for process in &target.processes {
        let tgid = process.tgid;
        // One small call tells whether the list is worth reading.
        let filed = known.get(&tgid).copied().unwrap_or(0);
        let has_more = process::thread_count(tgid).is_some_and(|threads| threads > filed);
        if !has_more || !process::is_alive(process) {
            continue;
        }
        for tid in process::threads(tgid) {
            session.add_thread(tgid, tid);
        }
    }
}
