//! process/descriptor: what a file descriptor of the target is, in words for people.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags};

use super::sockets::{Entry, SocketTable, Table};
use super::unix_peer;
use super::{deleted, proc};
use crate::{
    quantity::{Tgid, Tid},
    text::mountinfo::Mount,
};

/// How wide a descriptor may print, in columns; `{:#}` prints all of it.
const COLUMNS: usize = 40;

/// What a descriptor refers to, at the moment of looking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Descriptor {
    /// A regular file or a directory, as the target's mount namespace names it.
    Path {
        /// Without the mark that the kernel adds where it is deleted.
        path: PathBuf,
        /// No name leads to it any more.
        deleted: bool,
    },
    /// A character or block device, a terminal for example.
    Device(PathBuf),
    /// A named pipe, with its path.
    Fifo(PathBuf),
    Pipe {
        /// Number of the inode, the same on both ends.
        inode: u64,
    },
    /// A socket of the network. IPv4 addresses in IPv6 sockets are shown as IPv4.
    Socket {
        proto: Protocol,
        /// `None` where it is not bound.
        local: Option<SocketAddr>,
        /// `None` where it is not connected.
        peer: Option<SocketAddr>,
        /// Connections are accepted from it.
        listening: bool,
        /// The connection was accepted here: some socket of this namespace listens on its local
        /// port.
        inbound: bool,
    },
    Unix {
        /// Path, or abstract name with `@` before it. Accepted connections have their listener's;
        /// connecting ones none.
        name: Option<String>,
        /// The name of the other end, known only in the network namespace of this process.
        peer: Option<String>,
        /// Inode of the other end, known only in that namespace too.
        peer_inode: Option<u64>,
        /// Connections are accepted from it.
        listening: bool,
    },
    /// No file at all: `eventfd`, `eventpoll`, `timerfd`, `io_uring`, `memfd:…`, as the kernel
    /// calls it.
    Anon(String),
    /// Closed meanwhile, or the process has gone.
    Gone,
    /// The rights are missing (cap_dac_read_search and cap_sys_ptrace for other users' processes).
    Denied,
}

/// What a socket speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// As the kernel calls it, in lower case; `socket` where it does not say.
    Other(String),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// The descriptors of one process. Socket tables are read once and kept; a socket that is missing
/// makes them be read again, at most twice a second.
#[derive(Debug)]
pub struct DescriptorTable {
    /// Of /proc, see [`proc::shared_dir`].
    dir: String,
    /// The kernel can be asked for the peers of unix sockets only in this process's own network.
    own_network: bool,
    sockets: SocketTable,
}

/// Describes one descriptor; for several of them keep a [`DescriptorTable`].
pub fn describe(tgid: Tgid, fd: i32) -> Descriptor {
    DescriptorTable::new(tgid).describe(fd)
}

/// A line of `/proc/PID/fdinfo/FD`, without its name.
fn fdinfo(tgid: Tgid, fd: i32, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{tgid}/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// Whether a descriptor was opened with `O_DIRECT`: `flags` of `/proc/PID/fdinfo/FD`, octal.
/// `false` where that cannot be read.
pub fn opened_direct(tgid: Tgid, fd: i32) -> bool {
    let flags = fdinfo(tgid, fd, "flags:").and_then(|flags| i32::from_str_radix(&flags, 8).ok());
    flags.is_some_and(|flags| flags & libc::O_DIRECT != 0)
}

/// The device of the file system that an open file is on: major and minor number.
pub fn device_of(tgid: Tgid, fd: i32) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let device = std::fs::metadata(format!("/proc/{tgid}/fd/{fd}")).ok()?.dev();
    Some((rustix::fs::major(device), rustix::fs::minor(device)))
}

/// The name of the file system that an open file is on; `None` where it cannot be told. The file is
/// not asked: `statfs` waits for the NFS server that the target may be waiting for.
pub fn file_system_of(tgid: Tgid, fd: i32) -> Option<String> {
    let id: u64 = fdinfo(tgid, fd, "mnt_id:")?.parse().ok()?;
    let mounts = std::fs::read(format!("/proc/{tgid}/mountinfo")).ok()?;
    Mount::all(&mounts).find_map(|mount| (mount.id == id).then_some(mount.kind))
}

/// The descriptors that an epoll watches: `tfd` of `/proc/PID/fdinfo/FD`. The kernel locks the
/// epoll meanwhile: ask only about one in which a thread sleeps.
pub fn watched(tgid: Tgid, epoll: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{tgid}/fdinfo/{epoll}")).unwrap_or_default();
    let watched = text.lines().filter_map(|line| line.strip_prefix("tfd:"));
    watched.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
}

