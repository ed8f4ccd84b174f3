//! The schema that editors read, and the parser: neither takes what the other refuses.

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Mistakes, RestorePlan};
use crate::Result;

/// Every word of a plan, with every field that it has.
fn everything() -> Value {
    let steps = [
        json!({"apply": {"component": "policies", "kinds": ["namespaces", "networkpolicies.networking.k8s.io"],
            "createNamespaces": true, "existing": "keep", "extras": "report", "isolation": "guarded"}}),
        json!({"helmRelease": {"component": "ingress", "releases": ["traefik/traefik"]}}),
        json!({"hostFiles": {}}),
        json!({"rolloutRestart": {"workloads": ["daemonsets.apps/kube-system/rke2-canal"]}}),
        json!({"scale": {"workload": "deployments.apps/metallb-system/controller", "replicas": 1}}),
        json!({"scale": {"workload": "deployments.apps/metallb-system/controller", "replicas": "before"}}),
        json!({"renewCertificates": {}}),
        json!({"run": {"command": ["systemctl", "restart", "rke2-server"], "allowed": true, "ifChanged": "s2"}}),
        json!({"wait": {"rollout": {"component": "ingress"}}}),
        json!({"wait": {"helmCharts": ["kube-system/rke2-canal"]}}),
        json!({"wait": {"nodes": {}}}),
        json!({"wait": {"ready": {"component": "certificates", "kinds": ["certificates.cert-manager.io"]}}}),
        json!({"wait": {"webhooks": {"component": "loadbalancer"}}}),
        json!({"confirm": {"question": "Go on?"}}),
        json!({"probe": {"workloads": {"component": "ingress"}}}),
        json!({"probe": {"nodes": {}}}),
        json!({"probe": {"http": {"hosts": ["www.example.org"], "path": "/", "status": 200, "port": 8443,
            "tls": true, "through": "proj-k8s01"}}}),
        json!({"probe": {"tcp": {"allowed": ["10.25.10.30:443"], "denied": ["10.25.10.31:5432"]}}}),
        json!({"probe": {"dns": {"names": ["kubernetes.default.svc"], "server": "10.43.0.10"}}}),
        json!({"probe": {"connectivity": {"threshold": 95, "image": "busybox:1.37"}}}),
    ];
    let steps = steps.into_iter().enumerate().map(|(number, mut step)| {
        step["id"] = format!("s{number}").into();
        step["title"] = "A step".into();
        step["timeout"] = "1m30s".into();
        step
    });
    json!({"apiVersion": "netdr/v1", "kind": "RestorePlan", "name": "everything", "title": "All", "rto": "15m",
        "rpo": "0s", "role": "Admin", "runbook": "runbooks/cni.md", "steps": steps.collect::<Vec<_>>()})
}

/// As it reads, before it is judged.
fn plan(value: Value) -> Result<RestorePlan> {
    let mut mistakes = Mistakes::default();
    let plan = super::plan(value, &mut mistakes);
    mistakes.error().map_or_else(|| Ok(plan.unwrap().0), Err)
}

fn schema() -> Value {
    serde_json::from_str(RestorePlan::SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::options().offline().build(&schema()).unwrap()
}

/// The place of every value in it, as a JSON pointer.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    found.push(place.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, below)| places(below, &format!("{place}/{key}"), found))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, below)| places(below, &format!("{place}/{n}"), found));
        }
        _ => {}
    }
}

/// What the schema says of a place in a plan.
fn says<'a>(schema: &'a Value, place: &str) -> &'a Value {
    let followed = |said: &'a Value| match said["$ref"].as_str() {
        Some(other) => schema.pointer(other.trim_start_matches('#')).unwrap(),
        None => said,
    };
    place.split('/').skip(1).fold(schema, |said, part| {
        let below = if part.parse::<usize>().is_ok() { &said["items"] } else { &said["properties"][part] };
        followed(below)
    })
}

/// With another value at a place.
fn with(place: &str, value: &Value) -> Value {
    let mut changed = everything();
    *changed.pointer_mut(place).unwrap() = value.clone();
    changed
}

#[test]
fn every_plan_that_is_built_in_fits_the_schema() {
    let validator = validator();
    for (name, text) in RestorePlan::builtin() {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert!(text.starts_with("# yaml-language-server: $schema=schema.json\n"), "{name}");
    }
    assert!(validator.is_valid(&everything()));
    RestorePlan::parse(&everything().to_string(), "everything").unwrap();
}

#[test]
fn the_parser_and_the_schema_know_the_same_fields_everywhere() {
    let (schema, validator) = (schema(), validator());
    let mut all = Vec::new();
    places(&everything(), "", &mut all);
    for place in all {
        let value = everything().pointer(&place).unwrap().clone();
        let Value::Object(mut map) = value else { continue };
        map.insert("zzz".into(), json!(1));
        let wrong = with(&place, &Value::Object(map.clone()));
        let error = plan(wrong.clone()).unwrap_err();
        assert!(!validator.is_valid(&wrong), "{place}");
        let known = error
            .hints()
            .iter()
            .find_map(|hint| hint.strip_prefix("known: ").or(hint.strip_prefix("known:")));
        let mut known: Vec<&str> = known.unwrap().split(", ").filter(|word| !word.is_empty()).collect();
        known.sort_unstable();
        let properties = says(&schema, &place)["properties"].as_object().unwrap();
        assert_eq!(properties.keys().collect::<Vec<_>>(), known, "at {place}");
        // What the schema needs, the parser needs, and nothing else.
        map.remove("zzz");
        for key in map.keys() {
            let mut without = map.clone();
            without.remove(key);
            let without = with(&place, &Value::Object(without));
            assert_eq!(plan(without.clone()).is_ok(), validator.is_valid(&without), "without {place}/{key}");
        }
    }
}

#[test]
fn what_one_refuses_the_other_does_not_take() {
    let validator = validator();
    let mut all = Vec::new();
    places(&everything(), "", &mut all);
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(3),
        json!(-1),
        json!(70_000),
        json!(4_294_967_296_u64),
        json!(""),
        json!(" "),
        json!("x"),
        json!("15"),
        json!("15m"),
        json!("before"),
        json!("a/b"),
        json!("a/b/c"),
        json!("pods.apps/a/b"),
        json!("deployments.apps//b"),
        json!("cni"),
        json!("keep"),
        json!("delete"),
        json!("UPPER"),
        json!("host:80"),
        json!("10.0.0.1:53"),
        json!("::1"),
        json!([]),
        json!({}),
        json!(["x"]),
        json!([3]),
        json!([""]),
        json!({"x": 1}),
    ];
    for place in &all {
        for value in &odd {
            let changed = with(place, value);
            let fits = validator.is_valid(&changed);
            if RestorePlan::parse(&changed.to_string(), "p").is_ok() {
                assert!(fits, "the schema refuses {value} at {place}, which the parser takes");
            }
            if let Err(error) = plan(changed) {
                assert!(!fits, "the schema takes {value} at {place}: {error}");
            }
        }
    }
}
