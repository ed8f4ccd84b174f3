//! What a newer netdr wrote: refused by its number, with what to do, and left as it is. What is only added is passed over.

use std::{
    fs,
    path::{Path, PathBuf},
};

use netdr::{
    config::Config,
    metrics::Checked,
    notify::Told,
    repository::{Repository, thaw},
    task::{Ran, Records},
};

use super::{Frozen, IDENTITY, PLACE};
use crate::support::{Home, Hook, NODE, content, says};

/// Replaces one text in a file.
fn edit(home: &Home, file: &Path, old: &str, new: &str) {
    let path = home.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old} is not in {}: {text}", path.display());
    fs::write(path, text.replacen(old, new, 1)).unwrap();
}

/// Edits a header, and signs it as its netdr would have.
async fn signed(home: &Home, header: &Path, old: &str, new: &str) {
    edit(home, header, old, new);
    fs::remove_file(home.path().join(header).with_extension("json.sig")).unwrap();
    let header = header.display().to_string();
    home.run("ssh-keygen", &["-q", "-Y", "sign", "-f", "keys/signing", "-n", "netdr-snapshot", &header])
        .await
        .ok();
}

/// Everything in the repository but how verbs ended.
fn kept(home: &Home) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let repository = home.path().join("repo");
    content(&repository)
        .into_iter()
        .filter(|(path, _)| !path.starts_with(repository.join("status")))
        .collect()
}

/// Each of these ends so and says so, and nothing in the repository is another than before.
async fn refuse(home: &Home, code: i32, says_all: &[&str], commands: &[&str]) {
    let before = kept(home);
    for words in commands {
        let words: Vec<&str> = words.split_whitespace().collect();
        let outcome = home.netdr(&words).await;
        assert_eq!(outcome.code, Some(code), "{words:?}: {outcome:?}");
        says(&format!("{}{}", outcome.stdout, outcome.stderr), says_all);
    }
    assert!(kept(home) == before, "{commands:?} changed something");
}

