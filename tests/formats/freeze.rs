//! Making a repository to be frozen, by the program itself, as small as can be: one of every kind of file that it leaves.
//!
//! `NETDR_FREEZE=1 cargo test --test integration formats::freeze` keeps it as the next number, drill report included.
//! Without that it is made all the same, so that it can be made on the day on which a format changes.

mod more;

use std::{env, fs, path::Path};

use netdr::drill::Options;
use serde_json::{Value, json};

use super::{Frozen, IDENTITY, SCENARIO, copy, number};
use crate::support::{Home, Operator, Plane, built, fresh, frozen, tls_secret, unfrozen};

/// What people authored: a shop that is open on one port, and how it is reached.
const SHOP: &str = r#"
kubectl create namespace shop
kubectl create -f - <<'END'
apiVersion: v1
kind: List
items:
- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {podSelector: {}}}
- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop},
   spec: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}]}]}}
END
kubectl create -f tls.json
kubectl -n shop create ingress shop --rule 'shop.example.org/*=web:80,tls=shop-tls'
mkdir -p host/etc/rancher/rke2
printf 'node-name: proj-k8s01\ncni: canal\n' > host/etc/rancher/rke2/config.yaml
"#;

/// What somebody did to it at night.
const BREAK: &str = "
kubectl -n shop delete networkpolicy deny --ignore-not-found
kubectl -n shop patch networkpolicy web -p '{\"spec\":{\"ingress\":[{\"ports\":[{\"port\":9090}]}]}}'
kubectl apply -f - <<'END'
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: extra, namespace: shop}, spec: {podSelector: {}}}
END
";

/// For whom a snapshot is sealed anew: a third recipient was one when it was taken, and is none any more.
const THIRD: [&str; 2] = [
    "cp keys/recipients.txt two; age-keygen -o third; age-keygen -y third >> keys/recipients.txt",
    "mv two keys/recipients.txt; netdr keys rotate --identity keys/operator.txt",
];

async fn ids(home: &Home, words: &str, list: &str, field: &str) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().chain(["--json"]).collect();
    let outcome = home.netdr(&words).await;
    let code = outcome.code.unwrap();
    let answer: Value = outcome.json(code);
    let all = answer[list].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    all.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

/// Lets a restore die at the first outcome in its journal, as long as that of a run before it.
async fn killed(operator: &Operator, restore: &str, before: &str) -> String {
    let home = &operator.home;
    let journal = fs::read_to_string(home.path().join(format!("repo/runs/{before}/journal.jsonl"))).unwrap();
    let at = journal.find(r#""event":"outcome""#).unwrap();
    home.shell(BREAK).await.ok();
    let dies = format!("prlimit --core=0 --fsize={at} netdr {restore} > out 2>&1 && exit 1; test $? -gt 128");
    home.shell(&dies).await.ok();
    operator.last_run().await
}

/// Writes one of each in the home; the names that tests know them by.
async fn written(plane: &mut Plane, operator: &Operator) -> Value {
    let home = &operator.home;
    fs::write(home.path().join("tls.json"), tls_secret("shop", "shop-tls", chrono::Utc::now())).unwrap();
    home.shell(SHOP).await.ok();
    home.shell("git init -q --bare -b main seen.git").await.ok();
    let file = home.path().join("netdr.yaml");
    let text = fs::read_to_string(&file).unwrap().replace(&format!("{}/", home.path().display()), "");
    let more = "cluster: {name: frozen}\ngit: {history: {url: seen.git}}\nmetrics: {textfile: netdr.prom}\n";
    fs::write(&file, text + more).unwrap();

    home.shell(THIRD[0]).await.ok();
    let rotated = operator.backup().await;
    home.shell(THIRD[1]).await.ok();
    let earlier = ids(home, "snapshots", "snapshots", "id").await.remove(0);
    home.shell("kubectl label namespace shop tier=front").await.ok();
    let taken = ids(home, "backup --set all --host-root host", "snapshots", "id").await;
    let of = |set: &str| taken.iter().find(|id| id.contains(&format!("-{set}-"))).unwrap();
    home.netdr(&["keys", "check", "--identity", IDENTITY, "--identity", "keys/break-glass.txt"]).await.ok();

    let restore =
        format!("restore --scenario {SCENARIO} --identity {IDENTITY} --snapshot {} --yes", of("network"));
    home.shell(BREAK).await.ok();
    home.shell(&format!("netdr {restore} || test $? = 6")).await.ok();
    let done = operator.last_run().await;
    let resumed = killed(operator, &restore, &done).await;
    operator.resume(&resumed).await;
    operator.undo(&resumed, 0).await;
    let undo = operator.last_run().await;
    let reached = more::from_below(plane, operator).await;
    let dead = killed(operator, &restore, &done).await; // the last, for it keeps the Lease
    more::told_copied_and_watched(operator, of("network")).await;
    json!({"rotated": rotated, "earlier": earlier, "network": of("network"), "certificates": of("certificates"),
        "host": of("host"), "done": done, "killed": dead, "resumed": resumed, "undo": undo, "reached": reached})
}

/// A drill of the one plan, and the history as one file.
async fn finished(home: &Home) -> String {
    let memory = tempfile::Builder::new().prefix("netdr-freeze-").tempdir_in("/dev/shm").unwrap();
    let (memory, assets) = (memory.path().display().to_string(), built().join("bin").display().to_string());
    let drill = [
        "drill",
        "--json",
        "--scenario",
        SCENARIO,
        "--identity",
        IDENTITY,
        "--memory",
        &memory,
        "--assets",
        &assets,
    ];
    let outcome = home.command("netdr", &drill).output().await.unwrap();
    let answer: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    home.shell("git -C seen.git bundle create -q ../history.bundle netdr").await.ok();
    home.shell("rm -f repo/reports/*.html repo/reports/*.html.sig").await.ok(); // large, and nothing reads them
    answer["report"].as_str().unwrap().to_owned()
}

/// Keeps it as the next number, with all that its netdr took from people.
fn keep(home: &Path, names: &Value) {
    let last = Frozen::all().pop().map_or(0, |frozen| number(&frozen.folder));
    let folder = frozen().join((last + 1).to_string());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plans = here.join("restore-plans");
    for (from, part) in [(home.join("repo"), "repo"), (home.join("keys"), "keys"), (plans, "plans")] {
        fs::create_dir_all(folder.join(part)).unwrap();
        copy(&from, &folder.join(part));
    }
    for file in ["netdr.yaml", "history.bundle"] {
        fs::copy(home.join(file), folder.join(file)).unwrap();
    }
    fs::copy(here.join("tests/formats/every-key.yaml"), folder.join("every-key.yaml")).unwrap();
    fs::write(folder.join("names.json"), format!("{names:#}\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_netdr_leaves_in_a_repository_can_be_frozen_and_is() {
    let mut plane = fresh(Options::default()).await;
    let operator = Operator::of(&plane).await;
    let home = &operator.home;
    let mut names = written(&mut plane, &operator).await;
    if env::var_os("NETDR_FREEZE").is_some() {
        names["drill"] = finished(home).await.into();
        more::left_by_a_dead_one(home).await;
        keep(home.path(), &names);
        return;
    }
    more::left_by_a_dead_one(home).await;
    assert_eq!(unfrozen(&home.path().join("repo")), [""; 0], "docs/upgrades.md says how to freeze one");
}
