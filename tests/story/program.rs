//! An operator's day with the program: back up, see drift, look before restoring, restore, read the report.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Home, everything, fresh, shared};

/// A home in which `netdr backup` works, and the identity that opens what it makes.
async fn installed(kubeconfig: &Path) -> (Home, &'static str) {
    let home = Home::new().with_kubeconfig(kubeconfig);
    home.run("netdr", &["init", "--repo", "repo", "--generate-keys", "keys"]).await.ok();
    fs::create_dir(home.path().join("safe")).unwrap();
    for name in ["operator.txt", "break-glass.txt"] {
        fs::rename(home.path().join("keys").join(name), home.path().join("safe").join(name)).unwrap();
    }
    (home, "safe/operator.txt")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_policies_are_seen_previewed_and_brought_back() {
    let plane = fresh(everything()).await.loaded().await;
    let (home, identity) = installed(plane.kubeconfig()).await;
    let made = json(&home.run("netdr", &["backup", "--json"]).await.ok());
    assert_eq!(made["snapshots"][0]["state"], "complete", "{made}");
    home.run("netdr", &["drift"]).await.ok();

    let listed = home.run("kubectl", &["get", "netpol", "-A", "-o", "json"]).await.ok();
    let lost = json(&listed)["items"][0]["metadata"].clone();
    let (namespace, name) = (lost["namespace"].as_str().unwrap(), lost["name"].as_str().unwrap());
    home.run("kubectl", &["delete", "netpol", "-n", namespace, name]).await.ok();

    // The job that looks for drift holds no identity.
    let drift = home.run("netdr", &["drift", "--json"]).await;
    assert_eq!(drift.code, Some(4), "{}", drift.stderr);
    let key = format!("resources/networking.k8s.io/networkpolicies/{namespace}/{name}");
    assert_eq!(json(&drift.stdout)["items"][0]["key"], key.as_str());
    assert_eq!(json(&drift.stdout)["items"][0]["change"], "removed");

    let restore = ["restore", "--scenario", "network-policies", "--identity", identity, "--json"];
    let unasked = home.run("netdr", &restore).await.failed(2);
    assert!(unasked.contains("no terminal"), "{unasked}");
    let preview = json(&home.run("netdr", &[&restore[..], &["--dry-run"]].concat()).await.ok());
    assert_eq!([&preview["create"], &preview["replace"], &preview["delete"]], [1, 0, 0], "{preview}");
    let missing = home.run("kubectl", &["get", "netpol", "-n", namespace, name]).await;
    assert_ne!(missing.code, Some(0), "a dry run changes nothing");

    let other = [&restore[..], &["--yes", "--expect", "another"]].concat();
    assert!(home.run("netdr", &other).await.failed(2).contains("not the one expected"));
    let digest = preview["digest"].as_str().unwrap();
    let run =
        home.run("netdr", &[&restore[..], &["--yes", "--expect", digest, "--report", "out"]].concat()).await;
    // Its objective is to lose nothing, which no snapshot meets.
    assert_eq!(run.code, Some(6), "{}{}", run.stdout, run.stderr);
    let report = json(&run.stdout);
    assert_eq!(report["outcome"], "recovered", "{report}");
    assert_eq!(report["differences_left"], 0);
    assert!(report["rto_met"].is_null(), "there is no node on which anything could run: {report}");
    assert_eq!(report["rpo_met"], false);
    assert_eq!(report["steps"].as_array().unwrap().iter().filter(|s| s["applied"] == 1).count(), 1);
    for file in report["reports"].as_array().unwrap() {
        assert!(home.path().join(file.as_str().unwrap()).is_file(), "{file}");
    }
    home.run("kubectl", &["get", "netpol", "-n", namespace, name]).await.ok();
    home.run("netdr", &["drift"]).await.ok();

    let run = report["run"].as_str().unwrap();
    let runs = json(&home.run("netdr", &["runs", "--json"]).await.ok());
    assert_eq!(runs["runs"][0]["run"], run);
    assert_eq!(runs["runs"][0]["outcome"], "recovered");
    assert!(home.run("netdr", &["runs", "show", run]).await.ok().contains("recovered, 0 differences left"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_s_second_night_adds_nothing_and_what_is_unpacked_is_said_to_be_in_clear() {
    let (home, identity) = installed(shared().await.kubeconfig()).await;
    let backup = home.run("netdr", &["backup", "-v"]).await;
    assert_eq!(backup.code, Some(0), "{}", backup.stderr);
    assert!(!backup.stderr.contains('\u{1b}'), "no escape codes where there is no terminal");
    assert!(backup.stderr.contains("configuration: netdr.yaml"), "{}", backup.stderr);
    let second = json(&home.run("netdr", &["backup", "--json"]).await.ok());
    let id = second["snapshots"][0]["id"].as_str().unwrap().to_owned();
    let snapshots = json(&home.run("netdr", &["snapshots", "--json"]).await.ok());
    assert_eq!(snapshots["snapshots"][2]["added"], 0, "{snapshots}");
    assert_eq!(snapshots["snapshots"][2]["bytes"], second["snapshots"][0]["bytes"], "{snapshots}");
    home.run("netdr", &["prune"]).await.ok();
    let out = home.run("netdr", &["extract", &id, "--identity", identity, "--to", "out"]).await.ok();
    assert!(out.contains("in clear"), "{out}");
    let again = home.run("netdr", &["extract", &id, "--identity", identity, "--to", "out"]).await;
    assert!(again.failed(2).contains("not empty"));
}
