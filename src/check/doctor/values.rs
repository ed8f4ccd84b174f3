//! Values of Helm releases that do nothing, or that no chart takes: Traefik's and cert-manager's.
//!
//! Sources: values.schema.json and templates of Traefik's chart v33 to v41; cert-manager's chart.

use serde_json::Value;

use crate::check::{
    Check,
    Status::{self, Alert, Warn},
};

/// Judges values, which are from here; `next` is the command that shows them.
pub fn judge(origin: &str, values: &Value, next: &str) -> Check {
    let found = findings(values);
    let check = Check::ok(
        format!("doctor values of {origin}"),
        found.len(),
        "0 values that do nothing or do not fit",
    );
    found.into_iter().fold(check, |check, (status, why)| check.found(status, why, next))
}

fn findings(values: &Value) -> Vec<(Status, String)> {
    let mut found = Vec::new();
    let ports = values["ports"].as_object().into_iter().flatten();
    for (port, _) in ports.filter(|(_, settings)| settings["expose"].is_boolean()) {
        let why = format!(
            "ports.{port}.expose is true or false, and Traefik's chart takes an object: {{default: true}}"
        );
        found.push((Alert, why));
    }
    let resolvers =
        |values: &Value| values["certificatesResolvers"].as_object().is_some_and(|all| !all.is_empty());
    if resolvers(&values["tls"]) {
        found.push((
            Warn,
            "tls.certificatesResolvers is no key of Traefik's chart: v37 passes over it, v39 refuses it; the key is \
             certificatesResolvers, and below a name stands acme; where cert-manager issues, neither is needed"
                .into(),
        ));
    }
    let replicas = values["deployment"]["replicas"].as_u64().unwrap_or(1);
    if resolvers(values) && replicas > 1 {
        found.push((
            Alert,
            "certificatesResolvers with deployment.replicas over 1: Traefik's chart refuses ACME with several replicas"
                .into(),
        ));
    }
    let rolling = &values["updateStrategy"]["rollingUpdate"]["maxUnavailable"];
    let waits = rolling.is_null() || *rolling == 0 || rolling == "0%";
    if values["hostNetwork"] == true
        && replicas > 1
        && waits
        && values["updateStrategy"]["type"] != "Recreate"
    {
        found.push((
            Warn,
            format!(
                "hostNetwork with {replicas} replicas and updateStrategy.rollingUpdate.maxUnavailable 0, the chart's default: \
                 an upgrade waits for a node more whose ports 80 and 443 are free; set maxUnavailable 1 and maxSurge 0"
            ),
        ));
    }
    if !values["installCRDs"].is_null() {
        found.push((
            Warn,
            "installCRDs is deprecated: cert-manager's chart has crds.enabled and crds.keep; with older ones an uninstall \
             deletes every Certificate"
                .into(),
        ));
    }
    found
}
