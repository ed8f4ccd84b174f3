use Component::Ingress;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::plan::Gate;

fn release(version: u64) -> Item {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: listed}\n";
    let content = json!({
        "name": format!("sh.helm.release.v1.traefik.v{version}"), "labels": {},
        "release": {"name": "traefik", "namespace": "traefik", "version": version, "manifest": manifest},
    });
    traefik(&content)
}

fn revision(version: u64, status: &str) -> Revision {
    let item = release(version);
    // The live item is the newest deployed revision, so it and its Secret are the same object.
    let uid = if status == "deployed" { seen(&item.key).uid } else { format!("uid of v{version}") };
    Revision {
        name: "traefik".into(),
        namespace: "traefik".into(),
        version,
        status: status.into(),
        secret_name: format!("sh.helm.release.v1.traefik.v{version}"),
        seen: Precondition { uid, resource_version: "7".into() },
    }
}

/// An object that Helm says it made.
fn rendered(group: &str, plural: &str, kind: &str, replicas: u8) -> Item {
    let annotations =
        json!({"meta.helm.sh/release-name": "traefik", "meta.helm.sh/release-namespace": "traefik"});
    let fields = json!({"metadata": {"annotations": annotations}, "spec": {"replicas": replicas}});
    item(Ingress, group, plural, kind, ("traefik", "traefik"), fields)
}

fn source() -> Vec<Item> {
    vec![
        namespace(Ingress, "traefik"),
        release(2),
        rendered("apps", "deployments", "Deployment", 2),
        rendered("", "serviceaccounts", "ServiceAccount", 0),
        item(Ingress, "", "configmaps", "ConfigMap", ("traefik", "listed"), json!({"data": {"a": "b"}})),
        item(Ingress, "", "secrets", "Secret", ("traefik", "tls"), json!({"type": "kubernetes.io/tls"})),
        item(Ingress, "traefik.io", "ingressroutes", "IngressRoute", ("traefik", "route"), json!({})),
    ]
}

fn acts_of<'a>(plan: &'a ResolvedPlan, step: &str) -> Vec<(Verb, &'a str)> {
    let step = plan.steps.iter().find(|s| s.id == step);
    let batches = step.into_iter().flat_map(|step| &step.batches);
    batches.flat_map(|batch| &batch.acts).map(|act| (act.verb, act.key.name())).collect()
}

#[test]
fn a_release_that_is_gone_comes_back_in_helms_order_and_its_secret_last() -> Result<()> {
    let plan = World::built_in("traefik").source(source()).resolve()?;
    let expected = [
        (Verb::Create, "traefik"),
        (Verb::Create, "listed"),
        (Verb::Create, "traefik"),
        (Verb::Create, "traefik"),
    ];
    assert_eq!(acts_of(&plan, "release"), expected);
    let kinds: Vec<String> =
        plan.steps[3].batches.iter().flat_map(|b| &b.acts).map(|act| act.key.kind_name()).collect();
    assert_eq!(kinds, ["serviceaccounts", "configmaps", "deployments.apps", "helm release"]);
    assert_eq!(acts_of(&plan, "secrets"), [(Verb::Create, "tls")]);
    assert_eq!(acts_of(&plan, "routes"), [(Verb::Create, "route")]);
    let deployment = ItemKey::resource("apps", "deployments", Some("traefik"), "traefik");
    assert_eq!(plan.steps[4].gates, [Gate::RolledOut(deployment)]);
    Ok(())
}

#[test]
fn newer_revisions_go_and_the_deployed_one_is_what_undo_finds() -> Result<()> {
    let mut live = source();
    live[1] = release(4);
    let revisions = vec![revision(2, "superseded"), revision(3, "failed"), revision(4, "deployed")];
    let plan = World { revisions, ..World::built_in("traefik") }.source(source()).live(live).resolve()?;
    let v = |version| format!("sh.helm.release.v1.traefik.v{version}");
    let (v2, v3, v4) = (v(2), v(3), v(4));
    let away = |name| (Verb::Delete, name);
    assert_eq!(
        acts_of(&plan, "release"),
        [away(v2.as_str()), (Verb::Replace, "traefik"), away(v3.as_str()), away(v4.as_str())]
    );
    let act = plan.acts().find(|act| act.verb == Verb::Replace).expect("the release");
    assert_eq!(act.seen, Some(revision(4, "deployed").seen));
    assert_eq!(act.live_sha256, Some(release(4).sha256()));
    assert_eq!(plan.overwritten()[&Ingress][0].content, release(4).content);
    Ok(())
}

