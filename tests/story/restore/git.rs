//! `--from git`: what people author comes back, at a commit that somebody answers for.

use serde_json::{Value, json};

use super::resume::killed_at;
use crate::support::{
    Forge, MARKER, Objects, Operator, POLICIES, Plane, acts, everything, fresh, says, touched,
};

const SCENARIO: &str = "network-policies";
const GIT: [&str; 2] = ["--from", "git"];
/// No field that the API server adds by itself: policyTypes, protocol, and Calico's types.
const AUTHORED: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 8080}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}}
---
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkPolicy
metadata: {name: no-metadata-service}
spec: {order: 10, selector: all(), types: [Egress], egress: [{action: Deny, destination: {nets: [169.254.169.254/32]}}]}
";
/// What stands beside it in Git, and is none of netdr's business there.
const BESIDE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: users, namespace: shop}
stringData: {password: MARKER}
";
const HOME: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}";
/// What nobody wrote: an extra that opens, and one that Helm brought.
const ADDED: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-all, namespace: shop}
spec: {podSelector: {}, ingress: [{}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: cache, namespace: shop, annotations: {meta.helm.sh/release-name: cache}}
spec: {podSelector: {matchLabels: {app: cache}}}
";

/// The authored cluster, as somebody's pipeline applied it.
async fn applied() -> (Plane, Objects, Operator) {
    let plane = fresh(everything()).await;
    let objects = Objects::of(&plane).await;
    objects.create(HOME).await;
    objects.create(AUTHORED).await;
    let operator = Operator::of(&plane).await;
    (plane, objects, operator)
}

async fn corrupt(objects: &Objects) {
    objects.create(ADDED).await;
    objects.delete(POLICIES, "shop/deny").await;
    objects
        .merge(
            POLICIES,
            "shop/allow-web",
            json!({"spec": {"egress": [{}], "policyTypes": ["Ingress", "Egress"]}}),
        )
        .await;
    objects
        .merge("namespaces", "shop", json!({"metadata": {"labels": {"team": null, "rancher": "1"}}}))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_come_back_from_a_signed_commit_and_nothing_authored_is_lost() {
    let (_plane, objects, operator) = applied().await;
    let forge = Forge::in_home(&operator.home).await;
    forge.write("shop.yaml", &format!("{AUTHORED}---\n{HOME}\n"));
    forge.write("beside.yaml", &BESIDE.replace("MARKER", MARKER));
    let commit = forge.commit("-S").await;

    let before = objects.dump().await;
    let plan = operator.plan(SCENARIO, &GIT).await;
    assert_eq!(acts(&plan), [], "what the API server adds by itself is no difference: {plan:#}");
    let said = plan["warnings"].to_string();
    for part in
        ["deployments.apps shop/web", "beside.yaml, object 2 is a Secret", "changed on the cluster alone"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    corrupt(&objects).await;
    let broken = objects.dump().await;
    let plan = operator.plan(SCENARIO, &GIT).await;
    assert_eq!(touched(&broken, &objects.dump().await), Vec::<&str>::new(), "a dry run changes nothing");
    let expected = [
        ("merge", "namespaces shop"),
        ("replace", "networkpolicies.networking.k8s.io shop/allow-web"),
        ("create", "networkpolicies.networking.k8s.io shop/deny"),
        ("delete", "networkpolicies.networking.k8s.io shop/allow-all"),
    ];
    assert_eq!(acts(&plan), expected.map(|(verb, object)| (verb.to_owned(), object.to_owned())));
    let fields = plan["steps"].to_string();
    assert!(
        fields.contains("spec.egress") && !fields.contains("protocol"),
        "only what was slipped in: {fields}"
    );
    assert!(plan["kept"].to_string().contains("a Helm release brought it"), "{plan:#}");

    let report = operator.restore(SCENARIO, &["--from", "git", "--yes"]).await.json(0);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&json!("recovered"), &json!(0)),
        "{report:#}"
    );
    assert_eq!((&report["recovery_point_s"], &report["rpo_met"]), (&json!(0), &json!(true)));
    let url = operator.home.path().join("k8s").display().to_string();
    assert_eq!(
        (&report["source"], &report["signed_by"]),
        (&json!([format!("git:{url}@{commit}")]), &json!("ada@lab"))
    );
    let restored = objects.dump().await;
    for policy in ["shop/allow-web", "shop/deny"] {
        let key = format!("{POLICIES} {policy}");
        assert_eq!(before[&key]["spec"], restored[&key]["spec"], "{key}");
    }
    assert!(!restored.contains_key(&format!("{POLICIES} shop/allow-all")));
    assert!(restored.contains_key(&format!("{POLICIES} shop/cache")));
    let labels = &restored["namespaces shop"]["metadata"]["labels"];
    assert_eq!(
        (&labels["team"], &labels["rancher"]),
        (&json!("shop"), &json!("1")),
        "what others put there stays"
    );

    assert!(!format!("{plan}{report}").contains(MARKER), "a Secret in Git is shown");
    operator.home.run("grep", &["-rla", MARKER, "repo"]).await.failed(1);
    operator.undo(report["run"].as_str().unwrap(), 0).await;
    super::undo::same(&broken, &objects.dump().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_commit_needs_somebody_who_answers_for_it() {
    let (_plane, objects, operator) = applied().await;
    let forge = Forge::in_home(&operator.home).await;
    forge.write("shop.yaml", AUTHORED);
    let signed = forge.commit("-S").await;
    forge.write("shop.yaml", &AUTHORED.replace("8080", "9090"));
    let unsigned = forge.commit("--no-gpg-sign").await;
    let before = objects.dump().await;
    let refused = operator.restore(SCENARIO, &["--from", "git", "--yes"]).await.failed(5);
    let way_out = format!("--trust-commit {unsigned}");
    assert!(refused.contains("is untrusted: it is not signed") && refused.contains(&way_out), "{refused}");
    let other =
        operator.restore(SCENARIO, &["--from", "git", "--yes", "--trust-commit", &signed]).await.failed(5);
    assert!(other.contains(&way_out), "{other}");
    operator.restore(SCENARIO, &["--from", "git", "--yes", "--trust-commit", "main"]).await.failed(2);
    assert_eq!(touched(&before, &objects.dump().await), Vec::<&str>::new());

    // The one before it is signed, and is not the newest: what was authored since counts as lost.
    let old = operator.restore(SCENARIO, &["--from", &format!("git@{signed}"), "--dry-run"]).await.json(0);
    assert_eq!((acts(&old).len(), &old["source"]["lossless"]), (0, &json!(false)));
    let report =
        operator.restore(SCENARIO, &["--from", "git", "--yes", "--trust-commit", &unsigned]).await.json(0);
    assert!(
        report["signed_by"].as_str().unwrap().starts_with("the operator, with --trust-commit"),
        "{report:#}"
    );
    let policy = objects.get(POLICIES, "shop/allow-web").await.unwrap();
    assert_eq!(policy["spec"]["ingress"][0]["ports"][0]["port"], 9090);
}

/// What the API server does not know it would drop without a word, and the policy would select every pod.
#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_field_is_refused_by_file_and_name_and_nothing_is_changed() {
    let (_plane, objects, operator) = applied().await;
    let forge = Forge::in_home(&operator.home).await;
    forge.write("shop.yaml", AUTHORED);
    forge.write(
        "bad.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: bad, namespace: shop}\n\
         spec: {podSelectr: {}, podSelector: {}}\n---\n\
         apiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkPolicy\nmetadata: {name: no-metadata-service}\n\
         spec: {odrer: 10}\n",
    );
    let twice = "GlobalNetworkPolicy /no-metadata-service is in Git twice";
    forge.commit("-S").await;
    says(&operator.restore(SCENARIO, &["--from", "git", "--yes"]).await.failed(5), &[twice]);
    let (calico, rest) = AUTHORED.rsplit_once("---").map(|(rest, calico)| (calico, rest)).unwrap();
    forge.write("shop.yaml", rest);
    assert!(calico.contains("no-metadata-service"));
    forge.commit("-S").await;
    let before = objects.dump().await;
    for how in ["--dry-run", "--yes"] {
        let said = operator.restore(SCENARIO, &["--from", "git", how]).await.failed(2);
        says(
            &said,
            &[
                "networkpolicies.networking.k8s.io shop/bad in policies/bad.yaml, object 1 of ",
                "unknown field \"spec.podSelectr\"",
                "globalnetworkpolicies.crd.projectcalico.org no-metadata-service in policies/bad.yaml, object 2",
                "unknown field \"spec.odrer\"",
                "kubectl apply --dry-run=server -f FILE",
            ],
        );
    }
    assert_eq!(touched(&before, &objects.dump().await), Vec::<&str>::new());
    let drift = operator.home.netdr(&["drift", "--against", "git", "--json"]).await.json(3);
    says(&drift["unread"].to_string(), &["policies/bad.yaml, object 1", "spec.podSelectr", "spec.odrer"]);
    // A key that stands there twice is refused when the file is read.
    forge.write("bad.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x, name: y}\n");
    forge.commit("-S").await;
    says(&operator.restore(SCENARIO, &["--from", "git", "--yes"]).await.failed(5), &["policies/bad.yaml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_from_the_commit_that_it_began_with() {
    let (_plane, objects, operator) = applied().await;
    let forge = Forge::in_home(&operator.home).await;
    forge.write("shop.yaml", AUTHORED);
    let commit = forge.commit("-S").await;
    corrupt(&objects).await;
    let restore = format!("restore --scenario {SCENARIO} --from git --yes");
    // Behind the first line, before the second is whole: nothing is done yet.
    operator.home.shell(&killed_at(4500, &restore)).await.ok();
    let run = operator.last_run().await;
    forge.write("shop.yaml", &AUTHORED.replace("8080", "9090"));
    forge.commit("-S").await;
    let report: Value = operator.resume(&run).await;
    assert!(report["source"][0].as_str().unwrap().ends_with(&commit), "{report:#}");
    let policy = objects.get(POLICIES, "shop/allow-web").await.unwrap();
    assert_eq!(policy["spec"]["ingress"][0]["ports"][0]["port"], 8080);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configured_source_the_way_out_is_said() {
    let (_plane, _objects, operator) = applied().await;
    let said = operator.restore(SCENARIO, &["--from", "git", "--yes"]).await.failed(2);
    assert!(
        said.contains("no Git source is configured for policies") && said.contains("git: {sources:"),
        "{said}"
    );
    let stray =
        operator.restore(SCENARIO, &["--from", "git", "--snapshot", "latest", "--yes"]).await.failed(2);
    assert!(stray.contains("--snapshot is about snapshots"), "{stray}");
}
