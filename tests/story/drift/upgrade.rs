//! A Helm upgrade is told as one thing, and what somebody did beside it as what it is.

use std::fs;

use serde_json::{Value, json};

use super::{Watched, said};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/drill/cluster/traefik");
const ROLE: &str = "clusterroles.rbac.authorization.k8s.io";

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_its_release_and_a_hand_edit_beside_it_is_a_hand_edit() {
    let world = Watched::new().await;
    let home = &world.operator.home;
    home.run("cp", &["-r", CHART, "traefik"]).await.ok();
    let version = "version: 37.5.0\nappVersion: v3.8.0\napiVersion: v2\nname: traefik\n";
    fs::write(home.path().join("traefik/Chart.yaml"), version).unwrap();
    let new = "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {name: new, namespace: traefik}\nspec: {headers: {frameDeny: true}}\n";
    fs::write(home.path().join("traefik/templates/new.yaml"), new).unwrap();
    let upgrade = "upgrade traefik ./traefik -n traefik --reuse-values --set ingressClass.enabled=false";
    home.run("helm", &upgrade.split(' ').collect::<Vec<_>>()).await.ok();

    let report = world.drift().await.json(4);
    let told = |report: &Value, list: &str| -> Vec<String> {
        report[list].as_array().unwrap().iter().map(said).collect()
    };
    assert_eq!(told(&report, "items"), ["helm release traefik/traefik"], "{report:#}");
    assert_eq!(report["items"][0]["severity"], "medium");
    let mut upgraded = vec![
        "clusterrolebindings.rbac.authorization.k8s.io traefik-traefik".to_owned(),
        format!("{ROLE} traefik-traefik"),
        "deployments.apps traefik/traefik".into(),
        "ingressclasses.networking.k8s.io traefik".into(),
        "middlewares.traefik.io traefik/new".into(),
        "serviceaccounts traefik/traefik".into(),
        "services traefik/traefik".into(),
    ];
    upgraded.sort();
    let mut expected = told(&report, "expected");
    expected.sort();
    assert_eq!(expected, upgraded, "{report:#}");
    for expected in report["expected"].as_array().unwrap() {
        let why = expected["why"].as_str().unwrap();
        assert!(why.starts_with("by the upgrade of helm release traefik/traefik to revision 2: "), "{why}");
    }

    // Somebody uses the moment: of what the upgrade changed, made and left, something else.
    let deployment = world.objects.get("deployments.apps", "traefik/traefik").await.unwrap();
    let mut containers = deployment["spec"]["template"]["spec"]["containers"].clone();
    containers[0]["args"].as_array_mut().unwrap().push(json!("--api.insecure"));
    let pod = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    world.objects.merge("deployments.apps", "traefik/traefik", pod).await;
    let open = json!({"spec": {"ipAllowList": {"sourceRange": ["0.0.0.0/0"]}}});
    world.objects.merge("middlewares.traefik.io", "traefik/new", open).await;
    let rules = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]});
    world.objects.merge(ROLE, "traefik-traefik", rules).await;
    for words in [&["drift", "--json"][..], &["drift", "--json", "--identity", "keys/operator.txt"]] {
        let report = home.netdr(words).await.json(4);
        let items = report["items"].as_array().unwrap();
        let high: Vec<String> = items.iter().filter(|item| item["severity"] == "high").map(said).collect();
        assert!(high.contains(&"deployments.apps traefik/traefik".into()), "{report:#}");
        assert!(high.contains(&format!("{ROLE} traefik-traefik")), "{report:#}");
        assert!(told(&report, "items").contains(&"middlewares.traefik.io traefik/new".into()), "{report:#}");
        assert_eq!(items.len(), 4, "{report:#}");
    }
}
