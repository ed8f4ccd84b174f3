use Component::Cni;

use super::*;
use crate::plan::{Gate, install};

const WAIT: &str = "wait: {helmCharts: [kube-system/rke2-canal]}";
const APPLY: &str = "apply: {component: cni, kinds: [secrets, helmchartconfigs.helm.cattle.io]}";

fn config(values: &str, policy: &str) -> Item {
    let spec = json!({"valuesContent": values, "failurePolicy": policy,
        "valuesSecrets": [{"name": "canal-values", "keys": ["v"]}]});
    let at = ("kube-system", "rke2-canal");
    item(Cni, "helm.cattle.io", "helmchartconfigs", "HelmChartConfig", at, json!({"spec": spec}))
}

fn secret(name: &str, data: &str, label: &str) -> Item {
    let fields = json!({"type": "Opaque", "data": {"v": data}, "metadata": {"labels": {"team": label}}});
    item(Cni, "", "secrets", "Secret", ("kube-system", name), fields)
}

fn evidence(image: &str) -> Item {
    let fields = json!({"spec": {"image": image}});
    let at = ("kube-system", "rke2-canal");
    Item { class: Class::Evidence, ..item(Cni, "apps", "daemonsets", "DaemonSet", at, fields) }
}

fn revision(version: u64, status: &str) -> Revision {
    Revision {
        name: "rke2-canal".into(),
        namespace: "kube-system".into(),
        version,
        status: status.into(),
        secret_name: format!("sh.helm.release.v1.rke2-canal.v{version}"),
        seen: Precondition { uid: format!("uid of v{version}"), resource_version: "7".into() },
    }
}

fn canal() -> ItemKey {
    install::helm_chart("kube-system", "rke2-canal")
}

/// A world whose Canal helm-controller installed.
fn world(steps: &[&str]) -> World {
    let secrets = ["canal-values".to_owned()].into();
    let known = Install { hash: Some("AB12".into()), secrets, ..Install::default() };
    let around = [namespace(Cni, "kube-system"), evidence("a")];
    World { installs: [(canal(), known)].into(), ..World::new(steps) }.source(around.clone()).live(around)
}

/// The gate of the last step: whether the chart's configuration is changed, and which Job does not count.
fn gate(world: &World) -> (bool, Option<String>) {
    let plan = world.resolve().unwrap();
    match plan.steps.last().unwrap().gates.as_slice() {
        [Gate::HelmChart { chart, changed, replaces }] if *chart == canal() => (*changed, replaces.clone()),
        gates => panic!("{gates:?}"),
    }
}

