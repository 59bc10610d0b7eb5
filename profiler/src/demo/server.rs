//! The demo's server: a thread per connection, blocking reads and writes.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

use super::{DemoError, MESSAGE, die_with_parent, pin};

/// How the server runs.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    /// How long it lives.
    pub seconds: u64,
}

/// Serves until its time is over. Prints its port on stdout.
///
/// # Errors
/// No socket or no thread.
pub fn server(settings: &ServerSettings) -> Result<(), DemoError> {
    die_with_parent()?;
    pin(settings.cpu)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::Builder::new().name("accept".into()).spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { continue };
            // A thread that cannot be had closes its connection: the client sees it.
            let _ = std::thread::Builder::new().name(format!("conn-{i}")).spawn(move || serve(stream));
        }
    })?;
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{port}")?;
        out.flush()?;
    }
    std::thread::sleep(Duration::from_secs(settings.seconds));
    Ok(())
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut message = [0; MESSAGE];
    // Ends when the client closes.
    while stream.read_exact(&mut message).is_ok() {
        if stream.write_all(&message).is_err() {
            break;
        }
    }
}
