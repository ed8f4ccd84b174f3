//! ChromeDriver, as the W3C's WebDriver protocol has it: JSON over HTTP on a port of this machine.

use std::{net::TcpListener, process::Stdio};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpStream, process::Child};

use crate::support::{Home, eventually};

/// Width and height, in pixels.
const WINDOW: (u32, u32) = (1280, 900);

/// A browser; it ends with the test.
pub(super) struct Driver {
    _child: Child,
    port: u16,
    session: String,
}

impl Driver {
    /// Starts it without a window and without a network: every name leads nowhere.
    pub(super) async fn start(home: &Home) -> Self {
        let there = home.shell("command -v chromedriver chromium").await;
        assert_eq!(
            there.code,
            Some(0),
            "chromium and chromedriver are not installed; they come with: make test-tools"
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = home.command("chromedriver", &[&format!("--port={port}")]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("chromedriver to listen", async || TcpStream::connect(("127.0.0.1", port)).await.ok())
            .await;
        let mut driver = Self { _child: child, port, session: String::new() };
        let arguments = [
            "--headless=new",
            "--no-sandbox", // of a container without user namespaces
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            &format!("--window-size={},{}", WINDOW.0, WINDOW.1),
            "--host-resolver-rules=MAP * ~NOTFOUND",
            &format!("--user-data-dir={}", home.path().join("profile").display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
        }}});
        let session = driver.ask("POST", "/session", &wanted).await;
        driver.session = session["sessionId"].as_str().unwrap().to_owned();
        driver
    }

    pub(super) async fn open(&self, url: &str) {
        self.post("url", &json!({"url": url})).await;
    }

    /// What a script returns.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": []})).await
    }

    /// A PDF, in base64.
    pub(super) async fn print(&self) -> String {
        self.post("print", &json!({"background": true})).await.as_str().unwrap().to_owned()
    }

    /// The top of the page, its middle, as a PNG in base64.
    pub(super) async fn picture(&self, width: u32, height: u32) -> String {
        let left = (WINDOW.0 - width) / 2;
        let clip = json!({"x": left, "y": 0, "width": width, "height": height, "scale": 1});
        let params = json!({"format": "png", "clip": clip, "captureBeyondViewport": true});
        let taken = self.chrome("Page.captureScreenshot", params).await;
        taken["data"].as_str().unwrap().to_owned()
    }

    /// Looks as on a screen of this width, in CSS pixels, until told otherwise.
    pub(super) async fn phone(&self, width: u32) {
        let screen = json!({"width": width, "height": 812, "deviceScaleFactor": 2, "mobile": true});
        self.chrome("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// As on its own screen again.
    pub(super) async fn desktop(&self) {
        self.chrome("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }

    /// `light` or `dark`, as the reader prefers.
    pub(super) async fn scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.chrome("Emulation.setEmulatedMedia", features).await;
    }

    /// What the console says: errors, and what the content policy forbids.
    pub(super) async fn console(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({"type": "browser"})).await;
        log.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// What a command of Chrome's own protocol answers.
    async fn chrome(&self, command: &str, params: Value) -> Value {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": params})).await
    }

    async fn post(&self, what: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{what}", self.session), body).await
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("127.0.0.1:{}", self.port))
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body.to_string()))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(status.is_success(), "{path}: {answer:#}");
        answer["value"].take()
    }
}
