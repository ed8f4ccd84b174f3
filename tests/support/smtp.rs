//! A real mail server (tests/control-plane/smtp): what it takes is a file each.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Pair, eventually, planes::built};

pub(crate) struct Mail {
    _server: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Mail {
    /// With these flags besides, and with this certificate where there is one.
    pub(crate) async fn start(pair: Option<&Pair>, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = built().join("bin/smtp");
        assert!(program.is_file(), "smtp is not built; run: tests/control-plane/build smtp");
        let mut command = Command::new(program);
        command.args(["-listen", &format!("127.0.0.1:{port}"), "-to"]).arg(folder.path()).args(flags);
        if let Some(pair) = pair {
            for (flag, text) in [("-cert", &pair.certificate), ("-key", &pair.key)] {
                let file = folder.path().join(flag);
                fs::write(&file, text).unwrap();
                command.arg(flag).arg(file);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let server = command.spawn().unwrap();
        eventually("the mail server to listen", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
        Self { _server: server, folder, port }
    }

    /// What a configuration names it by.
    pub(crate) fn configuration(&self) -> String {
        format!("notify: [{}]", self.channel())
    }

    /// It as one channel of several.
    pub(crate) fn channel(&self) -> String {
        let port = self.port;
        format!(
            "{{smtp: {{server: '127.0.0.1:{port}', tls: none, from: netdr@lab.test, to: [alerts@lab.test]}}}}"
        )
    }

    /// What it took, the first one first.
    pub(crate) fn taken(&self) -> Vec<String> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "eml")).collect();
        files.sort();
        files.into_iter().map(|file| fs::read_to_string(file).unwrap()).collect()
    }
}
