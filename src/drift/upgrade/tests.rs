use proptest::prelude::*;

use super::*;
use crate::{
    drift::{Report, Traces, tests as drift},
    model::{Component, Severity},
};

fn at(hours: i64) -> DateTime<Utc> {
    drift::now() + TimeDelta::hours(hours)
}

/// Traefik's release, upgraded an hour ago; the snapshot is a day old.
fn upgraded(key: &ItemKey, old: Option<Value>, new: Option<Value>) -> Upgrade {
    let rendered = |version, hours, object: Option<Value>| Rendered {
        version,
        created: at(hours),
        objects: object.map(|object| (key.clone(), object)).into_iter().collect(),
    };
    Upgrade {
        release: ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() },
        revisions: vec![rendered(8, -1, new), rendered(7, -100, old)],
    }
}

/// What is told of an object that was and is so, where its release had and has it so in its manifest.
fn told(key: &ItemKey, manifests: [Option<Value>; 2], objects: [Option<Value>; 2]) -> Report {
    let ([old, new], [before, after]) = (manifests, objects);
    let seen = drift::seen(Component::Ingress, key.clone(), before, after, false);
    let upgrades = vec![upgraded(key, old, new)];
    Report::of(vec![seen], &Traces { upgrades, ..Traces::default() }, Severity::Low, drift::now())
}

fn deployment_key() -> ItemKey {
    ItemKey::resource("apps", "deployments", Some("traefik"), "traefik")
}

/// As a chart has it: no field that the API server fills in.
fn deployment(image: &str, args: &[&str]) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "traefik", "labels": {"version": image}},
        "spec": {"template": {"spec": {"containers": [{"name": "traefik", "image": image, "args": args}]}}}})
}

/// Where Helm made it, and with what it writes into it.
fn marked(mut object: Value) -> Value {
    let metadata = &mut object["metadata"];
    metadata["namespace"] = json!("traefik");
    metadata["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    metadata["annotations"]["meta.helm.sh/release-name"] = json!("traefik");
    metadata["annotations"]["meta.helm.sh/release-namespace"] = json!("traefik");
    object
}

/// As the API server has it.
fn live(deployment: Value) -> Value {
    let mut deployment = marked(deployment);
    deployment["spec"]["progressDeadlineSeconds"] = json!(600);
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    for container in containers {
        container["imagePullPolicy"] = json!("IfNotPresent");
        container["resources"] = json!({});
    }
    deployment
}

fn is_expected(report: &Report) -> bool {
    report.items.is_empty() && report.expected.len() == 1
}

#[test]
fn what_an_upgrade_changed_is_expected_and_a_hand_edit_of_the_same_object_is_not() {
    let (old, new) = (deployment("a:1", &["--x"]), deployment("a:2", &["--x", "--y"]));
    let told = |after: Value| {
        told(
            &deployment_key(),
            [Some(old.clone()), Some(new.clone())],
            [Some(live(old.clone())), Some(after)],
        )
    };
    let report = told(live(new.clone()));
    assert!(is_expected(&report), "{report:?}");
    assert_eq!(
        report.expected[0].why,
        "by the upgrade of helm release traefik/traefik to revision 8: what changed is what that changes, and nothing else differs"
    );
    let edited = |pointer: &str, value: Value| {
        let mut edited = live(new.clone());
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        edited.pointer_mut(parent).unwrap()[name] = value;
        told(edited)
    };
    let container = "/spec/template/spec/containers/0";
    for (pointer, value) in [
        ("/spec/template/spec/hostPID".to_owned(), json!(true)),
        (format!("{container}/image"), json!("mine:2")),
        (format!("{container}/args"), json!(["--x", "--y", "--insecure"])),
        (format!("{container}/imagePullPolicy"), json!("Always")),
        (format!("{container}/securityContext"), json!({"privileged": true})),
    ] {
        let report = edited(&pointer, value);
        assert_eq!(report.items.first().map(|item| item.severity), Some(Severity::High), "{pointer}");
        assert!(
            report.items[0].reasons[0].contains("not provably by an upgrade"),
            "{:?}",
            report.items[0].reasons
        );
    }
}

#[test]
fn what_is_new_in_an_object_may_have_defaults_and_nothing_else() {
    let sidecar = |more: Value| {
        let mut new = deployment("a:2", &[]);
        let mut container = json!({"name": "sidecar", "image": "s:1", "ports": [{"containerPort": 80}]});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().push(container);
        new
    };
    let old = deployment("a:1", &[]);
    let told = |more: Value| {
        let mut after = live(sidecar(more));
        after["spec"]["template"]["spec"]["containers"][1]["ports"][0]["protocol"] = json!("TCP");
        let manifests = [Some(old.clone()), Some(sidecar(json!({})))];
        told(&deployment_key(), manifests, [Some(live(old.clone())), Some(after)])
    };
    assert!(is_expected(&told(json!({}))));
    assert!(!is_expected(&told(json!({"securityContext": {"privileged": true}}))));
    assert!(!is_expected(&told(json!({"args": ["--insecure"]}))));
}

#[test]
fn what_people_name_has_no_defaults() {
    let key = ItemKey::resource("", "configmaps", Some("traefik"), "x");
    let config = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data});
    let is = json!({"a": "b"});
    let came = |live: Value| is_expected(&told(&key, [None, Some(config(is.clone()))], [None, Some(live)]));
    assert!(came(marked(config(is.clone()))));
    assert!(!came(marked(config(json!({"a": "b", "protocol": "TCP"})))), "data");
    let mut labelled = marked(config(is.clone()));
    labelled["metadata"]["labels"]["restartPolicy"] = json!("Always");
    assert!(!came(labelled), "a label");

    // What a manifest no longer says, somebody said instead.
    let of = |scheme: &str| json!({"a": "b", "scheme": scheme});
    let manifests = [Some(config(of("HTTPS"))), Some(config(is.clone()))];
    let objects = [of("HTTPS"), of("HTTP")].map(|data| Some(marked(config(data))));
    assert!(!is_expected(&told(&key, manifests, objects)));
}

