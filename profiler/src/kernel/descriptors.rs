//! kernel/descriptors: room for the descriptors that a measurement holds.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::LoadError;

/// What a measurement holds beside what is asked for: maps, programs, links, files that are read,
/// sockets and files of a calibration beside the target.
const BESIDE: u64 = 512;

/// The least of [`BESIDE`] with which a measurement begins; the rest is only wanted.
const LEAST: u64 = 96;

/// Raises the soft limit of descriptors until `more` fit beside everything else, as far as the hard
/// limit lets it.
pub(super) fn raise(more: usize) {
    let limit = getrlimit(Resource::Nofile);
    if let Some(current) = raised(limit.current, limit.maximum, more as u64 + BESIDE) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
    }
}

/// The soft limit to set; `None` where it suffices.
fn raised(current: Option<u64>, maximum: Option<u64>, wanted: u64) -> Option<u64> {
    let current = current.filter(|&current| current < wanted)?;
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    (raised > current).then_some(raised)
}

/// Makes room for a descriptor for each of so many processes. With too few, files of `/proc` could
/// not be opened later, and a process that lives would look like one that has gone.
///
/// # Errors
/// [`LoadError::Descriptors`] where the hard limit is too low.
pub fn room_for(processes: usize) -> Result<(), LoadError> {
    raise(processes);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    // A sampler for each CPU.
    let needed = processes as u64 + LEAST + cpus;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => Err(LoadError::Descriptors { processes, needed, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_the_hard_one_lets_it() {
        assert_eq!(raised(Some(1024), Some(20_000), 1713), Some(1713));
        assert_eq!(raised(Some(1024), None, 1713), Some(1713));
        assert_eq!(raised(Some(1024), Some(1_500), 1713), Some(1_500));
        assert_eq!(raised(Some(1024), Some(1024), 1713), None);
        assert_eq!(raised(Some(4096), Some(4096), 1713), None);
        assert_eq!(raised(None, None, 1713), None);
    }
}
