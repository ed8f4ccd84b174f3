//! Against a real TLS server.

use std::{net::TcpListener, sync::mpsc, thread};

use rcgen::{CertificateParams, KeyPair, SerialNumber};
use rustls::{
    ServerConfig, ServerConnection,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// Serves `edge.lab` with serial 01ab, `old.lab` with a certificate of version 1, and everything else with serial ff, as
/// Traefik does with its default certificate.
#[derive(Debug)]
struct BySni([Arc<CertifiedKey>; 3]);

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let of = match hello.server_name() {
            Some("edge.lab") => 0,
            Some("old.lab") => 1,
            _ => 2,
        };
        Some(self.0[of].clone())
    }
}

fn certified(serial: &[u8]) -> Arc<CertifiedKey> {
    let mut params = CertificateParams::new(["edge.lab".to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(serial));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Arc::new(CertifiedKey::from_der(vec![certificate], key, &ring::default_provider()).unwrap())
}

/// The same as a certificate of version 1: what a version 3 says of itself, with another number.
fn of_version_1(key: &CertifiedKey) -> CertifiedKey {
    const VERSION: &[u8] = &[0xa0, 3, 2, 1];
    let mut der = key.cert[0].to_vec();
    let at = der.windows(VERSION.len()).position(|bytes| bytes == VERSION).unwrap() + VERSION.len();
    der[at] = 0;
    CertifiedKey::new(vec![der.into()], key.key.clone())
}

/// Answers one request.
fn server(tls: bool, answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut question = [0; 1024];
        if !tls {
            let _ = socket.read(&mut question);
            return socket.write_all(answer.as_bytes()).unwrap();
        }
        let other = certified(&[0xff]);
        let resolver = BySni([certified(&[1, 0xab]), Arc::new(of_version_1(&other)), other]);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = Stream::new(&mut tls, &mut socket);
        let Ok(read) = stream.read(&mut question) else { return }; // who does not take the certificate asks nothing
        assert!(question[..read].starts_with(b"GET /ping HTTP/1.1\r\nHost: "));
        stream.write_all(answer.as_bytes()).unwrap();
    });
    address
}

fn request(address: SocketAddr, host: &str, tls: bool) -> Request {
    Request { address, host: host.into(), path: "/ping".into(), tls }
}

#[test]
fn the_certificate_is_the_one_served_for_the_name() {
    for (host, serial) in [("edge.lab", "01ab"), ("other.lab", "ff")] {
        let served =
            get(&request(server(true, "HTTP/1.1 404 Not Found\r\n\r\n"), host, true), PATIENCE).unwrap();
        assert_eq!((served.status, served.serial.as_deref()), (404, Some(serial)));
    }
}

#[test]
fn a_certificate_of_version_1_is_called_that_and_not_by_a_librarys_name() {
    let refused = get(&request(server(true, ""), "old.lab", true), PATIENCE).unwrap_err();
    assert!(
        refused.why.contains("certificate of version 1") && refused.why.contains("openssl x509"),
        "{refused:?}"
    );
    assert!(!refused.why.contains("Unsupported") && !refused.silent, "{refused:?}");
}

#[test]
fn what_speaks_something_else_is_told_apart() {
    let plain = |answer| get(&request(server(false, answer), "edge.lab", false), PATIENCE);
    assert_eq!(plain("HTTP/1.1 308 Moved\r\n"), Ok(Served { status: 308, serial: None }));
    assert!(plain("SSH-2.0-OpenSSH\r\n").unwrap_err().why.contains("does not speak HTTP"));
    let over_plain = get(&request(server(false, "HTTP/1.1 400 Bad\r\n"), "edge.lab", true), PATIENCE);
    assert!(over_plain.is_err());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = get(&request(nobody, "edge.lab", true), PATIENCE).unwrap_err();
    assert!(refused.why.contains(&nobody.to_string()) && !refused.silent, "{refused:?}");
    assert!(is_silence(ErrorKind::TimedOut) && !is_silence(ErrorKind::ConnectionRefused));
    let bad = get(&request(server(true, ""), "edge lab", true), PATIENCE);
    assert!(bad.unwrap_err().why.contains("edge lab"));
}

#[test]
fn whoever_answers_drop_by_drop_has_no_more_time_than_one_who_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = mpsc::channel::<()>();
    let dripping = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        while ended.recv_timeout(Duration::from_millis(10)).is_err() && socket.write_all(b"H").is_ok() {}
    });
    let asked = Instant::now();
    assert!(get(&request(address, "edge.lab", false), Duration::from_millis(200)).is_err());
    assert!(asked.elapsed() < PATIENCE);
    let _ = end.send(());
    dripping.join().unwrap();
}
