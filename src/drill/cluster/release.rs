//! Traefik as Helm leaves it: the release's Secret, and the objects that it rendered.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::documents;
use crate::{Error, Result, helm};

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
    objects.push(helm::encode(&release(marker, now)?)?);
    Ok(objects)
}

/// The decoded release, in the form that [`helm::encode`] takes.
fn release(marker: &str, now: DateTime<Utc>) -> Result<Value> {
    let one = |name: &str, text: &str| {
        documents(name, text, marker)?
            .pop()
            .ok_or_else(|| Error::failed(format!("{name} of the believable cluster is empty")))
    };
    let time = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    let templates: Vec<Value> = TEMPLATES
        .iter()
        .map(|(name, text)| json!({"name": name, "data": BASE64_STANDARD.encode(text)}))
        .collect();
    Ok(json!({
        "name": "sh.helm.release.v1.traefik.v1",
        "labels": {
            "name": "traefik",
            "owner": "helm",
            "status": "deployed",
            "version": "1",
            "modifiedAt": now.timestamp().to_string(),
        },
        "release": {
            "name": "traefik",
            "namespace": "traefik",
            "version": 1,
            "info": {
                "first_deployed": time,
                "last_deployed": time,
                "deleted": "",
                "description": "Install complete",
                "status": "deployed",
            },
            "chart": {
                "metadata": one("Chart.yaml", include_str!("traefik/Chart.yaml"))?,
                "lock": null,
                "templates": templates,
                "values": one("values.yaml", include_str!("traefik/values.yaml"))?,
                "schema": null,
                "files": [],
            },
            "config": one("traefik-values.yaml", include_str!("traefik-values.yaml"))?,
            "manifest": MANIFEST.replace("MARKER", marker),
        },
    }))
}
