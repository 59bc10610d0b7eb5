//! process/unix_peer: whom a unix socket is connected to, which /proc does not tell: sock_diag(7),
//! one question for one socket. It sees the network namespace of this process only.

use std::fs;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

// Of include/uapi/linux/sock_diag.h, unix_diag.h and netlink.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
const AF_UNIX: u8 = 1;
/// `struct nlmsghdr` and `struct unix_diag_msg`: the attributes follow.
const HEADERS: usize = 16 + 16;
/// `struct nlmsghdr` and `struct unix_diag_req`.
const REQUEST: u32 = 16 + 24;

/// Whether a process, by its directory of /proc, has the network namespace of this one.
pub(crate) fn in_own_namespace(dir: &str) -> bool {
    let link = |dir: &str| fs::read_link(format!("{dir}/ns/net")).ok();
    link("/proc/self").is_some_and(|own| link(dir) == Some(own))
}

/// The inode at the other end; `None` where there is none, or the kernel has no CONFIG_UNIX_DIAG.
pub(crate) fn peer(inode: u64) -> Option<u64> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG)).ok()?;
    send(&socket, &request(u32::try_from(inode).ok()?), SendFlags::empty()).ok()?;
    let mut answer = [0_u8; 1024];
    // The kernel has answered by the time that send returns.
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT).ok()?;
    parse(answer.get(..length)?)
}

fn request(inode: u32) -> Vec<u8> {
    let mut message = Vec::with_capacity(REQUEST as usize);
    message.extend(REQUEST.to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    // Sequence number and port.
    message.extend([0; 8]);
    // Family, protocol, padding.
    message.extend([AF_UNIX, 0, 0, 0]);
    // Every state, this inode, the peer only, and no cookie to compare.
    for word in [u32::MAX, inode, UDIAG_SHOW_PEER, u32::MAX, u32::MAX] {
        message.extend(word.to_ne_bytes());
    }
    message
}

fn parse(answer: &[u8]) -> Option<u64> {
    let half = |bytes: &[u8]| Some(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
    // An error has another type.
    if half(answer.get(4..)?)? != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let mut attributes = answer.get(HEADERS..)?;
    loop {
        let length = usize::from(half(attributes)?);
        if half(attributes.get(2..)?)? == UNIX_DIAG_PEER {
            return Some(u32::from_ne_bytes(attributes.get(4..8)?.try_into().ok()?).into()).filter(|&inode| inode != 0);
        }
        // At least its own header, or this would never end; padded to four bytes.
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_socket_pair_knows_each_other() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let inode = |fd| {
            let link = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
            let text = link.to_str().unwrap().to_owned();
            text.trim_start_matches("socket:[").trim_end_matches(']').parse::<u64>().unwrap()
        };
        let (first, second) = (inode(one.as_raw_fd()), inode(other.as_raw_fd()));
        // Kernels without CONFIG_UNIX_DIAG answer nothing.
        if let Some(found) = peer(first) {
            assert_eq!((found, peer(second)), (second, Some(first)));
        }
        assert_eq!(peer(u64::from(u32::MAX) - 1), None);
        assert!(in_own_namespace("/proc/self"));
    }

    #[test]
    fn broken_answers_are_no_peer() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0; 64]), None);
        let mut answer = vec![0; HEADERS];
        answer[4] = 20;
        assert_eq!(parse(&answer), None);
        answer.extend([0; 8]);
        assert_eq!(parse(&answer), None);
    }
}
