//! Sealing anew and proving identities, on a real repository with real keys.

use std::time::Instant;

use chrono::TimeDelta;

use super::*;
use crate::{
    Kind,
    model::{
        BundleEntry, Class, ClusterIdentity, Component, Content, Extent, FORMAT, FileContent, Index,
        IndexEntry, Item, ItemKey, Occasion, Set, SnapshotHeader, SnapshotId, SnapshotState,
    },
    repository::{Listed, Repository, Retention, choose, retention},
    seal,
};

/// A repository whose snapshots are sealed to `old`, and others to seal to.
struct Bench {
    _folder: tempfile::TempDir,
    repository: Repository,
    old: Keys,
    new: Keys,
    trusted: TrustedSigners,
}

fn identities(file: &Path) -> Identities {
    Identities::read(&[file.into()], &|_| unreachable!()).unwrap()
}

fn recipients(keys: &Keys) -> Recipients {
    Recipients::parse(keys.recipient_lines.iter().map(String::as_str), "test").unwrap()
}

fn item(path: &str) -> Item {
    let content = FileContent { mode: 0o640, uid: 7, gid: 8, bytes: path.as_bytes().into() };
    Item {
        key: ItemKey::File { node: "n1".into(), path: path.into() },
        component: Component::Host,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::File(content),
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let old = generate(&folder.path().join("old"), now()).unwrap();
        Self {
            repository: Repository::init(&folder.path().join("repository"), 1).unwrap(),
            new: generate(&folder.path().join("new"), now()).unwrap(),
            trusted: TrustedSigners::read(&old.trusted_signers).unwrap(),
            old,
            _folder: folder,
        }
    }

    fn signing_key(&self) -> SigningKey {
        SigningKey::read(&self.old.signing, &|_| unreachable!()).unwrap()
    }

    /// A snapshot of this night, as a backup makes it.
    fn backup(&self, night: i64, state: SnapshotState) -> SnapshotId {
        let captured_at = now() + TimeDelta::days(night);
        let id = SnapshotId::new(captured_at, Set::Host, Some("n1"), 0xff_ffff);
        let items = ["/etc/a", "/etc/b"].map(item);
        let index = Index { entries: items.iter().map(IndexEntry::of).collect(), ..Index::default() };
        let to = recipients(&self.old);
        let staging = self.repository.stage(&id, now()).unwrap();
        let bundle = staging.bundle(Component::Host, |out| seal::seal_bundle(&items, captured_at, &to, out));
        let seal::Sealed { sha256, bytes, items } = bundle.unwrap();
        let and_job = to.and(&identities(&self.old.index).recipients().unwrap());
        let sealed = staging.index(|out| seal::seal_index(&index, &and_job, out)).unwrap();
        let header = SnapshotHeader {
            format: FORMAT,
            id: id.clone(),
            set: Set::Host,
            node: Some("n1".into()),
            cluster: ClusterIdentity { name: "c1".into(), uid: "u1".into(), kubernetes: String::new() },
            captured_at,
            tool: "0.0.1".into(),
            state,
            reasons: vec![],
            bundles: vec![BundleEntry { component: Component::Host, sha256, bytes, items }],
            index_sha256: sealed.sha256,
            sealed_to: to.fingerprints(),
            occasion: Occasion::Backup,
            reseals: None,
        };
        let key = self.signing_key();
        staging.commit(&header, &|bytes| key.sign(signature::SNAPSHOT, bytes)).unwrap();
        id
    }

    /// Hands a rotation to the new recipients over.
    fn rotating<T>(&self, identity: &Path, act: impl FnOnce(&Rotation<'_>) -> T) -> T {
        act(&Rotation {
            repository: &self.repository,
            identities: &identities(identity),
            recipients: &recipients(&self.new),
            index_key: &identities(&self.old.index),
            signing_key: &self.signing_key(),
            trusted: &self.trusted,
            now: (now(), Instant::now()),
        })
    }

    fn list(&self) -> Vec<Listed> {
        self.repository.list(&self.trusted, now()).unwrap()
    }

    fn header(&self, id: &SnapshotId) -> SnapshotHeader {
        self.repository.get(id, &self.trusted, now()).unwrap().header.unwrap()
    }

    /// Damages a snapshot's bundle; its sealed beginning stays.
    fn damage(&self, id: &SnapshotId) {
        let bundle = self.repository.root().join("snapshots").join(id.as_str()).join("host.tar.zst.age");
        let bytes = fs::read(&bundle).unwrap();
        fs::write(bundle, &bytes[..bytes.len() - 1]).unwrap();
    }

    fn openers(&self, files: &[&PathBuf]) -> Vec<Opener> {
        let opener = |file: &&PathBuf| Opener {
            name: file.file_name().unwrap().to_string_lossy().into(),
            identities: identities(file),
        };
        files.iter().map(opener).collect()
    }

    /// Proves the newest snapshot.
    fn check(&self, files: &[&PathBuf]) -> Proof {
        check(&self.repository, &newest(&self.list())[0], &self.openers(files)).unwrap()
    }
}

fn ids(listed: &[Listed]) -> Vec<&SnapshotId> {
    listed.iter().map(|l| &l.id).collect()
}

#[test]
fn a_rotated_snapshot_is_the_same_capture_and_opens_with_the_new_identities_alone() {
    let bench = Bench::new();
    let old = bench.backup(0, SnapshotState::Partial);
    let before = bench.header(&old);
    let new = bench.rotating(&bench.old.break_glass, |rotation| {
        let work = rotation.work(&bench.list()).unwrap();
        assert_eq!((work.reseal.len(), work.left.len(), work.done.len()), (1, 0, 0));
        rotation.reseal(&work.reseal[0], 7).unwrap()
    });
    assert_eq!(ids(&bench.list()), [&new]);
    let after = bench.header(&new);
    assert_eq!(after.reseals.as_ref(), Some(&old));
    assert_eq!(
        (after.captured_at, after.state, after.node.as_deref()),
        (before.captured_at, before.state, Some("n1"))
    );
    assert_eq!(after.sealed_to, recipients(&bench.new).fingerprints());

    let index = bench.repository.index(&after, &identities(&bench.old.index)).unwrap();
    let opened = |with: &Path| {
        let mut items = Vec::new();
        let mut each = |item| {
            items.push(item);
            Ok(())
        };
        bench
            .repository
            .items(&after, &index, Component::Host, &identities(with), &|_| true, &mut each)
            .map(|()| items)
    };
    assert!(opened(&bench.new.operator).unwrap() == ["/etc/a", "/etc/b"].map(item));
    assert!(opened(&bench.new.break_glass).is_ok());
    assert_eq!(opened(&bench.old.operator).unwrap_err().kind(), Kind::Failed);
    bench.rotating(&bench.new.operator, |rotation| {
        let work = rotation.work(&bench.list()).unwrap();
        assert_eq!((work.done, work.reseal.len()), (vec![new], 0), "a second time there is nothing to do");
    });
}

/// As kill -9 leaves it, between the commit of the new one and the removal of the old one.
#[test]
fn a_rotation_that_died_leaves_one_that_counts_and_the_next_goes_on() {
    let bench = Bench::new();
    let old = bench.backup(0, SnapshotState::Complete);
    // Whichever id is greater: the old one's ends in ffffff.
    let new = bench.rotating(&bench.old.operator, |r| r.seal(&bench.header(&old), 1).unwrap());
    let listed = bench.list();
    assert_eq!(ids(&listed), [&new, &old]);
    let later = now() + TimeDelta::hours(1);
    let choice = choose(&listed, "c1", Set::Host, Some("n1"), &[].into(), later).unwrap();
    assert_eq!((&choice.header.id, choice.passed_over.len()), (&new, 0));
    let plan = retention::plan(&listed, Retention::default(), later);
    assert_eq!((plan.keep.len(), &plan.delete), (1, &vec![old.clone()]));
    assert_eq!(newest(&listed)[0].header.id, new);

    bench.rotating(&bench.old.operator, |rotation| {
        let work = rotation.work(&listed).unwrap();
        assert_eq!((&work.finish, work.reseal.len()), (&vec![(old.clone(), new.clone())], 0));
        rotation.finish(&old, &new).unwrap();
    });
    assert_eq!(ids(&bench.list()), [&new]);
}

#[test]
fn an_old_snapshot_stays_where_the_new_one_is_not_what_was_written() {
    let bench = Bench::new();
    let old = bench.backup(0, SnapshotState::Complete);
    let new = bench.rotating(&bench.old.operator, |r| r.seal(&bench.header(&old), 1).unwrap());
    bench.damage(&new);
    let error = bench.rotating(&bench.old.operator, |r| r.finish(&old, &new)).unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged, "{error:?}");
    assert!(error.to_string().contains(new.as_str()), "{error:?}");
    assert_eq!(ids(&bench.list()), [&old], "the damaged one is gone, and is made again by the next rotation");
}

