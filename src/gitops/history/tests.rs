mod late;
mod marks;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::model::{Class, Component, Content, Extent, Item, ItemKey, Json, Set, SnapshotId};

const MARKER: &str = "m4rk3r-f00";

/// A bare repository made by stock git, and a key of stock ssh-keygen.
struct Bench {
    folder: TempDir,
    signer: SigningKey,
    last: Option<String>,
    hour: u32,
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn policy(name: &str, port: u16) -> Item {
    let object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": port}]}]}});
    resource(Component::Policies, "networking.k8s.io", "networkpolicies", name, object)
}

fn resource(component: Component, group: &str, plural: &str, name: &str, object: Value) -> Item {
    Item {
        key: ItemKey::resource(group, plural, Some("shop"), name),
        component,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Resource(Json::new(&object)),
    }
}

fn namespace(component: Component) -> Item {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let key = ItemKey::resource("", "namespaces", None, "shop");
    Item { key, extent: Extent::Fields, ..resource(component, "", "namespaces", "shop", object) }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), "git", &["init", "-q", "--bare", "-b", "main", "seen.git"]);
        run(folder.path(), "ssh-keygen", &["-q", "-t", "ed25519", "-C", "netdr", "-N", "", "-f", "key"]);
        let signer = SigningKey::read(&folder.path().join("key"), &|_| unreachable!()).unwrap();
        Self { folder, signer, last: None, hour: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("seen.git")
    }

    fn git(&self, arguments: &[&str]) -> String {
        run(&self.path(), "git", arguments).trim().to_owned()
    }

    fn seen(&mut self, items: &[Item]) -> Seen {
        self.hour += 1;
        let at: DateTime<Utc> = format!("2026-11-24T{:02}:00:00Z", self.hour).parse().unwrap();
        let id = SnapshotId::new(at, Set::Network, None, 1);
        let components = Set::Network.components();
        let mut seen = Seen::new(id, (Set::Network, None), "lab", at, components);
        items.iter().for_each(|item| seen.take(item));
        seen
    }

    fn record(&mut self, items: &[Item]) -> Recorded {
        let seen = self.seen(items);
        self.try_record(seen).unwrap()
    }

    fn try_record(&mut self, seen: Seen) -> Result<Recorded> {
        let url = self.path().display().to_string();
        self.record_at(&url, seen)
    }

    fn record_at(&mut self, url: &str, seen: Seen) -> Result<Recorded> {
        let history = History { url: url.into(), branch: "netdr".into(), path: None, token_file: None };
        let writing = Writing {
            signer: &self.signer,
            trusted: &TrustedSigners::default(),
            last: self.last.clone(),
            ssh_keys: Vec::new(),
            token: None,
            now: "2026-11-25T00:00:00Z".parse().unwrap(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let recorded = runtime.block_on(record(&history, vec![seen], writing))?;
        self.last.clone_from(&recorded.commit);
        Ok(recorded)
    }

    fn show(&self, path: &str) -> String {
        self.git(&["show", &format!("netdr:clusters/lab/networking/{path}")])
    }

    fn files(&self) -> Vec<String> {
        let all = self.git(&["ls-tree", "-r", "--name-only", "netdr"]);
        all.lines()
            .map(|path| path.strip_prefix("clusters/lab/networking/").unwrap_or(path).to_owned())
            .collect()
    }

    /// A commit on the branch by somebody else, unsigned.
    fn somebody(&self, file: &str, text: &str) {
        let folder = self.folder.path();
        let clone = folder.join("clone");
        let _ = fs::remove_dir_all(&clone);
        run(folder, "git", &["clone", "-q", "-b", "netdr", "seen.git", "clone"]);
        fs::write(clone.join(file), text).unwrap();
        run(&clone, "git", &["add", "."]);
        let who = ["-c", "user.name=Eve", "-c", "user.email=eve@lab"];
        run(&clone, "git", &[&who[..], &["commit", "-q", "--no-gpg-sign", "-m", "mine"]].concat());
        run(&clone, "git", &["push", "-q", "origin", "netdr"]);
    }
}

#[test]
fn a_changed_capture_is_one_signed_commit_that_tells_what_changed_and_an_unchanged_one_is_none() {
    let mut bench = Bench::new();
    let first = bench.record(&[policy("deny", 80), policy("web", 80), namespace(Component::Policies)]);
    assert_eq!((first.commits.len(), first.commits[0].added), (1, 3));
    assert!(first.warnings[0].contains("was not there, and was made"), "{:?}", first.warnings);
    let same = bench.record(&[policy("deny", 80), policy("web", 80), namespace(Component::Policies)]);
    assert_eq!((same.commits, same.warnings, same.commit), (vec![], vec![], first.commit));
    let changed = bench.record(&[policy("deny", 81), policy("new", 80), namespace(Component::Policies)]);
    let made = &changed.commits[0];
    assert_eq!((made.added, made.changed, made.removed), (1, 1, 1));
    assert_eq!(changed.warnings, Vec::<String>::new());

    let message = bench.git(&["log", "-1", "--format=%B", "netdr"]);
    let object = "networkpolicies.networking.k8s.io shop";
    for part in [
        "network of lab: 1 added, 1 changed, 1 removed\n".to_owned(),
        format!("added:\n  {object}/new (policies)\n"),
        format!("changed:\n  {object}/deny (policies)\n"),
        format!("removed:\n  {object}/web (policies)\n"),
        "Netdr-Captured-At: 2026-11-24T03:00:00Z".to_owned(),
    ] {
        assert!(message.contains(&part), "{part} is not in {message}");
    }
    assert_eq!(captured_at(&message), Some("2026-11-24T03:00:00Z".parse().unwrap()));
    assert_eq!(bench.git(&["rev-list", "--count", "netdr"]), "2");
    let allowed = bench.folder.path().join("allowed");
    fs::write(&allowed, format!("netdr {}\n", bench.signer.public().unwrap())).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    for commit in ["netdr", "netdr~"] {
        bench.git(&["-c", &allowed, "verify-commit", commit]);
    }
    bench.git(&["fsck", "--strict"]);
}

#[test]
fn a_folder_is_what_kubectl_applies_and_what_it_must_not_apply_is_below_review() {
    let mut bench = Bench::new();
    let peer = json!({"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer",
        "metadata": {"name": "rack", "namespace": "shop"}, "spec": {"myASN": 1, "password": MARKER}});
    let route = json!({"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {}});
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb", "namespace": "shop"}});
    let service =
        Item { extent: Extent::Fields, ..resource(Component::Loadbalancer, "", "services", "lb", service) };
    bench.record(&[
        policy("deny", 80),
        namespace(Component::Policies),
        namespace(Component::Ingress),
        resource(Component::Ingress, "traefik.io", "ingressroutes", "web", route),
        resource(Component::Loadbalancer, "metallb.io", "bgppeers", "rack", peer),
        service,
    ]);
    let files: Vec<String> =
        bench.files().into_iter().filter(|path| !path.ends_with("kustomization.yaml")).collect();
    assert_eq!(
        files,
        [
            "ingress/core/namespaces/_cluster/shop.yaml",
            "ingress/traefik.io/ingressroutes/shop/web.yaml",
            "loadbalancer/review/core/services/shop/lb.yaml",
            "loadbalancer/review/metallb.io/bgppeers/shop/rack.yaml",
            "policies/core/namespaces/_cluster/shop.yaml",
            "policies/networking.k8s.io/networkpolicies/shop/deny.yaml",
        ]
    );
    let resources = |path: &str| {
        let text = bench.show(&format!("{path}kustomization.yaml"));
        crate::yaml::read(text.as_bytes()).unwrap()["resources"].clone()
    };
    assert_eq!(
        resources(""),
        json!([
            "ingress/core/namespaces/_cluster/shop.yaml",
            "ingress/traefik.io/ingressroutes/shop/web.yaml",
            "policies/networking.k8s.io/networkpolicies/shop/deny.yaml"
        ]),
        "each object once"
    );
    assert_eq!(resources("policies/"), json!(["core", "networking.k8s.io"]));
    assert_eq!(resources("policies/networking.k8s.io/networkpolicies/shop/"), json!(["deny.yaml"]));
    assert!(!bench.files().iter().any(|path| path.starts_with("loadbalancer/kustom")), "it would be empty");
    let peer = bench.show("loadbalancer/review/metallb.io/bgppeers/shop/rack.yaml");
    assert!(peer.contains("netdr.io/filtered: spec.password") && !peer.contains(MARKER), "{peer}");
}

#[test]
fn no_secret_is_in_any_object_of_the_database() {
    let mut bench = Bench::new();
    let object = |fields: Value| {
        let mut object = json!({"metadata": {"name": "x", "namespace": "shop"}});
        object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        object
    };
    let values = format!(
        "# {MARKER}\nenv: [{{name: A, value: {MARKER}}}]\nauth: {{users: [{MARKER}]}}\nx: {MARKER}\n"
    );
    let secret =
        resource(Component::Ingress, "", "secrets", "tls", object(json!({"data": {"tls.key": MARKER}})));
    let of = |component, group, plural, fields| resource(component, group, plural, "x", object(fields));
    let release = Item {
        key: ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() },
        content: Content::Release(Json::new(&json!({"release": {"name": "traefik", "namespace": "traefik",
            "config": {"env": [{"name": "A", "value": MARKER}], "deployment": {"replicas": 3}},
            "manifest": MARKER, "info": {"notes": MARKER}, "hooks": [MARKER],
            "chart": {"metadata": {"name": "traefik", "version": "41.0.2"}, "values": {"a": MARKER}}}}))),
        ..secret.clone()
    };
    let items = [
        of(Component::Cni, "helm.cattle.io", "helmchartconfigs", json!({"spec": {"valuesContent": values}})),
        of(Component::Cni, "helm.cattle.io", "helmcharts", json!({"spec": {"valuesContent": MARKER}})),
        of(Component::Loadbalancer, "metallb.io", "bgppeers", json!({"spec": {"password": MARKER}})),
        of(
            Component::Loadbalancer,
            "",
            "configmaps",
            json!({"data": {"a": MARKER}, "binaryData": {"b": MARKER}}),
        ),
        of(
            Component::Ingress,
            "traefik.io",
            "middlewares",
            json!({"spec": {"headers": {"customRequestHeaders": {"X": MARKER}}, "plugin": {"p": {"k": MARKER}}}}),
        ),
        of(
            Component::Ingress,
            "networking.k8s.io",
            "ingresses",
            json!({"metadata": {"name": "x", "annotations": {"nginx.ingress.kubernetes.io/auth-url": MARKER,
                "note": format!("https://me:{MARKER}@forge.lab/?x=1"), "hook": format!("https://a.lab/?token={MARKER}")}}}),
        ),
        of(
            Component::Ingress,
            "gateway.networking.k8s.io",
            "httproutes",
            json!({"spec": {"rules": [{"filters": [{"requestHeaderModifier": {"set": [{"value": MARKER}]}}]}]}}),
        ),
        of(
            Component::Ingress,
            "apps",
            "deployments",
            json!({"spec": {"template": {"spec": {"containers": [{"env": [{"value": MARKER}], "args": [MARKER]}]}}}}),
        ),
        of(Component::Policies, "security.istio.io", "authorizationpolicies", json!({"spec": {"x": MARKER}})),
        secret,
        release,
    ];
    bench.record(&items);
    let all = bench.git(&["cat-file", "--batch-all-objects", "--batch", "--buffer"]);
    assert!(all.contains("filtered by netdr") && all.contains("replicas: 3"));
    assert!(!all.contains(MARKER), "{all}");
}

#[test]
fn what_could_not_be_read_is_not_shown_as_removed() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80), policy("web", 80)]);
    let mut partial = bench.seen(&[policy("deny", 81)]);
    partial.unread(Component::Policies, "networkpolicies.networking.k8s.io");
    assert!(!partial.is_whole());
    let made = bench.try_record(partial).unwrap().commits.remove(0);
    assert_eq!((made.added, made.changed, made.removed), (0, 1, 0));
    let message = bench.git(&["log", "-1", "--format=%B", "netdr"]);
    assert!(
        message.contains("Not read, so nothing of policies is removed here: networkpolicies"),
        "{message}"
    );
}

