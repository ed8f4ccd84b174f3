//! Making a repository to be frozen, by the program itself, as small as can be: what backups, restores, drills and Git leave.
//!
//! Left out are what checks, messages and `netdr watch` remember in `status/`, what was asked of an archive (`thaws/`), and
//! snapshots that were sealed anew, whose header names the one before (`reseals`).
//!
//! `NETDR_FREEZE=1 cargo test --test integration formats::freeze` keeps it as the next number, drill report included.
//! Without that it is only compared: a file that the newest frozen one has no like of is one that nobody has frozen.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use netdr::drill::Options;
use serde_json::{Value, json};

use super::{Frozen, IDENTITY, SCENARIO, copy, number, place};
use crate::support::{Home, built, content, fresh, tls_secret};

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
kubectl -n shop delete networkpolicy deny
kubectl -n shop patch networkpolicy web -p '{\"spec\":{\"ingress\":[{\"ports\":[{\"port\":9090}]}]}}'
kubectl -n shop create -f - <<'END'
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: extra, namespace: shop}, spec: {podSelector: {}}}
END
";

/// The files that a repository like it has, with ids put out of their names.
fn shape(repository: &Path) -> BTreeSet<String> {
    let names = content(repository).into_iter().filter(|(_, text)| text.is_some()).map(|(path, _)| path);
    let word = |part: &str| match part.split_once('-') {
        Some((time, rest)) if time.len() == 16 && time.ends_with('Z') => {
            let hex =
                |word: &str| word.len() >= 6 && word.bytes().take(6).all(|byte| byte.is_ascii_hexdigit());
            let rest = rest.split('-').map(|word| if hex(word) { &word[6..] } else { word });
            format!("TIME-{}", rest.collect::<Vec<_>>().join("-"))
        }
        _ => part.to_owned(),
    };
    let shown = |path: PathBuf| {
        let parts = path.strip_prefix(repository).unwrap().iter().map(|part| word(part.to_str().unwrap()));
        parts.collect::<Vec<_>>().join("/")
    };
    let each_its_own = |name: &String| !name.starts_with("git/") && !name.contains("-drill");
    names.map(shown).filter(each_its_own).collect()
}

async fn id(home: &Home, words: &str, list: &str, field: &str) -> Vec<String> {
    let words: Vec<&str> = words.split_whitespace().chain(["--json"]).collect();
    let outcome = home.netdr(&words).await;
    let code = outcome.code.unwrap();
    let answer: Value = outcome.json(code);
    let all = answer[list].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    all.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

/// Writes one of each in the home; the names that tests know them by.
async fn written(home: &Home) -> Value {
    fs::write(home.path().join("tls.json"), tls_secret("shop", "shop-tls", chrono::Utc::now())).unwrap();
    home.shell(SHOP).await.ok();
    home.shell("git init -q --bare -b main seen.git").await.ok();
    let file = home.path().join("netdr.yaml");
    let text = fs::read_to_string(&file).unwrap().replace(&format!("{}/", home.path().display()), "");
    let more = "cluster: {name: frozen}\ngit: {history: {url: seen.git}}\nmetrics: {textfile: netdr.prom}\n";
    fs::write(&file, text + more).unwrap();

    let earlier = id(home, "backup --set network", "snapshots", "id").await.remove(0);
    home.shell("kubectl label namespace shop tier=front").await.ok();
    let taken = id(home, "backup --set all --host-root host", "snapshots", "id").await;
    let of = |set: &str| taken.iter().find(|id| id.contains(&format!("-{set}-"))).unwrap();
    home.netdr(&["keys", "check", "--identity", IDENTITY, "--identity", "keys/break-glass.txt"]).await.ok();

    let restore =
        format!("restore --scenario {SCENARIO} --identity {IDENTITY} --snapshot {} --yes", of("network"));
    home.shell(BREAK).await.ok();
    home.shell(&format!("netdr {restore} || test $? = 6")).await.ok();
    let done = id(home, "runs", "runs", "run").await.remove(0);
    let journal = fs::read_to_string(home.path().join(format!("repo/runs/{done}/journal.jsonl"))).unwrap();
    let killed_at = journal.find(r#""event":"outcome""#).unwrap();
    home.shell(BREAK).await.ok();
    let killed =
        format!("prlimit --core=0 --fsize={killed_at} netdr {restore} > out 2>&1 && exit 1; test $? -gt 128");
    home.shell(&killed).await.ok();
    let killed = id(home, "runs", "runs", "run").await.into_iter().find(|run| *run != done).unwrap();
    json!({"earlier": earlier, "network": of("network"), "certificates": of("certificates"), "host": of("host"),
        "done": done, "killed": killed})
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

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_that_a_night_and_a_restore_write_is_frozen() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await;
    let mut names = written(&home).await;
    let repository = home.path().join("repo");
    if env::var_os("NETDR_FREEZE").is_some() {
        names["drill"] = finished(&home).await.into();
        let last = Frozen::all().pop().map_or(0, |frozen| number(&frozen.folder));
        let folder = place().join((last + 1).to_string());
        for part in ["repo", "keys"] {
            fs::create_dir_all(folder.join(part)).unwrap();
            copy(&home.path().join(part), &folder.join(part));
        }
        for file in ["netdr.yaml", "history.bundle"] {
            fs::copy(home.path().join(file), folder.join(file)).unwrap();
        }
        fs::write(folder.join("names.json"), format!("{names:#}\n")).unwrap();
        return;
    }
    let frozen = shape(&Frozen::newest().folder.join("repo"));
    let unfrozen: Vec<String> = shape(&repository)
        .into_iter()
        .filter(|name| !frozen.contains(name) && !name.ends_with(".html"))
        .collect();
    assert!(
        unfrozen.is_empty(),
        "no frozen repository has the like of {unfrozen:?}: NETDR_FREEZE=1 cargo test --test integration formats::freeze"
    );
}
