//! A run of each scenario that is killed at every line of its journal, and in the midst of every other one: it is
//! resumed, and then all is as it was, nothing else was touched, and nothing was done twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{SecondsFormat, Utc};
use netdr::drill::{Options, cluster::host_root, failures::break_policies};
use serde_json::{Value, json};

use crate::{
    story::restore::{
        certificates::Issued,
        cni::{Canal, FELIX, HERE},
        full_stack::play,
        resume::killed_at,
        traefik::Edge,
        undo::{MADE, same},
    },
    support::{Audit, Dump, MARKER, NODE, Objects, Operator, acts, audited, fresh, touched},
};

/// A scenario on a cluster of its own that was backed up.
struct Ground<'a> {
    scenario: &'a str,
    /// What a restore needs to be told besides.
    more: &'a [&'a str],
    operator: &'a Operator,
    objects: &'a Objects,
    audit: Audit,
}

/// Kills a run at every boundary; `damage` breaks what was backed up, each time in the same way.
async fn killed_everywhere(ground: Ground<'_>, damage: impl AsyncFn()) {
    let Ground { scenario, more, operator, objects, audit } = ground;
    let healthy = still(objects.dump().await);
    let more_words = more.join(" ");
    let restore = format!("restore --identity keys/operator.txt --scenario {scenario} --yes {more_words}");
    damage().await;
    let plan = operator.plan(scenario, more).await;
    let scope: BTreeSet<String> = acts(&plan).into_iter().map(|(_, object)| object).collect();
    operator.home.shell(&format!("netdr {restore} || test $? = 6")).await.ok();
    same(&healthy, &still(objects.dump().await));
    let journal = operator.journal().unwrap();
    // What is sealed must be smaller than the journal is by then, or it would be its write that is the last.
    let sealed = "stat -c %s repo/runs/*/*.age 2> /dev/null | sort -n | tail -1";
    let sealed: usize = operator.home.shell(sealed).await.ok().trim().parse().unwrap_or(0);
    let lines: Vec<&str> = journal.split_inclusive('\n').collect();
    assert!(sealed < lines[0].len(), "{sealed} bytes are sealed: break less");
    let mut at = 0;
    for (number, pair) in lines.windows(2).enumerate() {
        at += pair[0].len();
        damage().await;
        let (before, mark) = (objects.dump().await, audit.mark());
        let bytes = at + (number % 2) * 20;
        assert_eq!(operator.home.shell(&killed_at(bytes, &restore)).await.ok(), "killed\n", "{bytes}");
        let run = operator.last_run().await;
        let resume =
            format!("netdr restore --json --identity keys/operator.txt --resume {run} --yes {more_words}");
        let report = operator.home.shell(&format!("{resume} || test $? = 6")).await.ok();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["differences_left"], 0, "{report:#}");
        let remarks = report["remarks"].to_string();
        assert!(remarks.contains("the run was resumed; what was done before: netdr runs show"), "{remarks}");
        let after = objects.dump().await;
        same(&healthy, &still(after.clone()));
        let foreign: Vec<&str> =
            touched(&before, &after).into_iter().filter(|key| !ours(&scope, key)).collect();
        assert_eq!(foreign, Vec::<&str>::new(), "not in the plan's scope; killed before {}", pair[1]);
        assert_eq!(twice(&audit, mark), BTreeMap::new(), "done twice; killed before {}", pair[1]);
    }
    let outcomes = operator.home.netdr(&["runs", "--json"]).await.json(0);
    let outcomes: Vec<&Value> =
        outcomes["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, vec![&json!("recovered"); lines.len()]);
}

/// Without when a workload was restarted, which every run of cni does.
pub(super) fn still(mut dump: Dump) -> Dump {
    for object in dump.values_mut() {
        let annotations = object.pointer_mut("/metadata/annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !name.starts_with("deprecated.daemonset.template"));
        }
        let annotations = object.pointer_mut("/spec/template/metadata/annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/restartedAt");
        }
        if let Some(template) = object.pointer_mut("/spec/template/metadata").and_then(Value::as_object_mut) {
            template.retain(|field, value| field != "annotations" || *value != json!({}));
        }
    }
    dump
}

/// What the plan names, and what controllers make from it.
pub(super) fn ours(scope: &BTreeSet<String>, key: &str) -> bool {
    scope.contains(key) || MADE.contains(&key.split(' ').next().unwrap())
}

/// What was written more than once, with success.
fn twice(audit: &Audit, mark: usize) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for write in audit.writes_since(mark).into_iter().filter(|write| write.succeeded()) {
        *times.entry(format!("{} {}", write.verb, write.object)).or_insert(0) += 1;
    }
    times.retain(|_, times| *times > 1);
    times
}