#[test]
fn another_set_and_what_others_keep_beside_it_stay() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80)]);
    bench.somebody("README.md", "ours\n");
    let at: DateTime<Utc> = "2026-11-24T09:00:00Z".parse().unwrap();
    let id = SnapshotId::new(at, Set::Certificates, None, 1);
    let mut other = Seen::new(id, (Set::Certificates, None), "lab", at, Set::Certificates.components());
    let issuer =
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "x"}, "spec": {}});
    other.take(&resource(Component::Certificates, "cert-manager.io", "issuers", "x", issuer));
    let recorded = bench.try_record(other).unwrap();
    assert_eq!(recorded.commits[0].added, 1);
    let [said] = &recorded.warnings[..] else { panic!("{:?}", recorded.warnings) };
    assert!(said.contains("above netdr's own") && said.contains("not signed"), "{said}");
    let files = bench.files();
    for file in [
        "README.md",
        "policies/networking.k8s.io/networkpolicies/shop/deny.yaml",
        "certificates/cert-manager.io/issuers/shop/x.yaml",
    ] {
        assert!(files.iter().any(|path| path == file), "{file} is not in {files:?}");
    }
    let top = bench.show("kustomization.yaml");
    assert!(top.contains("- policies/networking") && top.contains("- certificates/cert-manager"), "{top}");
    // Said once: the next time it is netdr's own last commit that is on top.
    assert_eq!(bench.record(&[policy("deny", 82)]).warnings, Vec::<String>::new());
}

