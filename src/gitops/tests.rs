use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;

const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: demo}\nspec: {podSelector: {}}\n";

/// A repository made by stock git, and a key of stock ssh-keygen.
struct Forge {
    folder: TempDir,
}

impl Forge {
    fn new() -> Self {
        let forge = Self { folder: tempfile::tempdir().unwrap() };
        run(forge.folder.path(), "ssh-keygen", &["-q", "-t", "ed25519", "-C", "c", "-N", "", "-f", "key"]);
        run(forge.folder.path(), "git", &["init", "-q", "-b", "main", "k8s"]);
        forge.write("policies/deny.yaml", POLICY);
        forge
    }

    fn path(&self) -> String {
        self.folder.path().join("k8s").display().to_string()
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.folder.path().join("k8s").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        let key = format!("user.signingkey={}", self.folder.path().join("key.pub").display());
        let all = ["-c", "user.name=Ada", "-c", "user.email=ada@lab", "-c", "gpg.format=ssh", "-c", &key];
        run(&self.folder.path().join("k8s"), "git", &[&all[..], arguments].concat())
    }

    /// Commits everything; the commit's id.
    fn commit(&self, signed: bool) -> String {
        self.git(&["add", "."]);
        let sign = if signed { "-S" } else { "--no-gpg-sign" };
        self.git(&["commit", "-q", "--allow-empty", "-m", "policies", sign]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn trusted(&self, namespaces: &str) -> TrustedSigners {
        let public = fs::read_to_string(self.folder.path().join("key.pub")).unwrap();
        TrustedSigners::parse(&format!("ada@lab namespaces=\"{namespaces}\" {public}"), "trusted_signers")
            .unwrap()
    }

    fn wanted(&self, revision: Revision) -> Wanted {
        let (url, branch, path) = (self.path(), "main".into(), "policies".into());
        let sources = vec![GitSource { url, branch, path, component: Component::Policies, release: None }];
        Wanted { sources, revision, ..Wanted::default() }
    }

    async fn read(&self, wanted: &Wanted) -> Result<Checkout> {
        Ok(super::read(wanted, &self.trusted("git"), Utc::now()).await?.remove(0))
    }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_commit_that_stock_git_signed_is_read_where_its_signer_is_trusted() {
    let forge = Forge::new();
    let id = forge.commit(true);
    let checkout = forge.read(&forge.wanted(Revision::Head)).await.unwrap();
    assert_eq!((checkout.commit, checkout.answers.as_str(), checkout.newest), (id.clone(), "ada@lab", true));
    assert_eq!(checkout.files[0].path, "policies/deny.yaml");
    assert_eq!(checkout.files[0].bytes, POLICY.as_bytes());

    let backups_only =
        super::read(&forge.wanted(Revision::Head), &forge.trusted("netdr-*"), Utc::now()).await;
    let refused = backups_only.unwrap_err();
    assert!(refused.to_string().contains("is not trusted with `git`"), "{refused}");
    assert_eq!(refused.kind(), crate::Kind::Damaged);
}

#[tokio::test]
async fn nothing_of_a_commit_that_nobody_answers_for_is_read() {
    let forge = Forge::new();
    forge.commit(true);
    forge.write("policies/deny.yaml", "{{ not even YAML");
    let id = forge.commit(false);
    let mut wanted = forge.wanted(Revision::Head);
    let refused = forge.read(&wanted).await.unwrap_err();
    assert!(refused.to_string().contains("it is not signed"), "{refused}");
    assert!(
        refused.hints().iter().any(|hint| hint.ends_with(&format!("--trust-commit {id}"))),
        "{refused:?}"
    );

    wanted.trust_commits = vec!["0".repeat(40)];
    let other = forge.read(&wanted).await.unwrap_err().to_string();
    assert!(
        other.ends_with(&format!("--trust-commit names {}, and not this commit", "0".repeat(40))),
        "{other}"
    );
    wanted.trust_commits = vec![id.clone()];
    let checkout = forge.read(&wanted).await.unwrap();
    assert!(checkout.answers.starts_with("the operator, with --trust-commit"), "{}", checkout.answers);
}

#[tokio::test]
async fn a_signed_commit_whose_content_was_put_in_anothers_place_is_refused() {
    let forge = Forge::new();
    forge.commit(true);
    forge.write("policies/open.yaml", POLICY);
    forge.commit(false);
    let tree = forge.git(&["rev-parse", "HEAD^{tree}"]);
    let signed = forge.git(&["cat-file", "commit", "HEAD~1"]);
    let forged = signed.replacen(&forge.git(&["rev-parse", "HEAD~1^{tree}"]), &tree, 1) + "\n";
    fs::write(forge.folder.path().join("forged"), forged).unwrap();
    let id = forge.git(&["hash-object", "-t", "commit", "-w", "../forged"]);
    let refused = forge.read(&forge.wanted(Revision::Named(id))).await.unwrap_err();
    assert!(refused.to_string().contains("does not match its content"), "{refused}");
}

#[tokio::test]
async fn a_revision_is_a_commit_a_tag_or_a_branch() {
    let forge = Forge::new();
    let first = forge.commit(true);
    forge.git(&["tag", "good"]);
    forge.git(&["branch", "stable"]);
    let second = forge.commit(true);
    let at = async |revision| forge.read(&forge.wanted(revision)).await;
    for name in ["good", "stable", &first] {
        let old = at(Revision::Named(name.into())).await.unwrap();
        assert_eq!((old.commit.as_str(), old.newest), (first.as_str(), false), "{name}");
    }
    assert!(at(Revision::Named("main".into())).await.unwrap().newest);
    // Of several repositories each has one of them.
    let among = |commits: &[&String]| {
        let elsewhere = "0".repeat(40);
        Revision::Among([&elsewhere].iter().chain(commits).map(|id| id.to_string()).collect())
    };
    assert_eq!(at(among(&[&first])).await.unwrap().commit, first);
    let neither = at(among(&[])).await.unwrap_err();
    assert_eq!(neither.kind(), crate::Kind::Usage);
    // Two branches of one repository, apart: each takes its own.
    forge.git(&["checkout", "-q", "-b", "apart", &first]);
    forge.write("policies/apart.yaml", POLICY);
    let third = forge.commit(true);
    forge.git(&["checkout", "-q", "main"]);
    assert_eq!(at(among(&[&third, &first])).await.unwrap().commit, first);
    let mut apart = forge.wanted(among(&[&second, &third]));
    apart.sources[0].branch = "apart".into();
    assert_eq!(forge.read(&apart).await.unwrap().commit, third);
    let exactly = Revision::Exactly([(forge.path(), first.clone())].into());
    assert_eq!(at(exactly).await.unwrap().commit, first);
    let unknown = at(Revision::Named("v9".into())).await.unwrap_err();
    assert_eq!(unknown.kind(), crate::Kind::Usage);
    assert!(
        unknown.to_string().contains("has no `v9`") && unknown.hints()[0].contains("main, stable"),
        "{unknown:?}"
    );

    // A clone may lag behind what people push to, so its newest may not be theirs.
    run(forge.folder.path(), "git", &["clone", "-q", "k8s", "clone"]);
    let mut wanted = forge.wanted(Revision::Named("stable".into()));
    wanted.sources[0].url = forge.folder.path().join("clone").display().to_string();
    assert_eq!(forge.read(&wanted).await.unwrap().commit, first);
    wanted.revision = Revision::Head;
    let cloned = forge.read(&wanted).await.unwrap();
    assert_eq!((cloned.commit, cloned.newest), (second, false));
}

#[tokio::test]
async fn links_and_submodules_are_not_followed_and_a_folder_must_hold_something() {
    let forge = Forge::new();
    for (to, name) in [("/etc/passwd", "link.yaml"), ("../shared", "shared")] {
        std::os::unix::fs::symlink(to, forge.folder.path().join("k8s/policies").join(name)).unwrap();
    }
    forge.write("policies/README.md", "no YAML\n");
    let id = forge.commit(true);
    forge.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},policies/module")]);
    forge.git(&["commit", "-q", "-m", "module", "-S"]);
    let mut wanted = forge.wanted(Revision::Head);
    let checkout = forge.read(&wanted).await.unwrap();
    assert_eq!(checkout.files.len(), 1);
    let said = checkout.passed_over.join("\n");
    for part in ["link.yaml is a link", "shared is a link", "module is a submodule"] {
        assert!(said.contains(&format!("policies/{part}")), "{part} is not in {said}");
    }

    wanted.sources[0].path = "policies/deny.yaml".into();
    assert_eq!(forge.read(&wanted).await.unwrap().files[0].path, "policies/deny.yaml");
    wanted.sources[0].path = "no/such".into();
    assert!(forge.read(&wanted).await.unwrap_err().to_string().contains("has no YAML at `no/such`"));
}

/// `git daemon` on a port of its own, until it is dropped.
struct Daemon {
    port: u16,
    child: Child,
}

impl Daemon {
    fn of(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Not by way of `git`, whose child it would be: it must end with the test.
        let programs = run(folder, "git", &["--exec-path"]);
        let child = Command::new(Path::new(&programs).join("git-daemon"))
            .args(["--export-all", "--listen=127.0.0.1", &format!("--port={port}")])
            .arg(format!("--base-path={}", folder.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "git-daemon does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { port, child }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn over_the_network_only_what_is_needed_is_fetched_and_a_dead_one_says_the_way_out() {
    let forge = Forge::new();
    let first = forge.commit(true);
    let second = forge.commit(true);
    let daemon = Daemon::of(forge.folder.path());
    let mut wanted = forge.wanted(Revision::Head);
    wanted.sources[0].url = format!("git://127.0.0.1:{}/k8s", daemon.port);
    let newest = forge.read(&wanted).await.unwrap();
    assert_eq!((newest.commit, newest.newest), (second, true));
    wanted.revision = Revision::Named(first.clone());
    let old = forge.read(&wanted).await.unwrap();
    assert_eq!((old.commit, old.newest), (first, false));
    drop(daemon);
    let dead = forge.read(&wanted).await.unwrap_err();
    assert!(dead.hints()[0].contains("name a clone on this machine"), "{dead:?}");
}

#[tokio::test]
async fn a_remote_that_sends_without_end_is_cut_off_before_anybody_trusts_it() {
    let forge = Forge::new();
    let noise = (0..1 << 16).map(|_| format!("{:016x}", rand::random::<u64>()));
    forge.write("policies/noise.txt", &noise.collect::<String>()); // of 1 MiB half stays when it is packed
    let id = forge.commit(true);
    let daemon = Daemon::of(forge.folder.path());
    let fetched = async |most| {
        let url = format!("git://127.0.0.1:{}/k8s", daemon.port);
        let place =
            Place { url, branch: "main".into(), revisions: vec![], ssh_keys: vec![], token: None, most };
        fetch::with(place, |fetched, place| Ok(fetched.commit(place)?.id.to_string())).await
    };
    assert_eq!(fetched(1 << 20).await.unwrap(), id);
    let cut_off = fetched(256 << 10).await.unwrap_err().to_string();
    assert!(cut_off.contains("sent more than 256 KiB"), "{cut_off}");
}
