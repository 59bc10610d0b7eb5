//! A Docker engine of our own, in namespaces of its own: whatever ends it, the kernel ends what it
//! started and takes its mounts away, and it cannot reach the machine's firewall or forwarding.
//! Nothing of it is installed: Debian's packages are unpacked in a folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{languages::Image, outside, roots::Roots};
use crate::{
    exec,
    host::child::{Running, wait_until},
    pairs::needs::Place,
};

/// Debian's packages of the engine, and the library that only it needs.
const PACKAGES: [&str; 4] = ["docker.io", "containerd", "runc", "libdevmapper1.02.1"];
const STARTS_WITHIN: Duration = Duration::from_secs(30);
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// The container that holds the network namespace.
const HOLDER: &str = "sia-languages-holder";
/// The control groups of all containers are below this one.
const GROUP: &str = "sia-languages";
/// Folders that no image needs.
const LEFT_OUT: [&str; 6] =
    ["./proc/*", "./sys/*", "./var/lib/apt/*", "./var/cache/*", "./usr/share/doc/*", "*/jmods/*"];

/// An engine that runs.
pub(super) struct Docker {
    /// The unpacked packages.
    unpacked: PathBuf,
    /// Images and containers; removed at the end.
    data: PathBuf,
    /// Socket, pid file and state: a short path, because a socket's has at most 107 bytes.
    state: PathBuf,
    daemon: Option<Running>,
}

impl Docker {
    /// Starts the engine, and makes both images.
    pub(super) fn start(place: &Place, roots: &Roots, install: bool) -> Result<Self> {
        let unpacked = unpack(&place.folder.join("engine"), install)?;
        let data = place.folder.join("docker");
        let state = std::env::temp_dir().join(format!("{GROUP}-{}", std::process::id()));
        fs::create_dir_all(&state).with_context(|| format!("creating {}", state.display()))?;
        let mut docker = Self { unpacked, data, state, daemon: None };
        docker.daemon = Some(Running::start(&mut docker.daemon_command()?)?);
        wait_until("the Docker engine does not answer", STARTS_WITHIN, || {
            docker.daemon.as_mut().map_or(Ok(()), Running::check_alive)?;
            let asked = docker.client(&["version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
            Ok(asked.is_ok_and(|status| status.success()))
        })?;
        for image in [Image::Static, Image::Debian] {
            docker.import(image, roots.path(image))?;
        }
        // Some program that stays; its stdin is kept open.
        let mut holder = docker.client(&["run", "--detach", "--interactive", "--rm", "--name", HOLDER]);
        holder.args(["--network", "none", tag(Image::Static), "/c/lab", "serve"]);
        exec::output(&mut holder).context("no container that holds the network namespace")?;
        Ok(docker)
    }

    fn daemon_command(&self) -> Result<Command> {
        let config = self.state.join("daemon.json");
        fs::write(&config, "{}").with_context(|| format!("writing {}", config.display()))?;
        let at = |name: &str| self.state.join(name).display().to_string();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c"]);
        // Containers inherit its limit of descriptors.
        let enter = "ulimit -n $(ulimit -H -n); mount -t proc proc /proc && exec dockerd \"$@\"";
        command.args([enter, "sh", "--config-file", &at("daemon.json")]);
        command.arg("--data-root").arg(&self.data);
        command.args(["--exec-root", &at("exec"), "--pidfile", &at("pid")]);
        command.args(["--host", &format!("unix://{}", at("sock")), "--cgroup-parent", GROUP]);
        command.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]);
        command.args(["--bridge=none", "--exec-opt", "native.cgroupdriver=cgroupfs", "--log-level=error"]);
        self.environment(&mut command);
        Ok(command)
    }

