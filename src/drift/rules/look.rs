//! What the rules ask of an item.

use serde_json::Value;

use super::super::Facts;
use crate::{
    catalog, certificates,
    model::{Component, ItemKey},
    plan::{Change, diff::FieldChange},
    policies::{Direction, opens},
};

const CALICO: &str = "crd.projectcalico.org";
const ADMIN: &str = "policy.networking.k8s.io";
const GATEWAY: &str = "gateway.networking.k8s.io";
const TRAEFIK: &str = "traefik.io";
const RBAC: &str = "rbac.authorization.k8s.io";
pub(super) const METALLB: &[&str] =
    &["ipaddresspools", "bgppeers", "bfdprofiles", "communities", "l2advertisements", "bgpadvertisements"];
/// Middlewares that decide who gets in.
const GUARDS: [&str; 6] = ["basicAuth", "digestAuth", "forwardAuth", "ipAllowList", "ipWhiteList", "plugin"];
/// Kinds whose labels somebody selects by.
const SELECTED: [(&str, &str); 7] = [
    ("", "namespaces"),
    ("", "nodes"),
    ("metallb.io", "ipaddresspools"),
    (RBAC, "clusterroles"), // aggregated into others
    (CALICO, "globalnetworksets"),
    (CALICO, "networksets"),
    (CALICO, "hostendpoints"),
];
/// Annotations by which something behaves otherwise.
const READ: [&str; 12] = [
    "np.rke2.io",
    "metallb.io/",
    "metallb.universe.tf/",
    "traefik.ingress.kubernetes.io/",
    "nginx.ingress.kubernetes.io/",
    "ingressclass.kubernetes.io/",
    "kubernetes.io/ingress.class",
    "cert-manager.io/",
    "acme.cert-manager.io/",
    "projectcalico.org/",
    "flannel.alpha.coreos.com/",
    "service.",
];

