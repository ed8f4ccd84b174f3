//! Both ends of a probe between two pods: one gives back over TLS what it gets, the other measures how long that takes.
//!
//! In: a listener, or whom to reach. Out: times, or why nobody was reached, in words. Invariant: whoever counts as reached
//! has given back more than fits into one packet, so that a path that loses large packets (an MTU that does not allow for
//! VXLAN's header) does not count as one.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, Stream,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::http::{Patient, handshake};

/// Where a probe pod listens.
pub const PORT: u16 = 18_443;
/// The name in the listener's certificate, which nobody verifies: the handshake is what is measured.
const NAME: &str = "netdr-probe";
/// What is sent and comes back, in bytes: several packets, of jumbo frames too.
const ECHO: usize = 32 << 10;
/// How long the listener waits for a caller that has gone silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the parts of a connection took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Until TCP was established.
    pub connect: Duration,
    /// From then until both ends of TLS were ready.
    pub handshake: Duration,
}

/// Gives back to each caller what it sends, over TLS with a certificate made for the purpose; does not return.
///
/// # Errors
/// When no certificate can be made.
pub fn serve(listener: &TcpListener) -> Result<(), String> {
    let config = Arc::new(config()?);
    for socket in listener.incoming() {
        // One that broke off before it was taken is its caller's loss, who tells of it.
        let Ok(socket) = socket else { continue };
        let config = config.clone();
        thread::spawn(move || give_back(config, socket));
    }
    Ok(())
}

fn config() -> Result<ServerConfig, String> {
    let failed = |e: rcgen::Error| format!("no certificate could be made: {e}");
    let key = KeyPair::generate().map_err(failed)?;
    let params = CertificateParams::new([NAME.to_owned()]).map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .map_err(|e| e.to_string())
}

/// A caller that is gone, or never spoke TLS, is nobody's concern here.
fn give_back(config: Arc<ServerConfig>, socket: TcpStream) -> Option<()> {
    let mut socket = Patient { socket, deadline: Instant::now() + PATIENCE };
    let mut tls = ServerConnection::new(config).ok()?;
    let mut sent = vec![0; ECHO];
    let mut stream = Stream::new(&mut tls, &mut socket);
    stream.read_exact(&mut sent).ok()?;
    stream.write_all(&sent).ok()?;
    stream.flush().ok()
}

/// Connects, shakes hands, and sends something that must come back, all within the time given.
///
/// # Errors
/// In words: nobody answers, it is refused, or what answers is no listener of ours.
pub fn reach(target: SocketAddr, patience: Duration) -> Result<Reached, String> {
    let began = Instant::now();
    let socket = TcpStream::connect_timeout(&target, patience).map_err(|e| match e.kind() {
        ErrorKind::ConnectionRefused => "it is refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::HostUnreachable => "nobody answers".into(),
        _ => e.to_string(),
    })?;
    let connect = began.elapsed();
    let mut socket = Patient { socket, deadline: began + patience };
    let broke = |doing: &str, e: &std::io::Error| match e.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("silent while {doing}"),
        _ => format!("{doing}: {e}"),
    };
    let mut tls = handshake(NAME)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).map_err(|e| broke("shaking hands", &e))?;
    }
    let handshake = began.elapsed() - connect;
    let sent: Vec<u8> = (0..ECHO).map(|n| n.to_le_bytes()[0]).collect();
    let mut back = vec![0; ECHO];
    let mut stream = Stream::new(&mut tls, &mut socket);
    let exchange = stream.write_all(&sent).and_then(|()| stream.read_exact(&mut back));
    exchange.map_err(|e| broke("sending more than one packet", &e))?;
    if sent == back { Ok(Reached { connect, handshake }) } else { Err("what comes back was not sent".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn a_listener_is_reached_again_and_again_and_its_times_are_taken() {
        let (listener, address) = listener();
        thread::spawn(move || serve(&listener));
        for _ in 0..3 {
            let reached = reach(address, PATIENCE).unwrap();
            assert!(reached.handshake > Duration::ZERO && reached.connect < PATIENCE, "{reached:?}");
        }
    }

    #[test]
    fn who_listens_but_gives_nothing_back_is_not_reached() {
        let (listener, address) = listener();
        let short = Duration::from_millis(200);
        // Connections come about in the listener's queue: nobody takes them.
        assert_eq!(reach(address, short).unwrap_err(), "silent while shaking hands");
        thread::spawn(move || listener.incoming().map(drop).count());
        assert!(reach(address, PATIENCE).unwrap_err().starts_with("shaking hands"));
        let (gone, address) = self::listener();
        drop(gone);
        assert_eq!(reach(address, PATIENCE).unwrap_err(), "it is refused");
    }
}