/// The descriptor that an epoll watches, if that is one.
pub fn only_watched(tgid: Tgid, epoll: i32) -> Option<i32> {
    let watched = watched(tgid, epoll);
    let [only] = watched.as_slice() else { return None };
    Some(*only)
}

/// The process that a thread belongs to.
pub fn process_of(tid: Tid) -> Option<Tgid> {
    proc::Status::read(tid.as_raw()).ok().map(|status| Tgid::from_raw(status.tgid))
}

impl DescriptorTable {
    /// Reads no socket table yet.
    pub fn new(tgid: Tgid) -> Self {
        let dir = proc::shared_dir(tgid.as_raw());
        Self { own_network: unix_peer::in_own_namespace(&dir), sockets: SocketTable::new(dir.clone()), dir }
    }

    /// What the descriptor is now.
    pub fn describe(&mut self, fd: i32) -> Descriptor {
        let link = format!("{}/fd/{fd}", self.dir);
        let path = match std::fs::read_link(&link) {
            Ok(path) => path,
            Err(error) if proc::is_denied(&error) => return Descriptor::Denied,
            Err(_) => return Descriptor::Gone,
        };
        let text = path.to_string_lossy();
        if text.starts_with('/') {
            return from_path(&link, &path);
        }
        match text.split_once(':') {
            Some(("socket", number)) => bracketed(number).map_or(Descriptor::Gone, |inode| self.socket(&link, inode)),
            Some(("pipe", number)) => Descriptor::Pipe { inode: bracketed(number).unwrap_or_default() },
            Some(("anon_inode", name)) => Descriptor::Anon(proc::printable(name.trim_matches(['[', ']']).as_bytes())),
            // `net:[4026531840]`, `pidfd:[12]`: the name of the file system says what it is.
            Some((kind, _)) => Descriptor::Anon(proc::printable(kind.as_bytes())),
            None => Descriptor::Anon(proc::printable(text.as_bytes())),
        }
    }

    fn socket(&mut self, link: &str, inode: u64) -> Descriptor {
        let name = protocol_name(link);
        let tables: &[Table] = match name.as_deref() {
            Some("TCP" | "MPTCP") => &[Table::Tcp],
            Some("TCPv6" | "MPTCPv6") => &[Table::Tcp6],
            Some("UDP") => &[Table::Udp],
            Some("UDPv6") => &[Table::Udp6],
            Some(name) if name.starts_with("UNIX") => &[Table::Unix],
            Some(_) => &[],
            None => &Table::ALL,
        };
        for &table in tables {
            let Some(entry) = self.sockets.find(table, inode) else {
                continue;
            };
            let listening = entry.listening();
            if let Entry::Unix { name, .. } = entry {
                let name = name.as_deref().map(str::to_owned);
                return self.unix(inode, name, listening);
            }
            let Some((local, peer)) = entry.ends() else { continue };
            let (local, peer) = (Some(local).filter(is_bound), Some(peer).filter(is_bound));
            let tcp = !table.is_udp();
            let inbound = tcp
                && !listening
                && peer.is_some()
                && local.is_some_and(|local| self.sockets.is_listening_port(local.port()));
            let proto = if tcp { Protocol::Tcp } else { Protocol::Udp };
            return Descriptor::Socket { proto, local, peer, listening, inbound };
        }
        // The socket is in no table: it was never bound or connected, is closed by now, or is of
        // another family.
        let proto = match name.as_deref() {
            Some("TCP" | "TCPv6") => Protocol::Tcp,
            Some("UDP" | "UDPv6") => Protocol::Udp,
            Some(name) if name.starts_with("UNIX") => {
                return self.unix(inode, None, false);
            }
            Some(name) => Protocol::Other(name.trim_start_matches("AF_").to_ascii_lowercase()),
            None => Protocol::Other("socket".into()),
        };
        Descriptor::Socket { proto, local: None, peer: None, listening: false, inbound: false }
    }

    fn unix(&mut self, inode: u64, name: Option<String>, listening: bool) -> Descriptor {
        let peer_inode = if self.own_network && !listening { unix_peer::peer(inode) } else { None };
        let peer = peer_inode.and_then(|peer| self.sockets.find(Table::Unix, peer));
        let peer = match peer {
            Some(Entry::Unix { name, .. }) => name.as_deref().map(str::to_owned),
            _ => None,
        };
        Descriptor::Unix { name, peer, peer_inode, listening }
    }
}

fn bracketed(text: &str) -> Option<u64> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn is_bound(address: &SocketAddr) -> bool {
    address.port() != 0
}

