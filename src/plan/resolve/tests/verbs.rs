use Component::{Certificates, Ingress, Policies};

use super::*;

const POLICIES: &str = "apply: {component: policies, kinds: [networkpolicies.networking.k8s.io]}";
const NAMESPACES: &str = "apply: {component: policies, kinds: [namespaces], createNamespaces: true}";

fn secret(component: Component, name: &str, fields: Value) -> Item {
    item(component, "", "secrets", "Secret", ("demo", name), fields)
}

#[test]
fn absent_is_created_equal_left_and_different_replaced() -> Result<()> {
    let home = namespace(Policies, "demo");
    let plan = World::new(&[POLICIES])
        .source([home.clone(), policy("demo", "absent", None), policy("demo", "equal", None)])
        .source([policy("demo", "other", Some("10.0.0.0/8"))])
        .live([home, policy("demo", "equal", None), policy("demo", "other", Some("0.0.0.0/0"))])
        .resolve()?;
    assert_eq!(story(&plan), "create absent, replace other");
    let counts = plan.counts();
    assert_eq!((counts.create, counts.replace, counts.unchanged), (1, 1, 1));
    let replace = &plan.steps[0].batches[0].acts[1];
    assert_eq!(replace.seen, Some(seen(&replace.key)));
    assert!(replace.live.is_some() && replace.live_sha256.is_some());
    let difference = &plan.differences[1];
    assert_eq!(difference.fields[0].path, "spec.ingress.0.from.0.ipBlock.cidr");
    assert_eq!(difference.fields[0].before, Some(json!("0.0.0.0/0")));
    let overwritten = plan.overwritten();
    assert_eq!(overwritten[&Policies][0].content, policy("demo", "other", Some("0.0.0.0/0")).content);
    Ok(())
}

#[test]
fn owned_fields_are_merged_and_a_namespace_is_made_only_where_the_plan_says_so() -> Result<()> {
    let source =
        [labelled(Policies, "gone", json!({"team": "a"})), labelled(Policies, "there", json!({"team": "a"}))];
    let world = World::new(&[NAMESPACES, POLICIES])
        .source(source)
        .source([policy("gone", "p", None)])
        .live([labelled(Policies, "there", json!({"team": "b"}))]);
    assert_eq!(story(&world.resolve()?), "create gone, merge there | create p");

    let cautious = World { plan: world.plan.replace(", createNamespaces: true", ""), ..world };
    let plan = cautious.resolve()?;
    assert_eq!(story(&plan), "merge there");
    let why = "namespace gone is missing; make it, then restore again: kubectl create namespace gone";
    assert_eq!(reasons(&plan.refused), [format!("gone: {why}"), format!("p: {why}")]);
    Ok(())
}

#[test]
fn what_is_not_known_is_never_taken_for_absent() -> Result<()> {
    let world = World::new(&[POLICIES])
        .source([namespace(Policies, "demo"), policy("demo", "p", None)])
        .live([namespace(Policies, "demo")]);
    let refusal = |world: &World| world.resolve().map(|plan| (story(&plan), reasons(&plan.refused)));
    assert_eq!(refusal(&world)?, ("create p".into(), vec![]));

    let kind = "networkpolicies.networking.k8s.io".to_owned();
    let why = "the server refuses (403)".to_owned();
    let failed = World { failures: vec![Failure { component: Policies, kind, why }], ..world };
    let expected = "p: whether it exists could not be read: the server refuses (403); \
                    see: kubectl auth can-i list networkpolicies.networking.k8s.io -A"
        .to_owned();
    assert_eq!(refusal(&failed)?, (String::new(), vec![expected]));

    let seen_all_the_same = policy("demo", "p", Some("0.0.0.0/0"));
    let failed = failed.live([seen_all_the_same]);
    assert_eq!(refusal(&failed)?, ("replace p".into(), vec![]));

    let leaving = World { failures: vec![], terminating: vec!["demo"], ..failed };
    assert!(refusal(&leaving)?.1[0].contains("namespace demo is being deleted"));

    let unserved = World { terminating: vec![], absent_kinds: vec!["networkpolicies"], ..leaving };
    assert!(refusal(&unserved)?.1[0].contains("does not serve networkpolicies.networking.k8s.io: install"));
    Ok(())
}

#[test]
fn what_is_stored_in_a_version_no_longer_served_is_refused_before_anything_is_done() -> Result<()> {
    let old = json!({"apiVersion": "networking.k8s.io/v1beta1"});
    let old = item(Policies, "networking.k8s.io", "networkpolicies", "NetworkPolicy", ("demo", "old"), old);
    let plan = World::new(&[POLICIES])
        .source([namespace(Policies, "demo"), old])
        .live([namespace(Policies, "demo")])
        .resolve()?;
    let why = "old: the cluster serves networkpolicies.networking.k8s.io in v1, no longer in v1beta1; convert it by \
               hand: netdr extract, then kubectl apply";
    assert_eq!((story(&plan), reasons(&plan.refused)), (String::new(), vec![why.to_owned()]));
    Ok(())
}

