//! What a cluster has that stands in the way of a recovery, or of its next upgrade.
//!
//! In: a capture of it, its nodes, admission webhooks that do not answer. Out: checks. Invariant: pure.

use serde_json::Value;

use super::values;
use crate::{
    capture::{Capture, Captured},
    catalog::{BUILT_IN_GROUPS, KINDS},
    check::{
        Check, Reading, Source,
        Status::{Alert, Warn},
    },
    helm,
    model::{Component, Content, IndexEntry, ItemKey},
    plan::{Target, is_crowded},
};

/// What an IngressClass of Traefik says.
const TRAEFIKS: &str = "traefik.io/ingress-controller";

/// What is captured for it.
pub const COMPONENTS: [Component; 4] =
    [Component::Cni, Component::Ingress, Component::Loadbalancer, Component::Certificates];

/// What a rollout may need one more of.
pub const NODES: Source = Source::all("", "nodes");

/// Whose content is looked at.
pub fn is_wanted(entry: &IndexEntry) -> bool {
    let key = &entry.key;
    matches!(key, ItemKey::Release { .. })
        || key.is_kind("apps", "deployments")
        || key.is_kind("networking.k8s.io", "ingressclasses")
        || key.is_kind("helm.cattle.io", "helmcharts")
        || key.is_kind("helm.cattle.io", "helmchartconfigs")
}

/// The kinds that a restore writes and that other programs may refuse.
pub fn written() -> Vec<Target> {
    let kinds = KINDS.iter().filter(|row| !BUILT_IN_GROUPS.contains(&row.group));
    let keys: Vec<ItemKey> = kinds.map(|row| ItemKey::resource(row.group, row.plural, None, "")).collect();
    Target::of(&keys)
}

/// Judges all of it. `unready` says which webhooks do not answer, of those that a restore must pass, or why that is not
/// known.
pub fn judge(capture: &Capture, nodes: &Reading, unready: &Result<Vec<String>, String>) -> Vec<Check> {
    let mut checks: Vec<Check> = capture.failures.iter().map(unread).collect();
    checks.extend(nodes.unread("doctor rollout", &[NODES]));
    checks.extend(failure_policy(capture));
    checks.extend(contents(capture, |key| matches!(key, ItemKey::Release { .. })).map(release));
    let deployments = contents(capture, |key| key.is_kind("apps", "deployments"));
    checks.extend(
        deployments.flat_map(|(key, deployment)| of_deployment(key, &deployment, nodes.objects(NODES))),
    );
    checks.push(controllers(capture));
    checks.push(webhooks(unready));
    checks
}

fn unread(failure: &crate::capture::Failure) -> Check {
    let name = format!("doctor {} {}", failure.component, failure.kind);
    Check::unknown(name, failure.why.clone(), format!("kubectl auth can-i list {} -A", failure.kind))
}

fn contents<'a>(
    capture: &'a Capture,
    wanted: impl Fn(&ItemKey) -> bool + 'a,
) -> impl Iterator<Item = (&'a ItemKey, Value)> {
    let content = |captured: &'a Captured| match captured.content.as_ref()? {
        Content::Resource(json) | Content::Release(json) => Some((&captured.entry.key, json.value())),
        Content::File(_) => None,
    };
    capture.items.iter().filter_map(content).filter(move |(key, _)| wanted(key))
}

/// An upgrade of Canal that is interrupted: helm-controller's default is to uninstall and install anew, and with the chart
/// go its definitions and every Calico policy (rke2 #3491, #3805, #6633).
fn failure_policy(capture: &Capture) -> Option<Check> {
    let of = |plural: &'static str| {
        let mut all =
            contents(capture, move |key| key.is_kind("helm.cattle.io", plural) && key.name() == "rke2-canal");
        all.next().map(|(_, object)| object["spec"]["failurePolicy"].as_str().map(str::to_owned))
    };
    let (chart, config) = (of("helmcharts")?, of("helmchartconfigs").flatten());
    let policy = config.or(chart).unwrap_or_else(|| "reinstall".into());
    let check = Check::ok("doctor failurePolicy of rke2-canal", policy.as_str(), "abort or retry");
    Some(match policy.as_str() {
        "abort" | "retry" => check,
        _ => check.found(
            Alert,
            "an interrupted upgrade uninstalls the CNI and installs it anew, and with its definitions every Calico policy \
             goes; set spec.failurePolicy: abort in HelmChartConfig kube-system/rke2-canal",
            "kubectl get helmchartconfigs -n kube-system rke2-canal -o yaml",
        ),
    })
}

