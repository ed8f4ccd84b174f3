//! The history at a forge: pushed over HTTPS, refused, overtaken. Whatever happens to it, the snapshot is good.

use serde_json::{Value, json};

use super::{BARE, git};
use crate::support::{Home, MARKER, Objects, Operator, POLICIES, Pair, everything, fresh, git_server, says};

const POLICY: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: NAME, namespace: default}, \
    spec: {podSelector: {}}}";

async fn back_up(home: &Home, code: i32) -> Value {
    let document =
        home.shell("SSL_CERT_FILE=authority.pem netdr backup --component policies --json").await.json(code);
    assert_eq!(document["snapshots"][0]["state"], "complete", "{document:#}");
    document["history"].clone()
}

async fn hook(home: &Home, name: &str, script: &str) {
    let file = format!("seen.git/hooks/{name}");
    std::fs::write(home.path().join(&file), format!("#!/bin/sh\n{script}\n")).unwrap();
    home.shell(&format!("chmod +x {file}")).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_that_refuses_or_is_overtaken_costs_no_snapshot_and_the_next_backup_catches_up() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    home.shell(&format!("{BARE}; git -C seen.git config http.receivepack true")).await.ok();
    let (pair, authority) = Pair::with_authority("127.0.0.1");
    std::fs::write(home.path().join("authority.pem"), authority).unwrap();
    let server = git_server(home.path(), &pair, Some(&format!("netdr:{MARKER}")));
    // As a pod has it, in which no git is and so no credential helper.
    let url = format!("https://{}/seen.git", server.address);
    operator.configure(&format!("git: {{history: {{url: '{url}', path: seen/lab, token_file: token}}}}"));
    let policy = async |name: &str| objects.create(&POLICY.replace("NAME", name)).await;

    policy("a").await;
    let token = async |text: &str, code: i32| {
        std::fs::write(home.path().join("token"), text).unwrap();
        back_up(home, code).await
    };
    let refused = token("netdr:another\n", 3).await;
    says(
        refused["error"].as_str().unwrap(),
        &["cannot be written", "refuses the user and password that token_file has"],
    );
    let first = token(&format!("netdr:{MARKER}\n"), 0).await;
    assert_eq!(first["commits"].as_array().unwrap().len(), 1, "{first:#}");
    git(home, "verify-commit netdr").await;

    // Who may read and not write; a hook that says no, in its own words, and one that cannot even run.
    policy("b").await;
    git(home, "config http.receivepack false").await;
    says(back_up(home, 3).await["error"].as_str().unwrap(), &["may not push there (403)"]);
    git(home, "config http.receivepack true").await;
    hook(home, "pre-receive", "echo 'policy 7: ask the platform team' >&2; exit 1").await;
    let refused = back_up(home, 3).await;
    says(
        refused["error"].as_str().unwrap(),
        &["refuses the commit on branch netdr", "policy 7: ask the platform team"],
    );
    let said = home.shell("SSL_CERT_FILE=authority.pem netdr backup --component policies").await.failed(3);
    says(
        &said,
        &[
            "a hook, or a rule for the branch",
            "the snapshots here are good; the next backup commits what Git lacks",
        ],
    );
    assert!(!said.contains(MARKER), "{said}");
    hook(home, "pre-receive", "no-such-program").await;
    says(back_up(home, 3).await["error"].as_str().unwrap(), &["pre-receive hook declined"]);

    // Somebody is quicker, after netdr has looked: the commit is made again on theirs.
    policy("c").await;
    let theirs = "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES; \
        [ -e done ] && exit 0; touch done; \
        new=$(git -c user.name=Eve -c user.email=eve@lab commit-tree -m theirs -p netdr netdr^{tree}); \
        git update-ref refs/heads/netdr $new";
    hook(home, "pre-receive", theirs).await;
    let caught_up = back_up(home, 0).await;
    assert_eq!(caught_up["commits"][0]["added"], 2, "of two nights one commit: {caught_up:#}");
    assert_eq!(git(home, "log --format=%s netdr~ -1").await, "theirs");
    says(
        caught_up["warnings"][0].as_str().unwrap(),
        &["above netdr's own", "not signed", "git clone -b netdr"],
    );
    let files = git(home, "ls-tree -r --name-only netdr seen/lab").await;
    for name in ["a", "b", "c"] {
        assert!(files.contains(&format!("networkpolicies/default/{name}.yaml")), "{files}");
    }

    // More was committed to it than netdr looks at.
    home.shell(
        "cd seen.git; for n in $(seq 60); do \
         c=$(git -c user.name=Eve -c user.email=eve@lab commit-tree -m more -p netdr netdr^{tree})\n\
         git update-ref refs/heads/netdr $c; done",
    )
    .await
    .ok();
    policy("e").await;
    let on = back_up(home, 0).await;
    says(on["warnings"][0].as_str().unwrap(), &["was rewritten, or is longer by 50 commits"]);
    assert_eq!(git(home, "log --format=%s netdr~ -1").await, "more");

    // The branch goes, and the whole forge.
    git(home, "update-ref -d refs/heads/netdr").await;
    objects.delete(POLICIES, "default/c").await;
    let anew = back_up(home, 0).await;
    says(anew["warnings"][0].as_str().unwrap(), &["is gone, and was made anew"]);
    home.shell("mv seen.git gone.git").await.ok();
    policy("d").await;
    says(back_up(home, 3).await["error"].as_str().unwrap(), &["no such repository (404)"]);
    home.shell("mv gone.git seen.git").await.ok();
    assert_eq!(back_up(home, 0).await["commits"][0]["added"], json!(1));
}
