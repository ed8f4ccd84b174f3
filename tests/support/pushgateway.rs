//! A real Pushgateway (tests/control-plane/pushgateway).

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
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
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = built().join("bin/pushgateway");
        assert!(program.is_file(), "pushgateway is not built; run: tests/control-plane/build pushgateway");
        let mut command = Command::new(program);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let gateway = Self { _server: command.spawn().unwrap(), port };
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
