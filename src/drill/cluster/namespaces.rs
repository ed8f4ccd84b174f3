//! The namespaces of the lab: each under default-deny, with what it needs allowed by name.

use serde_json::Value;

use super::documents;
use crate::Result;

/// Who may talk to the application of a namespace: (policy, from namespace, port).
type Allow = (&'static str, &'static str, u16);

/// A namespace, its application, and what its default-deny is pierced by.
struct Tenant {
    name: &'static str,
    app: &'static str,
    tier: &'static str,
    allows: &'static [Allow],
}

const fn tenant(
    name: &'static str,
    app: &'static str,
    tier: &'static str,
    allows: &'static [Allow],
) -> Tenant {
    Tenant { name, app, tier, allows }
}

const TENANTS: [Tenant; 13] = [
    tenant(
        "archive",
        "archive",
        "data",
        &[("allow-ingress", "traefik", 8080), ("allow-catalog", "catalog", 8080)],
    ),
    tenant("jupyter", "hub", "research", &[("allow-ingress", "traefik", 8000)]),
    tenant("ingest", "receiver", "research", &[("allow-calibration", "calibration", 9000)]),
    tenant("calibration", "pipeline", "research", &[("allow-scheduler", "workflows", 8080)]),
    tenant("imaging", "imager", "research", &[("allow-scheduler", "workflows", 8080)]),
    tenant("spectra", "extractor", "research", &[("allow-scheduler", "workflows", 8080)]),
    tenant(
        "workflows",
        "scheduler",
        "platform",
        &[("allow-ingress", "traefik", 8443), ("allow-notebooks", "jupyter", 8443)],
    ),
    tenant(
        "postgres",
        "postgres",
        "data",
        &[("allow-workflows", "workflows", 5432), ("allow-catalog", "catalog", 5432)],
    ),
    tenant(
        "catalog",
        "catalog",
        "data",
        &[("allow-ingress", "traefik", 8080), ("allow-notebooks", "jupyter", 8080)],
    ),
    tenant(
        "objectstore",
        "minio",
        "data",
        &[("allow-imaging", "imaging", 9000), ("allow-spectra", "spectra", 9000)],
    ),
    tenant("registry", "registry", "platform", &[("allow-ingress", "traefik", 5000)]),
    tenant("monitoring", "grafana", "platform", &[("allow-ingress", "traefik", 3000)]),
    tenant("mail", "relay", "platform", &[("allow-alerts", "monitoring", 25)]),
];

const TENANT: &str = include_str!("tenant.yaml");
const ALLOW: &str = include_str!("allow.yaml");

/// The namespaces with their policies, and an application Secret each that is no business of netdr's.
pub(super) fn objects(marker: &str) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for tenant in &TENANTS {
        let fill = |text: &str| {
            text.replace("NAMESPACE", tenant.name).replace("APP", tenant.app).replace("TIER", tenant.tier)
        };
        objects.extend(documents("tenant.yaml", &fill(TENANT), marker)?);
        for (policy, from, port) in tenant.allows {
            let text = fill(ALLOW)
                .replace("POLICY", policy)
                .replace("FROM", from)
                .replace("PORT", &port.to_string());
            objects.extend(documents("allow.yaml", &text, marker)?);
        }
    }
    Ok(objects)
}
