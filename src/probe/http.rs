//! One HTTP or HTTPS request, to an address of our choice.
//!
//! In: an address, a host name, a path. Out: the status, and of HTTPS the serial number of the certificate served.
//! Invariant: which certificate is served is looked at, not whether this machine trusts its issuer; that the server has its
//! private key, the handshake proves.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::{certificates, error::plainly};

/// More than the first line of an answer ever has.
const LINE: usize = 16 << 10;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where.
    pub address: SocketAddr,
    /// For which host: the server name of TLS, and the header.
    pub host: String,
    /// What.
    pub path: String,
    /// HTTPS.
    pub tls: bool,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// HTTP status.
    pub status: u16,
    /// Serial number of the certificate, in lower-case hex; none of HTTP.
    pub serial: Option<String>,
}

/// Why nothing was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// In words.
    pub why: String,
    /// No connection came about and none was refused: nobody is there, or a firewall is in between.
    pub silent: bool,
}

impl From<String> for Unanswered {
    fn from(why: String) -> Self {
        Self { why, silent: false }
    }
}

/// GETs it over a new connection.
///
/// # Errors
/// When no connection comes about, or what answers speaks another language.
pub fn get(request: &Request, patience: Duration) -> Result<Served, Unanswered> {
    let failed = |e: std::io::Error| plainly(format!("{}: {e}", request.address));
    let deadline = Instant::now() + patience;
    let socket = TcpStream::connect_timeout(&request.address, patience)
        .map_err(|e| Unanswered { silent: is_silence(e.kind()), why: failed(e) })?;
    let mut socket = Patient { socket, deadline };
    if !request.tls {
        return Ok(Served { status: ask(request, &mut socket).map_err(failed)?, serial: None });
    }
    let mut tls = handshake(&request.host)?;
    let status = ask(request, &mut Stream::new(&mut tls, &mut socket)).map_err(failed)?;
    let leaf = tls.peer_certificates().and_then(|chain| chain.first());
    let serial = leaf
        .and_then(|leaf| certificates::serial(leaf))
        .ok_or_else(|| "it shows no certificate".to_owned())?;
    Ok(Served { status, serial: Some(serial) })
}

/// A firewall that rejects says unreachable.
fn is_silence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
}

/// Sends the request and reads the status.
fn ask(request: &Request, stream: &mut (impl Read + Write)) -> std::io::Result<u16> {
    let Request { host, path, .. } = request;
    // In one piece: whoever answers the first and hangs up is not written to again.
    let question =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: netdr\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    stream.flush()?;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE && !line.ends_with(b"\n") && stream.read(&mut byte)? == 1 {
        line.push(byte[0]);
    }
    // HTTP/1.1 200 OK (RFC 9112, 4).
    let line = String::from_utf8_lossy(&line);
    let status = line.strip_prefix("HTTP/").and_then(|line| line.split(' ').nth(1)?.trim().parse().ok());
    status.ok_or_else(|| std::io::Error::other("what answers does not speak HTTP"))
}

/// A connection on which whoever answers drop by drop has no more time than one who is silent.
pub(super) struct Patient {
    pub(super) socket: TcpStream,
    pub(super) deadline: Instant,
}

impl Patient {
    fn left(&self) -> std::io::Result<Option<Duration>> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer)
    }
}

impl Write for Patient {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

/// A client that has not shaken hands yet.
pub(super) fn handshake(host: &str) -> Result<ClientConnection, String> {
    let provider = Arc::new(ring::default_provider());
    let name = ServerName::try_from(host.to_owned()).map_err(|e| format!("`{host}`: {e}"))?;
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name).map_err(|e| e.to_string())
}

/// Takes any certificate whose private key the server has.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
