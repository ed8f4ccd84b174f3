//! What goes wrong in a drill: the operations guide's failures, caused on purpose.
//!
//! In: a cluster that was loaded by [`super::cluster`]. Out: what was done to it, a line each.
//! Invariant: only the disposable cluster that the caller hands over is touched.

use serde_json::{Value, json};

use crate::{
    Error, Result,
    cluster::{Cluster, Discovery, Precondition},
};

/// Corrupts network policies: some are gone, one lets everything in, one lets everything out, and a label that
/// policies select on is lost.
///
/// # Errors
/// When the cluster lacks what is to be broken.
pub async fn break_policies(cluster: &Cluster) -> Result<Vec<String>> {
    let breaker = Breaker::new(cluster).await?;
    let mut done = Vec::new();
    for (namespace, name) in [
        ("jupyter", "default-deny-all"),
        ("postgres", "allow-workflows"),
        ("postgres", "default-deny-all"),
        ("monitoring", "allow-dns"),
    ] {
        done.push(breaker.delete(POLICIES, Some(namespace), name).await?);
    }
    let allow_all = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "temporary-allow-all", "namespace": "objectstore"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
    });
    done.push(breaker.create(POLICIES, "objectstore", &allow_all).await?);
    let leak = json!({"spec": {"egress": [{}]}});
    done.push(
        breaker.merge(POLICIES, Some("archive"), "default-deny-all", &leak, "lets everything out").await?,
    );
    let unlabel = json!({"metadata": {"labels": {"lab.radioastronomy.io/tier": null}}});
    done.push(breaker.merge(("", "namespaces"), None, "catalog", &unlabel, "lost its label").await?);
    Ok(done)
}

/// Loses the ingress controller: its release and what that rendered, routes, middlewares and the wildcard
/// certificate.
///
/// # Errors
/// When the cluster lacks what is to be broken.
pub async fn break_traefik(cluster: &Cluster) -> Result<Vec<String>> {
    let breaker = Breaker::new(cluster).await?;
    let mut done = Vec::new();
    for (kind, namespace, name) in [
        (("apps", "deployments"), Some("traefik"), "traefik"),
        (("", "services"), Some("traefik"), "traefik"),
        ((RBAC, "clusterroles"), None, "traefik-traefik"),
        ((RBAC, "clusterrolebindings"), None, "traefik-traefik"),
        (("networking.k8s.io", "ingressclasses"), None, "traefik"),
        ((TRAEFIK, "ingressroutes"), Some("traefik"), "dashboard"),
        ((TRAEFIK, "ingressroutes"), Some("jupyter"), "notebooks"),
        ((TRAEFIK, "middlewares"), Some("traefik"), "dashboard-auth"),
        ((TRAEFIK, "middlewares"), Some("traefik"), "secure-headers"),
        ((TRAEFIK, "tlsstores"), Some("traefik"), "default"),
        (("", "secrets"), Some("traefik"), "sh.helm.release.v1.traefik.v1"),
        (("", "secrets"), Some("traefik"), "wildcard-radioastronomy-tls"),
        (("", "secrets"), Some("traefik"), "dashboard-users"),
    ] {
        done.push(breaker.delete(kind, namespace, name).await?);
    }
    Ok(done)
}

/// Group and plural of a kind.
type Kind = (&'static str, &'static str);

const POLICIES: Kind = ("networking.k8s.io", "networkpolicies");
const TRAEFIK: &str = "traefik.io";
const RBAC: &str = "rbac.authorization.k8s.io";

struct Breaker<'a> {
    cluster: &'a Cluster,
    discovery: Discovery,
}

impl<'a> Breaker<'a> {
    async fn new(cluster: &'a Cluster) -> Result<Self> {
        Ok(Self { cluster, discovery: cluster.discover().await? })
    }

    fn kind(&self, (group, plural): Kind) -> Result<&crate::cluster::ApiKind> {
        self.discovery
            .find(group, plural)
            .ok_or_else(|| Error::failed(format!("the cluster does not serve {plural} of {group}")))
    }

    async fn delete(&self, kind: Kind, namespace: Option<&str>, name: &str) -> Result<String> {
        let api = self.kind(kind)?;
        let shown = shown(kind, namespace, name);
        let refused = |r: crate::cluster::Refusal| r.about("cannot delete", &shown, self.cluster.server());
        let object = self.cluster.get(api, namespace, name).await.map_err(refused)?;
        let object = object.ok_or_else(|| Error::failed(format!("{shown} is not there to be deleted")))?;
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let seen = Precondition { uid: text("uid"), resource_version: text("resourceVersion") };
        self.cluster.delete(api, namespace, name, &seen).await.map_err(refused)?;
        Ok(format!("{shown} deleted"))
    }

    async fn create(&self, kind: Kind, namespace: &str, object: &Value) -> Result<String> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let shown = shown(kind, Some(namespace), name);
        self.cluster
            .create(self.kind(kind)?, Some(namespace), object.to_string().as_bytes())
            .await
            .map_err(|r| r.about("cannot create", &shown, self.cluster.server()))?;
        Ok(format!("{shown} slipped in"))
    }

    async fn merge(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        what: &str,
    ) -> Result<String> {
        let shown = shown(kind, namespace, name);
        self.cluster
            .merge(self.kind(kind)?, namespace, name, patch)
            .await
            .map_err(|r| r.about("cannot change", &shown, self.cluster.server()))?;
        Ok(format!("{shown} {what}"))
    }
}

fn shown((_, plural): Kind, namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| format!("{plural} {name}"), |namespace| format!("{plural} {namespace}/{name}"))
}
