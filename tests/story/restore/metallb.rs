//! MetalLB's objects where its controller, and with it the webhook that must let them through, is kept at 0 replicas.
//! The webhook is a real HTTPS server behind an EndpointSlice; a task plays the controller: it fills in endpoints and
//! caBundle while there are replicas, and takes the endpoints away when there are none.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use netdr::drill::Options;
use serde_json::{Value, json};

use crate::support::{NODES, Objects, Operator, Pair, Plane, Server, everything, fresh, own_address};

const HOOKS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";
const SLICES: &str = "endpointslices.discovery.k8s.io";
const POOLS: &str = "ipaddresspools.metallb.io";
const CONTROLLER: &str = "metallb-system/controller";

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: metallb-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system}
spec:
  replicas: 0
  selector: {matchLabels: {component: controller}}
  template:
    metadata: {labels: {component: controller}}
    spec: {containers: [{name: controller, image: quay.io/metallb/controller:v0.16.2}]}
---
apiVersion: v1
kind: Service
metadata: {name: metallb-webhook-service, namespace: metallb-system}
spec: {ports: [{port: 443, targetPort: 9443}]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: default-pool, namespace: metallb-system}
spec: {addresses: [10.25.10.30-10.25.10.35]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2-advert, namespace: metallb-system}
spec: {ipAddressPools: [default-pool]}
";

fn hook() -> Value {
    let service =
        json!({"namespace": "metallb-system", "name": "metallb-webhook-service", "path": "/validate"});
    let webhook = |plural: &str| {
        json!({
            "name": format!("{plural}validationwebhook.metallb.io"),
            "clientConfig": {"service": service},
            "rules": [{"apiGroups": ["metallb.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
                "resources": [plural]}],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "metallb-webhook-configuration"},
        "webhooks": [webhook("ipaddresspools"), webhook("l2advertisements")],
    })
}

/// The steps of scenario full-stack that are about MetalLB.
fn plan(timeout: &str) -> String {
    let (_, text) =
        netdr::plan::RestorePlan::builtin().into_iter().find(|(name, _)| *name == "full-stack").unwrap();
    let (head, steps) = text.split_once("steps:\n").unwrap();
    let steps = steps
        .split("  - id: ")
        .filter(|step| step.starts_with("metallb") || step.starts_with("loadbalancer"));
    let steps: String = steps.map(|step| format!("  - id: {step}")).collect();
    let steps: String = steps
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    format!("{head}steps:\n{steps}").replace("timeout: 3m", timeout)
}

struct Place {
    _plane: Plane,
    objects: Objects,
    operator: Operator,
}

impl Place {
    async fn new() -> Self {
        let plane = fresh(Options { controllers: true, nodes: true, ..everything() }).await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        objects.create(NODES).await;
        objects.create(OBJECTS).await;
        objects.create(&hook().to_string()).await;
        operator.backup().await;
        objects.delete(POOLS, "metallb-system/default-pool").await;
        objects.delete("l2advertisements.metallb.io", "metallb-system/l2-advert").await;
        Self { _plane: plane, objects, operator }
    }

    async fn restore(&self, timeout: &str, options: &str, code: i32) -> Value {
        std::fs::write(self.operator.home.path().join("plan.yaml"), plan(timeout)).unwrap();
        let words = format!("restore --plan plan.yaml --identity keys/operator.txt --json {options}");
        let words: Vec<&str> = words.split_whitespace().collect();
        self.operator.home.netdr(&words).await.json(code)
    }

    async fn replicas(&self) -> Value {
        self.objects.get("deployments.apps", CONTROLLER).await.unwrap()["spec"]["replicas"].clone()
    }

    /// Plays MetalLB's controller, for ever.
    async fn play(&self, server: &Server, pair: &Pair) {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "webhook", "namespace": "metallb-system",
                "labels": {"kubernetes.io/service-name": "metallb-webhook-service"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": server.address.port(), "protocol": "TCP"}],
            "endpoints": [{"addresses": [server.address.ip().to_string()], "conditions": {"ready": true}}],
        });
        let mut running = false;
        loop {
            let up = self.objects.get("deployments.apps", CONTROLLER).await.unwrap();
            let up = up["status"]["availableReplicas"].as_u64().unwrap_or(0) > 0;
            if up && !running {
                let mut hooks = hook()["webhooks"].take();
                for hook in hooks.as_array_mut().unwrap() {
                    hook["clientConfig"]["caBundle"] = STANDARD.encode(&pair.certificate).into();
                }
                self.objects.merge(HOOKS, "metallb-webhook-configuration", json!({"webhooks": hooks})).await;
                self.objects.create(&slice.to_string()).await;
            } else if !up && running {
                self.objects.delete(SLICES, "metallb-system/webhook").await;
            }
            running = up;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// Lets everything through.
fn allow(review: &str) -> String {
    let review: Value = serde_json::from_str(review).unwrap();
    let response = json!({"uid": review["request"]["uid"], "allowed": true});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_is_scaled_up_for_its_webhook_and_back() {
    let place = Place::new().await;
    let pair = Pair::of("metallb-webhook-service.metallb-system.svc");
    let server = Server::start(&own_address(), &pair, allow);

    let shown = place.restore("timeout: 30s", "--dry-run", 0).await;
    let warnings = shown["warnings"].to_string();
    assert!(
        warnings.contains("no ready endpoint") && warnings.contains("step `metallb-webhook` waits"),
        "{warnings}"
    );
    assert_eq!(shown["operations"], 2, "{shown:#}");

    // Nobody plays the controller: the gate says what is missing, and nothing behind it is tried.
    let report = place.restore("timeout: 2s", "--yes", 1).await;
    let steps = report["steps"].as_array().unwrap();
    let gate = steps.iter().find(|step| step["id"] == "metallb-webhook").unwrap();
    let why = gate["failures"].to_string();
    assert!(why.contains("metallb-webhook-service has no ready endpoint") && why.contains(POOLS), "{why}");
    assert_eq!(place.replicas().await, 1);
    place.operator.undo(report["run"].as_str().unwrap(), 0).await;
    assert_eq!(place.replicas().await, 0);

    let report = tokio::select! {
        report = place.restore("timeout: 30s", "--yes", 0) => report,
        () = place.play(&server, &pair) => unreachable!(),
    };
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&json!("recovered"), &json!(0)),
        "{report:#}"
    );
    assert!(server.asked() >= 2, "the webhook let both through");
    assert_eq!(place.replicas().await, 0, "as it was");
    assert!(place.objects.get(POOLS, "metallb-system/default-pool").await.is_some());
}