#[test]
fn a_rewritten_history_and_a_branch_that_is_gone_are_said_and_it_goes_on() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80)]);
    let first = bench.git(&["rev-parse", "netdr"]);
    bench.record(&[policy("deny", 81)]);
    bench.git(&["update-ref", "refs/heads/netdr", &first]);
    let on = bench.record(&[policy("deny", 82)]);
    assert!(on.warnings[0].contains("was rewritten"), "{:?}", on.warnings);
    assert_eq!(bench.git(&["rev-parse", "netdr~"]), first);

    bench.git(&["update-ref", "-d", "refs/heads/netdr"]);
    let anew = bench.record(&[policy("deny", 82)]);
    assert!(anew.warnings[0].contains("is gone, and was made anew"), "{:?}", anew.warnings);
    assert_eq!((anew.commits.len(), bench.git(&["rev-list", "--count", "netdr"])), (1, "1".to_owned()));
}

#[test]
fn a_clone_that_somebody_works_in_is_left_as_it_is() {
    let mut bench = Bench::new();
    let folder = bench.folder.path().to_owned();
    run(&folder, "git", &["init", "-q", "-b", "netdr", "mine"]);
    let mine = folder.join("mine");
    let url = mine.display().to_string();
    let seen = bench.seen(&[policy("deny", 80)]);
    let refused = bench.record_at(&url, seen.clone()).unwrap_err();
    assert!(format!("{refused:?}").contains("is checked out in"), "{refused:?}");
    assert!(refused.hints()[0].contains("git init --bare"), "{refused:?}");
    run(&mine, "git", &["checkout", "-q", "-b", "work"]);
    fs::write(mine.join("dirty"), "x").unwrap();
    fs::write(mine.join("staged"), "x").unwrap();
    run(&mine, "git", &["add", "staged"]);
    let before = run(&mine, "git", &["status", "--porcelain"]);
    assert_eq!(bench.record_at(&url, seen).unwrap().commits.len(), 1);
    assert_eq!(run(&mine, "git", &["status", "--porcelain"]), before);
}

