//! process/runtime: what a process runs in: an interpreter or a virtual machine, known by its
//! executable and by what it has mapped, with the version and the packages that matter here.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use object::{Object as _, read::ReadCache};

use super::{proc, single::Process};
use crate::quantity::Tgid;

/// What a process runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunsIn {
    /// CPython, its own or a library in another program.
    CPython {
        /// The version, `3.11` for example.
        version: String,
        /// Of the packages that were asked for, those that it can import.
        packages: Vec<&'static str>,
    },
    /// A virtual machine of OpenJDK's family.
    Jvm {
        /// For example 21.0.5; empty where its files do not say.
        version: String,
    },
    /// One whose own ways of waiting are not priced.
    Other {
        /// Its name, from its executable or a mapped library.
        what: OtherRuntime,
        /// For example 3.1; empty where no name says it.
        version: String,
    },
}

/// Runtimes that are recognised, so that their programs are not priced as machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherRuntime {
    Node,
    Deno,
    Bun,
    /// What Go links into its programs.
    Go,
    /// The virtual machine of Erlang and Elixir.
    Beam,
    DotNet,
    Ruby,
    /// PHP, its own programs or a module in another.
    Php,
    Perl,
    PyPy,
}

/// A runtime, how its executable's name begins, and that of its library in another program.
type Names = (OtherRuntime, &'static [u8], Option<&'static [u8]>);

const OTHERS: [Names; 9] = [
    (OtherRuntime::Node, b"node", Some(b"libnode.so")),
    (OtherRuntime::Deno, b"deno", None),
    (OtherRuntime::Bun, b"bun", None),
    (OtherRuntime::Beam, b"beam", None),
    (OtherRuntime::DotNet, b"dotnet", Some(b"libcoreclr.so")),
    (OtherRuntime::Ruby, b"ruby", Some(b"libruby")),
    (OtherRuntime::Php, b"php", Some(b"libphp")),
    // A library of Perl's is in many programs that hardly use it.
    (OtherRuntime::Perl, b"perl", None),
    (OtherRuntime::PyPy, b"pypy", Some(b"libpypy")),
];

