//! `netdr watch`: a change is in a snapshot within seconds, whatever the API server does meanwhile.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use chrono::{SecondsFormat, Utc};
use futures::{StreamExt as _, stream};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use netdr::{
    capture::Scope,
    model::{Component, Set},
    watch::{News, Watch},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::support::{
    Fault, Faults, Hook, MARKER, Objects, Operator, POLICIES, eventually, everything, fresh, send,
};

const FAST: [&str; 7] = ["watch", "--json", "--settle", "1s", "--at-most", "3s", "--no-progress"];

/// `netdr watch` at work, and the lines that it printed.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<Value>,
}

impl Watching {
    /// Starts it, and waits until it has looked for the first time.
    async fn start(operator: &Operator, words: &[&str]) -> Self {
        Self::of(operator.home.command("netdr", &[&FAST[..], words].concat())).await
    }

    async fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut watching = Self { child, lines, said: Vec::new() };
        watching
            .until("the first look at both sets", |said| {
                said.iter().filter(|line| ["snapshot", "unchanged"].contains(&event(line))).count() >= 2
            })
            .await;
        watching
    }

    /// Reads on until what was said is enough.
    async fn until(&mut self, what: &str, enough: impl Fn(&[Value]) -> bool) {
        while !enough(&self.said) {
            let patience = std::time::Duration::from_secs(90);
            let line = tokio::time::timeout(patience, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("waited in vain: {what}: {:#?}", self.said)).unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended: {what}: {:#?}", self.said));
            self.said.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Forgets what was said, makes a change and waits for its snapshot; its line.
    async fn snapshot_after(&mut self, what: &str, change: impl Future<Output = ()>) -> Value {
        self.said.clear();
        change.await;
        self.until(what, |said| said.iter().any(|line| event(line) == "snapshot")).await;
        self.said.iter().find(|line| event(line) == "snapshot").unwrap().clone()
    }

    /// Stops it as a kubelet does; its exit code. To its end every line is an object.
    async fn stop(mut self) -> i32 {
        send(&self.child, Signal::TERM);
        while let Some(line) = self.lines.next_line().await.unwrap() {
            self.said.push(serde_json::from_str(&line).unwrap());
        }
        assert_eq!(event(self.said.last().unwrap()), "stopped");
        self.child.wait().await.unwrap().code().unwrap()
    }
}

fn event(line: &Value) -> &str {
    line["event"].as_str().unwrap()
}

async fn policy(objects: &Objects, name: &str) {
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "mail"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}});
    objects.create(&policy.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_in_a_snapshot_within_seconds_and_the_night_is_not_blind_for_it() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.home.shell("git init -q --bare -b main seen.git").await.ok();
    operator.configure("git: {history: {url: seen.git}}");
    let night = operator.backup().await;
    let hook = Hook::start();
    operator.configure(&hook.configuration());
    operator.configure("metrics: {textfile: netdr.prom}");
    operator.home.shell("mv seen.git away.git").await.ok();
    let mut watching = Watching::start(&operator, &[]).await;
    // A passphrase is asked for while somebody is there: the key is read as it begins, and never again.
    operator.home.shell("mv keys/signing away").await.ok();
    // What Git does not take is committed at the next look, whatever that sees.
    watching.until("what Git lacks", |said| said.iter().any(|line| event(line) == "uncommitted")).await;
    let lacks = watching.said.iter().find(|line| event(line) == "uncommitted").unwrap();
    assert_eq!(lacks["sets"], json!(["certificates"]), "{lacks:#}");
    operator.home.shell("mv away.git seen.git").await.ok();
    let made = watching.snapshot_after("a changed policy", policy(&objects, "new")).await;
    assert_eq!((&made["set"], &made["state"]), (&json!("network"), &json!("complete")), "{made:#}");
    let changed = watching.said.iter().find(|line| event(line) == "changed").unwrap();
    assert_eq!((&changed["kind"], &changed["objects"]), (&json!(POLICIES), &json!(["mail/new"])));

    watching.until("a commit", |said| said.iter().any(|line| event(line) == "committed")).await;
    let committed = watching.said.iter().find(|line| event(line) == "committed").unwrap();
    assert_eq!(committed["commits"].as_array().unwrap().len(), 2, "{committed:#}");
    operator.home.shell("mv away keys/signing").await.ok();

    let id = made["id"].as_str().unwrap();
    let header = operator.home.netdr(&["show", id, "--json"]).await.json(0);
    assert_eq!(header["occasion"], "change", "{header:#}");
    let files = operator.home.shell("git -C seen.git log --name-only --format= netdr~2..netdr").await.ok();
    assert!(files.contains("mail/new.yaml"), "{files}");
    // Compared with it, nothing would differ any more.
    let drift = operator.home.netdr(&["drift", "--json", "--set", "network"]).await.json(4);
    assert_eq!((&drift["against"], drift["items"].as_array().unwrap().len()), (&json!([night]), 1));
    // A restore takes it where somebody says when the incident began: what was added since the night is not lost. Else it
    // takes the night, for what was taken seconds after the damage holds the damage.
    let incident = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    objects.delete(POLICIES, "mail/new").await;
    let plan = operator.plan("network-policies", &["--incident-start", &incident]).await;
    assert_eq!((&plan["create"], &plan["source"]["names"]), (&json!(1), &json!([id])), "{plan:#}");
    let plan = operator.plan("network-policies", &[]).await;
    assert_eq!((&plan["create"], &plan["source"]["names"]), (&json!(0), &json!([night])), "{plan:#}");
    let said = plan["warnings"].to_string();
    assert!(said.contains("it is taken with --incident-start TIME or --snapshot 20"), "{plan:#}");

    // Status, leases and heartbeats are no change.
    watching.snapshot_after("a removed policy", async {}).await;
    watching.said.clear();
    objects.status("nodes", "proj-k8s01", json!({"conditions": []})).await;
    let made = watching.snapshot_after("one more", policy(&objects, "later")).await;
    assert_eq!(made["set"], "network");
    let kinds: BTreeSet<&str> = watching.said.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, [POLICIES].into(), "{:#?}", watching.said);
    assert!(!watching.said.iter().any(|line| line.to_string().contains(MARKER)));
    // It is sealed to those who are named now, and not when it began.
    operator.home.shell("grep -m 1 ^age1 keys/recipients.txt > one && cp one keys/recipients.txt").await.ok();
    let made = watching.snapshot_after("another recipient", policy(&objects, "last")).await;
    let header = operator.home.netdr(&["show", made["id"].as_str().unwrap(), "--json"]).await.json(0);
    assert_eq!(header["sealed_to"].as_array().unwrap().len(), 1, "{header:#}");
    // A configuration that is refused is told of once, however often it is looked, and once that it is over.
    let file = operator.home.path().join("netdr.yaml");
    let right = std::fs::read_to_string(&file).unwrap();
    operator.configure("retension: {daily: 7}");
    watching.said.clear();
    policy(&objects, "refused").await;
    let failed = |said: &[Value]| said.iter().filter(|line| event(line) == "failed").count() >= 2;
    watching.until("two looks under a refused configuration", failed).await;
    let again = async { std::fs::write(&file, right).unwrap() };
    watching.snapshot_after("a configuration that is read again", again).await;
    eventually("the end of it", async || (hook.taken().len() >= 7).then_some(())).await;
    assert_eq!(watching.stop().await, 130);
    operator.home.netdr(&["verify", "--all"]).await.ok();
    // Somebody was told that Git lacked something, once, and that it does not any more; that it was stopped is no failure.
    let told = hook.taken();
    let told = told.iter().map(|of| (of["task"].as_str().unwrap(), of["status"].as_str().unwrap()));
    let told: Vec<_> = told.filter(|(task, _)| *task != "drift network").collect();
    let configuration = format!("configuration {}", rustix::system::uname().nodename().to_string_lossy());
    let refused = [configuration.as_str(), "watch network"];
    let refused = refused.map(|task| ["problem", "recovered"].map(|status| (task, status))).concat();
    assert_eq!(told[..2], [("commit to git", "problem"), ("commit to git", "recovered")]);
    let mut once = told[2..].to_vec();
    once.sort_unstable();
    assert_eq!(once, refused);
    let metrics = operator.home.netdr(&["metrics"]).await.ok();
    let of = |what: &str| {
        let sample = format!("netdr_watch_{what}_timestamp_seconds{{");
        let line =
            metrics.lines().find(|line| line.starts_with(&sample)).unwrap_or_else(|| panic!("{metrics}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert_eq!(of("next_look"), of("last_look") + 600.0);
    assert!(of("last_snapshot") > 0.0 && of("last_snapshot") <= of("last_look"), "{metrics}");
    let written = operator.home.shell("cat netdr.prom").await.ok();
    assert!(written.contains("netdr_watch_next_look_timestamp_seconds{"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_at_once_are_few_snapshots_and_a_restart_of_the_api_server_loses_none() {
    let mut plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let mut watching = Watching::start(&operator, &[]).await;
    watching.said.clear();
    let changes = (0..100).map(|n| {
        let objects = &objects;
        async move { policy(objects, &format!("burst-{n}")).await }
    });
    stream::iter(changes).buffer_unordered(16).for_each(async |()| ()).await;
    let all = |said: &[Value]| -> u64 {
        said.iter().filter(|line| event(line) == "changed").map(|line| line["times"].as_u64().unwrap()).sum()
    };
    watching
        .until("the whole burst", |said| all(said) >= 100 && event(said.last().unwrap()) == "snapshot")
        .await;
    let made = watching.said.iter().filter(|line| event(line) == "snapshot").count();
    assert!(made <= 5, "{made} snapshots of one burst");

    // While it is away nothing is seen; what changed right after is. It is said once that it is away, and once that all is
    // followed again, though it answers 429 "storage is (re)initializing" to every kind as it begins.
    let said = |said: &[Value], what: &str| said.iter().filter(|line| event(line) == what).count();
    watching.said.clear();
    plane.stop("kube-apiserver").unwrap();
    watching.until("that nobody answers", |lines| said(lines, "silent") > 0).await;
    plane.start_again("kube-apiserver").await.unwrap();
    let answered = std::time::Instant::now();
    policy(&objects, "restarted").await;
    watching.until("that all is followed again", |lines| said(lines, "answers-again") > 0).await;
    assert!(answered.elapsed().as_secs() < 30, "{:?}", answered.elapsed());
    watching.until("a change after the restart", |lines| said(lines, "snapshot") > 0).await;
    let made = watching.said.iter().find(|line| event(line) == "snapshot").unwrap();
    assert_eq!(made["state"], "complete", "{made:#}");
    let counts = ["silent", "answers-again", "lost", "back"].map(|what| said(&watching.said, what));
    assert_eq!(counts, [1, 1, 0, 0], "{:#?}", watching.said);

    // A kind that comes, and one that goes.
    watching.said.clear();
    objects.delete("customresourcedefinitions.apiextensions.k8s.io", "tlsoptions.traefik.io").await;
    watching
        .until("a kind that is gone", |said| {
            said.iter().any(|line| event(line) == "gone" && line["kind"] == "tlsoptions.traefik.io")
        })
        .await;
    let definition =
        std::fs::read_dir(crate::support::built().join("crds/traefik")).unwrap().map(|f| f.unwrap().path());
    let definition = definition.into_iter().find(|f| f.display().to_string().contains("tlsoptions")).unwrap();
    operator.home.run("kubectl", &["create", "-f", definition.to_str().unwrap()]).await.ok();
    watching
        .until("a kind that is served again", |said| {
            said.iter().any(|line| event(line) == "served" && line["kind"] == "tlsoptions.traefik.io")
        })
        .await;
    assert_eq!(watching.stop().await, 130);
}

/// A full disk is said, and what changed meanwhile is in a snapshot once there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_what_changed_meanwhile_is_not_lost() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    objects.create("{apiVersion: v1, kind: Namespace, metadata: {name: mail}}").await;
    let script = format!("trap '' XFSZ; exec netdr {}", FAST.join(" "));
    let mut watching = Watching::of(operator.home.command("bash", &["-c", &script])).await;
    let pid = watching.child.id().unwrap();
    // Files take so many bytes and no more: the write of one more is an error (EFBIG), as on a full disk.
    let room = async |bytes: &str| {
        operator.home.shell(&format!("prlimit --pid {pid} --fsize={bytes}:")).await.ok();
    };
    room("100").await;
    watching.said.clear();
    policy(&objects, "meanwhile").await;
    watching
        .until("two failures", |said| said.iter().filter(|line| event(line) == "failed").count() >= 2)
        .await;
    let failed = watching.said.iter().find(|line| event(line) == "failed").unwrap();
    let why = failed["why"].as_str().unwrap();
    assert!(failed["set"] == "network" && why.contains("File too large"), "{failed:#}");
    let made = watching.snapshot_after("room again", room("unlimited")).await;
    assert_eq!((&made["set"], &made["state"]), (&json!("network"), &json!("complete")), "{made:#}");
    assert_eq!(watching.stop().await, 130);
    operator.home.netdr(&["verify", "--all"]).await.ok();
    let items =
        operator.home.netdr(&["show", made["id"].as_str().unwrap(), "--items", "--json"]).await.json(0);
    assert!(items.to_string().contains("mail/meanwhile"), "{items:#}");
    let left = operator.home.shell("ls -A repo/snapshots repo").await.ok();
    assert!(!left.contains("tmp") && !left.contains("staging"), "{left}");
}

/// It is told as the schedule would tell it: once, however much more goes, and once that it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_shrank_is_told_once_and_that_it_is_over_or_that_the_night_has_it() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    objects.create("{apiVersion: v1, kind: Namespace, metadata: {name: mail}}").await;
    let (make, remove) = (
        async |numbers: std::ops::Range<u8>| {
            for n in numbers {
                policy(&objects, &format!("p{n}")).await;
            }
        },
        async |numbers: std::ops::Range<u8>| {
            for n in numbers {
                objects.delete(POLICIES, &format!("mail/p{n}")).await;
            }
        },
    );
    make(0..10).await;
    operator.backup().await;
    let hook = Hook::start();
    operator.configure(&hook.configuration());
    let mut watching = Watching::start(&operator, &["--at-least-every", "3s"]).await;
    let state = |wanted: &'static str| {
        move |said: &[Value]| said.iter().any(|line| event(line) == "snapshot" && line["state"] == wanted)
    };
    let told = || hook.taken().into_iter().filter(|of| of["task"] == "watch network").collect::<Vec<_>>();
    let heard = async |messages: usize| {
        let told = eventually("a message", async || Some(told()).filter(|told| told.len() >= messages)).await;
        told.into_iter().map(|of| of["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    remove(0..3).await;
    watching.until("that it shrank", state("shrunk")).await;
    heard(1).await;
    watching.said.clear();
    remove(3..4).await;
    watching.until("that it shrank further", state("shrunk")).await;
    watching.said.clear();
    make(0..4).await;
    watching.until("that all is there again", state("complete")).await;
    assert_eq!(heard(2).await, ["problem", "recovered"]);
    watching.said.clear();
    remove(0..3).await;
    watching.until("that it shrank anew", state("shrunk")).await;
    heard(3).await;
    operator.home.netdr(&["backup", "--set", "network"]).await.failed(3);
    assert_eq!(heard(4).await, ["problem", "recovered", "problem", "taken-over"]);
    assert_eq!(watching.stop().await, 130);
    let told = told();
    let shrunk = |of: &Value| of["subject"].as_str().unwrap().ends_with("watch network shrunk");
    assert!(told.iter().all(shrunk), "{told:#?}");
}

/// Exactly as it is installed: what its account may not is named, and stops nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn it_watches_with_the_rights_it_is_installed_with_and_names_what_it_may_not() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/rendered");
    for file in ["namespace.yaml", "watch.yaml"] {
        let file = rendered.join(file).display().to_string();
        operator.home.run("kubectl", &["apply", "-n", "netdr", "-f", &file]).await.ok();
    }
    let user = "system:serviceaccount:netdr:netdr-watch";
    let kubeconfig = plane.kubeconfig_for(user, Some("system:serviceaccounts")).unwrap();
    let kubeconfig = ["--kubeconfig", kubeconfig.to_str().unwrap()];
    let mut watching = Watching::start(&operator, &kubeconfig).await;
    let lost: Vec<&Value> = watching.said.iter().filter(|line| event(line) == "lost").collect();
    assert!(lost.is_empty(), "{lost:#?}");
    let made: Vec<&Value> = watching.said.iter().filter(|line| event(line) == "snapshot").collect();
    assert!(made.len() == 2 && made.iter().all(|line| line["state"] == "complete"), "{made:#?}");
    watching.snapshot_after("a change", policy(&objects, "seen")).await;
    watching.stop().await;

    let role = "clusterroles.rbac.authorization.k8s.io";
    let mut rules = objects.get(role, "netdr-watch").await.unwrap();
    for rule in rules["rules"].as_array_mut().unwrap() {
        rule["resources"].as_array_mut().unwrap().retain(|resource| resource != "ippools");
    }
    objects.merge(role, "netdr-watch", json!({"rules": rules["rules"]})).await;
    let mut watching = Watching::start(&operator, &kubeconfig).await;
    watching.until("what is forbidden", |said| said.iter().any(|line| event(line) == "lost")).await;
    let lost: Vec<&str> =
        watching.said.iter().filter(|l| event(l) == "lost").map(|l| l["kind"].as_str().unwrap()).collect();
    assert_eq!(lost, ["ippools.crd.projectcalico.org"]);
    let unchanged = watching.said.iter().find(|line| event(line) == "unchanged" && line["set"] == "network");
    assert!(unchanged.unwrap()["unread"].to_string().contains("ippools"), "{unchanged:#?}");
    let made = watching.snapshot_after("another kind's change", policy(&objects, "also-seen")).await;
    assert_eq!(made["state"], "partial", "{made:#}");
    watching.stop().await;
}

/// The past is forgotten (410) while nothing is read: what was missed is found by listing anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_has_expired_misses_nothing() {
    let plane = fresh(everything()).await.loaded().await;
    let objects = Objects::of(&plane).await;
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let faults = Faults::default();
    // Every first watch of a kind hears that its past is gone.
    let of_policies = |path: &str| path.contains("/networking.k8s.io/v1/networkpolicies?watch=true");
    faults.strike(3, Fault::Status(410, "Expired"), move |_, path| of_policies(path));
    faults.strike(2, Fault::Reset, move |_, path| of_policies(path));
    let scope = Scope { components: [Component::Policies].into(), ..Scope::default() };
    let mut watch = Watch::start(faults.cluster(config), scope, [Set::Network].into()).await.unwrap();
    let mut heard = News::default();
    eventually("the first watch", async || (!faults.hit().is_empty()).then_some(())).await;
    policy(&objects, "meanwhile").await;
    while !heard.changed.contains_key(POLICIES) {
        let news = tokio::time::timeout(std::time::Duration::from_secs(60), watch.news()).await.unwrap();
        heard.changed.extend(news.changed);
    }
    assert_eq!(heard.changed.keys().collect::<Vec<_>>(), [POLICIES]);
}