#[test]
fn a_branch_that_stays_locked_is_an_error_that_names_the_lock_and_the_next_time_catches_up() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80)]);
    let lock = bench.path().join("refs/heads/netdr.lock");
    fs::write(&lock, "").unwrap();
    let seen = bench.seen(&[policy("deny", 81)]);
    let error = bench.try_record(seen).unwrap_err();
    assert!(format!("{error:?}").contains("netdr.lock"), "{error:?}");
    fs::remove_file(&lock).unwrap();
    assert_eq!(bench.record(&[policy("deny", 82)]).commits.len(), 1);
    assert_eq!(bench.git(&["rev-list", "--count", "netdr"]), "2");
}

#[test]
fn two_at_once_both_get_through() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80)]);
    let at: DateTime<Utc> = "2026-11-24T09:00:00Z".parse().unwrap();
    let (history, signer) = (
        History {
            url: bench.path().display().to_string(),
            branch: "netdr".into(),
            path: None,
            token_file: None,
        },
        bench.signer.clone(),
    );
    let nodes: Vec<String> = (0..6).map(|n| format!("n{n}")).collect();
    std::thread::scope(|scope| {
        for node in &nodes {
            let (history, signer) = (&history, &signer);
            scope.spawn(move || {
                let key = ItemKey::File { node: node.clone(), path: "/etc/sysctl.d/90.conf".into() };
                let id = SnapshotId::new(at, Set::Host, Some(node), 1);
                let mut seen = Seen::new(id, (Set::Host, Some(node)), "lab", at, [Component::Host]);
                let file =
                    crate::model::FileContent { mode: 0o644, uid: 0, gid: 0, bytes: b"a = 1\n".to_vec() };
                seen.take(&Item {
                    key,
                    component: Component::Host,
                    class: Class::Config,
                    extent: Extent::Whole,
                    content: Content::File(file),
                });
                let writing = Writing {
                    signer,
                    trusted: &TrustedSigners::default(),
                    last: None,
                    ssh_keys: Vec::new(),
                    token: None,
                    now: at,
                };
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let recorded = runtime.block_on(record(history, vec![seen], writing)).unwrap();
                assert_eq!(recorded.commits.len(), 1);
            });
        }
    });
    assert_eq!(bench.git(&["rev-list", "--count", "netdr"]), "7");
    for node in &nodes {
        assert_eq!(bench.show(&format!("host/{node}/etc/sysctl.d/90.conf")), "a = 1");
    }
}