#[test]
fn the_deployed_revision_is_written_over_and_not_removed_before() -> Result<()> {
    let mut live = source();
    let Content::Release(json) = &live[1].content else { unreachable!("a release") };
    let mut other = json.value();
    other["release"]["manifest"] = "".into();
    live[1].content = Content::Release(Json::new(&other));
    let world = World { revisions: vec![revision(2, "deployed")], ..World::built_in("traefik") };
    let plan = world.source(source()).live(live).resolve()?;
    assert_eq!(story(&plan), "replace traefik");
    Ok(())
}

#[test]
fn a_stuck_upgrade_is_removed_from_an_equal_release() -> Result<()> {
    let revisions = vec![revision(2, "deployed"), revision(3, "pending-upgrade")];
    let world = World { revisions, ..World::built_in("traefik") }.source(source()).live(source());
    let plan = world.resolve()?;
    assert_eq!(story(&plan), "delete sh.helm.release.v1.traefik.v3");
    assert_eq!(
        plan.acts().next().map(|act| act.remarks.clone()),
        Some(vec!["revision 3 of the release, pending-upgrade".to_owned()])
    );
    assert_eq!(plan.unchanged, 7);
    Ok(())
}

#[test]
fn of_an_equal_release_what_is_gone_is_still_the_releases() -> Result<()> {
    let mut live = source();
    live.remove(2);
    let world = World { revisions: vec![revision(2, "deployed")], ..World::built_in("traefik") };
    let plan = world.source(source()).live(live).resolve()?;
    assert_eq!(acts_of(&plan, "release"), [(Verb::Create, "traefik")]);
    assert_eq!(plan.counts().create, 1);
    Ok(())
}

#[test]
fn definitions_that_a_chart_renders_still_come_first_and_are_never_put_back() -> Result<()> {
    let definition = |version: u8| {
        let fields = json!({"metadata": {"annotations": {
            "meta.helm.sh/release-name": "traefik", "meta.helm.sh/release-namespace": "traefik"}},
            "spec": {"version": version}});
        let (group, plural) = ("apiextensions.k8s.io", "customresourcedefinitions");
        item(Ingress, group, plural, "CustomResourceDefinition", ("", "ingressroutes.traefik.io"), fields)
    };
    let world = World::built_in("traefik").source(source()).source([definition(1)]);
    assert_eq!(acts_of(&world.resolve()?, "definitions"), [(Verb::Create, "ingressroutes.traefik.io")]);
    let plan = world.live([definition(2)]).resolve()?;
    assert_eq!(acts_of(&plan, "definitions"), []);
    assert_eq!(plan.kept.len(), 1);
    Ok(())
}

#[test]
fn what_was_refused_is_not_waited_for() -> Result<()> {
    let world = World { absent_kinds: vec!["deployments"], ..World::built_in("traefik") };
    let plan = world.source(source()).resolve()?;
    assert_eq!(plan.steps[4].gates, []);
    assert_eq!(plan.refused.len(), 1);
    Ok(())
}

#[test]
fn a_release_the_source_lacks_is_refused_by_name() -> Result<()> {
    let plan = World::new(&["helmRelease: {component: ingress, releases: [other/one]}"])
        .source(source())
        .resolve()?;
    assert_eq!(story(&plan), "");
    assert_eq!(reasons(&plan.refused), ["one: the source has no such release"]);
    Ok(())
}

