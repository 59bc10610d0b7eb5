//! What a guest boots into: an archive of files, and the script that runs the tests in it.
//!
//! Not compressed: an emulated CPU unpacks more slowly than QEMU copies.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

use super::case::Case;

/// What a guest prints before a test, and with its exit code after it.
pub(super) const BEGIN: &str = "BEGIN-";
pub(super) const RESULT: &str = "RC-";

const PREPARE: &str = r#"#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /var/tmp /root /etc /usr/bin /sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t ext4 /dev/nvme0n1 /var/tmp
exec </dev/null >/dev/console 2>&1
ifconfig lo up
export PATH=/bin HOME=/root TMPDIR=/tmp CI=true RUST_BACKTRACE=1 SIA_EMULATED=1
export RUSTC_BOOTSTRAP=1
cd /root
ulimit -n 65536
uname -a
run() {
  name=$1 limit=$2
  shift 2
  echo "BEGIN-$name"
  read begin idle </proc/uptime
  timeout -s KILL "$limit" "$@"
  rc=$?
  read end idle </proc/uptime
  echo "RC-$name $rc $begin $end"
}
"#;

/// Writes a guest's archive: files by their paths in the guest, with links.
pub(super) struct Archive {
    out: BufWriter<File>,
    folders: std::collections::BTreeSet<String>,
    inode: u32,
}

impl Archive {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { out: BufWriter::new(file), folders: std::collections::BTreeSet::new(), inode: 0 })
    }

    /// A program, from a file of this machine. `to` has no slash in front.
    pub(super) fn program(&mut self, from: &Path, to: &str) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        self.entry(to, ModeFileType::Regular, 0o755, &bytes)
    }

    pub(super) fn link(&mut self, at: &str, to: &str) -> Result<()> {
        self.entry(at, ModeFileType::Symlink, 0o777, to.as_bytes())
    }

    /// The script, and the end of the archive.
    pub(super) fn finish(mut self, script: &str) -> Result<()> {
        self.entry("init", ModeFileType::Regular, 0o755, script.as_bytes())?;
        trailer(&mut self.out)?;
        self.out.flush()?;
        Ok(())
    }

    fn entry(&mut self, path: &str, kind: ModeFileType, mode: u32, bytes: &[u8]) -> Result<()> {
        for (end, _) in path.match_indices('/') {
            let folder = path[..end].to_owned();
            if self.folders.insert(folder.clone()) {
                self.write(&folder, ModeFileType::Directory, 0o755, &[])?;
            }
        }
        self.write(path, kind, mode, bytes)
    }

    fn write(&mut self, path: &str, kind: ModeFileType, mode: u32, bytes: &[u8]) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(bytes.len()).context("a file of more than 4 GiB")?;
        let entry = Builder::new(path).ino(self.inode).mode(mode).set_mode_file_type(kind);
        let mut writer = entry.write(&mut self.out, size);
        writer.write_all(bytes)?;
        writer.finish()?;
        Ok(())
    }
}

/// The script of a guest that runs these one after the other and powers off.
pub(super) fn script(cases: &[&Case]) -> String {
    let mut text = PREPARE.to_owned();
    for case in cases {
        let words: Vec<String> = case.command.iter().map(|word| quoted(word)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "run {} {} {}", case.name, case.limit.as_secs(), words.join(" "));
    }
    text.push_str("poweroff -f\n");
    text
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_script_runs_each_and_powers_off() {
        let limit = Duration::from_secs(9);
        let case = Case { name: "say".into(), command: vec!["sh".into(), "-c".into(), "echo 'a'".into()], limit };
        let script = script(&[&case]);
        assert!(script.ends_with("run say 9 'sh' '-c' 'echo '\\''a'\\'''\npoweroff -f\n"), "{script}");
        assert!(script.contains(&format!("\"{BEGIN}$name\"")) && script.contains(&format!("\"{RESULT}$name ")));
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let path = std::env::temp_dir().join(format!("xtask-archive-{}", std::process::id()));
        let mut archive = Archive::create(&path).expect("a temporary file");
        archive.link("a/b/c", "/x").and_then(|()| archive.link("a/d", "/y")).expect("written");
        archive.finish("#!").expect("written");
        let mut names = Vec::new();
        let mut rest = File::open(&path).expect("just written");
        loop {
            let reader = cpio::newc::Reader::new(rest).expect("an entry");
            if reader.entry().is_trailer() {
                break;
            }
            names.push(reader.entry().name().to_owned());
            rest = reader.finish().expect("its end");
        }
        fs::remove_file(&path).expect("removed");
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/d", "init"]);
    }
}