#[test]
fn a_kind_may_be_served_only_once_its_definition_is_restored() -> Result<()> {
    let name = "middlewares.traefik.io";
    let definition = item(
        Ingress,
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        ("", name),
        json!({"spec": {"scope": "Namespaced"}}),
    );
    let middleware = item(Ingress, "traefik.io", "middlewares", "Middleware", ("demo", "m"), json!({}));
    let plan = World { absent_kinds: vec!["middlewares"], ..World::built_in("traefik") }
        .source([definition, namespace(Ingress, "demo"), middleware])
        .live([namespace(Ingress, "demo")])
        .resolve()?;
    assert_eq!(story(&plan), format!("create {name} | create m"));
    assert_eq!(plan.steps[0].gates, [crate::plan::Gate::Established(name.into())]);
    Ok(())
}

#[test]
fn what_controllers_made_or_are_deleting_is_left_to_them() -> Result<()> {
    let live = |name: &str, class| Item { class, ..policy("demo", name, Some("0.0.0.0/0")) };
    let plan = World::new(&[POLICIES])
        .source([namespace(Policies, "demo"), policy("demo", "made", None), policy("demo", "going", None)])
        .source([policy("demo", "going-as-it-is", Some("0.0.0.0/0"))])
        .live([namespace(Policies, "demo"), live("made", Class::Generated), live("going", Class::Evidence)])
        .live([live("going-as-it-is", Class::Evidence)])
        .live([live("extra-made", Class::Generated)])
        .resolve()?;
    assert_eq!(story(&plan), "");
    assert_eq!(reasons(&plan.kept), ["made: a controller makes it now"]);
    let why = "it is being deleted: when it is gone, restore again";
    assert_eq!(reasons(&plan.refused), [format!("going: {why}"), format!("going-as-it-is: {why}")]);
    Ok(())
}

#[test]
fn the_plan_may_keep_what_exists() -> Result<()> {
    let keep = POLICIES.replace("]}", "], existing: keep}");
    let plan = World::new(&[&keep])
        .source([namespace(Policies, "demo"), policy("demo", "p", None), policy("demo", "q", None)])
        .live([namespace(Policies, "demo"), policy("demo", "p", Some("0.0.0.0/0"))])
        .resolve()?;
    assert_eq!(story(&plan), "create q");
    assert_eq!(plan.kept.len(), 1);
    assert!(plan.differences.iter().all(|difference| difference.key.name() == "q"));
    Ok(())
}

#[test]
fn immutable_objects_are_made_anew_and_their_content_shows_nowhere() -> Result<()> {
    let marker = "TUFSS0VS";
    let content = |data: &str| json!({"immutable": true, "type": "Opaque", "data": {"password": data}});
    let plan = World::new(&["apply: {component: ingress, kinds: [secrets]}"])
        .source([namespace(Ingress, "demo"), secret(Ingress, "s", content(marker))])
        .live([namespace(Ingress, "demo"), secret(Ingress, "s", content("b3RoZXI="))])
        .resolve()?;
    assert_eq!(story(&plan), "recreate s");
    let shown = format!("{plan:?}{}", plan.to_json());
    assert!(!shown.contains(marker) && !shown.contains("b3RoZXI="), "{shown}");
    assert!(shown.contains("data.password"));
    Ok(())
}

#[test]
fn one_object_in_two_bundles_is_acted_on_once() -> Result<()> {
    let steps = [
        "apply: {component: certificates, kinds: [secrets]}",
        "apply: {component: ingress, kinds: [secrets]}",
    ];
    let copy = |component, data: &str| secret(component, "tls", json!({"data": {"tls.crt": data}}));
    let homes = [namespace(Certificates, "demo"), namespace(Ingress, "demo")];
    let plan = World::new(&steps)
        .source(homes.clone())
        .source([copy(Certificates, "bmV3"), copy(Ingress, "b2xk")])
        .live(homes)
        .resolve()?;
    assert_eq!(story(&plan), "create tls");
    assert_eq!(plan.acts().next().map(|act| act.component), Some(Certificates));
    assert!(plan.warnings[0].contains("not the same in certificates and ingress: taken from certificates"));
    Ok(())
}

#[test]
fn a_person_is_told_who_will_revert_it_and_what_is_rbac() -> Result<()> {
    let role = |verb: &str| {
        let rules = json!({"rules": [{"verbs": [verb]}]});
        item(Ingress, "rbac.authorization.k8s.io", "clusterroles", "ClusterRole", ("", "r"), rules)
    };
    let step = "apply: {component: ingress, kinds: [clusterroles.rbac.authorization.k8s.io]}";
    let world = World { managed_by: Some("Argo CD"), ..World::new(&[step]) };
    let plan = world.source([role("get")]).live([role("*")]).resolve()?;
    let remarks = &plan.steps[0].batches[0].acts[0].remarks;
    assert_eq!(remarks, &["RBAC", "managed by Argo CD, which will revert this"]);
    Ok(())
}

#[test]
fn nothing_is_done_where_nothing_differs_and_a_source_without_the_component_is_refused() -> Result<()> {
    let world = World::new(&[POLICIES]);
    let error = world.resolve().expect_err("there is no component");
    assert!(error.to_string().contains("the source has no policies"), "{error}");
    assert!(error.hints()[0].contains("set network"));

    let state = [namespace(Policies, "demo"), policy("demo", "p", None)];
    let plan = world.source(state.clone()).live(state).resolve()?;
    assert!(plan.is_empty() && plan.differences.is_empty());
    Ok(())
}
