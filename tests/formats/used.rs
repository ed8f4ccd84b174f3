//! What today's netdr does with each frozen repository: everything.

use std::fs;

use chrono::Utc;
use netdr::{
    drill::{Options, drills},
    signature::TrustedSigners,
};
use serde_json::{Value, json};

use super::{Frozen, IDENTITY, SCENARIO};
use crate::support::{Home, Objects, POLICIES, fresh, says};

async fn json_of(home: &Home, words: &str, code: i32) -> Value {
    let words: Vec<&str> = words.split_whitespace().chain(["--json"]).collect();
    home.netdr(&words).await.json(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_listed_proved_opened_and_compared() {
    for frozen in Frozen::all() {
        let home = frozen.opened(Home::new());
        let listed = json_of(&home, "snapshots", 0).await;
        let listed = listed["snapshots"].as_array().unwrap().clone();
        let headers = home.shell("ls repo/snapshots/2*/snapshot.json").await.ok();
        assert_eq!(listed.len(), headers.lines().count(), "{listed:#?}");
        for snapshot in &listed {
            assert_eq!(
                (&snapshot["trusted"], &snapshot["state"]),
                (&json!(true), &json!("complete")),
                "{snapshot:#}"
            );
        }
        home.netdr(&["verify", "--all", "--read-data", "--identity", IDENTITY]).await.ok();
        home.netdr(&["keys", "check", "--identity", IDENTITY, "--identity", "keys/break-glass.txt"])
            .await
            .ok();

        let (earlier, network) = (frozen.name("earlier"), frozen.name("network"));
        let items = home.netdr(&["show", network, "--items"]).await.ok();
        says(
            &items,
            &["networkpolicies.networking.k8s.io shop/web", "ingresses.networking.k8s.io shop/shop"],
        );
        let differ = json_of(&home, &format!("diff {earlier} {network} --identity {IDENTITY}"), 4).await;
        says(&differ.to_string(), &["resources/core/namespaces/_cluster/shop", "tier"]);
        for (name, file, holds) in [
            ("network", "policies/resources/networking.k8s.io/networkpolicies/shop/web.yaml", "8080"),
            ("certificates", "certificates/resources/core/secrets/shop/shop-tls.yaml", "tls.key"),
        ] {
            home.netdr(&["extract", frozen.name(name), "--identity", IDENTITY, "--to", name]).await.ok();
            says(&fs::read_to_string(home.path().join(name).join(file)).unwrap(), &[holds]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_runs_and_reports_are_read() {
    for frozen in Frozen::all() {
        let home = frozen.opened(Home::new());
        let runs = json_of(&home, "runs", 0).await;
        let outcome = |run: &str| {
            let all = runs["runs"].as_array().unwrap();
            all.iter().find(|one| one["run"] == run).unwrap_or_else(|| panic!("{runs:#}"))["outcome"].clone()
        };
        assert_eq!(outcome(frozen.name("done")), "recovered");
        assert_eq!(outcome(frozen.name("killed")), "unfinished");
        says(&home.netdr(&["runs", "show", frozen.name("done")]).await.ok(), &["shop/web", "recovered"]);
        let signers = TrustedSigners::read(&home.path().join("keys/trusted_signers")).unwrap();
        let drills = drills(&home.path().join("repo/reports"), &signers, Utc::now()).unwrap();
        assert!(
            drills.signed.iter().any(|drill| drill.report.as_str() == frozen.name("drill")),
            "{drills:?}"
        );
        says(&home.netdr(&["metrics"]).await.ok(), &["netdr_snapshot"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_restored_from_its_runs_are_undone_and_taken_up_again() {
    for frozen in Frozen::all() {
        let plane = fresh(Options::default()).await;
        let objects = Objects::of(&plane).await;
        let home = frozen.opened(Home::new().with_kubeconfig(plane.kubeconfig()));
        home.shell("git clone -q --bare history.bundle seen.git").await.ok();
        let restore = format!(
            "restore --scenario {SCENARIO} --identity {IDENTITY} --snapshot {}",
            frozen.name("network")
        );
        let plan = json_of(&home, &format!("{restore} --dry-run"), 0).await;
        assert_eq!((&plan["create"], &plan["refused"]), (&json!(3), &json!(0)), "{plan:#}");
        let report = json_of(&home, &format!("{restore} --yes"), 6).await;
        assert_eq!(
            (&report["outcome"], &report["differences_left"]),
            (&json!("recovered"), &json!(0)),
            "{report:#}"
        );

        // A run is undone on its own cluster only, which this one stands in for.
        let uid = objects.get("namespaces", "kube-system").await.unwrap()["metadata"]["uid"].clone();
        for run in ["done", "killed"] {
            let file = home.path().join(frozen.run(run));
            let text = fs::read_to_string(&file).unwrap();
            let begun: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            let then = begun["cluster"]["uid"].as_str().unwrap();
            fs::write(file, text.replace(then, uid.as_str().unwrap())).unwrap();
        }
        json_of(&home, &format!("undo {} --identity {IDENTITY} --yes", frozen.name("done")), 0).await;
        assert!(
            objects.get(POLICIES, "shop/deny").await.is_none()
                && objects.get(POLICIES, "shop/extra").await.is_some()
        );
        let resumed = json_of(
            &home,
            &format!("restore --resume {} --identity {IDENTITY} --yes", frozen.name("killed")),
            6,
        )
        .await;
        assert_eq!(
            (&resumed["outcome"], &resumed["differences_left"]),
            (&json!("recovered"), &json!(0)),
            "{resumed:#}"
        );
        assert!(
            objects.get(POLICIES, "shop/deny").await.is_some()
                && objects.get(POLICIES, "shop/extra").await.is_none()
        );
        let goes_on = "then=$(git -C seen.git rev-parse netdr); netdr backup --set network --accept-shrunk\n\
            test $(git -C seen.git rev-parse netdr~) = $then";
        home.shell(goes_on).await.ok();
        home.netdr(&["prune"]).await.ok();
    }
}
