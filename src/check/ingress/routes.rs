//! Does every route lead to a Service that pods are behind, name a Secret and Middlewares that are there, and belong to a
//! class that somebody serves?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    CLASSES, GATEWAY, INGRESSES, MIDDLEWARES, RESTORE, ROUTES, SECRETS, SERVICES, SLICES, TRAEFIK,
    TRAEFIK_SERVICES,
};
use crate::{
    catalog::references::references,
    check::{
        Check, Reading, Source,
        Status::{self, Alert, Warn},
        certificates::hosts,
    },
    model::ItemKey,
    plan::secured_hosts,
    restore::has_ready_endpoint,
};

const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
/// Of Ingresses from before `ingressClassName`.
const ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Which Service a slice of endpoints is of.
const SERVICE: &str = "kubernetes.io/service-name";
const CERTIFICATE: &str = "netdr restore --scenario certificates --dry-run";
const WANTED: &str = "what it names is there, and pods are behind it";

/// The classes: at least one where there are Ingresses, at most one by default.
pub(super) fn classes(reading: &Reading) -> Vec<Check> {
    if !reading.has(CLASSES) {
        return Vec::new();
    }
    let classes = reading.objects(CLASSES);
    let check = Check::ok(
        "ingress ingressclasses.networking.k8s.io",
        classes.len(),
        "at least 1, at most 1 by default",
    );
    let show = "kubectl get ingressclasses";
    let defaults = classes.iter().filter(|class| is_default(class)).count();
    let check = match (classes.is_empty(), reading.objects(INGRESSES).is_empty()) {
        (true, true) => Check::not_applicable(check.name, "there is no IngressClass, and no Ingress"),
        (true, false) => check.found(Alert, "there is none, so nobody serves Ingresses", RESTORE),
        (false, _) if defaults > 1 => {
            check.found(Warn, "several are the default: an Ingress without a class is refused", show)
        }
        (false, _) => check,
    };
    vec![check]
}

fn is_default(class: &Value) -> bool {
    class["metadata"]["annotations"][DEFAULT] == "true"
}

/// A check for each route that leads nowhere, and one for the others.
pub(super) fn judge(reading: &Reading) -> Vec<Check> {
    let there = There::of(reading);
    let certificates: BTreeMap<ItemKey, &Value> = reading.all(Source::TLS_SECRETS).collect();
    let (mut broken, mut sound) = (Vec::new(), 0_u64);
    for (key, route) in ROUTES.into_iter().flat_map(|source| reading.items(source)) {
        let check = Check::ok(format!("ingress {key}"), "leads nowhere", WANTED);
        let secrets =
            references(&key, route, "").into_iter().filter_map(|(named, needed)| needed.then_some(named));
        // In annotations, of nginx: passwords and authorities of clients, which are the ingress' own.
        let logins = references(&key, &json!({"metadata": route["metadata"]}), "");
        let backends = backends(&key, route);
        let named = backends.iter().cloned().chain(middlewares(&key, route)).chain(secrets);
        let missing = named.filter(|named| there.lacks(named));
        let check = missing.fold(check, |check, what| {
            check.found(Alert, format!("it names {what}, which does not exist"), back(&what, &logins))
        });
        let check = secured_hosts(&key, route).into_iter().fold(check, |check, (host, secret)| {
            match certificates.get(&secret).and_then(|object| hosts::foreign(object, &host)) {
                Some(names) => {
                    let why =
                        format!("no name of the certificate in {secret} covers its host {host}: {names}");
                    check.found(Alert, why, hosts::show(&secret, hosts::NAMES))
                }
                None => check,
            }
        });
        let empty = backends.iter().filter(|named| there.ready.get(named) == Some(&false));
        let check = empty.fold(check, |check, what| {
            let why = format!("it leads to {what}, behind which no pod is ready");
            let next = format!(
                "kubectl describe service -n {} {}",
                what.namespace().unwrap_or_default(),
                what.name()
            );
            check.found(Alert, why, next)
        });
        let check = match class(reading, &key, route) {
            Some((status, why)) => {
                let next = if status == Alert { RESTORE } else { "kubectl get ingressclasses" };
                check.found(status, why, next)
            }
            None => check,
        };
        if check.status.is_crossed() { broken.push(check) } else { sound += 1 }
    }
    if sound > 0 || broken.is_empty() {
        broken.push(Check::ok("ingress routes", sound, WANTED));
    }
    broken
}

/// How what is missing comes back: Services are their application's, a certificate has a plan of its own, and the rest is
/// the ingress'.
fn back(what: &ItemKey, logins: &BTreeMap<ItemKey, bool>) -> String {
    let scope = what.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    match what.is_kind("", "services") {
        true => format!("kubectl get services{scope}"),
        false if what.is_kind("", "secrets") && !logins.contains_key(what) => CERTIFICATE.into(),
        false => RESTORE.into(),
    }
}