/// What `process` runs in; `None` for machine code without such a runtime, and where the rights to
/// look are missing. `packages` are those of Python that matter.
pub fn runs_in(process: &Process, packages: &[&'static str]) -> Option<RunsIn> {
    let exe = process.exe.as_deref()?;
    let mapped = mapped_files(process.tgid);
    let name = exe.file_name().map(OsStr::as_bytes).unwrap_or_default();
    let python = mapped.iter().map(PathBuf::as_path).chain([exe]).find_map(python_version);
    if let Some(version) = python.filter(|_| name.starts_with(b"python") || is_library(&mapped, b"libpython3")) {
        let found =
            |package: &&&str| site_folders(process, exe, &mapped, &version).any(|dir| dir.join(package).is_dir());
        let packages = packages.iter().filter(found).copied().collect();
        return Some(RunsIn::CPython { version, packages });
    }
    if let Some(library) = mapped.iter().find(|path| path.ends_with("libjvm.so")) {
        return Some(RunsIn::Jvm { version: java_version(process.tgid, library).unwrap_or_default() });
    }
    if let Some((what, version)) = other(name, &mapped) {
        return Some(RunsIn::Other { what, version });
    }
    is_go(process.tgid).then(|| RunsIn::Other { what: OtherRuntime::Go, version: String::new() })
}

/// One of [`OTHERS`], with the version in the name that it was recognised by.
fn other(exe: &[u8], mapped: &[PathBuf]) -> Option<(OtherRuntime, String)> {
    let by_exe = || OTHERS.iter().find(|(_, start, _)| is_named(exe, start)).map(|(what, ..)| (*what, exe));
    let by_library = || {
        let names = mapped.iter().filter_map(|path| path.file_name()).map(OsStr::as_bytes);
        let libraries = OTHERS.iter().filter_map(|(what, _, library)| Some((*what, (*library)?)));
        let named = |(what, start): (OtherRuntime, &[u8])| {
            names.clone().find(|name| name.starts_with(start)).map(|name| (what, name))
        };
        libraries.into_iter().find_map(named)
    };
    let (what, name) = by_exe().or_else(by_library)?;
    Some((what, version_in(name)))
}

/// Whether an executable is a runtime's: its name, what kind of program it is, and its version, as
/// in `php-fpm8.2`, `beam.smp` and `nodejs`.
fn is_named(exe: &[u8], runtime: &[u8]) -> bool {
    let Some(rest) = exe.strip_prefix(runtime) else { return false };
    matches!(rest.first(), None | Some(b'-' | b'.' | b'0'..=b'9')) || rest == b"js"
}

/// `3.1` of `ruby3.1` and `libruby-3.1.so.3.1.2`.
fn version_in(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let digits = text.chars().skip_while(|c| !c.is_ascii_digit());
    digits.take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>().trim_end_matches('.').to_owned()
}

/// The files that a process has mapped, each once, as its own mount namespace names them.
fn mapped_files(tgid: Tgid) -> Vec<PathBuf> {
    let maps = proc::read(&format!("/proc/{tgid}/maps")).unwrap_or_default();
    let path = |line: &[u8]| {
        let at = line.iter().position(|&b| b == b'/')?;
        Some(PathBuf::from(OsStr::from_bytes(&line[at..])))
    };
    let mut files: Vec<PathBuf> = maps.split(|&b| b == b'\n').filter_map(path).collect();
    files.sort_unstable();
    files.dedup();
    files
}

fn is_library(mapped: &[PathBuf], start: &[u8]) -> bool {
    mapped.iter().filter_map(|path| path.file_name()).any(|name| name.as_bytes().starts_with(start))
}

/// `3.11`, from a name like `python3.11` or `libpython3.11.so.1.0` anywhere in a path.
fn python_version(path: &Path) -> Option<String> {
    let version = |part: &OsStr| {
        let text = part.to_str()?;
        let rest = text.strip_prefix("lib").unwrap_or(text).strip_prefix("python3.")?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!minor.is_empty()).then(|| format!("3.{minor}"))
    };
    path.iter().rev().find_map(version)
}

/// Where packages of this Python may be, seen from here.
fn site_folders<'a>(
    process: &'a Process,
    exe: &Path,
    mapped: &'a [PathBuf],
    version: &str,
) -> impl Iterator<Item = PathBuf> + 'a {
    let below = |prefix: &Path, kind: &str| prefix.join(format!("lib/python{version}/{kind}-packages"));
    // A virtual environment's interpreter is a link, and the process was started through it.
    let started = process.cmdline.first().map(Path::new).filter(|path| path.is_absolute());
    let prefixes = started.into_iter().chain([exe]).filter_map(|path| path.parent()?.parent());
    let mut found: Vec<PathBuf> = prefixes.map(|prefix| below(prefix, "site")).collect();
    found.push("/usr/lib/python3/dist-packages".into());
    found.push(below(Path::new("/usr/local"), "dist"));
    let is_site = |path: &&Path| path.ends_with("site-packages") || path.ends_with("dist-packages");
    let loaded = mapped.iter().filter_map(move |path| path.ancestors().find(is_site)).map(Path::to_owned);
    found.into_iter().chain(loaded).map(|path| inside(process.tgid, &path))
}

/// A path that `/proc` has for a process, as the process itself would name it: after a `chroot`,
/// the kernel's name begins with the new root.
pub fn as_it_names(tgid: Tgid, path: &Path) -> PathBuf {
    let root = std::fs::read_link(format!("/proc/{tgid}/root")).unwrap_or_else(|_| "/".into());
    path.strip_prefix(root).map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
}

/// A path of the process's own mount namespace, seen from here.
fn inside(tgid: Tgid, path: &Path) -> PathBuf {
    let path = as_it_names(tgid, path);
    Path::new(&format!("/proc/{tgid}/root")).join(path.strip_prefix("/").unwrap_or(&path))
}

