//! A real Pushgateway (tests/control-plane/pushgateway).

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::Stdio,
};

use tokio::process::{Child, Command};

use super::{eventually, planes::built};

pub(crate) struct Pushgateway {
    _server: Child,
    port: u16,
}

impl Pushgateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let program = built().join("bin/pushgateway");
        assert!(program.is_file(), "pushgateway is not built; run: tests/control-plane/build pushgateway");
        // It gets the socket itself (sd_listen_fds(3)): a port that is let go for it is anybody's meanwhile.
        let inherit = r#"exec env LISTEN_PID=$$ LISTEN_FDS=1 "$0" --web.systemd-socket 3<&0 </dev/null"#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", inherit]).arg(program).stdin(OwnedFd::from(listener));
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let gateway = Self { _server: command.spawn().unwrap(), port };
        drop(command); // it has the socket, too
        eventually("the Pushgateway to be ready", async || gateway.get("/-/ready")).await;
        gateway
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What Prometheus scrapes: of each sample its line.
    pub(crate) fn scraped(&self) -> String {
        self.get("/metrics").unwrap()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        // Of version 1.0, so that the answer ends with the connection.
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.0 200 ").then_some(answer)
    }
}
