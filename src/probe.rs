//! Looking at a cluster from outside, as its users do: connections, names, certificates.
//!
//! In: an address and what is asked there. Out: what was found, or why not, in words. Invariant: every connection is a new
//! one (an established flow survives a policy that forbids it, field guide §4), and none outlasts its patience. These
//! block: they are called from threads that may.

mod dial;
mod dns;
mod echo;
mod http;

pub use dial::{Answer, Questions, dial};
pub use dns::addresses;
pub use echo::{PORT, Reached, reach, serve};
pub use http::{Request, Served, Unanswered, get};

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

/// What a new TCP connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It was accepted.
    Open,
    /// It was refused.
    Refused,
    /// Nobody answered.
    Silent,
}

/// Opens a new TCP connection to `host:port`, and closes it.
///
/// # Errors
/// When the name leads nowhere, or the network says something that is neither yes nor no.
pub fn connect(target: &str, patience: Duration) -> Result<Connection, String> {
    let addresses = target.to_socket_addrs().map_err(|e| format!("its name has no address: {e}"))?;
    // It is open if any of its addresses is.
    let mut came = Err("its name has no address".into());
    for address in addresses {
        came = connect_to(&address, patience);
        if came == Ok(Connection::Open) {
            break;
        }
    }
    came
}

fn connect_to(address: &SocketAddr, patience: Duration) -> Result<Connection, String> {
    match TcpStream::connect_timeout(address, patience) {
        Ok(_) => Ok(Connection::Open),
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => Ok(Connection::Refused),
        // What a policy rejects with "administratively prohibited" arrives as unreachable.
        Err(e) if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::HostUnreachable) => {
            Ok(Connection::Silent)
        }
        Err(e) => Err(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn a_connection_is_open_or_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        assert_eq!(connect(&target, PATIENCE), Ok(Connection::Open));
        let port = listener.local_addr().unwrap().port();
        let by_name = format!("localhost:{port}"); // ::1 comes first where there is one
        assert_eq!(connect(&by_name, PATIENCE), Ok(Connection::Open));
        drop(listener);
        assert_eq!(connect(&target, PATIENCE), Ok(Connection::Refused));
        assert!(connect("no-such-name.invalid:1", PATIENCE).is_err());
    }
}
