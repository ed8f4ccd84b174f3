//! The real helm-controller on a plane, and somebody in the place of its Jobs' container (rancher/klipper-helm), which no
//! kubelet runs here: the real Helm does what the Job says, then its pod ends.

use std::{collections::BTreeMap, process::Stdio};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use netdr::drill::ControlPlane;
use serde_json::{Value, json};
use tokio::{process::Child, task::JoinHandle};

use super::{Home, Objects};

/// Both end when it is dropped.
pub(crate) struct HelmController {
    _controller: Child,
    container: JoinHandle<()>,
}

impl HelmController {
    pub(crate) async fn on(plane: &ControlPlane) -> Self {
        let home = Home::new().with_kubeconfig(plane.kubeconfig());
        let mut controller = home.command("helm-controller", &["--namespace", "kube-system"]);
        let controller = controller.stderr(Stdio::null()).spawn().unwrap();
        let objects = Objects::of(plane).await;
        Self { _controller: controller, container: tokio::spawn(containers(home, objects)) }
    }
}

impl Drop for HelmController {
    fn drop(&mut self) {
        self.container.abort();
    }
}

/// Plays the container of every pod of a Job of helm-controller, once.
async fn containers(home: Home, objects: Objects) {
    let mut played = BTreeMap::new();
    loop {
        for pod in objects.list("pods").await {
            let ours = !pod["metadata"]["labels"]["helmcharts.helm.cattle.io/chart"].is_null();
            let uid = pod["metadata"]["uid"].to_string();
            if ours && pod["status"]["phase"] == "Running" && !played.contains_key(&uid) {
                let code = install(&home, &objects, &pod).await;
                end(&home, &pod, code).await;
                played.insert(uid, code);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// `helm upgrade --install` with the chart, the values and the arguments that the pod has; its exit code.
async fn install(home: &Home, objects: &Objects, pod: &Value) -> i32 {
    let container = &pod["spec"]["containers"][0];
    let variable = |name: &str| {
        let mut variables = container["env"].as_array().unwrap().iter();
        variables.find(|v| v["name"] == name).and_then(|v| v["value"].as_str()).unwrap_or_default()
    };
    let name = variable("NAME");
    let labels = |secret: &Value| secret["metadata"]["labels"].clone();
    let releases = objects.list("secrets").await.into_iter().map(|secret| labels(&secret));
    let versions = releases.filter(|l| l["owner"] == "helm" && l["name"] == name);
    let newest = versions.filter_map(|l| l["version"].as_str()?.parse::<u64>().ok()).max().unwrap_or(0);
    if newest.to_string() != variable("EXPECTED_RELEASE_REVISION") {
        return 0; // made for another state than this one: helm-controller makes a Job anew
    }
    let chart = home.path().join("chart.tgz");
    let content = objects.get("configmaps", &format!("kube-system/chart-content-{name}")).await.unwrap();
    let content = content["data"][format!("{name}.tgz.base64")].as_str().unwrap();
    std::fs::write(&chart, BASE64_STANDARD.decode(content).unwrap()).unwrap();

    let mut values = BTreeMap::new(); // by file name, which orders them
    let volumes = pod["spec"]["volumes"].as_array().unwrap().iter().filter(|v| v["name"] == "values");
    for source in volumes.flat_map(|volume| volume["projected"]["sources"].as_array().unwrap()) {
        let secret = source["secret"]["name"].as_str().unwrap();
        let secret = objects.get("secrets", &format!("kube-system/{secret}")).await.unwrap();
        for item in source["secret"]["items"].as_array().into_iter().flatten() {
            let data = secret["data"][item["key"].as_str().unwrap()].as_str().unwrap();
            values.insert(item["path"].as_str().unwrap().to_owned(), BASE64_STANDARD.decode(data).unwrap());
        }
    }
    let hash = format!("helmcharts.helm.cattle.io/configHash={}", variable("CONFIG_HASH"));
    let mut all = vec!["upgrade", "--install", name, "chart.tgz", "-n", "kube-system", "--labels", &hash];
    for (file, content) in &values {
        std::fs::write(home.path().join(file), content).unwrap();
        all.extend(["-f", file]);
    }
    all.extend(container["args"].as_array().unwrap().iter().skip(1).filter_map(Value::as_str));
    home.run("helm", &all).await.code.unwrap_or(1)
}

/// As a kubelet reports a container that ended.
async fn end(home: &Home, pod: &Value, code: i32) {
    let (name, namespace) = (pod["metadata"]["name"].as_str().unwrap(), "kube-system");
    let container = json!({"name": "helm", "image": "helm", "imageID": "", "restartCount": 0, "ready": false,
        "state": {"terminated": {"exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" }}}});
    let ready = |kind: &str| json!({"type": kind, "status": "False"});
    let status = json!({
        "phase": if code == 0 { "Succeeded" } else { "Failed" },
        "conditions": [ready("Ready"), ready("ContainersReady")],
        "containerStatuses": [container],
    });
    let patch = json!({"status": status}).to_string();
    let all = ["patch", "pod", name, "-n", namespace, "--subresource", "status", "-p", &patch];
    home.run("kubectl", &all).await.ok();
}
