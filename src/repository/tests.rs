//! Commit, crash, sweep, prune and listing on real folders.

use std::{fs, io::Write, path::Path, thread};

use super::{fixture::at, *};
use crate::{
    Kind,
    model::{ClusterIdentity, Component, FORMAT, Occasion, Set, SnapshotState},
    signature::TrustedSigners,
};

const NOW: &str = "2026-11-24T01:00:00Z";

fn id(random: u32) -> SnapshotId {
    SnapshotId::new(at(NOW), Set::Network, None, random)
}

fn header(id: &SnapshotId) -> SnapshotHeader {
    let cluster = ClusterIdentity { name: "c1".into(), uid: "u1".into(), kubernetes: "v1.36.3".into() };
    SnapshotHeader {
        format: FORMAT,
        id: id.clone(),
        set: Set::Network,
        node: None,
        cluster,
        captured_at: at(NOW),
        tool: "0.1.0".into(),
        state: SnapshotState::Complete,
        reasons: vec![],
        bundles: vec![],
        index_sha256: String::new(),
        sealed_to: vec![],
        occasion: Occasion::Backup,
        reseals: None,
    }
}

fn staged(repository: &Repository, id: &SnapshotId) -> Staging {
    let staging = repository.stage(id, at(NOW)).unwrap();
    let hello =
        |out: &mut dyn Write| out.write_all(b"hello").map_err(|e| crate::Error::failed("x").because(e));
    staging.bundle(Component::Cni, hello).unwrap();
    staging.index(hello).unwrap();
    staging
}

fn commit(repository: &Repository, id: &SnapshotId) {
    staged(repository, id).commit(&header(id), &|_| Ok("a signature".into())).unwrap();
}

fn listed(repository: &Repository) -> Vec<Listed> {
    repository.list(&TrustedSigners::default(), at(NOW)).unwrap()
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names = disk::names(folder).unwrap();
    names.sort();
    names
}

fn fresh() -> (tempfile::TempDir, Repository) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init(folder.path(), 1).unwrap();
    (folder, repository)
}

#[test]
fn a_commit_is_a_whole_snapshot_and_nothing_else() {
    let (folder, repository) = fresh();
    commit(&repository, &id(1));
    assert_eq!(entries(&folder.path().join("snapshots")), [id(1).as_str()]);
    assert_eq!(
        entries(&folder.path().join("snapshots").join(id(1).as_str())),
        ["cni.tar.zst.age", "index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"]
    );
    assert_eq!(entries(&folder.path().join("locks")), Vec::<String>::new());
    assert_eq!(listed(&repository)[0].header, Ok(header(&id(1))));
}

#[test]
fn what_is_dropped_or_fails_leaves_nothing() {
    let (folder, repository) = fresh();
    drop(staged(&repository, &id(1)));
    let refused =
        staged(&repository, &id(1)).commit(&header(&id(1)), &|_| Err(crate::Error::failed("no key")));
    assert_eq!(refused.unwrap_err().to_string(), "no key");
    assert!(staged(&repository, &id(1)).commit(&header(&id(2)), &|_| Ok(String::new())).is_err());
    for place in ["snapshots", "locks"] {
        assert_eq!(entries(&folder.path().join(place)), Vec::<String>::new());
    }
}

#[test]
fn a_snapshot_is_never_overwritten() {
    let (_folder, repository) = fresh();
    commit(&repository, &id(1));
    assert!(staged(&repository, &id(1)).commit(&header(&id(1)), &|_| Ok("other".into())).is_err());
    let path = layout::snapshot(repository.root(), &id(1)).join(layout::SIGNATURE);
    assert_eq!(fs::read_to_string(path).unwrap(), "a signature");
}

