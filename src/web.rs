//! One HTTP or HTTPS request to a server that takes what netdr has to say: a webhook, a Pushgateway.
//!
//! In: where, what, and how long to wait. Out: that it was taken, or why not. Invariant: an error names the server and no
//! more of the address, which may hold a token, and nothing of what was sent.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnectorBuilder};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::{Error, Result};

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `POST`, `PUT`.
    pub method: &'a Method,
    /// Where: `http://` or `https://`.
    pub url: &'a Uri,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: &'a str,
    /// Authorities (PEM) that are trusted in place of this machine's.
    pub ca_file: Option<&'a Path>,
    /// A file whose content is the bearer token (RFC 6750, 2.1).
    pub token_file: Option<&'a Path>,
}

/// Sends it; any answer of the 2xx kind is a yes. A redirect is not followed: it would lead the token elsewhere.
///
/// # Errors
/// Usage: a file cannot be read, or holds something else. Else it was not taken, with why.
pub async fn send(request: &Request<'_>, patience: Duration) -> Result<()> {
    let server = server(request.url);
    let mut builder = http::Request::builder()
        .method(request.method)
        .uri(request.url)
        .header(header::CONTENT_TYPE, request.content_type)
        .header(header::USER_AGENT, concat!("netdr/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = request.token_file {
        builder = builder.header(header::AUTHORIZATION, bearer(file)?);
    }
    let body = Full::new(Bytes::copy_from_slice(request.body.as_bytes()));
    let sent =
        builder.body(body).map_err(|e| Error::failed(format!("{server} cannot be asked")).because(e))?;
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls(request)?).https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let answer = tokio::time::timeout(patience, client.request(sent))
        .await
        .map_err(|_| Error::failed(format!("{server} did not answer within {} s", patience.as_secs())))?;
    let status =
        answer.map_err(|e| Error::failed(format!("{server} cannot be reached")).because(e))?.status();
    if status.is_success() {
        return Ok(());
    }
    let refused = Error::failed(format!("{server} refused it: HTTP status {}", status.as_u16()));
    Err(match status.is_redirection() {
        true => refused.why("a redirect is not followed: write the address that it leads to"),
        false => refused,
    })
}

/// An address that a request can be sent to.
///
/// # Errors
/// Why it is none, without a word of it.
pub fn address(text: &str) -> std::result::Result<Uri, &'static str> {
    let url: Uri = text.parse().map_err(|_| "it is no URL")?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
        return Err("it begins with https:// or http:// and names a host");
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("it holds a user or a password, which belong into a `token_file`");
    }
    Ok(url)
}

/// What may be said of an address: `https://hooks.lab:8443`.
pub fn server(url: &Uri) -> String {
    // Not what stands before an @.
    let host =
        url.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default());
    format!("{}://{host}", url.scheme_str().unwrap_or_default())
}

/// The content of a file that holds one secret.
///
/// # Errors
/// Usage: it cannot be read, or holds nothing.
pub fn secret(file: &Path, key: &str) -> Result<String> {
    let shown = file.display();
    let text = fs::read_to_string(file)
        .map_err(|e| Error::usage(format!("`{key}` {shown} cannot be read")).because(e))?;
    match text.trim() {
        "" => Err(Error::usage(format!("`{key}` {shown} is empty"))),
        secret => Ok(secret.into()),
    }
}

fn bearer(file: &Path) -> Result<HeaderValue> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", secret(file, "token_file")?)).map_err(|_| {
            Error::usage(format!("`token_file` {} holds something that no header can", file.display()))
        })?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls(request: &Request<'_>) -> Result<ClientConfig> {
    let wrong = |e: &dyn std::fmt::Display| Error::failed("TLS cannot be set up").why(e.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?;
    let https = request.url.scheme_str() == Some("https");
    let builder = match request.ca_file {
        Some(file) => builder.with_root_certificates(trusted(file)?),
        None if https => builder.with_native_roots().map_err(|e| wrong(&e))?,
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn trusted(file: &Path) -> Result<RootCertStore> {
    let shown = file.display();
    let pem =
        fs::read(file).map_err(|e| Error::usage(format!("`ca_file` {shown} cannot be read")).because(e))?;
    authorities(&pem).ok_or_else(|| {
        Error::usage(format!("`ca_file` {shown} holds no certificates"))
            .hint("it is a PEM file: -----BEGIN CERTIFICATE----- and so on, one after the other")
    })
}

/// The authorities of a PEM file; none where one does not read, or there is none.
pub fn authorities(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let usable = CertificateDer::pem_slice_iter(pem)
        .all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()));
    (usable && !roots.is_empty()).then_some(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_server_is_said() {
        for (url, said) in [
            ("https://hooks.lab/services/T0/B0/MARKER?key=MARKER", "https://hooks.lab"),
            ("https://me:MARKER@hooks.lab:8443/", "https://hooks.lab:8443"),
            ("http://127.0.0.1:9091", "http://127.0.0.1:9091"),
        ] {
            assert_eq!(server(&url.parse().unwrap()), said);
        }
    }
}
