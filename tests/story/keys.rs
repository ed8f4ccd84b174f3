//! Keys and settings that are wrong are said before anything is done.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use crate::support::{Store, content, says};

const BACKUP: &str = "backup --set host --host-root host";

/// The backup fails as a mistake in settings does, and leaves the repository as it was.
async fn refused(store: &Store, words: &[&str]) {
    let before = content(&store.path("repo"));
    says(&store.netdr(BACKUP).await.failed(2), words);
    assert_eq!(content(&store.path("repo")), before);
}

#[tokio::test]
async fn a_recipient_that_does_not_parse_is_named_by_file_and_line() {
    let store = Store::new().await;
    let file = store.path("keys/recipients.txt");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{good}age1nonsense\n")).unwrap();
    refused(&store, &["keys/recipients.txt: line 5 is no recipient", "hint: a recipient is age1"]).await;
    // An identity in the wrong file is a secret: it is not repeated.
    let identity = fs::read_to_string(store.path("keys/operator.txt")).unwrap();
    let secret = identity.lines().find(|l| l.starts_with("AGE-SECRET-KEY-")).unwrap();
    fs::write(&file, format!("{secret}\n")).unwrap();
    let said = store.netdr(BACKUP).await.failed(2);
    says(&said, &["keys/recipients.txt: line 1", "it is an identity"]);
    assert!(!said.contains(secret));
    fs::write(&file, "# nobody\n").unwrap();
    refused(&store, &["keys/recipients.txt names no recipient", "netdr keys generate --out DIR"]).await;
}

#[tokio::test]
async fn a_signing_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    let store = Store::new().await;
    fs::set_permissions(store.path("keys/signing"), Permissions::from_mode(0o644)).unwrap();
    let chmod = format!("chmod 600 {}", store.path("keys/signing").display());
    refused(&store, &["keys/signing can be read by others (mode 0644)", &chmod]).await;
    store.shell(&chmod).await.ok();
    store.backup().await;
}

#[tokio::test]
async fn keys_that_are_none_or_ask_for_a_passphrase_nobody_can_give_are_named() {
    let store = Store::new().await;
    store.shell("ssh-keygen -q -p -N secret -f keys/signing").await.ok();
    refused(&store, &["keys/signing needs a passphrase, and there is no terminal"]).await;
    fs::write(store.path("keys/signing"), "nonsense").unwrap();
    refused(&store, &["keys/signing is no signing key", "ssh-keygen -t ed25519"]).await;
    fs::remove_file(store.path("keys/signing")).unwrap();
    refused(
        &store,
        &["signing key", "does not exist: `signing_key` of the configuration names it", "keys/signing"],
    )
    .await;
    let store = Store::new().await;
    fs::write(store.path("keys/index.txt"), "AGE-SECRET-KEY-1NONSENSE\n").unwrap();
    refused(&store, &["keys/index.txt: line 1 is no identity", "AGE-SECRET-KEY-1…"]).await;
}

#[tokio::test]
async fn a_mistyped_setting_is_named_with_the_one_that_was_meant() {
    let store = Store::new().await;
    store.configure("recipient_file: keys/recipients.txt");
    refused(
        &store,
        &["netdr.yaml, line 10: unknown key `recipient_file`", "did you mean `recipients_file`?"],
    )
    .await;
}

#[tokio::test]
async fn root_believes_no_configuration_that_others_can_write() {
    let store = Store::new().await;
    store.shell("chmod o+w netdr.yaml").await.ok();
    // Root of a namespace of our own, where we are not root already.
    let said = store.shell("unshare --user --map-root-user netdr snapshots").await.failed(2);
    says(&said, &["configuration netdr.yaml can be changed by others", "has mode 0646", "chmod go-w"]);
}