#[test]
fn a_selector_that_is_empty_selects_all_and_is_not_nothing() {
    let near = |namespaces: Option<Value>| {
        let mut object = deployment("a:1", &["--x"]);
        let mut term = json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}});
        if let Some(namespaces) = namespaces {
            term["namespaceSelector"] = namespaces;
        }
        object["spec"]["template"]["spec"]["affinity"] =
            json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        object
    };
    let came = |asked: Value, after: Value| {
        is_expected(&told(&deployment_key(), [None, Some(asked)], [None, Some(live(after))]))
    };
    let all = || near(Some(json!({})));
    assert!(came(near(None), near(None)) && came(all(), all()));
    assert!(!came(near(None), all()), "of all namespaces, by hand");
    assert!(!came(all(), near(None)), "of its own namespace alone, by hand");
}

#[test]
fn what_a_release_sets_no_longer_is_gone_and_not_what_somebody_set_instead() {
    let args = |args: Option<&[&str]>| {
        let mut object = deployment("a:1", args.unwrap_or_default());
        if args.is_none() {
            object["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("args");
        }
        object
    };
    let (old, new) = (args(Some(&["--secure"])), args(None));
    let told = |after: &Value| {
        let objects = [Some(live(old.clone())), Some(live(after.clone()))];
        told(&deployment_key(), [Some(old.clone()), Some(new.clone())], objects)
    };
    assert!(is_expected(&told(&new)));
    assert!(!is_expected(&told(&args(Some(&["--insecure"])))));
}

#[test]
fn an_object_that_came_or_went_with_an_upgrade_is_expected_and_one_beside_it_is_not() {
    let key = ItemKey::resource("traefik.io", "middlewares", Some("traefik"), "x");
    let object = |spec: Value| json!({"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": {"name": "x"}, "spec": spec});
    let (is, more) = (json!({"headers": {}}), json!({"headers": {}, "ipAllowList": {}}));
    let made = || marked(object(is.clone()));
    let came = |live: Value| told(&key, [None, Some(object(is.clone()))], [None, Some(live)]);
    assert!(is_expected(&came(made())), "{:?}", came(made()));
    assert!(!is_expected(&came(marked(object(more)))), "somebody added to it");
    assert!(!is_expected(&came(object(is.clone()))), "Helm did not make it");
    assert!(!is_expected(&told(&key, [None, None], [None, Some(made())])));

    for (map, nonsense) in [("labels", json!("x")), ("annotations", json!([])), ("labels", json!(["x"]))] {
        let mut odd = object(is.clone());
        odd["metadata"][map] = nonsense;
        assert!(!is_expected(&told(&key, [None, Some(odd)], [None, Some(made())])), "{map}");
    }

    let went = |old: Option<Value>, new| told(&key, [old, new], [Some(made()), None]);
    assert!(is_expected(&went(Some(object(is.clone())), None)));
    assert!(
        !is_expected(&went(Some(object(is.clone())), Some(object(is.clone())))),
        "the new revision wants it"
    );
    assert!(!is_expected(&went(None, None)), "it never had it");
    let mut kept = object(is.clone());
    kept["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    assert!(!is_expected(&went(Some(kept), None)), "Helm leaves it there");
}

#[test]
fn what_is_critical_is_told_whoever_did_it_with_who_did() {
    let (mut old, mut new) = (deployment("a:1", &[]), deployment("a:2", &[]));
    old["spec"]["replicas"] = json!(2);
    new["spec"]["replicas"] = json!(1);
    let told = |old: &Value, new: &Value| {
        let (manifests, objects) =
            ([old, new].map(|o| Some(o.clone())), [old, new].map(|o| Some(live(o.clone()))));
        told(&deployment_key(), manifests, objects)
    };
    assert!(is_expected(&told(&old, &new)));
    new["spec"]["replicas"] = json!(0);
    let report = told(&old, &new);
    let [finding] = &report.items[..] else { panic!("{report:?}") };
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.reasons[1].starts_with("by the upgrade of helm release traefik/traefik"), "{finding:?}");
}

#[test]
fn an_upgrade_before_the_snapshot_explains_nothing_after_it() {
    let (key, [old, new]) = (deployment_key(), ["a:1", "a:2"].map(|image| deployment(image, &[])));
    let seen =
        drift::seen(Component::Ingress, key.clone(), Some(live(old.clone())), Some(live(new.clone())), false);
    let mut upgrade = upgraded(&key, Some(old), Some(new));
    assert!(done(&seen, std::slice::from_ref(&upgrade)).is_some());
    upgrade.revisions[0].created = at(-25);
    assert!(done(&seen, std::slice::from_ref(&upgrade)).is_none());
    upgrade.revisions[0].created = at(-1);
    upgrade.revisions.truncate(1);
    assert!(done(&seen, &[upgrade]).is_none(), "nobody knows what the release was before");
}

/// A middleware's specification.
fn spec() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        (0..3u8).prop_map(Value::from),
        "[ab]".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("name|[a-c]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Of kinds that are taken letter by letter: whatever two manifests are, what is applied as it is, is proved; and what is
    /// proved is what it was before, so that no edit of what they agree in, and none of what they do not, is ever the upgrade's.
    #[test]
    fn no_edit_is_ever_taken_for_an_upgrade(old in spec(), new in spec(), edited in spec()) {
        let key = ItemKey::resource("traefik.io", "middlewares", Some("traefik"), "x");
        let object = |spec: &Value| json!({"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware",
            "metadata": {"name": "x", "namespace": "traefik"}, "spec": spec});
        prop_assume!(old != edited);
        let manifests = || [Some(object(&old)), Some(object(&new))];
        let report = told(&key, manifests(), [Some(object(&old)), Some(object(&edited))]);
        prop_assert_eq!(is_expected(&report), edited == new, "{:?}", report);
    }
}