impl Facts<'_> {
    pub(super) fn added(&self) -> bool {
        self.change == Change::Added
    }

    pub(super) fn removed(&self) -> bool {
        self.change == Change::Removed
    }

    pub(super) fn changed(&self) -> bool {
        self.change == Change::Changed
    }

    /// Whether what it was before is not known: a snapshot has it that nobody opened.
    pub(super) fn is_sealed(&self) -> bool {
        !self.added() && self.before.is_none()
    }

    pub(super) fn is(&self, group: &str, plurals: &[&str]) -> bool {
        plurals.iter().any(|plural| self.key.is_kind(group, plural))
    }

    pub(super) fn file(&self) -> Option<&str> {
        matches!(self.key, ItemKey::File { .. }).then(|| self.key.name())
    }

    pub(super) fn is_release(&self) -> bool {
        matches!(self.key, ItemKey::Release { .. })
    }

    /// Whether nothing but labels and annotations differs, and of these none that something reads.
    pub(super) fn only_words(&self) -> bool {
        let unread = |name: &String| !READ.iter().any(|read| name.starts_with(read));
        let selected = SELECTED.iter().any(|(group, plural)| self.key.is_kind(group, plural));
        let words = |field: &FieldChange| {
            let names = |map: &str| names(field, map);
            match (names("metadata.annotations"), names("metadata.labels")) {
                (Some(annotations), _) => annotations.iter().all(unread),
                (_, Some(_)) => !selected,
                _ => false,
            }
        };
        self.changed() && !self.fields.is_empty() && self.fields.iter().all(words)
    }

    /// A policy that is enforced.
    pub(super) fn is_policy(&self) -> bool {
        self.is("networking.k8s.io", &["networkpolicies"])
            || self.is(CALICO, &["networkpolicies", "globalnetworkpolicies"])
            || self.is(
                ADMIN,
                &["adminnetworkpolicies", "baselineadminnetworkpolicies", "clusternetworkpolicies"],
            )
    }

    pub(super) fn is_staged(&self) -> bool {
        self.is(
            CALICO,
            &["stagedglobalnetworkpolicies", "stagednetworkpolicies", "stagedkubernetesnetworkpolicies"],
        )
    }

    /// Of component `policies`, and none of the kinds that have rules of their own: a service mesh's, say.
    pub(super) fn is_other_policy(&self) -> bool {
        let other = !self.is_staged() && !self.is("", &["namespaces", "secrets", "configmaps"]);
        let definition = self.is("apiextensions.k8s.io", &["customresourcedefinitions"]);
        self.component == Component::Policies && other && !definition
    }

    /// A policy that allows everything now, and did not, as far as that is known.
    pub(super) fn opens(&self) -> bool {
        let all = |policy: &Option<Value>| {
            policy.as_ref().is_some_and(|policy| opens::everything(self.key, policy))
        };
        self.is_policy() && all(&self.after) && !all(&self.before)
    }

    pub(super) fn lost_default_deny(&self) -> bool {
        let denies = |policy: &Option<Value>, direction| {
            policy.as_ref().is_some_and(|policy| opens::denies(self.key, policy, direction))
        };
        let lost = |direction| denies(&self.before, direction) && !denies(&self.after, direction);
        self.changed() && Direction::BOTH.into_iter().any(lost)
    }

    /// Whether it is open in a direction in which it may have denied.
    pub(super) fn may_have_lost_default_deny(&self) -> bool {
        let open = |after: &Value| Direction::BOTH.into_iter().any(|d| !opens::denies(self.key, after, d));
        self.changed() && self.is_policy() && self.after.as_ref().is_none_or(open)
    }

    pub(super) fn is_cni_core(&self) -> bool {
        self.component == Component::Cni
            && (self.is("helm.cattle.io", &["helmchartconfigs", "helmcharts"])
                || self.is(CALICO, &["ippools", "felixconfigurations"])
                || self.is("apps", &["daemonsets"])
                || self.is("", &["configmaps", "serviceaccounts"]))
    }

    pub(super) fn is_cni(&self) -> bool {
        let own = self.is("", &["namespaces", "secrets"])
            || self.is("apiextensions.k8s.io", &["customresourcedefinitions"]);
        self.component == Component::Cni && !own
    }

    pub(super) fn is_workload(&self) -> bool {
        self.is("apps", &["deployments", "daemonsets", "statefulsets"]) && self.component != Component::Cni
    }

    /// The release of component `ingress`, or what runs of it.
    pub(super) fn lost_controller(&self) -> bool {
        let ingress = self.component == Component::Ingress;
        let nothing = self.after.as_ref().is_some_and(|workload| workload["spec"]["replicas"] == 0);
        ingress
            && ((self.removed() && (self.is_release() || self.is_workload()))
                || (self.is_workload() && nothing))
    }

    /// A TLS Secret: of one that is gone and was not opened, whether the index has it among its certificates.
    pub(super) fn is_tls(&self) -> bool {
        let tls = |secret: &Value| secret["type"] == "kubernetes.io/tls";
        let known = self.after.as_ref().or(self.before.as_ref());
        self.is("", &["secrets"]) && known.map_or(self.was_tls, tls)
    }

    pub(super) fn useless_tls(&self) -> bool {
        // When it expires is for `netdr check certificates` to say.
        let always = chrono::DateTime::UNIX_EPOCH;
        let secret = self.after.as_ref().filter(|_| self.is_tls() && self.changed());
        secret.is_some_and(|secret| certificates::why_useless(Some(secret), always).is_some())
    }

    /// A role that may do everything to everything, or a binding to one; that did not before, or not to the same subjects, as far
    /// as that is known.
    pub(super) fn grants_everything(&self) -> bool {
        let Some(after) = &self.after else { return false };
        let known = |before: &Value| self.grants(before) && before["subjects"] == after["subjects"];
        self.grants(after) && !self.before.as_ref().is_some_and(known)
    }

    fn grants(&self, right: &Value) -> bool {
        if self.is(RBAC, &["clusterrolebindings", "rolebindings"]) {
            return right["roleRef"]["name"] == "cluster-admin";
        }
        let every = |list: &Value| list.as_array().into_iter().flatten().any(|one| one == "*");
        let mut rules = right["rules"].as_array().into_iter().flatten();
        self.is(RBAC, &["clusterroles", "roles"])
            && rules
                .any(|rule| every(&rule["verbs"]) && every(&rule["resources"]) && every(&rule["apiGroups"]))
    }

    /// A file whose content is secret, and which others than its owner and group may read, or anybody else write.
    pub(super) fn is_open_file(&self) -> bool {
        let secret = self.file().and_then(catalog::host_files).is_some_and(|row| row.sensitive);
        secret && is_open(&self.after)
    }

    /// One that was not so before, as far as that is known.
    pub(super) fn exposed_file(&self) -> bool {
        self.is_open_file() && !self.is_sealed() && !is_open(&self.before)
    }

    pub(super) fn is_firewall(&self) -> bool {
        let of = ["/etc/nftables", "/etc/firewalld/", "/etc/ufw/"];
        self.file().is_some_and(|path| of.iter().any(|prefix| path.starts_with(prefix)))
    }

    pub(super) fn is_route(&self) -> bool {
        self.is(TRAEFIK, &["ingressroutes", "ingressroutetcps", "ingressrouteudps", "traefikservices"])
            || self.is("networking.k8s.io", &["ingresses"])
            || self.is(
                GATEWAY,
                &[
                    "gateways",
                    "listenersets",
                    "httproutes",
                    "grpcroutes",
                    "tlsroutes",
                    "tcproutes",
                    "udproutes",
                ],
            )
    }

    /// A route some middleware of which it has no longer.
    pub(super) fn lost_middleware(&self) -> bool {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return false };
        let (before, after) = (middlewares(before), middlewares(after));
        self.is_route() && before.iter().any(|middleware| !after.contains(middleware))
    }

    pub(super) fn is_middleware(&self) -> bool {
        self.is(TRAEFIK, &["middlewares", "middlewaretcps"])
    }

    /// A middleware that decides who gets in.
    pub(super) fn guards(&self) -> bool {
        let mut sides = self.before.iter().chain(&self.after);
        sides.any(|middleware| GUARDS.iter().any(|kind| !middleware["spec"][*kind].is_null()))
            && self.changed()
    }
}

