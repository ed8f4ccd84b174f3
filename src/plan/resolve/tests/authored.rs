use Component::Ingress;

use super::*;
use crate::{
    gitops::{GitSource, Values},
    model::SnapshotId,
};

const RELEASE: &str = "helm release traefik/traefik";
const COMMIT: &str = "c0ffee";

fn release(values: Value) -> Item {
    let content = json!({"name": "sh.helm.release.v1.traefik.v2", "labels": {}, "release": {
        "name": "traefik", "namespace": "traefik", "version": 2, "manifest": "", "config": values,
    }});
    traefik(&content)
}

fn in_git(values: Value, newest: bool) -> Result<Values, String> {
    Ok(Values { commit: COMMIT.into(), answers: "ada@lab".into(), newest, values })
}

/// The built-in plan, a release with its values in the source, and what Git has of it.
fn world(plan: &str, stored: Value, component: Component, read: Result<Values, String>) -> World {
    let source = GitSource {
        url: "/forge/k8s".into(),
        branch: "main".into(),
        path: "helm/traefik values.yaml".into(),
        component,
        release: Some("traefik/traefik".into()),
    };
    World { authored: vec![AuthoredValues { source, read }], ..World::built_in(plan) }
        .source([namespace(Ingress, "traefik"), release(stored)])
}

#[test]
fn values_that_differ_are_a_warning_with_keys_and_the_commands_that_roll_them_out() -> Result<()> {
    let stored = json!({"logLevel": "MARKER", "image": {"tag": "v3"}});
    let plan =
        world("traefik", stored, Ingress, in_git(json!({"logLevel": "INFO", "users": "MARKER"}), true));
    let id = SnapshotId::new(plan.now.parse().unwrap(), Ingress.set(), None, 7);
    let plan = World { source_names: vec![SourceName::Snapshot(id)], ..plan }.resolve()?;
    let [compared] = &plan.authored[..] else { panic!("{:?}", plan.authored) };
    assert!(compared.differs() && !compared.is_equal());
    let said: Vec<&String> = plan.warnings.iter().filter(|said| said.starts_with(RELEASE)).collect();
    assert_eq!(said, [&compared.says]);
    for part in [
        "helm/traefik values.yaml at commit c0ffee of /forge/k8s, for which ada@lab answers",
        ": image (only in the release), logLevel (differs), users (only in Git). No RPO of 0 is claimed.",
        "netdr extract 20261124T010000Z-network-000007 --component ingress --to extracted; in a clone \
         git show 'c0ffee:helm/traefik values.yaml' > values.yaml; \
         helm upgrade traefik extracted/ingress/helm/traefik/traefik/chart.tgz --namespace traefik --values values.yaml",
    ] {
        assert!(said[0].contains(part), "{part} is not in {}", said[0]);
    }
    let json = plan.to_json();
    assert_eq!(json["authored_values"][0]["keys"][1], json!({"path": "logLevel", "how": "differs"}));
    assert!(!format!("{json}{plan:?}").contains("MARKER"), "{json}");
    Ok(())
}

#[test]
fn equal_values_are_no_warning_and_only_of_the_newest_commit_a_claim() -> Result<()> {
    for (newest, claim) in [(true, "nothing authored is lost"), (false, "is not known to be the newest")] {
        let values = json!({"replicas": 2});
        let plan = world("traefik", values.clone(), Ingress, in_git(values, newest)).resolve()?;
        assert!(plan.authored[0].is_equal() && !plan.authored[0].differs());
        assert!(plan.authored[0].says.contains(claim), "{}", plan.authored[0].says);
        assert!(!plan.warnings.iter().any(|said| said.contains(COMMIT)), "{:?}", plan.warnings);
    }
    Ok(())
}

#[test]
fn what_was_not_compared_is_neither_equal_nor_different_and_said() -> Result<()> {
    let values = || in_git(json!({}), true);
    for (world, why) in [
        (world("traefik", json!({}), Ingress, Err("it is down".into())), "it is down"),
        // Another component's release of that name is not it.
        (
            world("full-stack", json!({}), Component::Loadbalancer, values())
                .source([namespace(Component::Loadbalancer, "metallb-system")]),
            "the source has no such release",
        ),
    ] {
        let plan = world.resolve()?;
        let [compared] = &plan.authored[..] else { panic!("{:?}", plan.authored) };
        assert!(!compared.is_equal() && !compared.differs());
        assert!(
            compared.says.ends_with(why) && plan.warnings.contains(&compared.says),
            "{:?}",
            plan.warnings
        );
    }
    for (plan, component) in [("network-policies", Ingress), ("traefik", Component::Certificates)] {
        let world = world(plan, json!({}), component, values());
        let plan = world.source([namespace(Component::Policies, "demo")]).resolve()?;
        assert_eq!(plan.authored, [], "the plan brings no such release back");
    }
    Ok(())
}
