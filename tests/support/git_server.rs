//! Git's smart HTTP (gitprotocol-http) over TLS: stock git's own CGI program, `git http-backend`, behind an HTTPS server.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::tls::{Pair, Server, header};

/// Serves the repositories of a folder at 127.0.0.1; with a login (`user:password`) only to those who have it.
pub(crate) fn git_server(root: &Path, pair: &Pair, login: Option<&str>) -> Server {
    let root = root.to_owned();
    let wanted = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
    Server::serve("127.0.0.1", pair, move |head, body| {
        match wanted.is_none() || header(head, "authorization") == wanted.as_deref() {
            true => answer(&run(&root, head, body)),
            false => b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"lab\"\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
    })
}

/// What the program says (RFC 3875).
fn run(root: &Path, head: &str, body: &[u8]) -> Vec<u8> {
    let mut line = head.split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut program = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header(head, "content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null()) // it says there, too, what it answers
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(body).unwrap();
    program.wait_with_output().unwrap().stdout
}

/// As HTTP has it: the status in the first line, and how long it is.
fn answer(said: &[u8]) -> Vec<u8> {
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8_lossy(&said[..end]), &said[end + 4..]);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let headers = head.lines().filter(|line| !line.starts_with("Status: ")).collect::<Vec<_>>().join("\r\n");
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}