/// Whether others than its owner and group may read a file, or anybody else write it.
fn is_open(file: &Option<Value>) -> bool {
    file.as_ref().and_then(|file| file["mode"].as_u64()).is_some_and(|mode| mode & 0o026 != 0)
}

/// The names in a map of metadata that a field is about; none where it is about something else. Of a map that is not
/// shown, nobody knows what is in it.
fn names(field: &FieldChange, map: &str) -> Option<Vec<String>> {
    let rest = field.path.strip_prefix(map)?;
    if let Some(name) = rest.strip_prefix('.') {
        return Some(vec![name.to_owned()]);
    }
    if field.secret || !rest.is_empty() {
        return None;
    }
    let sides = field.before.iter().chain(&field.after).filter_map(Value::as_object);
    Some(sides.flat_map(|side| side.keys().cloned()).collect())
}

/// Every middleware that a route names, as `namespace/name` or as the annotation has it, with how often.
fn middlewares(route: &Value) -> Vec<String> {
    let annotation = "traefik.ingress.kubernetes.io/router.middlewares";
    let annotated = route["metadata"]["annotations"][annotation].as_str().unwrap_or_default();
    let mut names: Vec<String> = annotated.split(',').map(|name| name.trim().to_owned()).collect();
    let routes = route["spec"]["routes"].as_array().into_iter().flatten().enumerate();
    for (number, one) in routes {
        let list = one["middlewares"].as_array().into_iter().flatten();
        names.extend(list.map(|m| format!("{number} {}/{}", m["namespace"], m["name"])));
    }
    names.retain(|name| !name.is_empty());
    names
}
