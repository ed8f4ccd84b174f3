use std::{fs, io::Write as _, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// An archive as Velero writes it.
struct Backed {
    folder: TempDir,
    entries: Vec<(String, String)>,
}

impl Backed {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            entries: vec![("metadata/version".into(), "1.1.0\n".into())],
        }
    }

    fn with(mut self, kind: &str, object: Value) -> Self {
        let metadata = &object["metadata"];
        let place = metadata["namespace"].as_str().map_or("cluster".into(), |n| format!("namespaces/{n}"));
        let name = metadata["name"].as_str().unwrap();
        for version in ["", "v1-preferredversion/"] {
            self.entries.push((format!("resources/{kind}/{version}{place}/{name}.json"), object.to_string()));
        }
        self
    }

    fn entry(mut self, path: &str, text: &str) -> Self {
        self.entries.push((path.into(), text.into()));
        self
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("nightly.tar.gz")
    }

    fn write(self) -> Self {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (number, (path, text)) in self.entries.iter().enumerate() {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o755);
            header.set_mtime(1_795_482_000 + number as u64);
            archive.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        fs::write(self.file(), archive.into_inner().unwrap().finish().unwrap()).unwrap();
        self
    }

    fn read(&self, components: &[Component]) -> Result<Backup> {
        let scope = Scope { components: components.iter().copied().collect(), ..Scope::default() };
        super::read(&self.file(), None, &scope)
    }
}

fn object(api: &str, kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace, "uid": "u",
        "resourceVersion": "1", "managedFields": [{}]}, "status": {"x": 1}})
}

fn keys(backup: &Backup) -> Vec<String> {
    backup.items.keys().map(|(_, key)| key.to_string()).collect()
}

fn policies() -> Backed {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo", "labels": {"a": "b"}}});
    Backed::new()
        .with(
            "networkpolicies.networking.k8s.io",
            object("networking.k8s.io/v1", "NetworkPolicy", "demo", "deny"),
        )
        .with("deployments.apps", object("apps/v1", "Deployment", "demo", "web"))
        .with("namespaces", namespace)
}

#[test]
fn what_the_catalog_names_becomes_items_as_a_capture_has_them() {
    let backup = policies().write().read(&[Component::Policies]).unwrap();
    assert_eq!(keys(&backup), ["namespaces demo", "networkpolicies.networking.k8s.io demo/deny"]);
    let policy = backup.items.values().last().unwrap();
    assert_eq!(policy.json().unwrap().value()["metadata"], json!({"name": "deny", "namespace": "demo"}));
    assert_eq!(backup.captured_at.timestamp(), 1_795_482_000, "the oldest entry");
    assert!(!backup.complete && backup.remarks[0].contains("velero-backup.json"), "{backup:?}");
}

#[test]
fn secrets_are_taken_only_where_something_in_scope_names_them() {
    let mut route = object("traefik.io/v1alpha1", "Middleware", "edge", "auth");
    route["spec"] = json!({"basicAuth": {"secret": "users"}});
    let secret = |name: &str, secret_type: &str| {
        let mut secret = object("v1", "Secret", "edge", name);
        (secret["type"], secret["data"]) = (secret_type.into(), json!({"k": "bWFya2Vy"}));
        secret
    };
    let backed = Backed::new()
        .with("secrets", secret("users", "Opaque"))
        .with("secrets", secret("foreign", "Opaque"))
        .with("secrets", secret("web-tls", "kubernetes.io/tls"))
        .with("middlewares.traefik.io", route)
        .write();
    assert_eq!(
        keys(&backed.read(&[Component::Ingress]).unwrap()),
        ["secrets edge/users", "middlewares.traefik.io edge/auth"]
    );
    assert_eq!(keys(&backed.read(&[Component::Certificates]).unwrap()), ["secrets edge/web-tls"]);
}

