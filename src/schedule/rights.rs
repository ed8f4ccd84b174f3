//! What a job may do on the cluster: a service account, and a role that follows from the catalog.
//!
//! Objects that are named are read by name alone, where the API can say so; RBAC cannot tell one type of Secret from
//! another, so whoever lists TLS Secrets may list all of them (Kubernetes, "RBAC Good Practices", Listing Secrets).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Job, NAMESPACE, Reads, metadata};
use crate::{
    catalog::{self, ExtraKind, Select},
    check::{Source, cni},
    model::{Class, Set},
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
const FOLLOW: &[&str] = &["list", "watch"];
const ALL: &[&str] = &["get", "list", "watch"];

/// Something a job may do besides reading what it is about.
pub(super) struct Right {
    /// Only there; everywhere where none.
    namespace: Option<&'static str>,
    group: &'static str,
    verbs: &'static [&'static str],
    /// Only these; any where empty.
    names: &'static [&'static str],
    resources: &'static [&'static str],
}

impl Right {
    const fn everywhere(
        group: &'static str,
        verbs: &'static [&'static str],
        resources: &'static [&'static str],
    ) -> Self {
        Self { namespace: None, group, verbs, names: &[], resources }
    }

    const fn within(
        namespace: &'static str,
        group: &'static str,
        verbs: &'static [&'static str],
        resources: &'static [&'static str],
    ) -> Self {
        Self { namespace: Some(namespace), ..Self::everywhere(group, verbs, resources) }
    }
}

const MAKE: &[&str] = &["create", "delete", "list"];

/// To start pods in the namespace that is there for them, and to see whether a run that was killed made one of its own.
pub(super) const PROBES: &[Right] = &[
    Right::everywhere("", LIST, &["namespaces"]),
    Right { names: &[cni::NAMESPACE], ..Right::everywhere("", GET, &["namespaces"]) },
    Right::within(cni::NAMESPACE, "", MAKE, &["pods"]),
    Right::within(cni::NAMESPACE, "networking.k8s.io", MAKE, &["networkpolicies"]),
];

/// By what cert-manager has issued, drift tells a renewal from what somebody did.
pub(super) const ISSUED: &[Right] = &[Right::everywhere("cert-manager.io", LIST, &["certificaterequests"])];

/// To find the nodes through which hosts are asked.
pub(super) const ASKS: &[Right] = &[Right::everywhere("", LIST, &["nodes"])];

/// To see a node before its taints are changed.
pub(super) const LOOKS: &[Right] = &[Right::everywhere("", GET, &["nodes"])];

/// To keep a speaker from a node, and to end it.
const FAILOVER: &[Right] = &[
    Right::everywhere("", &["patch"], &["nodes"]),
    Right::within("metallb-system", "", &["delete", "list"], &["pods"]),
];

/// The service account of a job and, where it asks the API server, its roles and bindings.
pub(super) fn objects(job: &Job, extra: &[ExtraKind]) -> Vec<Value> {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(job.name),
        "automountServiceAccountToken": false});
    let everywhere = match job.reads {
        Reads::Nothing | Reads::Place | Reads::Repository => return vec![account],
        Reads::Set(set) => rules(&[set], extra, false),
        Reads::Sets(sets) => rules(sets, extra, false),
        Reads::Followed(sets) => rules(sets, extra, true),
        Reads::Check(sources) => lists(&sources()),
    };
    let mut objects = vec![account];
    objects.extend(granted(job.name, job.name, everywhere, job.also));
    objects
}

/// What the failover test needs beyond what it reads.
pub(super) fn failover() -> Vec<Value> {
    granted("netdr-failover-acts", "netdr-failover-test", Rules::default(), FAILOVER)
}

/// A role and its binding for what is granted everywhere, and in each namespace that the rights name.
fn granted(name: &str, account: &str, everywhere: Rules, rights: &[Right]) -> Vec<Value> {
    let mut by_namespace = BTreeMap::from([(None, everywhere)]);
    for right in rights {
        let rules: &mut Rules = by_namespace.entry(right.namespace).or_default();
        rules.add(right.group, right.verbs, right.names, right.resources);
    }
    by_namespace.into_iter().flat_map(|(namespace, rules)| bound(name, account, namespace, rules)).collect()
}

/// A role, the cluster's or a namespace's, and its binding to an account.
fn bound(name: &str, account: &str, namespace: Option<&str>, rules: Rules) -> [Value; 2] {
    const API: &str = "rbac.authorization.k8s.io";
    let version = format!("{API}/v1");
    let (role, binding) = match namespace {
        None => ("ClusterRole", "ClusterRoleBinding"),
        Some(_) => ("Role", "RoleBinding"),
    };
    let mut metadata = metadata(name);
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("namespace"); // both are the cluster's, or that namespace's
        fields.extend(namespace.map(|namespace| ("namespace".to_owned(), namespace.into())));
    }
    [
        json!({"apiVersion": version, "kind": role, "metadata": metadata, "rules": rules.into_values()}),
        json!({"apiVersion": version, "kind": binding, "metadata": metadata,
            "roleRef": {"apiGroup": API, "kind": role, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]}),
    ]
}

/// What a check lists. A list that its field selector narrows to a name is granted for that name (Kubernetes, "Using RBAC
/// Authorization", Referring to resources).
fn lists(sources: &[Source]) -> Rules {
    let mut rules = Rules::default();
    for source in sources {
        rules.add(source.group, LIST, source.only().as_slice(), &[source.plural]);
    }
    rules
}

/// What a capture of these sets reads; where it is followed, of configuration also the right to watch it.
fn rules(sets: &[Set], extra: &[ExtraKind], followed: bool) -> Rules {
    let mut rules = Rules::default();
    rules.add("", GET, &["kube-system"], &["namespaces"]); // whose uid tells a rebuilt cluster from the one before
    for set in sets.iter().filter(|set| **set != Set::Host) {
        of_set(&mut rules, *set, extra, followed);
    }
    rules
}

fn of_set(rules: &mut Rules, set: Set, extra: &[ExtraKind], followed: bool) {
    let (list, get, both) = if followed { (FOLLOW, ALL, ALL) } else { (LIST, GET, BOTH) };
    rules.add("", list, &[], &["namespaces"]);
    rules.add("", both, &[], &["secrets"]); // TLS, those that items name, and releases
    rules.add("", GET, &[], &["configmaps"]); // those that items name
    rules.add("apiextensions.k8s.io", get, &[], &["customresourcedefinitions"]);
    rules.add("apps", LIST, &[], &["deployments"]); // where cert-manager's controller keeps Secrets of a ClusterIssuer
    if set == Set::Network {
        rules.add("networking.k8s.io", GET, &["kubernetes"], &["servicecidrs"]); // a fact of the preflight gate
    }
    for row in set.components().flat_map(catalog::rows) {
        // What is only recorded occasions no snapshot.
        let (list, get) = if row.class == Class::Config { (list, get) } else { (LIST, GET) };
        match row.select {
            Select::All => rules.add(row.group, list, &[], &[row.plural]),
            Select::SecretType(_) => {} // above
            Select::Named(names) => {
                let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
                rules.add(row.group, get, &names, &[row.plural]);
            }
        }
    }
    for extra in extra.iter().filter(|extra| extra.component.set() == set) {
        rules.add(&extra.group, list, &[], &[&catalog::plural(&extra.kind)]);
    }
    for (group, resources) in RENDERED {
        rules.add(group, GET, &[], resources);
    }
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
