//! Certificates, their keys, issuers and a definition are gone.

use std::fs;

use serde_json::json;

use super::{CERTIFICATES, Issued, REQUESTS, SCENARIO, checked};
use crate::support::MARKER;

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_lost_comes_back_and_cert_manager_issues_nothing_anew() {
    let mut issued = Issued::backed_up().await;
    let before = issued.served().await;
    let secrets = issued.secret_values().await;
    assert_eq!(before.keys().collect::<Vec<_>>(), ["api-tls", "local-root", "portal-tls", "root", "web-tls"]);
    issued.stop().await;
    issued.kubectl("delete crd certificates.cert-manager.io").await;
    issued.kubectl("delete certificaterequests -n shop --all").await;
    issued.kubectl("delete clusterissuer ours").await;
    issued.kubectl("delete issuer -n shop local").await;
    issued.kubectl("delete secrets -n shop --all").await;
    issued.kubectl("delete secrets -n issuers-home --all").await;
    issued.kubectl("label namespace shop tier-").await;
    issued.start();

    let plan = issued.operator.plan(SCENARIO, &[]).await;
    assert_eq!(plan["reissues"], json!([]), "{plan:#}");
    let report = issued.operator.recover(SCENARIO, &[]).await;
    assert_eq!((&report["rto_met"], &report["rpo_met"]), (&json!(null), &json!(true)));
    assert_eq!(checked(&report), ["passed", "passed"], "{report:#}");
    assert_eq!(issued.served().await, before, "serial, notAfter, annotations and labels");
    for name in ["web", "api"] {
        issued.ready(name).await;
    }
    assert_eq!(
        issued.objects.list(REQUESTS).await,
        Vec::<serde_json::Value>::new(),
        "nothing was asked of an authority"
    );
    assert!(issued.objects.get(CERTIFICATES, "shop/portal").await.is_none(), "its Ingress's shim makes it");
    let namespace = issued.objects.get("namespaces", "shop").await.unwrap();
    assert_eq!(namespace["metadata"]["labels"]["tier"], "edge");
    let password = issued.objects.get("secrets", "shop/keystore-password").await.unwrap();
    assert!(password["data"]["password"].is_string());

    let run = report["run"].as_str().unwrap();
    let shown = issued.operator.home.netdr(&["runs", "show", run, "--json"]).await.ok();
    let mut said = vec![plan.to_string(), report.to_string(), shown];
    let folder = issued.operator.home.path().join("repo");
    for place in [folder.join("reports"), folder.join("runs").join(run)] {
        let files = fs::read_dir(place).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        said.extend(files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    }
    for secret in secrets.iter().map(String::as_str).chain([MARKER]) {
        assert!(said.iter().all(|text| !text.contains(secret)), "a secret shows");
    }
}
