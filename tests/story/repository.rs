//! A repository that cannot be used says why and what to do, and is left as it was.

use std::fs;

use crate::support::{Outcome, Store, content, says};

const BACKUP: &str = "netdr backup --set host --host-root host";

/// Runs `mounts` as root of a user namespace, then `script` as who we are, on top of these mounts: so it works for
/// root and for anybody, and no mount is left behind.
pub(super) async fn with_mounts(store: &Store, mounts: &str, script: &str) -> Outcome {
    const NAMESPACE: &str = "unshare --user --map-root-user --mount";
    let possible = store.shell(&format!("{NAMESPACE} true")).await;
    assert_eq!(
        possible.code,
        Some(0),
        "no mount can be made here, because this kernel or sandbox forbids user namespaces (sysctl \
         kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns): {}",
        possible.stderr
    );
    fs::write(store.path("script"), format!("set -eu\n{script}\n")).unwrap();
    let ourselves = "unshare --user --map-user=$U --map-group=$G bash script";
    let inside = format!("{mounts}; cd \"$PWD\"; exec {ourselves}");
    store.shell(&format!("U=$(id -u) G=$(id -g) {NAMESPACE} bash -euc '{inside}'")).await
}

#[tokio::test]
async fn a_file_is_no_repository() {
    let store = Store::new().await;
    fs::write(store.path("file"), "x").unwrap();
    for path in ["file", "file/below"] {
        for verb in ["backup --set host --host-root host", "snapshots", "verify", "prune", "init"] {
            let said = store.netdr(&format!("{verb} --repo {path}")).await.failed(2);
            says(&said, &["file is a file, not a folder", "--repo PATH"]);
        }
    }
    assert_eq!(fs::read(store.path("file")).unwrap(), b"x");
}

#[tokio::test]
async fn a_read_only_repository_says_how_to_make_it_writable_and_can_be_read() {
    let store = Store::new().await;
    let id = store.backup().await;
    let before = content(&store.path("repo"));
    let mounts = "mount --bind repo repo; mount -o remount,bind,ro repo";
    let said = with_mounts(&store, mounts, BACKUP).await.failed(1);
    let repository = store.path("repo").display().to_string();
    says(&said, &["repo/locks", "Read-only file system", "mount -o remount,rw", &repository]);
    let script = "netdr snapshots; netdr verify --identity keys/operator.txt";
    says(&with_mounts(&store, mounts, script).await.ok(), &[&id, "nothing damaged (every item opened)"]);
    assert_eq!(content(&store.path("repo")), before);
}

#[tokio::test]
async fn a_full_repository_keeps_nothing_half_written_and_can_be_pruned() {
    let store = Store::new().await;
    store.backup().await;
    store.backup().await;
    fs::create_dir(store.path("full")).unwrap();
    let mounts = "P=$(getconf PAGESIZE); mount -t tmpfs -o size=$((40 * P)) tmpfs full; cp -a repo/. full";
    // Lock, bundle, index, signature and header need a page each: whichever is the one that does not fit.
    let script = format!(
        "for free in 0 1 2 3 4; do
           head -c 1M /dev/zero > full/fill 2>/dev/null || true
           truncate -s -$((free * $(getconf PAGESIZE))) full/fill
           code=0; {BACKUP} --repo full 2> error || code=$?
           [ $code = 1 ] || {{ echo \"exit $code with $free pages free\"; cat error; exit 9; }}
           grep -q '^error: cannot write full/.*No space left on device' error || {{ cat error; exit 9; }}
           grep -q 'hint: free space .*netdr prune' error || {{ cat error; exit 9; }}
           [ -z \"$(ls -A full/locks)\" ] && [ \"$(ls -A full/snapshots | wc -l)\" = 2 ] || {{ ls -AR full; exit 9; }}
           rm full/fill
         done
         head -c 1M /dev/zero > full/fill 2>/dev/null || true
         netdr prune --repo full
         rm full/fill
         {BACKUP} --repo full
         netdr verify --repo full --identity keys/operator.txt"
    );
    let said = with_mounts(&store, mounts, &script).await.ok();
    says(&said, &["1 snapshot deleted, 1 kept", "2 snapshots checked, nothing damaged"]);
}

#[tokio::test]
async fn init_where_nothing_can_be_written_says_so_and_can_be_done_again() {
    let store = Store::new().await;
    fs::create_dir(store.path("disk")).unwrap();
    let mounts = "mount -t tmpfs -o ro tmpfs disk";
    let said = with_mounts(&store, mounts, "netdr init --repo disk/repo").await.failed(1);
    says(&said, &["disk/repo", "Read-only file system", "mount -o remount,rw"]);
    let mounts = "mount -t tmpfs -o size=64k tmpfs disk";
    let script = format!(
        "mkdir disk/repo
         head -c 1M /dev/zero > disk/fill 2>/dev/null || true
         code=0; netdr init --repo disk/repo 2>&1 || code=$?
         [ $code = 1 ]
         rm disk/fill
         netdr init --repo disk/repo
         {BACKUP} --repo disk/repo"
    );
    says(&with_mounts(&store, mounts, &script).await.ok(), &["No space left on device", "free space"]);
}

#[tokio::test]
async fn a_half_made_repository_is_finished_by_the_command_that_is_named() {
    let store = Store::new().await;
    fs::create_dir_all(store.path("half/snapshots")).unwrap();
    for verb in ["backup --set host --host-root host", "snapshots", "verify", "prune"] {
        let said = store.netdr(&format!("{verb} --repo half")).await.failed(1);
        says(&said, &["half is half-initialised", "netdr init --repo half"]);
    }
    assert_eq!(content(&store.path("half")).len(), 1, "it was not finished by the way");
    store.netdr("init --repo half").await.ok();
    store.netdr("backup --set host --host-root host --repo half").await.ok();
}

#[tokio::test]
async fn a_newer_repository_names_its_format() {
    let store = Store::new().await;
    let file = store.path("repo/netdr-repository.json");
    fs::write(&file, r#"{"format": 2, "id": "0123456789abcdef"}"#).unwrap();
    let before = content(&store.path("repo"));
    for verb in ["backup --set host --host-root host", "snapshots", "verify", "prune"] {
        says(&store.netdr(verb).await.failed(1), &["format 2, newer than", "update netdr"]);
    }
    assert_eq!(content(&store.path("repo")), before);
    fs::write(&file, "{").unwrap();
    says(&store.netdr("snapshots").await.failed(5), &["netdr-repository.json cannot be parsed", "put"]);
}

#[tokio::test]
async fn a_missing_mount_fails_the_backup_and_is_not_filled() {
    let store = Store::new().await;
    fs::create_dir(store.path("mount")).unwrap();
    for verb in ["backup --set host --host-root host", "snapshots", "prune"] {
        let said = store.netdr(&format!("{verb} --repo mount")).await.failed(1);
        says(&said, &["mount is not a repository", "findmnt --target mount"]);
    }
    assert_eq!(content(&store.path("mount")), []);
}
