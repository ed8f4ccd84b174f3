//! From the start of the process to its first connection, against a server that accepts and says nothing.

use std::{
    fs,
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::shop::Shop;

pub(crate) fn measure() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let address = server.local_addr().unwrap();
    let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}], "users": [{"name": "x", "user": {}}]});
    fs::write(&kubeconfig, text.to_string()).unwrap();
    let shop = Shop::new(&kubeconfig);
    let mut best = Duration::MAX;
    for _ in 0..5 {
        forget(&server);
        let started = Instant::now();
        let mut netdr = shop.netdr(&["backup", "--set", "network"]);
        let mut child = netdr.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let accepted = server.accept().unwrap();
        best = best.min(started.elapsed());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(accepted);
    }
    println!("start to first request: {:.1} ms", best.as_secs_f64() * 1000.0);
}

/// A process may have asked for a second connection before it was killed: it is none of the next one's.
fn forget(server: &TcpListener) {
    server.set_nonblocking(true).unwrap();
    while server.accept().is_ok() {}
    server.set_nonblocking(false).unwrap();
}
