//! process/sockets: the socket tables of the target's network namespace, by inode. Formats:
//! proc_net(5), net/ipv4/tcp_ipv4.c (`tcp4_seq_show`), net/ipv4/udp.c, net/unix/af_unix.c
//! (`unix_seq_show`).

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

/// `TCP_LISTEN` of include/net/tcp_states.h.
const TCP_LISTEN: u8 = 0x0a;
/// `__SO_ACCEPTCON` of include/uapi/linux/net.h: the unix socket listens.
const SO_ACCEPTCON: u32 = 0x1_0000;
/// A table is read again for an inode that it lacks, but not sooner than this, and not sooner than
/// a multiple of what reading it took: a server with 100,000 sockets and a thousand new ones a
/// second must not be read all the time.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(500);
const READ_AGAIN_COST: u32 = 50;

/// One table of /proc/PID/net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Tcp,
    Tcp6,
    Udp,
    Udp6,
    Unix,
}

impl Table {
    pub(crate) const ALL: [Self; 5] = [Self::Tcp, Self::Tcp6, Self::Udp, Self::Udp6, Self::Unix];

    fn file(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tcp6 => "tcp6",
            Self::Udp => "udp",
            Self::Udp6 => "udp6",
            Self::Unix => "unix",
        }
    }

    pub(crate) fn is_udp(self) -> bool {
        matches!(self, Self::Udp | Self::Udp6)
    }
}

/// What a table says about one socket. Small, because there can be very many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    V4 { local: SocketAddrV4, peer: SocketAddrV4, listening: bool },
    V6 { ends: Box<(SocketAddrV6, SocketAddrV6)>, listening: bool },
    Unix { name: Option<Box<str>>, listening: bool },
}

impl Entry {
    /// Local and peer address; an end that is not bound or connected has port 0.
    pub(crate) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::V4 { local, peer, .. } => Some(((*local).into(), (*peer).into())),
            Self::V6 { ends, .. } => Some((ends.0.into(), ends.1.into())),
            Self::Unix { .. } => None,
        }
    }

    pub(crate) fn listening(&self) -> bool {
        match self {
            Self::V4 { listening, .. } | Self::V6 { listening, .. } | Self::Unix { listening, .. } => *listening,
        }
    }
}

/// The tables of one network namespace, each read when first asked for.
#[derive(Debug)]
pub(crate) struct SocketTable {
    /// The process's folder in `/proc`.
    dir: String,
    tables: HashMap<Table, Read>,
}

#[derive(Debug)]
struct Read {
    sockets: HashMap<u64, Entry>,
    listening_ports: HashSet<u16>,
    at: Instant,
    took: Duration,
}

impl SocketTable {
    pub(crate) fn new(dir: String) -> Self {
        Self { dir, tables: HashMap::new() }
    }

    /// Looks a socket up, in a fresh copy of the table where it is missing and the copy is old
    /// enough.
    pub(crate) fn find(&mut self, table: Table, inode: u64) -> Option<&Entry> {
        let again = self.tables.get(&table).is_none_or(|read| {
            let old = read.at.elapsed() >= READ_AGAIN_AFTER.max(read.took * READ_AGAIN_COST);
            old && !read.sockets.contains_key(&inode)
        });
        if again {
            self.tables.insert(table, Read::new(&self.dir, table));
        }
        self.tables.get(&table)?.sockets.get(&inode)
    }

    /// Whether a TCP socket of the namespace listens on the port: connections with it as local port
    /// came in.
    pub(crate) fn is_listening_port(&mut self, port: u16) -> bool {
        [Table::Tcp, Table::Tcp6].into_iter().any(|table| {
            let read = self.tables.entry(table).or_insert_with(|| Read::new(&self.dir, table));
            read.listening_ports.contains(&port)
        })
    }
}

impl Read {
    fn new(dir: &str, table: Table) -> Self {
        let at = Instant::now();
        let mut read = Self { sockets: HashMap::new(), listening_ports: HashSet::new(), at, took: Duration::ZERO };
        if let Ok(file) = File::open(format!("{dir}/net/{}", table.file())) {
            read.fill(table, BufReader::with_capacity(1 << 16, file));
        }
        read.took = at.elapsed();
        read
    }

    /// A line that is not understood is left out; a table that breaks off keeps what was read.
    fn fill(&mut self, table: Table, mut lines: impl BufRead) {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            let parsed = if table == Table::Unix { parse_unix(&text) } else { parse_inet(&text, table.is_udp()) };
            // Inode 0: a connection in TIME_WAIT, which no descriptor has any more.
            if let Some((inode, entry)) = parsed.filter(|(inode, _)| *inode != 0) {
                if let (true, Some((local, _))) = (entry.listening(), entry.ends()) {
                    self.listening_ports.insert(local.port());
                }
                self.sockets.insert(inode, entry);
            }
            line.clear();
        }
    }
}

