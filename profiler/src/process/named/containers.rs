//! Containers and pods: by id, from the names of their groups; by name, from what their engines
//! keep in files and say on their sockets.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    groups::{self, Group, all_with_groups},
    name::{Name, bad, nothing},
};
use crate::process::{
    container::{self, id_in, paths},
    error::TargetError,
};

/// Where Docker keeps what it knows of its containers, a folder for each.
const DOCKER: &str = "/var/lib/docker/containers";
/// Where the kubelet keeps containers' logs: `POD_NAMESPACE_CONTAINER-ID.log`, and pods' logs:
/// `NAMESPACE_NAME_UID`.
const CONTAINER_LOGS: &str = "/var/log/containers";
const POD_LOGS: &str = "/var/log/pods";
/// Sockets on which engines answer as Docker's does.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];
/// An answer is no longer than this, and no later.
const MOST_BYTES: u64 = 4 << 20;
const LATEST: Duration = Duration::from_secs(2);
/// Fewer digits than this are taken for a name.
const FEWEST_DIGITS: usize = 4;

/// The group of a container.
pub(super) fn find(name: &Name, wanted: &str) -> Result<Group, TargetError> {
    // As they are listed: `docker:0123456789ab`.
    let wanted = wanted.rsplit_once(':').map_or(wanted, |(_, id)| id);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if wanted.is_empty() || !wanted.chars().all(good) {
        return Err(bad(name, "containers have ids and names of letters, digits, '_', '.' and '-'"));
    }
    let is_id = wanted.len() >= FEWEST_DIGITS && wanted.bytes().all(|b| b.is_ascii_hexdigit());
    let running = running();
    let mut ids: BTreeSet<String> = running.iter().filter(|id| is_id && id.starts_with(wanted)).cloned().collect();
    if ids.is_empty() {
        if let Some(group) = named_group(wanted) {
            return Ok(group);
        }
        ids.extend(named(wanted, Path::new(DOCKER), Path::new(CONTAINER_LOGS)));
        if ids.is_empty() {
            ids.extend(asked(wanted));
        }
        // Those that do not run have no process.
        ids.retain(|id| running.contains(id));
    }
    let ids: Vec<String> = ids.into_iter().collect();
    match ids.as_slice() {
        [] => Err(nothing(name, format!("containers that run here: {}", list(&all_running())))),
        [one] => groups::up_to(|_, component| id_in(component).is_some_and(|id| id == one))
            .ok_or_else(|| nothing(name, "it has ended")),
        several => Err(bad(name, format!("that is {}: give more of the id", list(several)))),
    }
}

/// The group of a pod.
pub(super) fn find_pod(name: &Name, wanted: &str) -> Result<Group, TargetError> {
    let Some((namespace, pod)) = wanted.split_once('/') else {
        return Err(bad(name, "give it as NAMESPACE/NAME, as `kubectl get pods -A` lists them"));
    };
    let uids = pod_uids(namespace, pod, Path::new(POD_LOGS));
    let group = uids.iter().find_map(|uid| groups::up_to(|_, component| is_of_pod(component, uid)));
    group.ok_or_else(|| {
        let hint = match uids.as_slice() {
            [] => format!("{POD_LOGS} has no folder {namespace}_{pod}_UID: the kubelet of this node knows no such pod"),
            _ => "none of its containers runs on this node".to_owned(),
        };
        nothing(name, hint)
    })
}

/// The UIDs of pods that have had this name.
fn pod_uids(namespace: &str, pod: &str, logs: &Path) -> Vec<String> {
    let prefix = format!("{namespace}_{pod}_");
    file_names(logs).iter().filter_map(|folder| folder.strip_prefix(&prefix)).map(str::to_owned).collect()
}

/// Whether a group is that of a pod: `podUID`, or `kubepods-burstable-podUID.slice` with `_` for
/// `-`.
fn is_of_pod(component: &str, uid: &str) -> bool {
    let stem = component.strip_suffix(".slice").unwrap_or(component);
    let pod = stem.rsplit_once("pod").map(|(_, pod)| pod.replace('_', "-"));
    pod.is_some_and(|pod| pod == uid)
}

/// The ids of containers that have a process, each once.
fn running() -> BTreeSet<String> {
    let all = all_with_groups();
    let components = all.iter().flat_map(|(_, text)| paths(text)).flat_map(|path| path.split('/'));
    components.filter_map(id_in).map(str::to_owned).collect()
}

fn all_running() -> Vec<String> {
    let mut all: Vec<String> = all_with_groups().iter().filter_map(|(_, text)| container::from_cgroup(text)).collect();
    all.sort();
    all.dedup();
    all
}