#[test]
fn of_two_that_are_damaged_both_stay() {
    let bench = Bench::new();
    let old = bench.backup(0, SnapshotState::Complete);
    let new = bench.rotating(&bench.old.operator, |r| r.seal(&bench.header(&old), 1).unwrap());
    [&old, &new].into_iter().for_each(|id| bench.damage(id));
    bench.rotating(&bench.old.operator, |r| r.finish(&old, &new)).unwrap_err();
    assert_eq!(ids(&bench.list()), [&new, &old]);
}

#[test]
fn pruning_deletes_what_was_sealed_anew_only_when_the_new_one_is_whole() {
    let bench = Bench::new();
    let old = bench.backup(0, SnapshotState::Complete);
    let new = bench.rotating(&bench.old.operator, |r| r.seal(&bench.header(&old), 1).unwrap());
    let plan = || {
        let listed = bench.list();
        let plan = retention::plan(&listed, Retention::default(), now() + TimeDelta::hours(1));
        bench.repository.proved(plan, &listed)
    };
    assert_eq!(plan().0.delete.iter().collect::<Vec<_>>(), [&old]);
    bench.damage(&new);
    let (left, stay) = plan();
    assert_eq!((left.delete, stay), (vec![], vec![(old.clone(), new)]));

    // What an unfinished run needs is kept already, and counts once.
    let listed = bench.list();
    let mut kept = retention::plan(&listed, Retention::default(), now() + TimeDelta::hours(1));
    kept.delete.retain(|id| *id != old);
    kept.keep.push((old, vec!["run RUN needs it".into()]));
    assert_eq!(bench.repository.proved(kept, &listed).1, vec![]);
}

