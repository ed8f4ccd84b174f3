//! Why a Git server was not read, and what to do about it.
//!
//! In: libgit2's error, and what was seen on the way to it. Out: an error that names the repository and the way out.
//! Invariant: pure.

use std::cell::{Cell, RefCell};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use git2::{ErrorClass, ErrorCode};

use crate::Error;

/// What was seen on the way to a server.
#[derive(Default)]
pub(in crate::gitops) struct Seen {
    /// Whether it is written to.
    writing: bool,
    /// sha256 of the SSH server's key.
    pub(super) host_key: Cell<Option<[u8; 32]>>,
    /// What was tried as credentials.
    pub(in crate::gitops) tried: RefCell<Vec<String>>,
    /// How much it sent, and how much it said of that, in bytes.
    pub(super) received: Cell<usize>,
    pub(super) chatter: Cell<usize>,
    /// The limit, where it sent more.
    pub(super) too_much: Cell<Option<usize>>,
    /// The end of what it said, which is why it refused.
    said: RefCell<String>,
}

/// So much of what a server says is kept.
const HEARD: usize = 400;

impl Seen {
    /// On the way to one that is written to.
    pub(in crate::gitops) fn writing() -> Self {
        Self { writing: true, ..Self::default() }
    }

    /// Keeps the end of it.
    pub(super) fn heard(&self, text: &[u8]) {
        let mut said = self.said.borrow_mut();
        said.push_str(&String::from_utf8_lossy(text));
        let surplus = said.len().saturating_sub(HEARD);
        let cut = (surplus..said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
        said.drain(..cut);
    }

    /// It in one line.
    pub(in crate::gitops) fn said(&self) -> String {
        let said = self.said.borrow();
        let lines = said.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| line.replace(char::is_control, "")).collect::<Vec<_>>().join("; ")
    }
}

/// Where a server is.
#[derive(Debug, PartialEq, Eq)]
struct Server<'a> {
    host: &'a str,
    port: Option<&'a str>,
}

/// One that could not be reached, or broke off.
pub(super) fn unreachable(url: &str, why: &str, writing: bool) -> Error {
    let error = failed(url, why, writing);
    if writing {
        return error;
    }
    error.hint("with the network down, name a clone on this machine as `url` in git.sources, or restore from a snapshot: --from snapshot")
}

/// One that answered with no, or that was not trusted.
pub(in crate::gitops) fn refused(url: &str, error: &git2::Error, seen: &Seen) -> Error {
    let said = error.message();
    let failed = |url: &str, why: &str| failed(url, why, seen.writing);
    let unreachable = |url: &str, why: &str| unreachable(url, why, seen.writing);
    let look = format!("see what git itself says: git ls-remote {url}");
    if let Some(most) = seen.too_much.get() {
        return failed(url, &format!("it sent more than {}, and nobody has answered for its commit yet", size(most)))
            .hint("name a repository that holds what people author and little else; or clone it yourself, and name the clone as `url` in git.sources");
    }
    let Some(server) = Server::of(url) else { return unreachable(url, said) };
    match (error.class(), error.code()) {
        (ErrorClass::Ssh, ErrorCode::Certificate) => unknown_host(url, &server, seen),
        (ErrorClass::Ssl, _) => failed(url, &format!("TLS with {} failed: {said}", server.host))
            .hint("where its certificate is by an authority of your own: SSL_CERT_FILE=AUTHORITY.pem netdr …; netdr trusts that and the system's own, and does not read git's http.sslCAInfo")
            .hint(format!("see what it shows: openssl s_client -connect {}:{} -servername {0}", server.host, server.port.unwrap_or("443"))),
        (ErrorClass::Http, _) if said.contains("404") => failed(url, "there is no such repository (404), or only for those who say who they are").hint(look),
        (ErrorClass::Http, _) if said.contains("403") && seen.writing => {
            failed(url, "whom it lets in may not push there (403)")
                .hint("give netdr's user, or its token, the right to write to the one branch; reading is not enough")
        }
        (_, ErrorCode::Auth) => denied(url, seen).hint(look),
        (ErrorClass::Ssh, _) if !seen.tried.borrow().is_empty() && said.contains("authenticate") => {
            denied(url, seen).why(said).hint(look)
        }
        _ => unreachable(url, said).hint(look),
    }
}