#[tokio::test]
async fn a_snapshot_of_a_newer_format_is_untrusted_and_says_which() {
    let frozen = Frozen::newest();
    let home = frozen.opened(Home::new());
    let (header, id) = (frozen.header("network"), frozen.name("network"));
    let number = &frozen.formats()["snapshot"];
    let newer = number.as_u64().unwrap() + 1;
    signed(&home, &header, &format!(r#""format": {number}"#), &format!(r#""format": {newer}"#)).await;
    let words = [&format!("format {newer}, newer than this netdr reads ({number})"), "update netdr"];
    let extract = format!("extract {id} --identity {IDENTITY} --to out");
    refuse(&home, 5, &words, &[&format!("verify {id}"), &extract]).await;
    says(&home.netdr(&["snapshots"]).await.ok(), &words[..1]);
    assert!(!home.path().join("out").exists());
    home.netdr(&["prune"]).await.ok();
    assert!(home.path().join(header).is_file(), "nobody here knows what that is");
}

#[tokio::test]
async fn a_journal_of_a_newer_format_is_neither_resumed_nor_undone() {
    let frozen = Frozen::newest();
    let home = frozen.opened(Home::new());
    let number = &frozen.formats()["journal"];
    let newer = number.as_u64().unwrap() + 1;
    for run in ["done", "killed"] {
        edit(&home, &frozen.run(run), &format!(r#""format":{number}"#), &format!(r#""format":{newer}"#));
    }
    let words = [&format!("format {newer}, newer than this netdr reads ({number})"), "update netdr"];
    let (done, killed) = (frozen.name("done"), frozen.name("killed"));
    let resume = format!("restore --resume {killed} --identity {IDENTITY} --yes");
    let undo = format!("undo {done} --identity {IDENTITY} --yes");
    refuse(&home, 1, &words, &[&format!("runs show {done}"), &resume, &undo, "prune"]).await;
}

#[tokio::test]
async fn a_repository_of_a_newer_format_is_not_touched() {
    let frozen = Frozen::newest();
    let home = frozen.opened(Home::new());
    home.shell("mkdir -p host/etc/rancher/rke2; echo 'node-name: n' > host/etc/rancher/rke2/config.yaml")
        .await
        .ok();
    let number = &frozen.formats()["repository"];
    let newer = number.as_u64().unwrap() + 1;
    let file = Path::new("repo/netdr-repository.json");
    edit(&home, file, &format!(r#""format":{number}"#), &format!(r#""format":{newer}"#));
    let words = [&format!("format {newer}, newer than this netdr reads ({number})"), "update netdr"];
    refuse(&home, 1, &words, &["backup --set host --host-root host", "snapshots", "verify --all", "prune"])
        .await;
}

/// How many records of each kind are read.
fn records(home: &Home, frozen: &Frozen) -> [usize; 5] {
    let repository = Repository::open(&home.path().join("repo")).unwrap();
    let records = Records::of(&repository, "frozen");
    let place = Config::parse(PLACE, "netdr.yaml".as_ref()).unwrap().replicas.remove(0);
    let network = frozen.name("network").parse().unwrap();
    [
        records.read::<Told>("told").unwrap().len(),
        records.read::<Ran>("ran").unwrap().len(),
        records.read::<Checked>("checked").unwrap().len(),
        repository.git_seen().len(),
        thaw::kept(repository.root(), &place, &network).len(),
    ]
}

/// Where nothing but the record is at stake, it is as if it were not there, and stays for whoever reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_a_word_that_is_not_known_is_passed_over_and_stays() {
    let frozen = Frozen::newest();
    let (home, hook) = (frozen.opened(Home::new()), Hook::start());
    let script = r#"
        sed -i 's/"event": "[a-z-]*"/"event": "qqqq"/' repo/status/told-*
        sed -i 's/"at": "[^"]*"/"at": "qqqq"/' repo/status/ran-* repo/status/checked-*
        sed -i 's/"at":"[^"]*"/"at":"qqqq"/' repo/git/*
        sed -i 's/"tier":"[a-z]*"/"tier":"qqqq"/' repo/thaws/*
        test -z "$(grep -rL qqqq repo/status/told-* repo/status/ran-* repo/status/checked-* repo/git repo/thaws)"
        mkdir before; cp -r repo/status repo/git repo/thaws before"#;
    let are_known = records(&home, &frozen).map(|count| count > 0);
    assert_eq!(are_known, [true; 5], "as they are they count");
    let measured = ["task=\"backup network\"", "netdr_check_last"];
    says(&home.netdr(&["metrics"]).await.ok(), &measured);
    home.shell(script).await.ok();
    assert_eq!(records(&home, &frozen), [0; 5]);

    refuse(&home, 0, &[], &["snapshots", "verify --all", "runs"]).await;
    let metrics = home.netdr(&["metrics"]).await.ok();
    says(&metrics, &["netdr_snapshots{"]);
    assert!(!measured.iter().any(|word| metrics.contains(word)), "{metrics}");
    let same = "for one in status/told status/checked git/ thaws/; do\n\
        diff <(cat before/$one*) <(cat repo/$one*) || exit 1; done";
    home.shell(same).await.ok();

    // Of what it was told nobody knows, so it is told as new; that of another task stays.
    let channel = format!("cp netdr.yaml told.yaml; echo \"{}\" >> told.yaml", hook.configuration());
    home.shell(&channel).await.ok();
    home.netdr(&["--config", "told.yaml", "check", "recoverability"]).await.failed(8);
    let messages = hook.taken();
    let [message] = &messages[..] else { panic!("{messages:#?}") };
    assert_eq!((&message["task"], &message["since"]), (&"check recoverability".into(), &message["time"]));
    // What was seen of Git is as if it had never been: a backup compares anew.
    let begins = format!(
        "mkdir -p host/etc/rancher/rke2; echo 'node-name: {NODE}' > host/etc/rancher/rke2/config.yaml\n\
         git clone -q --bare history.bundle seen.git; netdr backup --set host --host-root host"
    );
    home.shell(&begins).await.ok();
    assert_eq!(records(&home, &frozen)[3], 1);
    home.netdr(&["prune"]).await.ok();
    let stays = "for one in before/status/told-drift* before/git/* before/thaws/*; do\n\
        cmp $one repo/${one#before/} || exit 1; done";
    home.shell(stays).await.ok();
}

#[tokio::test]
async fn a_proof_of_what_is_not_known_is_not_written_over() {
    let frozen = Frozen::newest();
    let home = frozen.opened(Home::new());
    edit(&home, Path::new("repo/proofs.json"), r#""set": "network""#, r#""set": "qqqq""#);
    let words = ["proofs.json cannot be parsed", "qqqq", "netdr keys check"];
    let check = format!("keys check --identity {IDENTITY}");
    refuse(&home, 0, &words, &[&check]).await;
    refuse(&home, 5, &words, &["check recoverability"]).await;
}

#[tokio::test]
async fn a_plan_of_another_language_is_refused() {
    let home = Frozen::newest().opened(Home::new());
    home.shell("netdr plan show network-policies > plan.yaml").await.ok();
    edit(&home, Path::new("plan.yaml"), "netdr/v1", "netdr/v2");
    refuse(&home, 2, &["apiVersion", "netdr/v2", "netdr/v1"], &["plan lint plan.yaml"]).await;
}

#[tokio::test]
async fn a_field_that_is_only_added_is_passed_over_in_what_netdr_wrote_and_refused_in_what_people_write() {
    let frozen = Frozen::newest();
    let home = frozen.opened(Home::new());
    signed(&home, &frozen.header("network"), "{", r#"{"colour": "blue","#).await;
    edit(&home, &frozen.run("done"), "{", r#"{"colour":"blue","#);
    edit(&home, Path::new("repo/proofs.json"), r#""recipient""#, r#""colour": "blue", "recipient""#);
    home.netdr(&["verify", frozen.name("network"), "--identity", IDENTITY]).await.ok();
    home.netdr(&["keys", "check", "--identity", IDENTITY]).await.ok();
    says(&home.netdr(&["runs", "show", frozen.name("done")]).await.ok(), &["recovered"]);

    home.shell("netdr plan show network-policies > plan.yaml").await.ok();
    edit(&home, Path::new("plan.yaml"), "role:", "colour: blue\nrole:");
    refuse(&home, 2, &["unknown key `colour`"], &["plan lint plan.yaml"]).await;
    edit(&home, Path::new("netdr.yaml"), "repository:", "colour: blue\nrepository:");
    refuse(&home, 2, &["colour"], &["snapshots"]).await;
}