#[tokio::test(flavor = "multi_thread")]
async fn network_policies_are_whole_after_a_kill_at_any_line() {
    let plane = fresh(audited()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.backup().await;
    let cluster = plane.cluster().await.unwrap();
    let damage = async || drop(break_policies(&cluster).await.unwrap());
    let (operator, objects, audit) = (&operator, &objects, Audit::of(&plane));
    killed_everywhere(Ground { scenario: "network-policies", more: &[], operator, objects, audit }, damage)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traefik_is_whole_after_a_kill_at_any_line() {
    let edge = Edge::installed().await;
    edge.operator.backup().await;
    let damage = async || {
        edge.objects.delete("middlewares.traefik.io", "traefik/dashboard-auth").await;
        edge.objects.delete("clusterrolebindings.rbac.authorization.k8s.io", "traefik-traefik").await;
        let other = json!({"spec": {"entryPoints": ["web"]}});
        edge.objects.merge("ingressroutes.traefik.io", "traefik/dashboard", other).await;
    };
    let (operator, objects, audit) = (&edge.operator, &edge.objects, Audit::of(&edge.plane));
    killed_everywhere(Ground { scenario: "traefik", more: &[], operator, objects, audit }, damage).await;
}

/// Canal's pods are restarted in every run, and in none of them twice.
#[tokio::test(flavor = "multi_thread")]
async fn cni_is_whole_after_a_kill_at_any_line() {
    let canal = Canal::installed().await;
    canal.backup().await;
    let damage = async || {
        canal.objects.delete("ippools.crd.projectcalico.org", "default-ipv4-ippool").await;
        canal.objects.merge(FELIX, "default", json!({"spec": {"vxlanVNI": 1}})).await;
    };
    let (operator, objects, audit) = (&canal.operator, &canal.objects, Audit::of(&canal.plane));
    killed_everywhere(Ground { scenario: "cni", more: &HERE, operator, objects, audit }, damage).await;
}

/// A certificate that nobody has any more, and that cert-manager would not issue soon, is triggered in every run, and in
/// none of them twice. Its controllers stand still: what they do of themselves is no part of this.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_whole_after_a_kill_at_any_line() {
    let mut issued = Issued::backed_up().await;
    issued.stop().await;
    issued.objects.delete("secrets", "shop/api-tls").await;
    issued.backup().await;
    let damage = async || {
        issued.objects.delete("secrets", "shop/web-tls").await;
        issued.objects.delete("secrets", "issuers-home/root").await;
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "",
            "lastTransitionTime": now});
        let failed = json!({"status": {
            "lastFailureTime": now, "failedIssuanceAttempts": 1, "conditions": [ready]}});
        let patch =
            ["patch", "certificate", "api", "-n", "shop", "--subresource=status", "--type=merge", "-p"];
        issued.operator.home.run("kubectl", &[&patch[..], &[&failed.to_string()]].concat()).await.ok();
    };
    let (operator, objects, audit) = (&issued.operator, &issued.objects, Audit::of(&issued.plane));
    killed_everywhere(Ground { scenario: "certificates", more: &[], operator, objects, audit }, damage).await;
}

/// Something of every scenario is lost, a file of this server too. Nodes and pods are kwok's; a task plays what
/// cert-manager's controller says of Certificates, and a script systemctl.
#[tokio::test(flavor = "multi_thread")]
async fn the_full_stack_is_whole_after_a_kill_at_any_line() {
    let plane = fresh(Options { controllers: true, nodes: true, ..audited() }).await.loaded().await;
    let (objects, operator) = (&Objects::of(&plane).await, &Operator::of(&plane).await);
    let home = &operator.home;
    // One after the other would take three times as long.
    let at_once = json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}}}});
    objects.merge("daemonsets.apps", "kube-system/rke2-canal", at_once).await;
    host_root(&home.path().join("host"), NODE, MARKER).unwrap();
    home.shell("cp -a host whole && netdr backup --set all --host-root host").await.ok();
    let damage = async || {
        for (kind, name) in [
            ("middlewares.traefik.io", "traefik/dashboard-auth"),
            ("certificates.cert-manager.io", "registry/registry"),
            ("l2advertisements.metallb.io", "metallb-system/l2-advert"),
            ("networkpolicies.networking.k8s.io", "postgres/default-deny-all"),
        ] {
            objects.delete(kind, name).await;
        }
        objects.merge(FELIX, "default", json!({"spec": {"vxlanVNI": 1}})).await;
        home.shell("rm host/etc/rancher/rke2/registries.yaml").await.ok();
    };
    let (scenario, audit) = ("full-stack", Audit::of(&plane));
    home.stand_in("systemctl", "true");
    let more = [&HERE[..], &["--allow-run"]].concat();
    let ground = Ground { scenario, more: &more, operator, objects, audit };
    tokio::select! {
        () = killed_everywhere(ground, damage) => {}
        () = play(objects, operator) => unreachable!(),
    }
    home.shell("diff -r whole host").await.ok();
}