fn failed(url: &str, why: &str, writing: bool) -> Error {
    let done = if writing { "written" } else { "read" };
    Error::failed(format!("Git repository {url} cannot be {done}")).why(why)
}

/// The host of an SSH server is known by its key alone.
fn unknown_host(url: &str, server: &Server<'_>, seen: &Seen) -> Error {
    let Server { host, port } = server;
    let key = seen.host_key.get().map(|sha256| format!("SHA256:{}", STANDARD_NO_PAD.encode(sha256)));
    let shown = key.as_deref().unwrap_or("none that netdr knows");
    let (option, known) = match port {
        Some(port) => (format!("-p {port} "), format!("[{host}]:{port}")),
        None => (String::new(), (*host).to_owned()),
    };
    failed(
        url,
        &format!("the key of {host} is not in ~/.ssh/known_hosts, or is another one there: it shows {shown}"),
        seen.writing,
    )
    .hint(format!(
        "ask who runs {host} whether that is its key; then: ssh-keyscan {option}{host} >> ~/.ssh/known_hosts"
    ))
    .hint(format!("where it has another one there and was given this one: ssh-keygen -R '{known}' first"))
}

fn denied(url: &str, seen: &Seen) -> Error {
    let tried = seen.tried.borrow();
    let ssh = !url.starts_with("http");
    let failed = |url: &str, why: &str| failed(url, why, seen.writing);
    let error = match (ssh, tried.is_empty()) {
        (true, true) => failed(url, "it takes no SSH key, and netdr has nothing else"),
        (true, false) => failed(url, &format!("it lets nobody in with {}", tried.join(", "))),
        (false, true) => failed(url, "it wants a user and a password, and git's credential helper has none"),
        (false, false) => {
            failed(url, &format!("it refuses the user and password that {} has", tried.join(" or ")))
        }
    };
    match ssh {
        true => error.hint("give the agent a key that it lets in: ssh-add KEY; a key with a passphrase is only used from the agent"),
        false if seen.writing => error.hint("name a file with a token that may push: git: {history: {…, token_file: FILE}}; or leave it to git's credential helper"),
        false => error.hint("git config --global credential.helper store makes git keep what the following command asks for, and netdr uses it"),
    }
}

impl<'a> Server<'a> {
    /// Of `SCHEME://[USER@]HOST[:PORT]/…` and `[USER@]HOST:PATH`.
    fn of(url: &'a str) -> Option<Self> {
        let (authority, has_port) = match url.split_once("://") {
            Some((_, rest)) => (rest.split('/').next()?, true),
            None => (url, false),
        };
        let authority = authority.split_once('@').map_or(authority, |(_, place)| place);
        let (host, rest) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = rest.strip_prefix(':').filter(|port| has_port && !port.is_empty());
        (!host.is_empty()).then_some(Self { host, port })
    }
}

fn size(bytes: usize) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        mebi => format!("{mebi} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_and_the_port_of_a_url_are_found() {
        for (url, host, port) in [
            ("ssh://git@forge.lab:2222/ops/k8s.git", "forge.lab", Some("2222")),
            ("ssh://git@[fd00::1]:22/k8s", "fd00::1", Some("22")),
            ("git@forge.lab:ops/k8s.git", "forge.lab", None),
            ("forge.lab:22/k8s", "forge.lab", None), // a path
            ("https://forge.lab/ops/k8s.git", "forge.lab", None),
        ] {
            assert_eq!(Server::of(url), Some(Server { host, port }), "{url}");
        }
        assert_eq!(Server::of("ssh:///k8s"), None);
    }
}