/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …`
fn parse_inet(line: &str, udp: bool) -> Option<(u64, Entry)> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (local, peer) = (parse_address(fields.next()?)?, parse_address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    let listening = !udp && state == TCP_LISTEN;
    let entry = match (local, peer) {
        (SocketAddr::V4(local), SocketAddr::V4(peer)) => Entry::V4 { local, peer, listening },
        (local, peer) => Entry::V6 { ends: Box::new((widened(local), widened(peer))), listening },
    };
    Some((inode, entry))
}

fn widened(address: SocketAddr) -> SocketAddrV6 {
    match address {
        SocketAddr::V4(v4) => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0),
        SocketAddr::V6(v6) => v6,
    }
}

/// `0100007F:1F90`: the address as words in the machine's byte order, the port as a number. An IPv4
/// address in an IPv6 socket comes out as IPv4.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// `Num: RefCount Protocol Flags Type St Inode Path`; the path may hold spaces, an abstract name
/// starts with `@`.
fn parse_unix(line: &str) -> Option<(u64, Entry)> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.trim_start_matches(' ').split_once(' ')?;
        rest = after;
        Some(field)
    };
    let flags = (field(), field(), field(), field()).3?;
    _ = (field(), field());
    let rest = rest.trim_start_matches(' ');
    let (inode, name) = rest.split_once(' ').unwrap_or((rest, ""));
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let name = (!name.is_empty()).then(|| super::proc::printable(name.as_bytes()).into_boxed_str());
    Some((inode.parse().ok()?, Entry::Unix { name, listening: flags & SO_ACCEPTCON != 0 }))
}

#[cfg(fuzzing)]
pub(super) fn fuzz(text: &[u8]) {
    for line in String::from_utf8_lossy(text).lines() {
        let entries = [parse_inet(line, false), parse_inet(line, true), parse_unix(line)];
        let _ = entries.map(|entry| entry.map(|(_, entry)| (entry.ends(), entry.listening())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: Table, text: &str) -> Read {
        let mut read =
            Read { sockets: HashMap::new(), listening_ports: HashSet::new(), at: Instant::now(), took: Duration::ZERO };
        read.fill(table, text.as_bytes());
        read
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn tcp_lines_become_addresses() {
        let read = read(
            Table::Tcp,
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1060 1 0 100\n\
             1: 0100007F:1F90 0100007F:C84B 01 00000000:00000000 00:00000000 00000000     0        0 1061 1 0\n\
             2: 0100007F:1F90 0100007F:C84C 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0\n\
             3: garbage\n",
        );
        assert_eq!(read.sockets.len(), 2);
        assert!(read.sockets[&1060].listening() && read.listening_ports.contains(&8080));
        let (local, peer) = read.sockets[&1061].ends().unwrap();
        assert_eq!((local.to_string().as_str(), peer.to_string().as_str()), ("127.0.0.1:8080", "127.0.0.1:51275"));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn ipv6_lines_become_addresses_and_mapped_ones_ipv4() {
        let address = |text| parse_address(text).unwrap().to_string();
        assert_eq!(address("00000000000000000000000001000000:0050"), "[::1]:80");
        assert_eq!(address("B80D0120000000000000000001000000:01BB"), "[2001:db8::1]:443");
        assert_eq!(address("0000000000000000FFFF00000100007F:1F90"), "127.0.0.1:8080");
        assert_eq!(parse_address("01:0050"), None);
    }

    #[test]
    fn unix_lines_keep_names_with_spaces() {
        let read = read(
            Table::Unix,
            "Num       RefCount Protocol Flags    Type St Inode Path\n\
             00000000c069706b: 00000003 00000000 00000000 0001 03  1056\n\
             000000009cfb6ab4: 00000002 00000000 00010000 0001 01 12345 /run/my app.sock\n\
             000000009cfb6ab4: 00000002 00000000 00000000 0002 01  1058 @abstract\n",
        );
        let name = |inode: u64| match &read.sockets[&inode] {
            Entry::Unix { name, listening } => (name.as_deref(), *listening),
            other => panic!("{other:?}"),
        };
        assert_eq!(name(1056), (None, false));
        assert_eq!(name(12345), (Some("/run/my app.sock"), true));
        assert_eq!(name(1058), (Some("@abstract"), false));
    }
}
