//! Odd things on a cluster without any CRD: each is named, and the rest is captured.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use netdr::{
    cluster::{ApiKind, Cluster},
    drill::Options,
    helm,
};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::support::{Home, fresh};

/// Creates Secrets; namespaces are made as they are needed.
struct Maker {
    cluster: Cluster,
    namespaces: ApiKind,
    secrets: ApiKind,
}

impl Maker {
    async fn new(cluster: Cluster) -> Self {
        let discovery = cluster.discover().await.unwrap();
        let kind = |plural: &str| discovery.find("", plural).unwrap().clone();
        let (namespaces, secrets) = (kind("namespaces"), kind("secrets"));
        Self { cluster, namespaces, secrets }
    }

    async fn secret(&self, secret: &Value) {
        let namespace = secret["metadata"]["namespace"].as_str().unwrap();
        let home = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        match self.cluster.create(&self.namespaces, None, home.to_string().as_bytes()).await {
            Err(refusal) if !refusal.is_conflict() => panic!("{refusal}"),
            _ => {}
        }
        self.cluster.create(&self.secrets, Some(namespace), secret.to_string().as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_that_does_not_match_is_a_warning_and_the_snapshot_is_complete() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await;
    let certificate = CertificateParams::new(["lab.example".to_owned()])
        .unwrap()
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap();
    let another_key = KeyPair::generate().unwrap().serialize_pem();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "web", "namespace": "shop"},
        "stringData": {"tls.crt": certificate.pem(), "tls.key": another_key}});
    Maker::new(plane.cluster().await.unwrap()).await.secret(&secret).await;

    let document = home.netdr(&["backup", "--set", "certificates", "--json"]).await.json(0);
    let snapshot = &document["snapshots"][0];
    assert_eq!(snapshot["state"], "complete");
    let warning = "secrets shop/web has a private key that does not match its certificate";
    assert!(snapshot["warnings"].as_array().unwrap().contains(&warning.into()), "{document}");
    let absent = snapshot["components"][0]["absent"].as_array().unwrap();
    assert!(absent.contains(&"clusterissuers.cert-manager.io".into()), "{document}");
}

/// A Secret as Helm labels it, holding whatever the caller likes.
fn release(namespace: &str, name: &str, revision: u32, status: &str, content: &[u8]) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": format!("sh.helm.release.v1.{name}.v{revision}"), "namespace": namespace,
            "labels": {"owner": "helm", "name": name, "status": status, "version": revision.to_string()}},
        "data": {"release": BASE64_STANDARD.encode(BASE64_STANDARD.encode(content))}})
}

/// A release as large as a Secret can be: its notes do not compress.
fn largest() -> Value {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (state >> 33) as u8 % 90)
    };
    let notes: String = (0..900_000).map(|_| letter()).collect();
    helm::encode(&json!({
        "name": "sh.helm.release.v1.rke2-traefik.v1",
        "labels": {"owner": "helm", "name": "rke2-traefik", "status": "deployed", "version": "1"},
        "release": {"name": "rke2-traefik", "namespace": "kube-system", "version": 1, "manifest": "",
            "info": {"status": "deployed", "notes": notes}, "chart": {"metadata": {"name": "t", "version": "1.0.0"}},
            "config": {}},
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helm_secret_that_cannot_be_read_is_named_and_the_sound_ones_are_captured() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await;
    let maker = Maker::new(plane.cluster().await.unwrap()).await;
    let sound = json!({"name": "traefik", "namespace": "traefik", "version": 1, "info": {"status": "deployed"},
        "chart": {"metadata": {"name": "traefik", "version": "1.0.0"}}, "config": {}, "manifest": ""});
    let large = largest();
    let bytes = BASE64_STANDARD.decode(large["data"]["release"].as_str().unwrap()).unwrap().len();
    assert!(bytes > 900_000, "{bytes}");
    for secret in [
        release("metallb-system", "metallb", 1, "deployed", b"\x1f\x8b\x08 and no more gzip"),
        release("cert-manager", "cert-manager", 1, "deployed", b"neither gzip nor JSON"),
        release("traefik", "traefik", 1, "deployed", sound.to_string().as_bytes()),
        release("traefik", "traefik", 2, "pending-upgrade", b"of no interest"),
        large,
    ] {
        maker.secret(&secret).await;
    }

    let document = home.netdr(&["backup", "--json"]).await.json(3);
    let snapshots = document["snapshots"].as_array().unwrap();
    assert_eq!(snapshots[0]["reasons"], json!(["loadbalancer: helm release could not be read"]));
    assert_eq!(snapshots[1]["reasons"], json!(["certificates: helm release could not be read"]));
    let said = document.to_string();
    for words in [
        "helm release metallb-system/metallb: Secret sh.helm.release.v1.metallb.v1 holds damaged gzip",
        "helm release cert-manager/cert-manager: Secret sh.helm.release.v1.cert-manager.v1 holds neither gzip nor JSON",
        "kubectl get secret sh.helm.release.v1.metallb.v1 -n metallb-system",
        "helm release traefik/traefik: revision 2 is pending-upgrade; revision 1 was captured",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let network = snapshots[0]["id"].as_str().unwrap();
    let shown = home.netdr(&["show", network, "--items"]).await.ok();
    for release in ["ingress helm release traefik/traefik", "ingress helm release kube-system/rke2-traefik"] {
        assert!(shown.contains(release), "{release}: {shown}");
    }
}
