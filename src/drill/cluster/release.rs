//! Releases as Helm leaves them: the Secret, and the objects that it rendered. Traefik's whole; of Canal's, which RKE2's
//! helm-controller makes, what says that it is deployed.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::documents;
use crate::{Error, Result, helm, yaml};

/// The chart's templates, as their names are in the chart.
const TEMPLATES: [(&str, &str); 5] = [
    ("templates/_helpers.tpl", include_str!("traefik/templates/_helpers.tpl")),
    ("templates/deployment.yaml", include_str!("traefik/templates/deployment.yaml")),
    ("templates/ingressclass.yaml", include_str!("traefik/templates/ingressclass.yaml")),
    ("templates/rbac.yaml", include_str!("traefik/templates/rbac.yaml")),
    ("templates/service.yaml", include_str!("traefik/templates/service.yaml")),
];
/// What `helm template` makes of the chart and the values; a test has the real Helm make it again.
const MANIFEST: &str = include_str!("traefik-manifest.yaml");

/// The release's Secret and what it rendered.
pub(super) fn objects(marker: &str, now: DateTime<Utc>) -> Result<Vec<Value>> {
    let mut objects = documents("traefik-manifest.yaml", MANIFEST, marker)?;
    for object in &mut objects {
        // As Helm marks what it creates (pkg/action/validate.go, setMetadataVisitor).
        object["metadata"]["annotations"]["meta.helm.sh/release-name"] = "traefik".into();
        object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = "traefik".into();
    }
    objects.push(helm::encode(&traefik(marker, now)?)?);
    Ok(objects)
}

/// The Secret of Canal's release, whose manifest is what of these objects Helm owns.
pub(super) fn canal(rendered: &[Value], now: DateTime<Utc>) -> Result<Value> {
    let owned =
        |object: &&Value| object["metadata"]["annotations"]["meta.helm.sh/release-name"] == "rke2-canal";
    let documents: Vec<String> = rendered.iter().filter(owned).map(yaml::write).collect::<Result<_>>()?;
    let chart = json!({
        "metadata": {"name": "rke2-canal", "version": "v3.30.2-build2025081100", "apiVersion": "v1"},
        "lock": null, "templates": [], "values": {}, "schema": null, "files": [],
    });
    helm::encode(&deployed("rke2-canal", "kube-system", now, chart, json!({}), documents.join("---\n")))
}

/// Traefik's decoded release.
fn traefik(marker: &str, now: DateTime<Utc>) -> Result<Value> {
    let one = |name: &str, text: &str| {
        documents(name, text, marker)?
            .pop()
            .ok_or_else(|| Error::failed(format!("{name} of the believable cluster is empty")))
    };
    let templates: Vec<Value> = TEMPLATES
        .iter()
        .map(|(name, text)| json!({"name": name, "data": BASE64_STANDARD.encode(text)}))
        .collect();
    let chart = json!({
        "metadata": one("Chart.yaml", include_str!("traefik/Chart.yaml"))?,
        "lock": null,
        "templates": templates,
        "values": one("values.yaml", include_str!("traefik/values.yaml"))?,
        "schema": null,
        "files": [],
    });
    let config = one("traefik-values.yaml", include_str!("traefik-values.yaml"))?;
    Ok(deployed("traefik", "traefik", now, chart, config, MANIFEST.replace("MARKER", marker)))
}

/// The first revision of a release, in the form that [`helm::encode`] takes.
fn deployed(
    name: &str,
    namespace: &str,
    now: DateTime<Utc>,
    chart: Value,
    config: Value,
    manifest: String,
) -> Value {
    let time = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    json!({
        "name": format!("sh.helm.release.v1.{name}.v1"),
        "labels": {
            "name": name,
            "owner": "helm",
            "status": "deployed",
            "version": "1",
            "modifiedAt": now.timestamp().to_string(),
        },
        "release": {
            "name": name,
            "namespace": namespace,
            "version": 1,
            "info": {
                "first_deployed": time,
                "last_deployed": time,
                "deleted": "",
                "description": "Install complete",
                "status": "deployed",
            },
            "chart": chart,
            "config": config,
            "manifest": manifest,
        },
    })
}
