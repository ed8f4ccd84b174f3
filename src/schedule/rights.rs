//! What a job may do on the cluster: a service account, and a role that follows from the catalog.
//!
//! Objects that are named are read by name alone, where the API can say so; RBAC cannot tell one type of Secret from
//! another, so whoever lists TLS Secrets may list all of them (Kubernetes, "RBAC Good Practices", Listing Secrets).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Job, NAMESPACE, Reads, metadata};
use crate::{
    catalog::{self, ExtraKind, Select},
    check::Source,
    model::Set,
};

/// What the charts of Traefik, cert-manager and MetalLB render, read by name as it runs; kinds of no built-in group are
/// those of the Prometheus operator.
const RENDERED: &[(&str, &[&str])] = &[
    ("", &["configmaps", "namespaces", "persistentvolumeclaims", "serviceaccounts", "services"]),
    ("admissionregistration.k8s.io", &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    ("apps", &["daemonsets", "deployments", "statefulsets"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["jobs"]),
    ("gateway.networking.k8s.io", &["gatewayclasses", "gateways"]),
    ("monitoring.coreos.com", &["podmonitors", "prometheusrules", "servicemonitors"]),
    ("networking.k8s.io", &["ingressclasses", "ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["clusterrolebindings", "clusterroles", "rolebindings", "roles"]),
    ("traefik.io", &["ingressroutes", "middlewares", "tlsoptions", "tlsstores"]),
];

/// What a rule is about besides its resources: group, verbs, and names where only these are meant.
type About = (String, &'static [&'static str], Vec<String>);

/// By what they are about: the resources.
#[derive(Default)]
struct Rules(BTreeMap<About, BTreeSet<String>>);

const LIST: &[&str] = &["list"];
const GET: &[&str] = &["get"];
const BOTH: &[&str] = &["get", "list"];

/// The service account of a job and, where it asks the API server, its role and binding.
pub(super) fn objects(job: &Job, extra: &[ExtraKind]) -> Vec<Value> {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(job.name),
        "automountServiceAccountToken": false});
    let rules = match job.reads {
        Reads::Nothing => return vec![account],
        Reads::Set(set) => rules(set, extra),
        Reads::Check(sources) => lists(&sources()),
    };
    let mut metadata = metadata(job.name);
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("namespace"); // both are the cluster's
    }
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
        "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": job.name},
        "subjects": [{"kind": "ServiceAccount", "name": job.name, "namespace": NAMESPACE}]});
    vec![account, role, binding]
}

/// What a check lists.
fn lists(sources: &[Source]) -> Vec<Value> {
    let mut rules = Rules::default();
    for source in sources {
        rules.add(source.group, LIST, &[], &[source.plural]);
    }
    rules.into_values()
}

fn rules(set: Set, extra: &[ExtraKind]) -> Vec<Value> {
    let mut rules = Rules::default();
    rules.add("", GET, &["kube-system"], &["namespaces"]); // whose uid tells a rebuilt cluster from the one before
    if set == Set::Host {
        return rules.into_values();
    }
    rules.add("", LIST, &[], &["namespaces"]);
    rules.add("", BOTH, &[], &["secrets"]); // TLS, those that items name, and releases
    rules.add("", GET, &[], &["configmaps"]); // those that items name
    rules.add("apiextensions.k8s.io", GET, &[], &["customresourcedefinitions"]);
    rules.add("apps", LIST, &[], &["deployments"]); // where cert-manager's controller keeps Secrets of a ClusterIssuer
    if set == Set::Network {
        rules.add("networking.k8s.io", GET, &["kubernetes"], &["servicecidrs"]); // a fact of the preflight gate
    }
    for row in set.components().flat_map(catalog::rows) {
        match row.select {
            Select::All => rules.add(row.group, LIST, &[], &[row.plural]),
            Select::SecretType(_) => {} // above
            Select::Named(names) => {
                let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
                rules.add(row.group, GET, &names, &[row.plural]);
            }
        }
    }
    for extra in extra.iter().filter(|extra| extra.component.set() == set) {
        rules.add(&extra.group, LIST, &[], &[&catalog::plural(&extra.kind)]);
    }
    for (group, resources) in RENDERED {
        rules.add(group, GET, &[], resources);
    }
    rules.into_values()
}

impl Rules {
    fn add(&mut self, group: &str, verbs: &'static [&'static str], names: &[&str], resources: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let rule = self.0.entry((group.into(), verbs, names)).or_default();
        rule.extend(resources.iter().map(|resource| (*resource).to_owned()));
    }

    fn into_values(self) -> Vec<Value> {
        let rule = |((group, verbs, names), resources): (About, BTreeSet<String>)| {
            let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
            if !names.is_empty() {
                rule["resourceNames"] = json!(names);
            }
            rule
        };
        self.0.into_iter().map(rule).collect()
    }
}
