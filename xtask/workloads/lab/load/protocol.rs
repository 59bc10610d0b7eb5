//! What a connection of the load says, and what a whole reply is.

use anyhow::{Context as _, Result, bail, ensure};

/// Headers of a reply at most.
const HEADERS: usize = 64;
/// Bytes of an HTTP reply at most.
const REPLY: usize = 1 << 20;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";

/// What the load sends, and what it expects back.
#[derive(Clone, Debug)]
pub(super) enum Protocol {
    /// The reply is the request.
    Echo {
        /// Bytes of a request, and of its reply.
        bytes: usize,
    },
    /// `GET` of this path by HTTP/1.1, on a connection that is kept.
    Http { path: String },
    /// `PING` by the protocol of Redis.
    Redis,
}

impl Protocol {
    /// The request of a connection, and room for its reply.
    pub(super) fn buffers(&self, connection: u32) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Echo { bytes } => ((0..*bytes).map(|at| (at as u32 ^ connection) as u8).collect(), vec![0; *bytes]),
            Self::Http { path } => {
                let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
                (request.into_bytes(), vec![0; REPLY])
            }
            Self::Redis => (PING.to_vec(), vec![0; PONG.len()]),
        }
    }

    /// Makes a request differ from the one before, where the server gives it back.
    pub(super) fn stamp(&self, request: &mut [u8], stamp: u64) {
        match self {
            Self::Echo { .. } => request[..8].copy_from_slice(&stamp.to_le_bytes()),
            Self::Http { .. } | Self::Redis => {}
        }
    }

    /// Whether a reply is there as a whole. An error where it is not the one that is due.
    pub(super) fn is_whole(&self, request: &[u8], reply: &[u8]) -> Result<bool> {
        match self {
            Self::Echo { bytes } if reply.len() < *bytes => Ok(false),
            Self::Echo { .. } => {
                ensure!(reply == request, "a reply differs from its request");
                Ok(true)
            }
            Self::Http { .. } => whole_http(reply),
            Self::Redis => {
                ensure!(PONG.starts_with(reply), "no PONG");
                Ok(reply.len() == PONG.len())
            }
        }
    }
}

/// HTTP/1.1, RFC 9112: a length, or chunks.
fn whole_http(reply: &[u8]) -> Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = head.parse(reply).context("no HTTP reply")? else {
        ensure!(reply.len() < REPLY, "a reply of more than {REPLY} bytes");
        return Ok(false);
    };
    let code = head.code.unwrap_or(0);
    ensure!(code == 200, "status {code}");
    let header = |name: &str| head.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    ensure!(
        !header("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close")),
        "the server does not keep the connection"
    );
    if let Some(length) = header("content-length") {
        let length: usize = std::str::from_utf8(length)?.trim().parse().context("Content-Length")?;
        ensure!(reply.len() <= body + length, "more bytes than the reply has");
        return Ok(reply.len() == body + length);
    }
    ensure!(
        header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")),
        "a reply without a length"
    );
    whole_chunks(&reply[body..])
}

/// Chunks up to the empty one, without trailers.
fn whole_chunks(mut rest: &[u8]) -> Result<bool> {
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            ensure!(rest.len() < 20, "no size of a chunk");
            return Ok(false);
        };
        let end = start + size as usize + 2;
        match (size, rest.len()) {
            (_, have) if have < end => return Ok(false),
            (0, have) if have == end => return Ok(true),
            (0, _) => bail!("more bytes than the reply has"),
            _ => rest = &rest[end..],
        }
    }
}
