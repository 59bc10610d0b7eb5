//! Where requests come in: a port of this machine alone, or a Unix socket.

use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _},
        net as unix,
    },
    path::{Path, PathBuf},
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
    time::Duration,
};

use rustix::{
    fs::FlockOperation,
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// What is listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of this machine's loopback.
    Local(SocketAddr),
    /// The path of a Unix socket, which its owner alone may use.
    Unix(PathBuf),
}

/// Why nothing can be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// It is no address.
    #[error("bad --listen '{0}': give an address like 127.0.0.1:9470 or [::1]:9470, or unix:PATH")]
    NoAddress(String),
    /// Others than this machine could reach it.
    #[error(
        "--listen {0} could be reached from other machines, and what is told here is not meant for everyone: give an \
         address of the loopback like 127.0.0.1:9470, or unix:PATH, and let a proxy that knows its users pass requests on"
    )]
    NotLocal(SocketAddr),
    /// Somebody else has it, or it is not allowed.
    #[error("cannot listen on {address}: {source}. Give another address with --listen")]
    Bind { address: Address, source: io::Error },
    /// There is no runtime.
    #[error("cannot start the server: {0}")]
    Runtime(io::Error),
}

impl FromStr for Address {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let address: SocketAddr = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => text.parse(),
        }
        .map_err(|_| ListenError::NoAddress(text.to_owned()))?;
        if address.ip().is_loopback() { Ok(Self::Local(address)) } else { Err(ListenError::NotLocal(address)) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What is listened on, before anyone is answered.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
    /// Is removed at the end.
    _path: Option<Removed>,
}

#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpListener),
    Unix(unix::UnixListener),
}

/// A socket that goes with its owner, where it is still its own.
#[derive(Debug)]
struct Removed {
    path: PathBuf,
    inode: u64,
}

impl Removed {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: std::fs::symlink_metadata(path)?.ino() })
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // It may be removed by hand just now.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Listener {
    /// Takes the address.
    ///
    /// # Errors
    /// Somebody else has it, or it is not allowed.
    pub fn bind(address: &Address) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind { address: address.clone(), source };
        let (socket, address, path) = match address {
            Address::Local(wanted) => {
                let socket = std::net::TcpListener::bind(wanted).map_err(failed)?;
                let bound = socket.local_addr().map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                (Socket::Tcp(socket), Address::Local(bound), None)
            }
            Address::Unix(path) => {
                let socket = bind_unix(path).map_err(failed)?;
                socket.set_nonblocking(true).map_err(failed)?;
                (Socket::Unix(socket), address.clone(), Some(Removed::new(path).map_err(failed)?))
            }
        };
        Ok(Self { socket, address, _path: path })
    }

    /// What is listened on, with the port that was given where none was named.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether a browser could be made to ask here.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.address, Address::Local(_))
    }

    /// Within the runtime.
    pub(super) fn ready(&self) -> Result<Ready, ListenError> {
        let ready = match &self.socket {
            Socket::Tcp(socket) => socket.try_clone().and_then(TcpListener::from_std).map(Ready::Tcp),
            Socket::Unix(socket) => socket.try_clone().and_then(UnixListener::from_std).map(Ready::Unix),
        };
        ready.map_err(ListenError::Runtime)
    }
}

/// A socket that its owner alone can connect to. One that nobody listens on any more is replaced.
fn bind_unix(path: &Path) -> io::Result<unix::UnixListener> {
    // Before any other thread exists: all of them share it.
    let before = rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o177));
    let bound = unix::UnixListener::bind(path).or_else(|error| {
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(error);
        }
        // Of two that start at once, the second one sees the first one's. Where others hold the
        // lock, or there is none to be had, that is left to chance.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _folder = std::fs::File::open(folder).ok().filter(is_locked);
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if !is_socket || !is_left_over(path)? {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        unix::UnixListener::bind(path)
    });
    rustix::process::umask(before);
    bound
}

/// Whether a lock could be had within a second. It goes with the file.
fn is_locked(file: &std::fs::File) -> bool {
    let again = |_: &u32| {
        let locked = rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !locked {
            std::thread::sleep(Duration::from_millis(50));
        }
        locked
    };
    (0..20).any(|attempt| again(&attempt))
}

/// Whether nobody listens there any more. Who does, but has no time, is not waited for.
fn is_left_over(path: &Path) -> io::Result<bool> {
    let kind = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC);
    let socket = rustix::net::socket_with(kind.0, kind.1, kind.2, None)?;
    let connected = rustix::net::connect(&socket, &SocketAddrUnix::new(path)?);
    Ok(connected == Err(Errno::CONNREFUSED))
}

/// What is accepted from.
pub(super) enum Ready {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Ready {
    pub(super) async fn accept(&self) -> io::Result<Client> {
        match self {
            Self::Tcp(socket) => socket.accept().await.map(|(client, _)| Client::Tcp(client)),
            Self::Unix(socket) => socket.accept().await.map(|(client, _)| Client::Unix(client)),
        }
    }
}

/// Who asks.
pub(super) enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for Client {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(client) => Pin::new(client).poll_read(context, buffer),
            Self::Unix(client) => Pin::new(client).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(client) => Pin::new(client).poll_write(context, bytes),
            Self::Unix(client) => Pin::new(client).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(client) => Pin::new(client).poll_flush(context),
            Self::Unix(client) => Pin::new(client).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(client) => Pin::new(client).poll_shutdown(context),
            Self::Unix(client) => Pin::new(client).poll_shutdown(context),
        }
    }
}