    /// A command of the engine's client.
    fn client(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.unpacked.join("usr/bin/docker"));
        command.args(words).env("DOCKER_HOST", format!("unix://{}", self.state.join("sock").display()));
        command.env("DOCKER_CONFIG", &self.state).stdin(Stdio::null());
        self.environment(&mut command);
        command
    }

    /// Where the unpacked programs and libraries are.
    fn environment(&self, command: &mut Command) {
        let at = |folder: &str| self.unpacked.join(folder).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{}:{path}", at("usr/bin"), at("usr/sbin")));
        let arch = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
        command.env("LD_LIBRARY_PATH", format!("{}:{}", at(&format!("usr/{arch}")), at(&arch)));
    }

    /// Makes an image of a folder. Nothing is pulled.
    fn import(&self, image: Image, root: &Path) -> Result<()> {
        if !root.exists() {
            return Ok(());
        }
        let mut tar = Command::new("tar");
        tar.args(LEFT_OUT.iter().map(|left_out| format!("--exclude={left_out}")));
        tar.arg("-C").arg(root).args(["-c", "."]).stdout(Stdio::piped());
        let mut tar = tar.spawn().context("cannot start tar")?;
        let input = tar.stdout.take().context("tar has no stdout")?;
        let mut import = self.client(&["import", "-", tag(image)]);
        let imported = import.stdin(Stdio::from(input)).output().context("cannot start the engine's client")?;
        let packed = tar.wait().context("tar")?;
        let said = String::from_utf8_lossy(&imported.stderr);
        ensure!(imported.status.success(), "no image of {}: {}", root.display(), said.trim());
        ensure!(packed.success(), "tar of {}: {packed}", root.display());
        Ok(())
    }

    pub(super) fn version(&self) -> String {
        let asked = exec::output(&mut self.client(&["version", "--format", "{{.Server.Version}}"]));
        format!("Docker {}", asked.as_deref().map_or("of an unknown version", str::trim))
    }

    pub(super) fn command(&self, name: &str, image: Image, cpu: &str, words: &[String]) -> Command {
        let mut command = self.client(&["run", "--interactive", "--rm", "--name", name, "--cpuset-cpus", cpu]);
        command.args(["--network", &format!("container:{HOLDER}")]);
        // Its default profile has no calls of io_uring in newer versions.
        command.args(["--security-opt", "seccomp=unconfined", tag(image)]).args(words);
        command
    }

    /// The program of a container as we see it. The engine knows its number in its own namespace
    /// only, so it is found by its control group, which is named after the container.
    pub(super) fn program(&self, name: &str) -> Result<u32> {
        let id = exec::output(&mut self.client(&["inspect", "--format", "{{.Id}}", name]))?;
        let id = id.trim();
        let is_its = |pid: &u32| {
            let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let status = read("status");
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            let is_first = numbers.is_some_and(|all| all.split_whitespace().last() == Some("1"));
            is_first && read("cgroup").contains(id)
        };
        let all = fs::read_dir("/proc").context("reading /proc")?.flatten();
        let mut all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        all.find(is_its).with_context(|| format!("container {name} has no process"))
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // `unshare` does not hand signals on, so the engine itself is told.
            if let Ok(dockerd) = outside::only_child(daemon.pid()) {
                outside::signal(dockerd, rustix::process::Signal::TERM);
            }
            let _ = wait_until("ended", ENDS_WITHIN, || daemon.poll());
        }
        // Its mounts went with its namespace.
        for folder in [&self.data, &self.state] {
            let _ = fs::remove_dir_all(folder);
        }
        remove_groups();
    }
}

/// The engine leaves the group that its containers were in, in every hierarchy, and after a Ctrl-C
/// those of containers too.
fn remove_groups() {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let top = Path::new("/sys/fs/cgroup");
    for folder in std::iter::once(top.to_owned()).chain(inside(top)) {
        let group = folder.join(GROUP);
        // Files of a control group cannot be removed and need not be. Fails where it is not there,
        // or where a process is in it.
        for path in inside(&group).into_iter().chain([group]) {
            let _ = fs::remove_dir(path);
        }
    }
}

const fn tag(image: Image) -> &'static str {
    match image {
        Image::Static => "sia-static",
        Image::Debian => "sia-debian",
    }
}

/// Unpacks Debian's packages into a folder. They are not installed, because that would start the
/// engine as a service, which sets up the machine's firewall.
fn unpack(folder: &Path, install: bool) -> Result<PathBuf> {
    let root = folder.join("root");
    if root.join("usr/sbin/dockerd").exists() {
        return Ok(root);
    }
    ensure!(install, "no Docker engine in {}", folder.display());
    fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let mut download = Command::new("apt-get");
    download.current_dir(folder).args(["download", "-q", "-o", "APT::Sandbox::User=root"]).args(PACKAGES);
    exec::output(&mut download).context("fetching the Docker engine")?;
    let packages = fs::read_dir(folder).context("reading what was fetched")?.flatten().map(|entry| entry.path());
    for package in packages.filter(|path| path.extension().is_some_and(|end| end == "deb")) {
        exec::output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root))?;
        let _ = fs::remove_file(package);
    }
    Ok(root)
}