/// The group of a container whose group has its name: LXC's, systemd-nspawn's.
fn named_group(wanted: &str) -> Option<Group> {
    let machine = format!("machine-{}.scope", wanted.replace('-', "\\x2d"));
    let payload = format!("lxc.payload.{wanted}");
    groups::up_to(|above, component| {
        component == machine || component == payload || above == "lxc" && component == wanted
    })
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn file_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The ids of containers with this name, by the files that engines keep.
fn named(wanted: &str, docker: &Path, logs: &Path) -> Vec<String> {
    let has_name = |id: &String| {
        let config = std::fs::read(docker.join(id).join("config.v2.json")).ok()?;
        let config: serde_json::Value = serde_json::from_slice(&config).ok()?;
        Some(config.get("Name")?.as_str()?.trim_start_matches('/') == wanted)
    };
    let mut ids: Vec<String> = file_names(docker).into_iter().filter(|id| has_name(id) == Some(true)).collect();
    ids.extend(file_names(logs).iter().filter_map(|log| {
        let (names, id) = log.strip_suffix(".log")?.rsplit_once('-')?;
        (names.rsplit('_').next() == Some(wanted)).then(|| id.to_owned())
    }));
    ids
}

/// The id of the container with this name, from an engine that answers on a socket.
fn asked(wanted: &str) -> Option<String> {
    let own = std::env::var("DOCKER_HOST").ok();
    let own = own.as_deref().and_then(|host| host.strip_prefix("unix://")).map(PathBuf::from);
    own.into_iter().chain(SOCKETS.map(PathBuf::from)).find_map(|socket| ask(&socket, wanted))
}

/// `GET /containers/NAME/json` of the Docker Engine API.
fn ask(socket: &Path, wanted: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(LATEST)).ok()?;
    stream.set_write_timeout(Some(LATEST)).ok()?;
    // Version 1.0: the answer is whole, and ends with the connection.
    let request = format!("GET /containers/{wanted}/json HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).ok()?;
    let body = answer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let answer: serde_json::Value = serde_json::from_slice(&answer[body..]).ok()?;
    Some(answer.get("Id")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sia-containers-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn engines_files_have_the_names() {
        let (docker, logs) = (folder("docker"), folder("logs"));
        std::fs::create_dir_all(docker.join(ID)).unwrap();
        std::fs::write(docker.join(ID).join("config.v2.json"), r#"{"ID":"x","Name":"/web-1"}"#).unwrap();
        let other = ID.replace('0', "f");
        std::fs::write(logs.join(format!("pod-7d9_shop_cart-{other}.log")), "").unwrap();
        assert_eq!(named("web-1", &docker, &logs), [ID]);
        assert_eq!(named("cart", &docker, &logs), [other]);
        assert!(named("web", &docker, &logs).is_empty() && named("shop", &docker, &logs).is_empty());
        std::fs::remove_dir_all(docker).unwrap();
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn an_engine_is_asked_on_its_socket() {
        let socket = folder("socket").join("engine.sock");
        let engine = UnixListener::bind(&socket).unwrap();
        let answers = std::thread::spawn(move || {
            for answer in
                [format!("HTTP/1.0 200 OK\r\n\r\n{{\"Id\":\"{ID}\"}}"), "HTTP/1.0 404 No\r\n\r\n{}".to_owned()]
            {
                let (mut client, _) = engine.accept().unwrap();
                let mut asked = [0; 256];
                let length = client.read(&mut asked).unwrap();
                assert!(asked[..length].starts_with(b"GET /containers/web/json HTTP/1.0\r\n"));
                client.write_all(answer.as_bytes()).unwrap();
            }
        });
        assert_eq!([ask(&socket, "web"), ask(&socket, "web")], [Some(ID.to_owned()), None]);
        answers.join().unwrap();
        std::fs::remove_dir_all(socket.parent().unwrap()).unwrap();
    }

    #[test]
    fn pods_are_found_by_their_uid_in_both_drivers_names() {
        let logs = folder("pods");
        std::fs::create_dir_all(logs.join("shop_cart-0_1f2e-33")).unwrap();
        assert_eq!(pod_uids("shop", "cart-0", &logs), ["1f2e-33"]);
        assert!(pod_uids("shop", "cart", &logs).is_empty());
        for component in ["pod1f2e-33", "kubepods-burstable-pod1f2e_33.slice"] {
            assert!(is_of_pod(component, "1f2e-33"), "{component}");
        }
        assert!(!is_of_pod("pod1f2e-334", "1f2e-33"));
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn ids_are_read_out_of_groups_names() {
        for component in [format!("docker-{ID}.scope"), ID.to_owned(), format!("pod1.slice:cri-containerd:{ID}")] {
            assert_eq!(id_in(&component), Some(ID), "{component}");
        }
        assert_eq!(id_in(&format!("libpod-conmon-{ID}.scope")), None);
        assert_eq!(id_in(&format!("crio-conmon-{ID}.scope")), None);
        assert_eq!(id_in("web.service"), None);
    }
}