/// A Deployment of the release whose pods are on their node's network, its strategy and log level as given.
fn on_host(level: &str, strategy: Value) -> Item {
    let annotations =
        json!({"meta.helm.sh/release-name": "traefik", "meta.helm.sh/release-namespace": "traefik"});
    let pod =
        json!({"hostNetwork": true, "containers": [{"args": [level], "ports": [{"containerPort": 443}]}]});
    let spec = json!({"replicas": 2, "strategy": {"type": "RollingUpdate", "rollingUpdate": strategy},
        "template": {"spec": pod}});
    let fields = json!({"metadata": {"annotations": annotations}, "spec": spec});
    item(Ingress, "apps", "deployments", "Deployment", ("traefik", "traefik"), fields)
}

fn surging(level: &str) -> Item {
    on_host(level, json!({"maxUnavailable": 0, "maxSurge": 1}))
}

fn gentle(level: &str) -> Item {
    on_host(level, json!({"maxUnavailable": 1, "maxSurge": 0}))
}

/// Traefik with another log level than the source's, and so many nodes.
fn crowded(live: Item, nodes: usize) -> World {
    let node =
        json!({"metadata": {}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let (mut source, mut now) = (source(), source());
    (source[2], now[2]) = (surging("INFO"), live);
    let revisions = vec![revision(2, "deployed")];
    World { revisions, nodes: vec![node; nodes], ..World::built_in("traefik") }.source(source).live(now)
}

#[test]
fn where_no_node_is_free_pods_go_one_at_a_time_and_the_strategy_comes_back_after_the_rollout() -> Result<()> {
    let plan = crowded(surging("DEBUG"), 2).resolve()?;
    assert_eq!(acts_of(&plan, "release"), [(Verb::Replace, "traefik")]);
    assert_eq!(acts_of(&plan, "rollout-strategy"), [(Verb::Replace, "traefik")]);
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids[3..6], ["release", "rollout", "rollout-strategy"]);
    let acts: Vec<&Act> = plan.acts().collect();
    let wanted = |act: &Act| act.item.as_ref().map(|item| item.content.clone());
    assert_eq!(wanted(acts[0]), Some(gentle("INFO").content));
    assert_eq!(acts[0].remarks.len(), 1);
    assert_eq!(wanted(acts[1]), Some(surging("INFO").content));
    // It is written over what the first act left and nothing else, and undo finds the first state only.
    assert_eq!((&acts[1].live_sha256, &acts[1].seen), (&Some(gentle("INFO").sha256()), &None));
    let overwritten = plan.overwritten();
    let before: Vec<&Content> = overwritten[&Ingress].iter().map(|item| &item.content).collect();
    assert_eq!(before, [&surging("DEBUG").content]);
    assert_eq!(plan.differences.len(), 1);
    Ok(())
}

#[test]
fn a_step_more_for_a_crowded_rollout_takes_no_other_steps_acts() -> Result<()> {
    let steps = [
        "helmRelease: {component: ingress}",
        "wait: {rollout: {component: ingress}}",
        "apply: {component: certificates}",
        "renewCertificates: {}",
    ];
    let fields = json!({"spec": {"acme": {}}});
    let at = ("", "letsencrypt");
    let issuer =
        item(Component::Certificates, "cert-manager.io", "clusterissuers", "ClusterIssuer", at, fields);
    let world = World { plan: World::new(&steps).plan, ..crowded(surging("DEBUG"), 2) };
    let plan = world.source([issuer]).resolve()?;
    assert_eq!(acts_of(&plan, "s1-strategy"), [(Verb::Replace, "traefik")]);
    assert_eq!(acts_of(&plan, "s2"), [(Verb::Create, "letsencrypt")]);
    Ok(())
}

#[test]
fn a_rollout_that_was_cut_off_goes_on_one_pod_at_a_time() -> Result<()> {
    let plan = crowded(gentle("INFO"), 2).resolve()?;
    assert_eq!(acts_of(&plan, "release"), []);
    assert_eq!(acts_of(&plan, "rollout-strategy"), [(Verb::Replace, "traefik")]);
    let back = plan.acts().next().expect("the strategy");
    assert_eq!(back.seen, Some(seen(&back.key)));
    assert_eq!(plan.overwritten()[&Ingress][0].content, gentle("INFO").content);
    Ok(())
}

#[test]
fn with_a_node_to_spare_a_rollout_is_left_to_its_strategy() -> Result<()> {
    let plan = crowded(surging("DEBUG"), 3).resolve()?;
    assert_eq!(story(&plan), "replace traefik");
    assert_eq!(plan.acts().next().map(|act| act.item.clone()), Some(Some(surging("INFO"))));
    Ok(())
}

#[test]
fn where_nothing_waits_for_the_rollout_a_person_is_told() -> Result<()> {
    let world = crowded(surging("DEBUG"), 2);
    let plan = World {
        plan: world.plan.replace("wait: {rollout: {component: ingress}}", "confirm: {question: ok?}"),
        ..world
    };
    let plan = plan.resolve()?;
    assert_eq!(story(&plan), "replace traefik");
    assert!(
        plan.warnings[0].contains("waits for one until somebody deletes an old pod"),
        "{:?}",
        plan.warnings
    );
    Ok(())
}

#[test]
fn values_that_the_chart_no_longer_takes_are_said_by_key_and_keep_nothing_back() -> Result<()> {
    let mut items = source();
    let Content::Release(json) = &items[1].content else { unreachable!("a release") };
    let mut content = json.value();
    let schema = json!({"properties": {"ports": {"additionalProperties": {"properties": {"expose": {"type": "object"}}}}}});
    content["release"]["chart"]["schema"] = STANDARD.encode(schema.to_string()).into();
    content["release"]["config"] = json!({"ports": {"metrics": {"expose": "MARKER"}}});
    items[1].content = Content::Release(Json::new(&content));
    let plan = World::built_in("traefik").source(items).resolve()?;
    assert_eq!(acts_of(&plan, "release").len(), 4);
    let [warning] = &plan.warnings[..] else { panic!("{:?}", plan.warnings) };
    assert!(warning.starts_with("helm release traefik/traefik: "), "{warning}");
    assert!(warning.contains("ports.metrics.expose (type)") && !warning.contains("MARKER"), "{warning}");
    Ok(())
}

#[test]
fn an_install_that_was_cut_off_makes_room_for_the_revision_of_its_number() -> Result<()> {
    let mut live = source();
    live.remove(1); // a release without a deployed revision is no item
    let revisions =
        vec![revision(1, "failed"), revision(2, "pending-install"), revision(3, "pending-rollback")];
    let plan = World { revisions, ..World::built_in("traefik") }.source(source()).live(live).resolve()?;
    let [v2, v3] = [2, 3].map(|version| format!("sh.helm.release.v1.traefik.v{version}"));
    assert_eq!(
        acts_of(&plan, "release"),
        [(Verb::Delete, v2.as_str()), (Verb::Create, "traefik"), (Verb::Delete, v3.as_str())]
    );
    Ok(())
}

#[test]
fn what_traefik_no_longer_reads_is_named_and_never_written() -> Result<()> {
    let dead = |name| {
        let middleware =
            item(Ingress, "traefik.containo.us", "middlewares", "Middleware", ("traefik", name), json!({}));
        Item { class: Class::Evidence, ..middleware }
    };
    let plan = World::built_in("traefik")
        .source(source())
        .source([dead("old"), dead("both")])
        .live(source())
        .live([dead("both"), dead("new")])
        .resolve()?;
    assert!(plan.is_empty() && plan.differences.is_empty());
    let said = |name: &str, place: &str| {
        format!(
            "middlewares.traefik.containo.us traefik/{name}, {place}, is dead and not restored: Traefik v3 does not \
             read API group traefik.containo.us"
        )
    };
    assert_eq!(
        plan.warnings,
        [
            said("both", "in the source and on the cluster"),
            said("new", "on the cluster"),
            said("old", "in the source")
        ]
    );
    Ok(())
}
