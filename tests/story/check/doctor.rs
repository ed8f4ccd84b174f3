//! `netdr doctor`: the mistakes of the operations guide itself, on the cluster that is built as it says.

use std::{fs, process::Stdio};

use netdr::drill::cluster::host_root;
use serde_json::Value;

use super::named;
use crate::support::{Home, MARKER, NODE, Objects, Operator, eventually, everything, fresh, shared};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operations_guide_gets_wrong_is_named_on_a_server_of_its_cluster() {
    let home = Home::new().with_kubeconfig(shared().await.kubeconfig()).with_repository().await;
    host_root(&home.path().join("host"), NODE, MARKER).unwrap();
    let outcome = home.netdr(&["doctor", "--host-root", "host", "--json"]).await;
    assert!(!outcome.stdout.contains(MARKER) && !outcome.stderr.contains(MARKER), "{outcome:?}");
    let found = outcome.json(8);
    let status = |name: &str| named(&found, name)["status"].as_str().unwrap().to_owned();
    assert_eq!(status("doctor flags of /etc/rancher/rke2/config.yaml"), "warn");
    assert_eq!(status("doctor flags of /etc/rancher/rke2/config.yaml.d/50-agent.yaml"), "ok");
    let values = named(&found, "doctor values of helm release traefik/traefik");
    assert_eq!(values["status"], "alert", "{values:#}");
    assert!(values["why"][0].as_str().unwrap().starts_with("ports.metrics.expose"), "{values:#}");
    assert_eq!(status("doctor failurePolicy of rke2-canal"), "ok");
    assert_eq!(status("doctor objective of plan network-policies"), "warn");
    assert_eq!(status("doctor ingress controllers"), "ok");
    assert!(!found.to_string().contains("unknown"), "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_judged_without_a_cluster() {
    let home = Home::new();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("values.yaml", include_str!("../../../src/drill/cluster/traefik-values.yaml"));
    write("config.yaml", "cni: canal\nflannel-backend: vxlan\n");
    write("fine.yaml", "cni: [canal]\ningress-controller: none\n");
    let found = home.netdr(&["doctor", "values.yaml", "config.yaml", "fine.yaml", "--json"]).await.json(8);
    let values = named(&found, "doctor values of values.yaml");
    assert_eq!((&values["status"], &values["next"]), (&"alert".into(), &"${EDITOR:-vi} values.yaml".into()));
    assert_eq!(named(&found, "doctor flags of config.yaml")["status"], "warn");
    assert_eq!(named(&found, "doctor flags of fine.yaml")["status"], "ok");
    home.netdr(&["doctor", "fine.yaml"]).await.ok();
    home.netdr(&["doctor", "missing.yaml"]).await.failed(2);
}

/// A trial of `netdr watch` is no watching.
#[tokio::test(flavor = "multi_thread")]
async fn an_objective_of_no_loss_is_met_for_as_long_as_somebody_watches() {
    let plane = fresh(everything()).await;
    let home = Operator::of(&plane).await.home;
    let objective = async || {
        let found: Value = serde_json::from_str(&home.netdr(&["doctor", "--json"]).await.stdout).unwrap();
        named(&found, "doctor objective of plan network-policies").clone()
    };
    assert_eq!(objective().await["status"], "warn");
    let words = ["watch", "--settle", "1s"];
    let mut watch =
        home.command("netdr", &words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = home.path().join("repo/status");
    let looked = eventually("a look", async || {
        let files = fs::read_dir(&status).into_iter().flatten().map(|file| file.unwrap().path());
        files.into_iter().find(|file| file.file_name().unwrap().to_string_lossy().starts_with("watched-"))
    })
    .await;
    assert_eq!(objective().await["status"], "ok");
    watch.kill().await.unwrap();
    // It is of use until the next look is late.
    let mut word: Value = serde_json::from_str(&fs::read_to_string(&looked).unwrap()).unwrap();
    for time in ["looked_at", "due_at", "saved_at"] {
        word[time] = "2026-11-26T01:00:00Z".into();
    }
    fs::write(&looked, word.to_string()).unwrap();
    let late = objective().await;
    assert_eq!((&late["status"], &late["next"]), (&"warn".into(), &"netdr watch".into()), "{late:#}");
    assert!(late["why"].to_string().contains("it looked last at"), "{late:#}");
}

/// MetalLB deployed, and scaled to none.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_nobody_answers_for_is_in_the_way_of_a_restore() {
    let plane = fresh(everything()).await;
    let (objects, home) = (Objects::of(&plane).await, Home::new().with_kubeconfig(plane.kubeconfig()));
    let webhook = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: metallb-webhook-configuration}
webhooks:
- name: ipaddresspoolvalidationwebhook.metallb.io
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig: {service: {namespace: metallb-system, name: metallb-webhook-service}}
  rules: [{apiGroups: [metallb.io], apiVersions: [v1beta1], resources: [ipaddresspools], operations: [CREATE, UPDATE]}]
";
    objects.create(webhook).await;
    let found = home.netdr(&["doctor", "--json"]).await.json(8);
    let webhooks = named(&found, "doctor admission webhooks");
    assert_eq!(webhooks["status"], "warn", "{webhooks:#}");
    assert!(webhooks["why"][0].as_str().unwrap().contains("metallb-webhook-configuration"), "{webhooks:#}");
}