/// From the file `release` of the Java home that the library is in: `lib/server/libjvm.so`, with
/// another folder between them before Java 9.
fn java_version(tgid: Tgid, library: &Path) -> Option<String> {
    let release = library.ancestors().skip(3).take(3).map(|home| inside(tgid, &home.join("release")));
    let text = release.filter_map(|path| std::fs::read_to_string(path).ok()).next()?;
    let value = text.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    let plain: String = value.chars().filter(|c| c.is_ascii_alphanumeric() || "._+-".contains(*c)).take(32).collect();
    (!plain.is_empty()).then_some(plain)
}

fn is_go(tgid: Tgid) -> bool {
    let Ok(file) = File::open(format!("/proc/{tgid}/exe")) else { return false };
    let cache = ReadCache::new(file);
    object::File::parse(&cache).is_ok_and(|elf| elf.section_by_name(".go.buildinfo").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_version_is_read_from_names() {
        for (path, want) in [
            ("/usr/bin/python3.11", Some("3.11")),
            ("/usr/lib/x86_64-linux-gnu/libpython3.9.so.1.0", Some("3.9")),
            ("/opt/v/lib/python3.12/lib-dynload/_socket.cpython-312-x86_64-linux-gnu.so", Some("3.12")),
            ("/usr/bin/python3", None),
            ("/usr/bin/python2.7", None),
        ] {
            assert_eq!(python_version(Path::new(path)).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn other_runtimes_are_told_by_their_executables_and_their_libraries() {
        use OtherRuntime::{Beam, DotNet, Node, Perl, Php, PyPy, Ruby};
        let recognised = |exe: &str, mapped: &str| other(exe.as_bytes(), &[PathBuf::from(mapped)]);
        let cases = [
            ("nodejs", "", Node, ""),
            ("beam.smp", "", Beam, ""),
            ("ruby3.1", "", Ruby, "3.1"),
            ("passenger", "/usr/lib/libruby-3.1.so.3.1.2", Ruby, "3.1"),
            ("php-fpm8.2", "", Php, "8.2"),
            ("apache2", "/usr/lib/apache2/modules/libphp8.2.so", Php, "8.2"),
            ("perl5.36-x86_64-linux-gnu", "", Perl, "5.36"),
            ("pypy3", "", PyPy, "3"),
            ("MyServer", "/opt/app/libcoreclr.so", DotNet, ""),
        ];
        for (exe, mapped, what, version) in cases {
            assert_eq!(recognised(exe, mapped), Some((what, version.to_owned())), "{exe} {mapped}");
        }
        for exe in ["node_exporter", "bunyan", "phpize", "rubyist", "denounce", "nginx"] {
            assert_eq!(recognised(exe, "/lib/libc.so.6"), None, "{exe}");
        }
    }

    #[test]
    fn a_program_in_machine_code_runs_in_nothing() {
        let own = Process::read(Tgid::from_raw(std::process::id())).unwrap();
        assert_eq!(runs_in(&own, &[]), None);
    }

    #[test]
    fn an_interpreter_is_known_while_it_runs() {
        let started = std::process::Command::new("python3")
            .args(["-c", "import sys, time; print(flush=True); time.sleep(60)"])
            .stdout(std::process::Stdio::piped())
            .spawn();
        let Ok(mut python) = started else {
            eprintln!("SKIPPED (no python3 here)");
            return;
        };
        let mut said = [0];
        std::io::Read::read_exact(python.stdout.as_mut().unwrap(), &mut said).unwrap();
        let seen = runs_in(&Process::read(Tgid::from_raw(python.id())).unwrap(), &["no-such-package"]);
        python.kill().unwrap();
        python.wait().unwrap();
        let Some(RunsIn::CPython { version, packages }) = seen else { panic!("{seen:?}") };
        assert!(version.starts_with("3.") && packages.is_empty(), "{version} {packages:?}");
    }
}
