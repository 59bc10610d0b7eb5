//! process/container: which container a process runs in, from the names that runtimes give their
//! cgroups.

/// How many digits of a 64-digit id people read: what `docker ps` shows.
const SHORT: usize = 12;

/// The container that a /proc/PID/cgroup file names, as `runtime:id` with a short id; `None` on the
/// host.
///
/// Names seen in the wild: `/docker/ID`, `docker-ID.scope`, `libpod-ID.scope`,
/// `cri-containerd-ID.scope`, `crio-ID.scope`, `…:cri-containerd:ID`, `/kubepods/…/podUID/ID`,
/// `/lxc/NAME`, `/lxc.payload.NAME`, `machine-NAME.scope` (systemd-nspawn).
pub(crate) fn from_cgroup(text: &str) -> Option<String> {
    // Innermost component first: containers nest.
    paths(text).flat_map(|path| component_pairs(path).rev().collect::<Vec<_>>()).find_map(|(parents, name)| {
        if let Some((prefix, id)) = hex_id(name) {
            return (!is_monitor(prefix)).then(|| format!("{}:{}", runtime(prefix, parents), &id[..SHORT]));
        }
        let stem = name.strip_suffix(".scope").unwrap_or(name);
        if let Some(name) = stem.strip_prefix("lxc.payload.") {
            return Some(format!("lxc:{name}"));
        }
        if parents.ends_with("/lxc") {
            return Some(format!("lxc:{name}"));
        }
        let machine = name.strip_suffix(".scope")?.strip_prefix("machine-")?;
        Some(format!("machine:{}", machine.replace("\\x2d", "-")))
    })
}

/// The paths of a /proc/PID/cgroup file, each behind `hierarchy:controllers:`; they may hold
/// colons.
pub(super) fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2))
}

/// The deepest of these paths; of equals the last, which is the unified hierarchy's.
pub(super) fn deepest(text: &str) -> &str {
    paths(text).max_by_key(|path| path.trim_end_matches('/').matches('/').count()).unwrap_or("/")
}

/// The whole id of the container whose group has this name.
pub(super) fn id_in(component: &str) -> Option<&str> {
    hex_id(component).filter(|(prefix, _)| !is_monitor(prefix)).map(|(_, id)| id)
}

/// The id in a group's name, and what stands before it.
fn hex_id(component: &str) -> Option<(&str, &str)> {
    let stem = component.strip_suffix(".scope").unwrap_or(component);
    let (prefix, id) = stem.rsplit_once(['-', ':']).unwrap_or(("", stem));
    (id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some((prefix, id))
}

/// Whether a group is that of a process that watches a container from outside: the monitors of
/// podman and CRI-O have its id, and are not in it.
fn is_monitor(prefix: &str) -> bool {
    prefix == "conmon" || prefix.ends_with("-conmon")
}

/// Each component of a path with what stands before it.
fn component_pairs(path: &str) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    slashes.into_iter().map(move |at| {
        let name = &path[at + 1..];
        (&path[..at], name.split('/').next().unwrap_or(name))
    })
}

fn runtime(prefix: &str, parents: &str) -> &'static str {
    let prefix = prefix.rsplit(':').next().unwrap_or(prefix);
    match prefix {
        "docker" => "docker",
        "libpod" => "podman",
        "crio" => "cri-o",
        "cri-containerd" | "nerdctl" => "containerd",
        _ if parents.contains("kubepods") => "k8s",
        _ if parents.ends_with("/docker") => "docker",
        _ if parents.contains("libpod") => "podman",
        _ => "container",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_group_is_the_one_that_says_most() {
        assert_eq!(deepest("12:cpu:/a/b\n1:name=systemd:/x/y\n0::/c/d"), "/c/d", "of equals, the unified one");
        assert_eq!(deepest("12:cpu:/docker/ab\n0::/"), "/docker/ab");
        assert_eq!((deepest("0::/\n"), deepest("")), ("/", "/"));
    }

    #[test]
    fn the_runtimes_names_are_known() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let pod = "kubepods-burstable-pod1f2e.slice";
        for (path, want) in [
            (format!("0::/docker/{id}"), Some("docker:0123456789ab")),
            (format!("0::/system.slice/docker-{id}.scope"), Some("docker:0123456789ab")),
            (format!("0::/system.slice/docker-{id}.scope/init.scope"), Some("docker:0123456789ab")),
            (format!("12:memory:/docker/{id}\n0::/"), Some("docker:0123456789ab")),
            (format!("0::/machine.slice/libpod-{id}.scope/container"), Some("podman:0123456789ab")),
            (format!("0::/machine.slice/libpod-conmon-{id}.scope"), None),
            (format!("0::/kubepods.slice/{pod}/crio-conmon-{id}.scope"), None),
            (format!("0::/kubepods.slice/{pod}/cri-containerd-{id}.scope"), Some("containerd:0123456789ab")),
            (format!("0::/system.slice/containerd.service/{pod}:cri-containerd:{id}"), Some("containerd:0123456789ab")),
            (format!("0::/kubepods.slice/{pod}/crio-{id}.scope"), Some("cri-o:0123456789ab")),
            (format!("0::/kubepods/besteffort/pod11-22/{id}"), Some("k8s:0123456789ab")),
            ("0::/lxc.payload.web/init.scope".into(), Some("lxc:web")),
            ("4:cpu:/lxc/web".into(), Some("lxc:web")),
            ("0::/machine.slice/machine-my\\x2dbox.scope".into(), Some("machine:my-box")),
            ("0::/user.slice/user-1000.slice/session-2.scope".into(), None),
            ("0::/".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(from_cgroup(&path).as_deref(), want, "{path}");
        }
    }
}