#[test]
fn a_chart_of_which_nobody_has_anything_is_not_waited_for() {
    let around = [namespace(Cni, "kube-system")];
    let other = World::new(&[WAIT]).source(around.clone()).live(around);
    let plan = other.resolve().unwrap();
    assert!(plan.steps[0].gates.is_empty());
    let said = "helmcharts.helm.cattle.io kube-system/rke2-canal is not waited for";
    assert!(plan.warnings.iter().any(|warning| warning.starts_with(said)), "{:?}", plan.warnings);
    // Where it is configured, it is to come.
    let configured = World::new(&[WAIT]).source([config("mtu: 1450", "abort")]);
    let plan = configured.resolve().unwrap();
    assert_eq!(plan.steps[0].gates.len(), 1);
    let said =
        "step `s0` waits for helmcharts.helm.cattle.io kube-system/rke2-canal, which is not on the cluster";
    assert!(plan.warnings.iter().any(|warning| warning.starts_with(said)), "{:?}", plan.warnings);
    let plan = world(&[WAIT]).source([config("mtu: 1450", "abort")]).resolve().unwrap();
    assert!(
        !plan.warnings.iter().any(|warning| warning.contains("is not on the cluster")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn the_gate_knows_what_the_plan_changes_of_a_chart() {
    let of = |source: Vec<Item>, live: Vec<Item>| gate(&world(&[APPLY, WAIT]).source(source).live(live));
    let (wanted, other) = (config("a", "abort"), config("b", "abort"));
    assert_eq!(of(vec![wanted.clone()], vec![wanted.clone()]), (false, None));
    assert_eq!(of(vec![wanted.clone()], vec![other]), (true, None));
    assert_eq!(of(vec![wanted.clone()], vec![]), (true, None));
    // Of a Secret only the data is part of the configuration.
    let with = |secret: Item| vec![wanted.clone(), secret];
    let stored = || with(secret("canal-values", "YQ==", "a"));
    assert_eq!(of(stored(), with(secret("canal-values", "Yg==", "a"))), (true, Some("AB12".into())));
    assert_eq!(of(stored(), with(secret("canal-values", "YQ==", "b"))), (false, None));
    assert_eq!(of(stored(), vec![wanted.clone()]), (true, Some("AB12".into())));
    let foreign = |data| with(secret("calico-bgp-password", data, "a"));
    assert_eq!(of(foreign("YQ=="), foreign("Yg==")), (false, None));
}

#[test]
fn only_revisions_that_are_pending_above_all_others_go() {
    let of = |statuses: &[&str]| {
        let mut world = world(&["helmRelease: {component: cni}"]);
        world.revisions = (1..).zip(statuses).map(|(version, status)| revision(version, status)).collect();
        story(&world.resolve().unwrap())
    };
    assert_eq!(of(&["superseded", "deployed"]), "");
    assert_eq!(of(&["deployed", "pending-upgrade"]), "delete sh.helm.release.v1.rke2-canal.v2");
    assert_eq!(of(&["pending-install"]), "delete sh.helm.release.v1.rke2-canal.v1");
    assert_eq!(of(&["pending-upgrade", "deployed"]), "");
    assert_eq!(of(&["deployed", "failed"]), "");
    assert_eq!(
        of(&["deployed", "pending-upgrade", "pending-rollback"]),
        "delete sh.helm.release.v1.rke2-canal.v2, delete sh.helm.release.v1.rke2-canal.v3"
    );
}

#[test]
fn what_the_release_made_is_restored_by_its_own_step() {
    let felix = |vni: u32| {
        let annotations = json!({"meta.helm.sh/release-name": "rke2-canal",
            "meta.helm.sh/release-namespace": "kube-system"});
        let fields = json!({"metadata": {"annotations": annotations}, "spec": {"vxlanVNI": vni}});
        let (group, kind) = ("crd.projectcalico.org", "FelixConfiguration");
        item(Cni, group, "felixconfigurations", kind, ("", "default"), fields)
    };
    let steps = ["helmRelease: {component: cni}", "apply: {component: cni}"];
    let plan = world(&steps).source([felix(4096)]).live([felix(1)]).resolve().unwrap();
    assert_eq!(story(&plan), "replace default");
    assert_eq!(plan.steps[1].batches.len(), 1);
}

#[test]
fn a_pending_revision_is_left_to_the_job_that_is_at_work_on_it() {
    let mut world = world(&["helmRelease: {component: cni}"]);
    world.revisions = vec![revision(1, "deployed"), revision(2, "pending-upgrade")];
    world.installs.values_mut().for_each(|install| install.active = true);
    let plan = world.resolve().unwrap();
    assert_eq!(story(&plan), "");
    assert_eq!(
        reasons(&plan.refused),
        [
            "rke2-canal: revision 2 is pending-upgrade, and jobs.batch kube-system/helm-install-rke2-canal is still at \
          work on it: when it has ended, restore again"
        ]
    );
}

#[test]
fn an_upgrade_that_could_uninstall_the_cni_is_warned_of_before_it_is_set_off() {
    let warned = |policy: &str, live: &str, chart: Option<&str>| {
        let mut world = world(&[APPLY, WAIT]).source([config("a", policy)]).live([config(live, policy)]);
        world.installs.values_mut().for_each(|i| i.failure_policy = chart.map(str::to_owned));
        world.resolve().unwrap().warnings.iter().filter(|warning| warning.contains("failurePolicy")).count()
    };
    assert_eq!(warned("", "b", None), 1);
    assert_eq!(warned("reinstall", "b", Some("retry")), 1);
    assert_eq!(warned("abort", "b", None), 0);
    assert_eq!(warned("", "b", Some("retry")), 0);
    assert_eq!(warned("", "a", None), 0, "nothing is written, and no upgrade set off");
}

#[test]
fn what_nobody_renders_again_is_said() {
    let said = |live: Item, values: &str| {
        let mut world = world(&[APPLY, WAIT]).source([config("a", "abort")]);
        world.live = vec![namespace(Cni, "kube-system"), live, config(values, "abort")];
        world.resolve().unwrap().warnings.iter().any(|warning| warning.contains("delete job helm-install"))
    };
    assert!(said(evidence("b"), "a"));
    assert!(!said(evidence("a"), "a"));
    assert!(!said(evidence("b"), "b"), "helm-controller renders it because of its new configuration");
}

#[test]
fn the_cni_s_rollout_is_waited_for_although_another_renders_it() {
    let plan = world(&["wait: {rollout: {component: cni}}", "wait: {nodes: {}}"]).resolve().unwrap();
    assert_eq!(plan.steps[0].gates, [Gate::RolledOut(evidence("a").key)]);
    assert_eq!(plan.steps[1].gates, [Gate::Nodes]);
}

#[test]
fn what_a_wait_names_is_read_strictly() {
    for (step, expected) in [
        ("wait: {helmCharts: [rke2-canal]}", "wait.helmCharts[0]: a HelmChart is named NAMESPACE/NAME"),
        ("wait: {nodes: {all: true}}", "unknown key `all`"),
        ("wait: {nodes: {}, rollout: {component: cni}}", "exactly one of rollout, helmCharts, nodes"),
        ("wait: {helmCharts: []}", "no HelmChart is named"),
    ] {
        let error = World::new(&[step]).resolve().unwrap_err();
        assert!(error.to_string().contains(expected), "{step}: {error}");
    }
}
