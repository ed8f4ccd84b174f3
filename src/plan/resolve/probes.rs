//! What a `probe` step comes to.
//!
//! In: the authored probe, the source's routes and TLS Secrets, the steps before. Out: looks, each with all it needs.
//! Invariant: where there is nothing to look at, that is said; it is never a look that passes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Inputs, Resolver};
use crate::{
    certificates::Leaf,
    model::{Class, Component, ItemKey},
    plan::{Gate, Http, HttpLook, Look, Probe, Step, Verb},
};

const TRAEFIK: &str = "traefik.io";

/// What names hosts and the Secrets of their certificates.
pub(crate) const ROUTES: [(&str, &str); 2] = [("networking.k8s.io", "ingresses"), (TRAEFIK, "ingressroutes")];

/// What routes serve: the source's, of those at hand; the live ones, of the source's Secrets, where the plan is about these
/// alone.
pub(super) struct Routes {
    /// Hosts that have a TLS Secret, and which.
    secured: BTreeMap<String, ItemKey>,
    /// Serial numbers of their certificates.
    serials: BTreeMap<ItemKey, String>,
}

impl Routes {
    pub(super) fn of(inputs: &Inputs<'_>) -> Self {
        let Inputs { items, routes, index, .. } = inputs;
        let source =
            items.values().filter(|item| item.component == Component::Ingress && is_route(&item.key));
        let source = source.filter_map(|item| Some((&item.key, item.json()?.value())));
        let mut secured: BTreeMap<String, ItemKey> =
            source.flat_map(|(key, object)| secrets(key, &object)).collect();
        let config = index.entries.iter().filter(|entry| entry.class == Class::Config);
        let known: BTreeSet<&ItemKey> = config.map(|entry| &entry.key).collect();
        let live = routes.iter().flat_map(|(key, object)| secrets(key, object));
        secured.extend(live.filter(|(_, secret)| known.contains(secret)));
        let stored = |secret: &ItemKey| {
            let mut bundles = [Component::Certificates, Component::Ingress].into_iter();
            let item = bundles.find_map(|component| items.get(&(component, secret.clone())))?;
            Some((secret.clone(), Leaf::of(&item.json()?.value()).ok()?.serial))
        };
        let serials = secured.values().filter_map(stored).collect();
        Self { secured, serials }
    }
}

impl Resolver<'_> {
    /// The looks of a step; `steps` are those before.
    pub(super) fn looks(&self, probe: &Probe, steps: &[Step]) -> Vec<Look> {
        match probe {
            Probe::Workloads { component } => {
                let looks = self.rollouts(*component).into_iter().map(Look::Holds);
                or_nothing(looks.collect(), format!("workloads of {component}"), "the source has none")
            }
            Probe::Nodes => vec![Look::Holds(Gate::Nodes)],
            Probe::Http(http) => self.http(http, steps),
            Probe::Tcp { allowed, denied } => {
                let tcp = |allowed| move |target: &String| Look::Tcp { target: target.clone(), allowed };
                let looks = allowed.iter().map(tcp(true)).chain(denied.iter().map(tcp(false)));
                or_nothing(looks.collect(), "connections".into(), "the plan names no target")
            }
            Probe::Dns { names, server } => {
                let looks = names.iter().map(|name| Look::Dns { name: name.clone(), server: *server });
                or_nothing(looks.collect(), "names".into(), "the plan names none")
            }
            Probe::Connectivity { threshold, image } => {
                vec![Look::Connectivity { threshold: *threshold, image: image.clone() }]
            }
        }
    }

    fn http(&self, http: &Http, steps: &[Step]) -> Vec<Look> {
        let secured = &self.routes.secured;
        let hosts: BTreeSet<&String> = match http.hosts.as_slice() {
            [] => secured.keys().collect(),
            named => named.iter().collect(),
        };
        let look = |host: &String| {
            let secret = secured.get(host).filter(|_| http.tls).cloned();
            Look::Http(HttpLook {
                host: host.clone(),
                path: http.path.clone(),
                status: http.status,
                port: http.port,
                tls: http.tls,
                through: http.through.clone(),
                serial: secret.as_ref().and_then(|secret| self.serial(secret, steps)),
                secret,
            })
        };
        let mut looks: Vec<Look> = hosts.into_iter().map(look).collect();
        if http.hosts.is_empty() && !looks.is_empty() {
            looks.extend(self.unserved());
        }
        let why = "no route names a TLS Secret of the source; hosts can be named in a plan of your own: \
                   probe: {http: {hosts: [HOST]}}";
        or_nothing(looks, "HTTPS".into(), why)
    }

    /// The source's certificates that no host is known to show.
    fn unserved(&self) -> Option<Look> {
        let served: BTreeSet<&ItemKey> = self.routes.secured.values().collect();
        let secrets =
            self.certificates.keys().filter(|key| self.known.contains(key) && !served.contains(key));
        let secrets: Vec<String> = secrets.map(ToString::to_string).collect();
        (!secrets.is_empty()).then(|| Look::Nothing {
            what: format!("the certificates of {}", secrets.join(", ")),
            why: "no Ingress or IngressRoute names their Secret for a host".into(),
        })
    }

    /// The serial number that the source's certificate has; none where another one is there by intent.
    fn serial(&self, secret: &ItemKey, steps: &[Step]) -> Option<String> {
        let kept = self.tally.kept.iter().any(|(key, _)| key == secret);
        let mut acts = steps.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts);
        let renewed = acts.any(|act| act.verb == Verb::Renew && act.key.namespace() == secret.namespace());
        self.routes.serials.get(secret).filter(|_| !kept && !renewed).cloned()
    }
}

