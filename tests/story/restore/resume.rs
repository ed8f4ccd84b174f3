//! A restore that is killed at any byte of its journal is taken up again, and then nothing is left to do.

use chrono::{TimeDelta, Utc};
use netdr::drill::failures::break_policies;
use serde_json::{Value, json};

use crate::support::{Objects, Operator, acts, everything, fresh};

const SCENARIO: &str = "network-policies";

/// Lets the program write files up to this size; the write of one byte more kills it (SIGXFSZ), wherever it is.
pub(in crate::story) fn killed_at(bytes: usize, words: &str) -> String {
    format!(
        "prlimit --core=0 --fsize={bytes} netdr {words} > /dev/null 2>&1 && exit 1; test $? -gt 128 && echo killed"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_at_any_line_of_its_journal_ends_well_when_it_is_resumed() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let snapshot = operator.backup().await;
    let cluster = plane.cluster().await.unwrap();
    let incident = (Utc::now() - TimeDelta::minutes(10)).format("%FT%TZ").to_string();
    let restore = format!(
        "restore --identity keys/operator.txt --scenario {SCENARIO} --snapshot {snapshot} --incident-start {incident} --yes"
    );
    break_policies(&cluster).await.unwrap();
    operator.home.shell(&format!("netdr {restore} || test $? = 6")).await.ok();
    let journal = operator.journal().unwrap();
    // The sealed files are smaller than the journal, and written before it has grown to that size.
    let sizes = operator.home.shell("stat -c %s repo/runs/*/safety-*").await.ok();
    let sealed: usize = sizes.lines().map(|line| line.parse::<usize>().unwrap()).max().unwrap();

    let (mut at, mut tried, mut quiet) = (0, 0, 0);
    for line in journal.split_inclusive('\n').take_while(|line| !line.contains(r#""event":"ended""#)) {
        at += line.len();
        if at <= sealed {
            continue;
        }
        break_policies(&cluster).await.unwrap();
        // Once at the end of a line, once in the midst of the next.
        let bytes = at + (tried % 2) * 20;
        assert_eq!(operator.home.shell(&killed_at(bytes, &restore)).await.ok(), "killed\n", "{bytes}");
        let run = operator.last_run().await;
        if line.contains(r#""event":"step""#) {
            let resume =
                ["restore", "--json", "--dry-run", "--identity", "keys/operator.txt", "--resume", &run];
            let plan = operator.home.run("netdr", &resume).await.json(0);
            // What the run itself did before says nothing of the source.
            assert!(!plan["warnings"].to_string().contains("so is what was captured"), "{plan:#}");
            quiet += usize::from(acts(&plan).is_empty());
        }
        let report = operator.resume(&run).await;
        assert_eq!((&report["run"], &report["source"]), (&json!(run), &json!([snapshot])), "{bytes}");
        assert!(report["recovery_time_s"].as_f64().unwrap() > 590.0, "from when the incident began");
        tried += 1;
    }
    assert!(tried > 10 && quiet > 0, "{tried}, {quiet}");
    let listed = operator.home.run("netdr", &["runs", "--json"]).await.json(0);
    let outcomes: Vec<&Value> =
        listed["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, vec![&json!("recovered"); tried + 1]);
    operator.home.run("netdr", &["drift"]).await.ok();
    let run = operator.last_run().await;
    let refused = operator.home.run("netdr", &["restore", "--resume", &run, "--yes"]).await.failed(2);
    assert!(refused.contains("ended (recovered)") && refused.contains("netdr runs show"), "{refused}");
    assert!(objects.get("leases.coordination.k8s.io", "kube-system/netdr-restore").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_resumed_run_overwrites_is_saved_beside_what_the_first_had_saved() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.backup().await;
    let cluster = plane.cluster().await.unwrap();
    break_policies(&cluster).await.unwrap();
    let broken = objects.dump().await;
    let restore = format!("restore --identity keys/operator.txt --scenario {SCENARIO} --yes");
    operator.home.shell(&killed_at(4000, &restore)).await.ok();
    let run = operator.last_run().await;
    operator.resume(&run).await;
    let held = operator.home.shell(&format!("ls repo/runs/{run}")).await.ok();
    for file in ["safety-policies.tar.zst.age", "safety-2-policies.tar.zst.age"] {
        assert!(held.contains(file), "{held}");
    }
    // An undo puts back what was there before the first act of the first process.
    let report = operator.undo(&run, 0).await;
    assert_eq!((&report["outcome"], &report["rpo_met"]), (&json!("undone"), &Value::Null), "{report:#}");
    super::undo::same(&broken, &objects.dump().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_ends_well_after_a_prune_and_a_rotation_and_without_its_snapshot_says_the_way_out() {
    let plane = fresh(everything()).await.loaded().await;
    let operator = Operator::of(&plane).await;
    operator
        .home
        .shell("sed -i 's/^retention:.*/retention: {daily: 1, weekly: 0, monthly: 0}/' netdr.yaml")
        .await
        .ok();
    let old = operator.backup().await;
    operator.backup().await;
    let cluster = plane.cluster().await.unwrap();
    break_policies(&cluster).await.unwrap();
    let restore =
        format!("restore --identity keys/operator.txt --scenario {SCENARIO} --snapshot {old} --yes");
    operator.home.shell(&killed_at(4000, &restore)).await.ok();
    let run = operator.last_run().await;
    let anew = operator.plan(SCENARIO, &[]).await;
    let unfinished =
        format!("run {run} on this cluster has not come to its end: netdr restore --resume {run}");
    assert!(anew["warnings"].to_string().contains(&unfinished), "{anew:#}");
    let pruned = operator.home.run("netdr", &["prune"]).await.ok();
    assert!(
        pruned.contains(&format!("keep    {old}")) && pruned.contains(&format!("run {run} needs it")),
        "{pruned}"
    );
    let rotate = "netdr keys generate --out next; netdr keys rotate --recipients next/recipients.txt --identity keys/operator.txt";
    operator.home.shell(rotate).await.ok();
    let resume = format!("restore --json --identity next/operator.txt --resume {run} --yes");
    let words: Vec<&str> = resume.split(' ').collect();
    let outcome = operator.home.run("netdr", &words).await;
    let code = if outcome.code == Some(0) { 0 } else { 6 };
    let report = outcome.json(code);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&json!("recovered"), &json!(0)),
        "{report:#}"
    );

    break_policies(&cluster).await.unwrap();
    let restore = format!("restore --identity next/operator.txt --scenario {SCENARIO} --yes");
    operator.home.shell(&killed_at(4000, &restore)).await.ok();
    let run = operator.last_run().await;
    operator.home.shell("rm -r repo/snapshots/*").await.ok();
    let gone = ["restore", "--identity", "next/operator.txt", "--resume", &run, "--yes"];
    let refused = operator.home.run("netdr", &gone).await.failed(2);
    assert!(refused.contains(&format!("from which run {run} restores")), "{refused}");
    assert!(
        refused.contains("netdr fetch 20") && refused.contains(&format!("netdr undo {run}")),
        "{refused}"
    );
}