#[test]
fn what_is_damaged_untrusted_or_does_not_open_is_named_and_stays() {
    let bench = Bench::new();
    let [damaged, unsigned] = [0, 1].map(|night| bench.backup(night, SnapshotState::Complete));
    bench.damage(&damaged);
    fs::remove_file(
        bench.repository.root().join("snapshots").join(unsigned.as_str()).join("snapshot.json.sig"),
    )
    .unwrap();
    bench.rotating(&bench.old.operator, |rotation| {
        let work = rotation.work(&bench.list()).unwrap();
        assert_eq!(work.left.iter().map(|left| &left.id).collect::<Vec<_>>(), [&unsigned]);
        let error = rotation.reseal(&work.reseal[0], 1).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "{error:?}");
    });
    bench.rotating(&bench.new.operator, |rotation| {
        let work = rotation.work(&bench.list()).unwrap();
        assert_eq!((work.left.len(), work.reseal.len()), (2, 0));
        assert!(work.left[0].why.to_string().contains("does not open"), "{:?}", work.left);
    });
    assert_eq!(ids(&bench.list()), [&damaged, &unsigned]);
}

#[test]
fn a_signing_key_that_nobody_trusts_seals_nothing_anew() {
    let mut bench = Bench::new();
    bench.backup(0, SnapshotState::Complete);
    bench.trusted = TrustedSigners::read(&bench.new.trusted_signers).unwrap();
    let error = bench.rotating(&bench.old.operator, |r| r.work(&bench.list()).map(drop)).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage, "{error:?}");
}

#[test]
fn a_proof_says_who_opens_and_whose_identity_nobody_brought() {
    let bench = Bench::new();
    bench.backup(0, SnapshotState::Complete);
    let partial = bench.backup(1, SnapshotState::Partial);
    let listed = bench.list();
    let newest = newest(&listed);
    assert_eq!((newest.len(), newest[0].passed_over.clone()), (1, vec![&partial]));
    let forged = bench.backup(2, SnapshotState::Complete);
    fs::remove_file(
        bench.repository.root().join("snapshots").join(forged.as_str()).join("snapshot.json.sig"),
    )
    .unwrap();
    let listed = bench.list();
    let untrusted = &super::newest(&listed)[0].untrusted;
    assert_eq!(untrusted[0].0, &forged, "what a restore would pass over, and nobody proved");
    fs::remove_dir_all(bench.repository.root().join("snapshots").join(forged.as_str())).unwrap();
    let of = |line: usize| vec![seal::fingerprint(&bench.old.recipient_lines[line])];

    let proof = bench.check(&[&bench.old.operator]);
    assert!(proof.is_whole());
    assert_eq!((proof.opened_by, proof.proved, proof.unproved), (vec!["operator.txt".into()], of(0), of(1)));
    let proof = bench.check(&[&bench.old.index, &bench.old.operator, &bench.old.break_glass]);
    assert!(proof.is_whole() && proof.unproved.is_empty());
    assert_eq!(proof.not_opened_by, ["index.txt"], "it opens the index, and no content");
    let proof = bench.check(&[&bench.new.operator]);
    assert!(!proof.is_whole() && proof.opened_by.is_empty() && proof.damages.is_empty());
}

#[test]
fn a_proof_of_a_damaged_snapshot_is_none() {
    let bench = Bench::new();
    let id = bench.backup(0, SnapshotState::Complete);
    bench.damage(&id);
    let proof = bench.check(&[&bench.old.operator]);
    assert!(!proof.is_whole());
    assert_eq!(proof.damages[0].place, "host.tar.zst.age");
}

#[test]
fn a_key_proves_itself_and_not_its_neighbour_in_the_file() {
    let bench = Bench::new();
    bench.backup(0, SnapshotState::Complete);
    let of = |keys: &Keys| seal::fingerprint(&keys.recipient_lines[0]);
    let mut listed = bench.list();
    // It says that it is sealed to the new operator, too, and is not.
    listed[0].header.as_mut().unwrap().sealed_to = vec![of(&bench.old), of(&bench.new)];
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.txt");
    let keys = [&bench.old.operator, &bench.new.operator].map(|file| fs::read_to_string(file).unwrap());
    fs::write(&both, keys.concat()).unwrap();
    let proof = check(&bench.repository, &newest(&listed)[0], &bench.openers(&[&both])).unwrap();
    assert_eq!((proof.proved, proof.unproved), (vec![of(&bench.old)], vec![of(&bench.new)]));
}
