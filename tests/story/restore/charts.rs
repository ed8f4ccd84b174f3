//! The real charts of cert-manager and MetalLB, installed by the stock Helm, and back without either: deployments, RBAC and
//! the releases themselves are lost, and full-stack brings them. Their pods are kwok's; no object of theirs has to pass
//! their webhooks here, for nobody answers for those.

use netdr::drill::Options;
use serde_json::{Value, json};

use crate::support::{Home, NODES, Objects, Operator, built, fresh};

/// Release, namespace, and what is set: no Job that waits for a webhook, and the CRDs, as most people install it.
const RELEASES: [(&str, &str, &str); 2] = [
    ("cert-manager", "cert-manager", "crds.enabled=true,startupapicheck.enabled=false"),
    ("metallb", "metallb-system", "loadBalancerClass=lab"),
];

async fn helm(home: &Home, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    home.run("helm", &words).await.ok()
}

fn chart(name: &str) -> String {
    let path = built().join("charts").join(name).with_extension("tgz");
    assert!(path.is_file(), "{} is not there; run: tests/control-plane/build charts", path.display());
    path.display().to_string()
}

/// What Helm knows of the releases: revision, status, chart, values, manifest.
async fn known(home: &Home) -> Vec<(Value, String, String)> {
    let mut known = Vec::new();
    for (release, namespace, _) in RELEASES {
        let list = home.run("helm", &["list", "-n", namespace, "-o", "json"]).await.json(0);
        let values = helm(home, &format!("get values {release} -n {namespace}")).await;
        let manifest = helm(home, &format!("get manifest {release} -n {namespace}")).await;
        known.push((list, values, manifest));
    }
    known
}

#[tokio::test(flavor = "multi_thread")]
async fn cert_manager_and_metallb_come_back_as_helm_installed_them() {
    let plane = fresh(Options { controllers: true, nodes: true, ..Options::default() }).await;
    Objects::of(&plane).await.create(NODES).await;
    let operator = Operator::of(&plane).await;
    let home = &operator.home;
    operator.configure("scope: {helm_releases: [cert-manager/cert-manager, metallb-system/metallb]}");
    for (release, namespace, values) in RELEASES {
        let chart = chart(release);
        let install =
            format!("install {release} {chart} -n {namespace} --create-namespace --set {values} --wait");
        helm(home, &install).await;
    }
    for set in ["network", "certificates"] {
        home.netdr(&["backup", "--set", set]).await.ok();
    }
    let before = known(home).await;
    for (list, ..) in &before {
        assert_eq!((&list[0]["revision"], &list[0]["status"]), (&"1".into(), &"deployed".into()), "{list}");
    }

    let lost = "deployment,daemonset,service,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,\
        validatingwebhookconfiguration,mutatingwebhookconfiguration";
    for (release, namespace, _) in RELEASES {
        let labelled = format!("app.kubernetes.io/instance={release}");
        home.run("kubectl", &["delete", lost, "-A", "-l", &labelled]).await.ok();
        home.run("kubectl", &["delete", "secret", "-n", namespace, "-l", "owner=helm"]).await.ok();
        assert_eq!(
            home.run("kubectl", &["get", "deployments", "-n", namespace, "-o", "name"]).await.ok(),
            ""
        );
    }

    let report = operator.recover("full-stack", &[]).await;
    assert_eq!(report["rto_met"], json!(null), "{report:#}");
    assert_eq!(known(home).await, before, "Helm sees what it installed");
    for (release, namespace, _) in RELEASES {
        let labelled = format!("app.kubernetes.io/instance={release}");
        let words = ["rollout", "status", "deployment", "-n", namespace, "-l", &labelled, "--timeout=1s"];
        home.run("kubectl", &words).await.ok();
        // Helm goes on from what came back.
        let chart = chart(release);
        helm(home, &format!("upgrade {release} {chart} -n {namespace} --reuse-values --wait")).await;
        let history = home.run("helm", &["history", release, "-n", namespace, "-o", "json"]).await.json(0);
        assert_eq!(
            (&history[0]["status"], &history[1]["status"]),
            (&"superseded".into(), &"deployed".into())
        );
    }
}
