//! target/descriptor's tests: on real descriptors of this very process.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixListener;

use super::*;

fn me() -> Tgid {
    Tgid::from_raw(std::process::id())
}

fn text(fd: RawFd) -> String {
    describe(me(), fd).to_string()
}

#[test]
fn both_ends_of_a_tcp_connection_point_the_right_way() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else {
            continue;
        };
        let at = listener.local_addr().unwrap();
        let client = TcpStream::connect(at).unwrap();
        let (server, from) = listener.accept().unwrap();
        let mut table = DescriptorTable::new(me());
        assert_eq!(table.describe(listener.as_raw_fd()).to_string(), format!("tcp listen {at}"));
        assert_eq!(table.describe(server.as_raw_fd()).to_string(), format!("tcp {at} ← {from}"));
        assert_eq!(table.describe(client.as_raw_fd()).to_string(), format!("tcp {from} → {at}"));
    }
}

#[test]
fn a_mapped_address_prints_as_ipv4() {
    let Ok(listener) = TcpListener::bind("[::]:0") else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let Ok(client) = TcpStream::connect(("127.0.0.1", port)) else {
        return;
    };
    let server = listener.accept().unwrap().0;
    let from = client.local_addr().unwrap();
    assert_eq!(text(server.as_raw_fd()), format!("tcp 127.0.0.1:{port} ← {from}"));
}

#[test]
fn a_socket_made_after_the_table_was_read_is_found_later() {
    let mut table = DescriptorTable::new(me());
    let first = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(table.describe(first.as_raw_fd()).to_string(), format!("udp {}", first.local_addr().unwrap()));
    let second = UdpSocket::bind("127.0.0.1:0").unwrap();
    let want = format!("udp {}", second.local_addr().unwrap());
    let soon = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while table.describe(second.as_raw_fd()).to_string() != want {
        assert!(std::time::Instant::now() < soon);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn unix_sockets_have_their_listeners_name() {
    let dir = std::env::temp_dir().join(format!("descriptor-test-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("a socket");
    let listener = UnixListener::bind(&path).unwrap();
    let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let server = listener.accept().unwrap().0;
    assert_eq!(format!("{:#}", describe(me(), listener.as_raw_fd())), format!("unix listen {}", path.display()));
    assert_eq!(format!("{:#}", describe(me(), server.as_raw_fd())), format!("unix {}", path.display()));
    // Kernels without CONFIG_UNIX_DIAG know no peers.
    let connecting = format!("{:#}", describe(me(), client.as_raw_fd()));
    assert!([format!("unix → {}", path.display()), "unix, no name".into()].contains(&connecting), "{connecting}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn files_devices_pipes_and_the_rest() {
    let path = std::env::temp_dir().join(format!("descriptor-test-{} (deleted)", std::process::id()));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"x").unwrap();
    assert_eq!(describe(me(), file.as_raw_fd()), Descriptor::Path { path: path.clone(), deleted: false });
    std::fs::remove_file(&path).unwrap();
    assert_eq!(describe(me(), file.as_raw_fd()), Descriptor::Path { path: path.clone(), deleted: true });
    let null = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(describe(me(), null.as_raw_fd()), Descriptor::Device("/dev/null".into()));
    let (one, other) = std::io::pipe().unwrap();
    assert_eq!(describe(me(), one.as_raw_fd()), describe(me(), other.as_raw_fd()));
    assert!(text(one.as_raw_fd()).starts_with("pipe "));
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
    assert_eq!(text(event.as_raw_fd()), "eventfd");
    let memory = rustix::fs::memfd_create("secret", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    assert_eq!(text(memory.as_raw_fd()), "memfd:secret");
    assert_eq!(text(1 << 20), "closed meanwhile");
    let unconnected =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    assert_eq!(text(unconnected.as_raw_fd()), "tcp, not connected");
    let netlink = rustix::net::socket(rustix::net::AddressFamily::NETLINK, rustix::net::SocketType::RAW, None).unwrap();
    assert_eq!(text(netlink.as_raw_fd()), "netlink");
}

#[test]
fn nothing_prints_wider_than_its_column() {
    let long = PathBuf::from(format!("/var/lib/{}/base/16384/2619", "postgresql/".repeat(9)));
    let peer: SocketAddr = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:51234".parse().unwrap();
    let socket = Descriptor::Socket {
        proto: Protocol::Tcp,
        local: Some(peer),
        peer: Some(peer),
        listening: false,
        inbound: true,
    };
    assert_eq!(socket.to_string(), "tcp :51234 ← [2001:db8:…:370:7348]:51234");
    assert_eq!(format!("{socket:#}"), format!("tcp {peer} ← {peer}"));
    let all = [
        Descriptor::Path { path: long.clone(), deleted: false },
        Descriptor::Path { path: long.clone(), deleted: true },
        Descriptor::Fifo(long.clone()),
        Descriptor::Unix { name: Some(long.display().to_string()), peer: None, peer_inode: None, listening: true },
        socket,
    ];
    for descriptor in all {
        assert!(descriptor.to_string().chars().count() <= COLUMNS, "{descriptor}");
    }
    let path = Descriptor::Path { path: long, deleted: false }.to_string();
    assert!(path.ends_with("/base/16384/2619"), "{path}");
}