/// The protocol's name by the kernel (net/socket.c, `sockfs_xattr_get`), which saves reading the
/// wrong tables.
fn protocol_name(link: &str) -> Option<String> {
    let mut name = [0_u8; 64];
    let length = rustix::fs::getxattr(link, "system.sockprotoname", &mut name).ok()?;
    Some(proc::printable(name.get(..length)?.split(|&b| b == 0).next()?))
}

fn from_path(link: &str, path: &Path) -> Descriptor {
    // Without a sync: this call must not wait for the NFS server that the target waits for.
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    let stat = rustix::fs::statx(CWD, link, flags, StatxFlags::TYPE | StatxFlags::NLINK).ok();
    let marked = path.to_str().and_then(deleted::without_deleted);
    // A file may truly be called that.
    let marked = marked.filter(|_| stat.as_ref().is_none_or(|stat| stat.stx_nlink == 0));
    let name = marked.map_or_else(|| path.to_owned(), PathBuf::from);
    if let Some(memfd) = marked.and_then(|name| name.strip_prefix("/memfd:")) {
        return Descriptor::Anon(format!("memfd:{}", proc::printable(memfd.as_bytes())));
    }
    match stat.map(|stat| FileType::from_raw_mode(stat.stx_mode.into())) {
        Some(FileType::CharacterDevice | FileType::BlockDevice) => Descriptor::Device(name),
        Some(FileType::Fifo) => Descriptor::Fifo(name),
        _ => Descriptor::Path { path: name, deleted: marked.is_some() },
    }
}

/// At most 40 columns, the middle left out where it is longer; `{:#}` prints all of it.
impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = if f.alternate() { usize::MAX } else { COLUMNS };
        let path = |path: &Path, room: usize| shortened(&proc::printable(path.as_os_str().as_encoded_bytes()), room);
        let text = match self {
            Self::Path { path: name, deleted: false } => path(name, room),
            Self::Path { path: name, deleted: true } => {
                let room = room.saturating_sub(deleted::MARK.len());
                format!("{}{}", path(name, room), deleted::MARK)
            }
            Self::Device(name) => path(name, room),
            Self::Fifo(name) => format!("fifo {}", path(name, room.saturating_sub(5))),
            Self::Pipe { inode } => format!("pipe {inode}"),
            Self::Socket { proto, local, peer, listening, inbound } => {
                let arrow = if *inbound { '←' } else { '→' };
                match (local, peer) {
                    (Some(local), _) if *listening => format!("{proto} listen {local}"),
                    (Some(local), Some(peer)) => connection(proto, *local, arrow, *peer, room),
                    (Some(local), None) => format!("{proto} {local}"),
                    (None, Some(peer)) => format!("{proto} {arrow} {peer}"),
                    (None, None) if matches!(proto, Protocol::Other(_)) => proto.to_string(),
                    (None, None) => format!("{proto}, not connected"),
                }
            }
            Self::Unix { name: Some(name), listening: true, .. } => {
                format!("unix listen {}", shortened(name, room.saturating_sub(12)))
            }
            Self::Unix { name: Some(name), .. } => format!("unix {}", shortened(name, room.saturating_sub(5))),
            Self::Unix { name: None, peer: Some(peer), .. } => {
                format!("unix → {}", shortened(peer, room.saturating_sub(7)))
            }
            Self::Unix { name: None, .. } => "unix, no name".into(),
            Self::Anon(name) => shortened(name, room),
            Self::Gone => "closed meanwhile".into(),
            Self::Denied => "no rights to see it".into(),
        };
        f.pad(&text)
    }
}

/// Both ends; where that is too wide only the own port, and then the peer's network and host
/// without the middle.
fn connection(proto: &Protocol, local: SocketAddr, arrow: char, peer: SocketAddr, room: usize) -> String {
    let both = format!("{proto} {local} {arrow} {peer}");
    if both.chars().count() <= room {
        return both;
    }
    let port = local.port();
    let one = format!("{proto} :{port} {arrow} {peer}");
    match peer.ip() {
        IpAddr::V6(ip) if one.chars().count() > room => {
            format!("{proto} :{port} {arrow} [{}]:{}", without_middle(ip), peer.port())
        }
        _ => one,
    }
}

fn without_middle(ip: Ipv6Addr) -> String {
    let [a, b, .., y, z] = ip.segments();
    format!("{a:x}:{b:x}:…:{y:x}:{z:x}")
}

/// Keeps the start and, longer, the end: the file's own name says most.
fn shortened(text: &str, room: usize) -> String {
    let count = text.chars().count();
    if count <= room {
        return text.to_owned();
    }
    let head = room / 4;
    let tail = room.saturating_sub(head + 1);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

#[cfg(test)]
mod tests;
