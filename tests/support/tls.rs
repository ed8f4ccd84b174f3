//! A real HTTPS server: what serves a host through a node, or stands behind an admission webhook; or one of plain HTTP.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// A certificate with its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A server that answers until the test ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Pair {
    /// A self-signed one for a name.
    pub(crate) fn of(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// One for a name by an authority of its own, and that authority's certificate in PEM.
    pub(crate) fn with_authority(name: &str) -> (Self, String) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of our own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let authority = params.self_signed(&own).unwrap().pem();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = leaf.signed_by(&key, &Issuer::new(params, own)).unwrap();
        (Self { certificate: certificate.pem(), key: key.serialize_pem() }, authority)
    }

    fn config(&self) -> ServerConfig {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap()
    }
}

impl Server {
    /// Answers every request's body with what `answer` makes of it, at this address and a free port.
    pub(crate) fn start(
        at: &str,
        pair: &Pair,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::serve(at, pair, move |_, body| {
            let text = answer(&String::from_utf8_lossy(body));
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
            format!("{head}{}\r\n\r\n{text}", text.len()).into_bytes()
        })
    }

    /// Answers every request, head and body, with what `answer` makes of it: a whole answer of HTTP/1.1.
    pub(crate) fn serve(
        at: &str,
        pair: &Pair,
        answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(pair.config());
        let tls = move |socket| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
        Self::listen(at, tls, answer)
    }

    /// The same without TLS.
    pub(crate) fn plain(at: &str, answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::listen(at, |socket| socket, answer)
    }

    fn listen<S: Read + Write + Send + 'static>(
        at: &str,
        over: impl Fn(TcpStream) -> S + Send + 'static,
        answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((at, 0)).unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let (counted, answer) = (asked.clone(), Arc::new(answer));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (stream, counted, answer) = (over(socket), counted.clone(), answer.clone());
                thread::spawn(move || serve(stream, &*answer, &counted));
            }
        });
        Self { address, asked }
    }

    /// How many requests it answered.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// HTTP/1.1 with keep-alive.
fn serve(
    mut stream: impl Read + Write,
    answer: &dyn Fn(&str, &[u8]) -> Vec<u8>,
    counted: &AtomicUsize,
) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut body = vec![0; header(&head, "content-length").map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body)?;
        if header(&head, "transfer-encoding") == Some("chunked") {
            body = chunks(&mut stream)?;
        }
        let answer = answer(&head, &body);
        counted.fetch_add(1, Ordering::Relaxed);
        stream.write_all(&answer)?;
        stream.flush()?;
    }
}

/// A body that comes in chunks (RFC 9112, 7.1): each after its size in hex, the last of size 0.
fn chunks(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2]; // and the end of its line
        stream.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend(&chunk[..size]);
    }
}

/// A header's value.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// This machine's own address: a loopback one cannot be an endpoint.
pub(crate) fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap(); // nothing is sent
    socket.local_addr().unwrap().ip().to_string()
}