/// What routes may name, of the kinds that were read.
struct There {
    kinds: Vec<Source>,
    objects: BTreeSet<ItemKey>,
    /// Whether a pod is ready behind a Service. Of one that has no slice, such as an external name, that is not known.
    ready: BTreeMap<ItemKey, bool>,
}

impl There {
    fn of(reading: &Reading) -> Self {
        let kinds = [SERVICES, TRAEFIK_SERVICES, SECRETS].into_iter().chain(MIDDLEWARES);
        let kinds = kinds.filter(|source| reading.has(*source));
        let kinds: Vec<Source> = kinds.collect();
        let objects = kinds.iter().flat_map(|source| reading.all(*source)).map(|(key, _)| key).collect();
        let mut ready = BTreeMap::new();
        for slice in reading.objects(SLICES) {
            let Some(name) = slice["metadata"]["labels"][SERVICE].as_str() else { continue };
            let service = ItemKey::resource("", "services", slice["metadata"]["namespace"].as_str(), name);
            *ready.entry(service).or_insert(false) |= has_ready_endpoint(slice);
        }
        Self { kinds, objects, ready }
    }

    /// Whether it is missing; what was not read is not missed.
    fn lacks(&self, key: &ItemKey) -> bool {
        self.kinds.iter().any(|source| key.is_kind(source.group, source.plural))
            && !self.objects.contains(key)
    }
}

/// Services and TraefikServices that a route leads to.
fn backends(key: &ItemKey, route: &Value) -> BTreeSet<ItemKey> {
    let spec = &route["spec"];
    let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut named: Vec<Value> = Vec::new();
    if key.is_kind("networking.k8s.io", "ingresses") {
        let rules = each(&spec["rules"]);
        let paths = rules.iter().flat_map(|rule| each(&rule["http"]["paths"]));
        named.extend(paths.map(|path| path["backend"]["service"].clone()));
        named.push(spec["defaultBackend"]["service"].clone());
    } else if key.is_kind(TRAEFIK, "traefikservices") {
        named.extend(each(&spec["weighted"]["services"]));
        named.push(spec["mirroring"].clone());
        named.extend(each(&spec["mirroring"]["mirrors"]));
    } else if matches!(key, ItemKey::Resource { group, .. } if group == GATEWAY) {
        let rules = each(&spec["rules"]);
        let refs = rules.iter().flat_map(|rule| each(&rule["backendRefs"]));
        named.extend(refs.filter(|backend| backend["kind"].as_str().unwrap_or("Service") == "Service"));
    } else {
        named.extend(each(&spec["routes"]).iter().flat_map(|rule| each(&rule["services"])));
    }
    let backend = |named: Value| {
        let name = named["name"].as_str().filter(|name| !name.contains('@'))?; // api@internal is Traefik's own
        let namespace = named["namespace"].as_str().or(key.namespace());
        Some(match named["kind"].as_str() {
            Some("TraefikService") => ItemKey::resource(TRAEFIK, "traefikservices", namespace, name),
            _ => ItemKey::resource("", "services", namespace, name),
        })
    };
    named.into_iter().filter_map(backend).collect()
}

/// Middlewares that a route of Traefik's own kinds goes through: without one, Traefik does not serve it.
fn middlewares(key: &ItemKey, route: &Value) -> BTreeSet<ItemKey> {
    let plural = match key {
        key if key.is_kind(TRAEFIK, "ingressroutes") => "middlewares",
        key if key.is_kind(TRAEFIK, "ingressroutetcps") => "middlewaretcps",
        _ => return BTreeSet::new(),
    };
    let each = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let named = each(&route["spec"]["routes"]).into_iter().flat_map(|rule| each(&rule["middlewares"]));
    let named = named.filter_map(|named| {
        let name = named["name"].as_str().filter(|name| !name.contains('@'))?; // of another provider
        Some(ItemKey::resource(TRAEFIK, plural, named["namespace"].as_str().or(key.namespace()), name))
    });
    named.collect()
}

/// What is wrong with the class of an Ingress.
fn class(reading: &Reading, key: &ItemKey, ingress: &Value) -> Option<(Status, String)> {
    if !key.is_kind("networking.k8s.io", "ingresses") || !reading.has(CLASSES) {
        return None;
    }
    let named = ingress["spec"]["ingressClassName"].as_str();
    let named = named.or_else(|| ingress["metadata"]["annotations"][ANNOTATION].as_str());
    let classes = reading.objects(CLASSES);
    match named {
        Some(name) if classes.iter().any(|class| class["metadata"]["name"] == name) => None,
        Some(name) => Some((Alert, format!("its class {name} does not exist: nobody serves it"))),
        None if classes.iter().any(is_default) => None,
        None => Some((Warn, "it names no class, and none is the default: perhaps nobody serves it".into())),
    }
}
