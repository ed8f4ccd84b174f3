//! Scenario certificates, with cert-manager's own controllers (tests/control-plane/reissue/controllers), which issue from
//! an authority in the cluster. Its webhook is not there, nor are its ACME controllers.

mod limits;
mod lost;
mod newer;
mod renewed;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use netdr::certificates::Leaf;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::support::{MARKER, Objects, Operator, Plane, cert_manager, eventually, fresh};

pub(super) const SCENARIO: &str = "certificates";
const CERTIFICATES: &str = "certificates.cert-manager.io";
const REQUESTS: &str = "certificaterequests.cert-manager.io";

/// cert-manager as it is installed, with a ClusterIssuer's Secrets elsewhere than in its own namespace.
const CLUSTER: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: cert-manager}
---
apiVersion: v1
kind: Namespace
metadata: {name: issuers-home}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {tier: edge}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cert-manager
  namespace: cert-manager
  labels: {app.kubernetes.io/name: cert-manager, app.kubernetes.io/component: controller}
spec:
  selector: {matchLabels: {app: cert-manager}}
  template:
    metadata: {labels: {app: cert-manager}}
    spec: {containers: [{name: c, image: i, args: [--cluster-resource-namespace=issuers-home]}]}
---
apiVersion: v1
kind: Secret
metadata: {name: keystore-password, namespace: shop}
stringData: {password: MARKER-keystore}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: ours}
spec: {ca: {secretName: root}}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: local, namespace: shop}
spec: {ca: {secretName: local-root}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, namespace: shop}
spec:
  secretName: web-tls
  dnsNames: [web.shop.lab, shop.lab]
  issuerRef: {name: ours, kind: ClusterIssuer, group: cert-manager.io}
  privateKey: {algorithm: ECDSA, rotationPolicy: Always}
  keystores: {pkcs12: {create: true, passwordSecretRef: {name: keystore-password, key: password}}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: api, namespace: shop}
spec:
  secretName: api-tls
  commonName: api.shop.lab
  dnsNames: [api.shop.lab]
  issuerRef: {name: local}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: portal, namespace: shop}
spec: {defaultBackend: {service: {name: portal, port: {number: 80}}}}
";

/// As ingress-shim makes it for the Ingress.
fn of_an_ingress(ingress: &Value) -> String {
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "portal", "namespace": "shop", "ownerReferences": [{
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "portal",
            "uid": ingress["metadata"]["uid"], "controller": true}]},
        "spec": {"secretName": "portal-tls", "dnsNames": ["portal.shop.lab"],
            "issuerRef": {"name": "ours", "kind": "ClusterIssuer"}},
    })
    .to_string()
}

fn authority(namespace: &str, name: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().unwrap();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"tls.crt": params.self_signed(&key).unwrap().pem(), "tls.key": key.serialize_pem()},
    })
    .to_string()
}

/// A cluster whose certificates were issued by cert-manager and backed up.
pub(super) struct Issued {
    pub(super) plane: Plane,
    pub(super) objects: Objects,
    pub(super) operator: Operator,
    controllers: Option<Child>,
}

impl Issued {
    pub(super) async fn backed_up() -> Self {
        let plane = fresh(cert_manager()).await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        let mut issued = Self { plane, objects, operator, controllers: None };
        issued.objects.create(&CLUSTER.replace("MARKER", MARKER)).await;
        issued.objects.create(&authority("issuers-home", "root")).await;
        issued.objects.create(&authority("shop", "local-root")).await;
        let ingress = issued.objects.get("ingresses.networking.k8s.io", "shop/portal").await.unwrap();
        issued.objects.create(&of_an_ingress(&ingress)).await;
        issued.start();
        for name in ["web", "api", "portal"] {
            issued.ready(name).await;
        }
        issued.backup().await;
        issued
    }

    pub(super) async fn backup(&self) {
        self.operator.home.netdr(&["backup", "--set", "certificates", "--json"]).await.json(0);
    }

    /// cert-manager's controllers begin, or go on.
    fn start(&mut self) {
        let kubeconfig = self.plane.kubeconfig().to_str().unwrap();
        let mut command = self.operator.home.command("cert-manager", &[kubeconfig, "issuers-home"]);
        let silent = std::process::Stdio::null;
        self.controllers = Some(command.stdout(silent()).stderr(silent()).spawn().unwrap());
    }

    pub(super) async fn stop(&mut self) {
        self.controllers.take().unwrap().kill().await.unwrap();
    }

    /// Waits until cert-manager calls a Certificate ready and is not issuing it.
    async fn ready(&self, name: &str) {
        eventually(&format!("certificate {name} is ready"), async || {
            let certificate = self.objects.get(CERTIFICATES, &format!("shop/{name}")).await?;
            let is = |kind: &str| condition(&certificate, kind).is_some_and(|c| c["status"] == "True");
            (is("Ready") && !is("Issuing")).then_some(())
        })
        .await;
    }

    async fn leaf(&self, secret: &str) -> Option<Leaf> {
        Leaf::of(&self.objects.get("secrets", &format!("shop/{secret}")).await?).ok()
    }

    /// The certificates of all TLS Secrets, and the Secrets' annotations and labels.
    async fn served(&self) -> BTreeMap<String, (Leaf, Value, Value)> {
        let secrets = self.objects.list("secrets").await;
        let tls = secrets.into_iter().filter(|secret| secret["type"] == "kubernetes.io/tls");
        tls.map(|secret| {
            let metadata = &secret["metadata"];
            let name = metadata["name"].as_str().unwrap().to_owned();
            let leaf = Leaf::of(&secret).unwrap();
            (name, (leaf, metadata["annotations"].clone(), metadata["labels"].clone()))
        })
        .collect()
    }

    async fn kubectl(&self, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.operator.home.run("kubectl", &arguments).await.ok()
    }

    /// The private keys and passwords of the cluster, as they would show in clear or in an object.
    async fn secret_values(&self) -> Vec<String> {
        let secrets = self.objects.list("secrets").await;
        let values = secrets.iter().flat_map(|secret| {
            let fields = secret["data"].as_object().into_iter().flatten();
            let secret = fields.filter(|(name, _)| matches!(name.as_str(), "tls.key" | "password"));
            secret.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect::<Vec<_>>()
        });
        let values: Vec<String> = values.collect();
        assert!(values.len() >= 6, "{}", values.len());
        let decoded = values.iter().map(|value| String::from_utf8(STANDARD.decode(value).unwrap()).unwrap());
        // A PEM key's third line is its own; its first is everybody's.
        let telling = decoded.map(|text| text.lines().nth(2).unwrap_or(&text).to_owned());
        values.iter().map(|value| value[value.len() / 2..].to_owned()).chain(telling).collect()
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// The outcomes of a report's checks.
fn checked(report: &Value) -> Vec<&str> {
    report["checks"].as_array().unwrap().iter().map(|check| check["outcome"].as_str().unwrap()).collect()
}