/// Whether it may name a TLS Secret for a host.
fn is_route(key: &ItemKey) -> bool {
    ROUTES.iter().any(|(group, plural)| key.is_kind(group, plural))
}

/// The hosts of a route, and their TLS Secrets.
pub(crate) fn secrets(key: &ItemKey, object: &Value) -> Vec<(String, ItemKey)> {
    let secret = |name: &str| ItemKey::resource("", "secrets", key.namespace(), name);
    routes(key, object).into_iter().map(|(host, name)| (host, secret(&name))).collect()
}

fn or_nothing(looks: Vec<Look>, what: String, why: &str) -> Vec<Look> {
    if looks.is_empty() { vec![Look::Nothing { what, why: why.into() }] } else { looks }
}

/// The hosts of a route, and the names of their TLS Secrets.
fn routes(key: &ItemKey, object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    if key.is_kind("networking.k8s.io", "ingresses") {
        for tls in list(&object["spec"]["tls"]) {
            let Some(secret) = text(&tls["secretName"]) else { continue };
            found.extend(list(&tls["hosts"]).iter().filter_map(text).map(|host| (host, secret.clone())));
        }
    } else if key.is_kind(TRAEFIK, "ingressroutes")
        && let Some(secret) = text(&object["spec"]["tls"]["secretName"])
    {
        for route in list(&object["spec"]["routes"]) {
            let rule = text(&route["match"]).unwrap_or_default();
            found.extend(hosts(&rule).map(|host| (host.to_owned(), secret.clone())));
        }
    }
    // A wildcard is no server name; any label in its place is served by it.
    found.into_iter().map(|(host, secret)| (host.replacen("*.", "netdr.", 1), secret)).collect()
}

/// The hosts that a rule of Traefik names: Host(`a`) || Host(`b`, `c`).
fn hosts(rule: &str) -> impl Iterator<Item = &str> {
    let matchers = rule.split("Host(").skip(1).filter_map(|rest| rest.split_once(')'));
    matchers.flat_map(|(names, _)| names.split('`').skip(1).step_by(2))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hosts_of_rules_are_found() {
        let found = |rule| hosts(rule).collect::<Vec<_>>();
        assert_eq!(
            found("Host(`a.lab`) && PathPrefix(`/x`) || Host(`b.lab`, `c.lab`)"),
            ["a.lab", "b.lab", "c.lab"]
        );
        assert!(found("HostRegexp(`x`) || PathPrefix(`/`)").is_empty());
        assert!(found("Host(").is_empty());
    }

    #[test]
    fn only_a_route_with_a_secret_says_which_certificate_is_served() {
        let ingress = ItemKey::resource("networking.k8s.io", "ingresses", Some("d"), "x");
        let object =
            json!({"spec": {"tls": [{"hosts": ["*.lab"], "secretName": "s"}, {"hosts": ["plain.lab"]}]}});
        assert_eq!(routes(&ingress, &object), [("netdr.lab".to_owned(), "s".to_owned())]);
        let route = ItemKey::resource(TRAEFIK, "ingressroutes", Some("d"), "x");
        let rule = json!([{"match": "Host(`a.lab`)"}]);
        assert_eq!(routes(&route, &json!({"spec": {"routes": rule, "tls": {"secretName": "s"}}})).len(), 1);
        assert!(routes(&route, &json!({"spec": {"routes": rule, "tls": {}}})).is_empty());
    }
}