fn release((key, content): (&ItemKey, Value)) -> Check {
    let next = format!("helm get values -n {} {}", key.namespace().unwrap_or_default(), key.name());
    let check = values::judge(&key.to_string(), &content["release"]["config"], &next);
    match helm::misfits(&content) {
        Err(error) => check.found(Warn, error.to_string(), next),
        Ok(lines) => lines.iter().fold(check, |check, line| {
            let why = format!(
                "{line} does not fit the schema of the release's own chart: Helm refuses the next upgrade"
            );
            check.found(Alert, why, &next)
        }),
    }
}

fn of_deployment(key: &ItemKey, deployment: &Value, nodes: &[Value]) -> Vec<Check> {
    let mut checks = Vec::new();
    let (namespace, name) = (key.namespace().unwrap_or_default(), key.name());
    if !nodes.is_empty() && is_crowded(deployment, deployment, nodes) {
        let check = Check::ok(
            format!("doctor rollout of {key}"),
            "waits for a node",
            "a node is free for its host ports",
        );
        checks.push(check.found(
            Warn,
            "its strategy takes no old pod away before a new one is ready, and no node is free for its host ports: a rollout \
             never ends; set maxUnavailable 1 and maxSurge 0",
            format!("kubectl get deployment -n {namespace} {name} -o jsonpath='{{.spec.strategy}}'"),
        ));
    }
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
    let mut args =
        containers.flat_map(|c| c["args"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    let acme = |arg: &str| {
        let arg = arg.to_ascii_lowercase();
        arg.starts_with("--certificatesresolvers.") && arg.contains(".acme.")
    };
    if args.any(acme) {
        let check = Check::ok(format!("doctor acme.json of {key}"), "in use", "certificates are Secrets");
        checks.push(check.found(
            Warn,
            "Traefik gets certificates itself and keeps them in a file, which is no object of Kubernetes: no snapshot has it; \
             let cert-manager issue them, or save the file's volume",
            format!("kubectl get deployment -n {namespace} {name} -o yaml"),
        ));
    }
    checks
}

/// RKE2's own ingress controller beside another: both want ports 80 and 443 of each node.
fn controllers(capture: &Capture) -> Check {
    let deployed = capture.revisions.iter().filter(|revision| revision.status == "deployed");
    let ingress = deployed.filter(|revision| {
        let component = helm::release_component(&revision.namespace, &revision.name, &[]);
        component == Some(Component::Ingress) && !revision.name.ends_with("-crd")
    });
    let mut names: Vec<String> = ingress.map(|r| format!("{}/{}", r.namespace, r.name)).collect();
    // Of Traefik's there may be several releases and one class; of another one, such as rke2-ingress-nginx, its class tells.
    let classes = contents(capture, |key| key.is_kind("networking.k8s.io", "ingressclasses"));
    let controllers =
        classes.filter_map(|(_, class)| class["spec"]["controller"].as_str().map(str::to_owned));
    names.extend(controllers.filter(|controller| controller != TRAEFIKS));
    names.sort();
    names.dedup();
    let check = Check::ok("doctor ingress controllers", names.len(), "at most 1");
    match names.len() {
        0 | 1 => check,
        _ => check.found(
            Warn,
            format!(
                "{} are there, and want ports 80 and 443 of the same nodes; where yours is to serve, set \
                 ingress-controller: none in RKE2's config.yaml",
                names.join(" and ")
            ),
            "kubectl get ingressclasses",
        ),
    }
}

/// MetalLB that is deployed and scaled to none refuses every change of its configuration, a restore's, too.
fn webhooks(unready: &Result<Vec<String>, String>) -> Check {
    const SHOW: &str = "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations";
    const NAME: &str = "doctor admission webhooks";
    let unready = match unready {
        Ok(unready) => unready,
        Err(why) => return Check::unknown(NAME, why, SHOW),
    };
    let check = Check::ok(NAME, unready.len(), "0 that do not answer");
    unready.iter().fold(check, |check, line| {
        let why = format!("{line}: until then a restore of these is refused");
        check.found(Warn, why, SHOW)
    })
}