/// As kill -9 leaves it: the folder half full and a lock of a process that is no more.
#[test]
fn what_a_killed_backup_left_is_hidden_and_swept_by_the_next_and_the_living_are_not() {
    let (folder, repository) = fresh();
    std::mem::forget(staged(&repository, &id(1)));
    let locks = folder.path().join("locks");
    let lock = locks.join(&entries(&locks)[0]);
    let alive = staged(&repository, &id(2));
    assert!(layout::staging(folder.path(), &id(1)).exists(), "its process (this one) is alive");
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, text.replace(&format!(":{},", std::process::id()), &format!(":{},", child.id())))
        .unwrap();
    assert!(listed(&Repository::open(folder.path()).unwrap()).is_empty());
    commit(&repository, &id(3));
    alive.commit(&header(&id(2)), &|_| Ok(String::new())).unwrap();
    assert_eq!(entries(&folder.path().join("snapshots")), [id(2).as_str(), id(3).as_str()]);
    assert_eq!(entries(&locks), Vec::<String>::new());
}

#[test]
fn prune_deletes_what_is_named_and_finishes_what_a_killed_prune_began() {
    let (folder, repository) = fresh();
    (1..=3).for_each(|n| commit(&repository, &id(n)));
    assert_eq!(repository.prune(&[id(1), id(9)], at(NOW)).unwrap(), [id(1)]);
    fs::rename(layout::snapshot(folder.path(), &id(2)), layout::gone(folder.path(), &id(2))).unwrap();
    assert_eq!(listed(&repository).len(), 1);
    commit(&repository, &id(4));
    assert_eq!(entries(&folder.path().join("snapshots")), [id(3).as_str(), id(4).as_str()]);
}

#[test]
fn four_backups_and_a_prune_at_once_all_succeed() {
    let (folder, repository) = fresh();
    commit(&repository, &id(1));
    thread::scope(|scope| {
        scope.spawn(|| repository.prune(&[id(1)], at(NOW)).unwrap());
        (2..6).for_each(|n| {
            let repository = &repository;
            scope.spawn(move || commit(repository, &id(n)));
        });
    });
    let ids: Vec<SnapshotId> = listed(&repository).into_iter().map(|l| l.id).collect();
    assert_eq!(ids, (2..6).map(id).collect::<Vec<_>>());
    assert_eq!(entries(&folder.path().join("locks")), Vec::<String>::new());
}

#[test]
fn every_broken_header_is_listed_with_what_is_wrong() {
    let (folder, repository) = fresh();
    let problem = |text: Option<&str>| {
        let snapshot = layout::snapshot(folder.path(), &id(1));
        let _ = fs::remove_dir_all(&snapshot);
        fs::create_dir(&snapshot).unwrap();
        if let Some(text) = text {
            fs::write(snapshot.join(layout::HEADER), text).unwrap();
        }
        let one = listed(&repository).remove(0);
        assert_eq!(one.trust, crate::signature::Trust::Untrusted(one.header.clone().unwrap_err()));
        let damage = repository.verify(&one, None).unwrap();
        assert_eq!((damage.len(), damage[0].place.as_str()), (1, "snapshot.json"));
        one.header.unwrap_err()
    };
    assert_eq!(problem(None), "snapshot.json is missing");
    assert!(problem(Some("{")).starts_with("snapshot.json cannot be parsed"));
    assert_eq!(
        problem(Some(r#"{"format":2}"#)),
        "it is of snapshot format 2, newer than this netdr reads (1): update netdr to the version that wrote it"
    );
    assert_eq!(problem(Some(&" ".repeat(2 << 20))), "snapshot.json is over a mebibyte large");
}

#[test]
fn an_unknown_id_is_told_its_nearest() {
    let (_folder, repository) = fresh();
    commit(&repository, &id(0x7f3a9c));
    let asked = "20261124T010000Z-network-7f3a9d".parse().unwrap();
    let error = repository.get(&asked, &TrustedSigners::default(), at(NOW)).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert!(error.hints()[0].ends_with(id(0x7f3a9c).as_str()), "{error:?}");
}
