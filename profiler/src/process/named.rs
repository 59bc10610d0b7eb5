//! process/named: processes by the names that people know them by: a program's, a control group's,
//! a container's, a pod's, a systemd unit's. A group is found by what `/proc/PID/cgroup` says of
//! the processes in it (cgroups(7)), in both versions and without a look at the hierarchy itself.

mod containers;
mod groups;
mod name;
mod program;

pub use groups::Group;
pub use name::Name;

use super::error::TargetError;

/// What a name comes to.
pub(super) enum Found {
    /// This process.
    Process(u32),
    /// All that are in this group, now and later.
    Group(Group),
}

/// Finds what a name means. `tree`: whether a program's children belong to it.
///
/// # Errors
///
/// Nothing has this name, several things have it, or it is not written as such names are.
pub(super) fn find(name: &Name, tree: bool) -> Result<Found, TargetError> {
    match name {
        Name::Program(pattern) => program::find(name, pattern, tree).map(Found::Process),
        Name::Cgroup(path) => groups::at(name, path).map(Found::Group),
        Name::Unit(unit) => groups::of_unit(name, unit).map(Found::Group),
        Name::Container(container) => containers::find(name, container).map(Found::Group),
        Name::Pod(pod) => containers::find_pod(name, pod).map(Found::Group),
    }
}
