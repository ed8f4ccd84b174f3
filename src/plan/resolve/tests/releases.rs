use Component::Ingress;

use super::*;
use crate::plan::Gate;

fn release(version: u64) -> Item {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: listed}\n";
    let content = json!({
        "name": format!("sh.helm.release.v1.traefik.v{version}"), "labels": {},
        "release": {"name": "traefik", "namespace": "traefik", "version": version, "manifest": manifest},
    });
    Item {
        key: ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() },
        component: Ingress,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Release(Json::new(&content)),
    }
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