#[test]
fn a_release_is_taken_in_its_newest_deployed_revision_with_what_it_rendered() {
    let revision = |version: u64, status: &str| {
        let manifest = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: traefik}\n---\n\
                        apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: traefik-edge}\n";
        let labels =
            json!({"owner": "helm", "name": "traefik", "status": status, "version": version.to_string()});
        let release = json!({"name": "traefik", "namespace": "traefik", "version": version, "manifest": manifest,
            "info": {"status": status}, "chart": {"files": []}});
        let name = format!("sh.helm.release.v1.traefik.v{version}");
        crate::helm::encode(&json!({"name": name, "labels": labels, "release": release})).unwrap()
    };
    let mut role = object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "traefik-edge");
    role["metadata"].as_object_mut().unwrap().remove("namespace");
    let backed = Backed::new()
        .with("deployments.apps", object("apps/v1", "Deployment", "traefik", "traefik"))
        .with("deployments.apps", object("apps/v1", "Deployment", "traefik", "other"))
        .with("clusterroles.rbac.authorization.k8s.io", role)
        .with("secrets", revision(9, "superseded"))
        .with("secrets", revision(10, "deployed"))
        .with("secrets", revision(11, "pending-upgrade"))
        .write();
    let backup = backed.read(&[Component::Ingress]).unwrap();
    assert_eq!(
        keys(&backup),
        [
            "deployments.apps traefik/traefik",
            "clusterroles.rbac.authorization.k8s.io traefik-edge",
            "helm release traefik/traefik"
        ]
    );
    let release = backup.items.values().last().unwrap();
    assert_eq!(release.json().unwrap().value()["name"], "sh.helm.release.v1.traefik.v10");
}

#[test]
fn what_is_damaged_is_said_wherever_it_is_cut_off() {
    let backed = policies().write();
    let whole = fs::read(backed.file()).unwrap();
    for length in [0, 1, 20, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        fs::write(backed.file(), &whole[..length]).unwrap();
        let error = backed.read(&[Component::Policies]).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Damaged, "{length}: {error}");
        for part in ["nightly.tar.gz", "cut off or damaged"] {
            assert!(error.to_string().contains(part), "{length}: {error}");
        }
    }
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0xff;
    fs::write(backed.file(), flipped).unwrap();
    assert_eq!(backed.read(&[Component::Policies]).unwrap_err().kind(), crate::Kind::Damaged);
}

#[test]
fn what_is_no_velero_archive_or_lies_about_an_object_is_refused() {
    let bare = Backed { entries: vec![], ..Backed::new() }.entry("resources/x", "").write();
    assert!(bare.read(&[Component::Policies]).unwrap_err().to_string().contains("has no metadata/version"));
    let newer =
        Backed { entries: vec![("metadata/version".into(), "2.0.0".into())], ..Backed::new() }.write();
    assert!(newer.read(&[Component::Policies]).unwrap_err().to_string().contains("format 2.0.0"));
    let lie = object("networking.k8s.io/v1", "NetworkPolicy", "other", "deny").to_string();
    let path = "resources/networkpolicies.networking.k8s.io/namespaces/demo/deny.json";
    let error = policies().entry(path, &lie).write().read(&[Component::Policies]).unwrap_err();
    assert!(error.to_string().contains("another object than its path says"), "{error}");
    let error = policies().entry(path, "MARKER").write().read(&[Component::Policies]).unwrap_err();
    assert!(
        error.to_string().contains("deny.json is not JSON") && !format!("{error:?}").contains("MARKER"),
        "{error:?}"
    );
}

#[test]
fn an_archive_is_told_from_another_by_its_digest() {
    let backed = policies().write();
    let scope = Scope { components: [Component::Policies].into(), ..Scope::default() };
    let sha256 = super::read(&backed.file(), None, &scope).unwrap().sha256;
    assert!(super::read(&backed.file(), Some(&sha256), &scope).is_ok());
    fs::OpenOptions::new().append(true).open(backed.file()).unwrap().write_all(b"\n").unwrap();
    assert!(super::read(&backed.file(), Some(&sha256), &scope).is_err());
}
