//! From what was read to a snapshot and back, with real keys, and every way in which a stored snapshot goes bad.

use std::{fs, path::PathBuf};

use super::*;
use crate::{
    Kind, keys,
    model::{Class, Content, Extent, ItemKey, Json},
    repository::{Damage, Listed},
    signature::Trust,
};

/// A repository, its keys, and time.
struct Bench {
    _folder: tempfile::TempDir,
    repository: Repository,
    recipients: Recipients,
    operator: Identities,
    index_key: Identities,
    index_key_is_lost: bool,
    signing_key: SigningKey,
    trusted: TrustedSigners,
    now: DateTime<Utc>,
    accept_shrunk: bool,
    occasion: Occasion,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = "2026-11-24T01:00:00Z".parse().unwrap();
        let keys = keys::generate(&folder.path().join("keys"), now).unwrap();
        let identities = |path: PathBuf| Identities::read(&[path], &|_| unreachable!()).unwrap();
        let lines = keys.recipient_lines.iter().map(String::as_str);
        Self {
            repository: Repository::init(&folder.path().join("repository"), 1).unwrap(),
            recipients: Recipients::parse(lines, "test").unwrap(),
            operator: identities(keys.operator),
            index_key: identities(keys.index),
            index_key_is_lost: false,
            signing_key: SigningKey::read(&keys.signing, &|_| unreachable!()).unwrap(),
            trusted: TrustedSigners::read(&keys.trusted_signers).unwrap(),
            now,
            accept_shrunk: false,
            occasion: Occasion::Backup,
            _folder: folder,
        }
    }

    /// One night later, a backup of as many policies; no other component has anything.
    fn backup(&mut self, policies: usize) -> Summary {
        self.now += chrono::TimeDelta::days(1);
        let items: Vec<Item> = (0..policies).map(policy).collect();
        let index = Index { entries: items.iter().map(IndexEntry::of).collect(), ..Index::default() };
        let mut read = Read {
            set: Set::Network,
            node: None,
            bundles: BTreeMap::from([(Component::Cni, vec![]), (Component::Policies, items)]),
            index,
            absent: BTreeMap::new(),
            failures: vec![],
            warnings: vec![],
        };
        let job = self.job();
        let verdict = Verdict::of(&job, &read).unwrap();
        let sealed = Sealing::of(&job, &mut read, Instant::now()).unwrap().run().unwrap();
        finish(&job, read, verdict, sealed, Instant::now()).unwrap()
    }

    fn job(&self) -> Job<'_> {
        Job {
            repository: &self.repository,
            recipients: &self.recipients,
            index_key: (!self.index_key_is_lost).then_some(&self.index_key),
            signing_key: &self.signing_key,
            trusted: &self.trusted,
            cluster: ClusterIdentity { name: "c1".into(), uid: "u1".into(), kubernetes: "v1.36.3".into() },
            now: self.now,
            random: 0x7f_3a9c,
            accept_shrunk: self.accept_shrunk,
            history: false,
            occasion: self.occasion,
        }
    }

    fn get(&self, id: &SnapshotId) -> Listed {
        self.repository.get(id, &self.trusted, self.now).unwrap()
    }

    fn folder(&self, id: &SnapshotId) -> PathBuf {
        self.repository.root().join("snapshots").join(id.as_str())
    }

    /// How reading the policies ends.
    fn read(&self, id: &SnapshotId, identities: &Identities) -> Result<Vec<Item>> {
        let header = self.get(id).header.unwrap();
        let index = self.repository.index(&header, &self.index_key)?;
        let mut items = Vec::new();
        let mut each = |item| {
            items.push(item);
            Ok(())
        };
        self.repository.items(&header, &index, Component::Policies, identities, &|_| true, &mut each)?;
        Ok(items)
    }

    fn verify(&self, id: &SnapshotId) -> Vec<Damage> {
        self.repository.verify(&self.get(id), Some(&self.operator)).unwrap()
    }
}

fn policy(n: usize) -> Item {
    let name = format!("p{n}");
    let object = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "demo"}, "spec": {"podSelector": {}},
    });
    Item {
        key: ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), &name),
        component: Component::Policies,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Resource(Json::new(&object)),
    }
}

#[test]
fn what_was_sealed_comes_back_and_the_jobs_own_key_opens_the_index_only() {
    let mut bench = Bench::new();
    let summary = bench.backup(12);
    assert_eq!((summary.state, summary.items), (SnapshotState::Complete, 12));
    assert_eq!(summary.warnings, Vec::<String>::new());
    let listed = bench.get(&summary.id);
    assert!(listed.trust.is_trusted(), "{:?}", listed.trust);
    let header = listed.header.clone().unwrap();
    let components: Vec<Component> = header.bundles.iter().map(|b| b.component).collect();
    assert_eq!(
        components,
        [Component::Cni, Component::Policies],
        "a component with nothing has a bundle too"
    );
    let items = bench.read(&summary.id, &bench.operator).unwrap();
    assert_eq!(items.len(), 12);
    assert!(items.contains(&policy(7)));
    assert!(bench.read(&summary.id, &bench.index_key).is_err());
    assert_eq!(bench.verify(&summary.id), []);
    let text = fs::read_to_string(bench.folder(&summary.id).join("snapshot.json")).unwrap();
    assert!(!text.contains("demo") && !text.contains("p7"), "no object's name is in clear: {text}");
}

#[test]
fn a_night_after_mass_deletion_is_shrunk_and_is_not_latest() {
    let mut bench = Bench::new();
    let good = bench.backup(40);
    let shrunk = bench.backup(3);
    assert_eq!(shrunk.state, SnapshotState::Shrunk);
    assert_eq!(shrunk.reasons, ["policies: networkpolicies.networking.k8s.io had 40 items and has 3"]);
    let all = bench.repository.list(&bench.trusted, bench.now).unwrap();
    let later = bench.now + chrono::TimeDelta::hours(1);
    let choice =
        crate::repository::choose(&all, "c1", Set::Network, None, &[Component::Policies].into(), later)
            .unwrap();
    assert_eq!(choice.header.id, good.id);
    assert_eq!(choice.passed_over[0].0, shrunk.id);
    assert_eq!(bench.backup(3).state, SnapshotState::Shrunk, "the next night does not call the loss normal");
    bench.accept_shrunk = true;
    let meant = bench.backup(3);
    assert_eq!((meant.state, meant.reasons), (SnapshotState::Complete, vec![]));
    assert!(meant.warnings[0].starts_with("accepted as meant: policies"), "{:?}", meant.warnings);
    bench.accept_shrunk = false;
    assert_eq!(bench.backup(3).state, SnapshotState::Complete, "it is the new measure");
}

/// A cluster is emptied one policy at a time, and each change is watched: no step loses a fifth of what the one before had.
#[test]
fn a_loss_in_small_steps_is_one_too() {
    let mut bench = Bench::new();
    bench.backup(20);
    bench.occasion = Occasion::Change;
    let states: Vec<SnapshotState> = [19, 18, 17, 16, 15].map(|n| bench.backup(n).state).into();
    assert_eq!(states[..4], [SnapshotState::Complete; 4]);
    assert_eq!(states[4], SnapshotState::Shrunk);
}

#[test]
fn what_changed_is_seen_beside_the_newest_of_whatever_occasion_and_never_beside_the_future() {
    let mut bench = Bench::new();
    bench.backup(5);
    bench.occasion = Occasion::Change;
    bench.backup(6);
    let held = |bench: &Bench| {
        let all = bench.repository.list(&bench.trusted, bench.now).unwrap();
        let index = changed::newest(&bench.job(), Set::Network, &[Component::Policies].into(), &all);
        index.map(|(_, index)| index.entries.len())
    };
    assert_eq!(held(&bench), Some(6));
    // A clock that went forward for a while left one that nobody restores from before its time has come.
    bench.now -= chrono::TimeDelta::hours(12);
    assert_eq!(held(&bench), Some(5));
    bench.now -= chrono::TimeDelta::days(30);
    assert_eq!(held(&bench), None);
}

#[test]
fn without_the_index_key_it_is_sealed_to_the_recipients_alone_and_compared_with_nothing() {
    let mut bench = Bench::new();
    bench.backup(40);
    bench.index_key_is_lost = true;
    let blind = bench.backup(3);
    assert_eq!((blind.state, blind.warnings), (SnapshotState::Complete, vec![]), "the caller says so");
    let header = bench.get(&blind.id).header.unwrap();
    assert!(bench.repository.index(&header, &bench.index_key).is_err());
    assert_eq!(bench.repository.index(&header, &bench.operator).unwrap().entries.len(), 3);
}

#[test]
fn one_recipient_is_too_few_and_is_said() {
    let mut bench = Bench::new();
    let first = bench.recipients.lines()[0].clone();
    bench.recipients = Recipients::parse([first.as_str()], "test").unwrap();
    assert!(bench.backup(1).warnings[0].contains("fewer than two recipients"));
}

/// Harms the first folder; the second is another snapshot's.
type Harm = dyn Fn(PathBuf, PathBuf);

/// Harms a good snapshot that has another beside it, and says how reading and verifying end.
fn harmed(harm: &Harm) -> (Result<Vec<Item>>, Vec<Damage>) {
    let mut bench = Bench::new();
    let (other, id) = (bench.backup(11).id, bench.backup(12).id);
    harm(bench.folder(&id), bench.folder(&other));
    (bench.read(&id, &bench.operator), bench.verify(&id))
}

#[test]
fn a_harmed_bundle_is_damage_that_names_snapshot_file_and_way_out() {
    const BUNDLE: &str = "policies.tar.zst.age";
    let harms: [(&str, &Harm); 4] = [
        ("bytes, not", &|mine, _| {
            let bytes = fs::read(mine.join(BUNDLE)).unwrap();
            fs::write(mine.join(BUNDLE), &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("sha256", &|mine, _| {
            let mut bytes = fs::read(mine.join(BUNDLE)).unwrap();
            bytes[300] ^= 1;
            fs::write(mine.join(BUNDLE), bytes).unwrap();
        }),
        ("not", &|mine, other| {
            fs::copy(other.join(BUNDLE), mine.join(BUNDLE)).unwrap();
        }),
        ("is missing", &|mine, _| fs::remove_file(mine.join(BUNDLE)).unwrap()),
    ];
    for (what, harm) in harms {
        let (read, damage) = harmed(harm);
        let error = read.unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "{error:?}");
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(BUNDLE) && text.contains("20261126T010000Z"), "{text}");
        assert!(error.hints()[0].contains("netdr verify 20261126T010000Z"), "{error:?}");
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert_eq!(damage[0].place, BUNDLE);
    }
}

/// Where nothing is to be brought back no bundle is opened, and a rehearsal is to find this all the same.
#[test]
fn a_proof_covers_the_last_byte_of_a_bundle_and_no_other_bundle() {
    let mut bench = Bench::new();
    let id = bench.backup(3).id;
    let bundle = bench.folder(&id).join("policies.tar.zst.age");
    let mut bytes = fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let header = bench.get(&id).header.unwrap();
    let prove = |component| bench.repository.prove(&header, component, &bench.operator);
    assert_eq!(prove(Component::Policies).unwrap_err().kind(), Kind::Damaged);
    prove(Component::Cni).unwrap();
    assert_eq!(bench.get(&id).damage, [], "its size is as it was");
}

/// A header that says no size of the index must not make an empty one good.
#[test]
fn an_index_that_is_empty_or_gone_is_damage_before_anybody_reads_it() {
    let mut bench = Bench::new();
    let id = bench.backup(3).id;
    let index = bench.folder(&id).join("index.jsonl.zst.age");
    let wrong = || bench.get(&id).damage.into_iter().map(|(_, what)| what).collect::<Vec<_>>();
    assert!(wrong().is_empty());
    fs::write(&index, "").unwrap();
    assert_eq!(wrong(), ["index.jsonl.zst.age has 0 bytes, fewer than any sealed file"]);
    fs::remove_file(&index).unwrap();
    assert_eq!(wrong(), ["index.jsonl.zst.age is missing"]);
}

#[test]
fn what_cannot_be_looked_at_is_no_damage_and_nobody_relies_on_it() {
    let mut bench = Bench::new();
    let id = bench.backup(3).id;
    let bundle = bench.folder(&id).join("policies.tar.zst.age");
    fs::remove_file(&bundle).unwrap();
    std::os::unix::fs::symlink(&bundle, &bundle).unwrap(); // a loop: no stat ends there
    let listed = bench.get(&id);
    assert_eq!((listed.damage.len(), listed.unseen.len()), (0, 1), "{listed:?}");
    let of = |component: Component| listed.damage_of(&[component].into());
    assert!(of(Component::Policies).unwrap().starts_with("policies.tar.zst.age cannot be looked at: "));
    assert_eq!(of(Component::Cni), None);
}

/// What lacks a bundle saves nothing: measured by it, nobody would take another while nothing changes.
#[test]
fn a_look_measures_by_no_snapshot_that_lacks_a_bundle() {
    let mut bench = Bench::new();
    let (before, newest) = (bench.backup(3).id, bench.backup(3).id);
    let measure = || {
        let listed = bench.repository.list(&bench.trusted, bench.now).unwrap();
        let components = [Component::Cni, Component::Policies].into();
        changed::newest(&bench.job(), Set::Network, &components, &listed).map(|(header, _)| header.id.clone())
    };
    assert_eq!(measure(), Some(newest.clone()));
    fs::remove_file(bench.folder(&newest).join("policies.tar.zst.age")).unwrap();
    assert_eq!(measure(), Some(before.clone()));
    fs::remove_file(bench.folder(&before).join("policies.tar.zst.age")).unwrap();
    assert_eq!(measure(), None, "and another is taken at once");
}

#[test]
fn verify_reports_all_damage_and_not_only_the_first() {
    let (read, damage) = harmed(&|mine, other| {
        fs::copy(other.join("index.jsonl.zst.age"), mine.join("index.jsonl.zst.age")).unwrap();
        fs::remove_file(mine.join("cni.tar.zst.age")).unwrap();
        fs::write(mine.join("added"), "x").unwrap();
        fs::remove_file(mine.join("snapshot.json.sig")).unwrap();
    });
    assert_eq!(read.unwrap_err().kind(), Kind::Damaged);
    let places: Vec<&str> = damage.iter().map(|d| d.place.as_str()).collect();
    assert_eq!(places, ["snapshot.json.sig", "cni.tar.zst.age", "index.jsonl.zst.age", "added"]);
}

#[test]
fn an_edited_header_one_of_another_folder_and_one_without_signature_are_untrusted() {
    let mut bench = Bench::new();
    let (moved, edited, unsigned) = (bench.backup(1).id, bench.backup(1).id, bench.backup(1).id);
    let away: SnapshotId = "20261201T010000Z-network-7f3a9c".parse().unwrap();
    fs::rename(bench.folder(&moved), bench.folder(&away)).unwrap();
    let header = bench.folder(&edited).join("snapshot.json");
    let text = fs::read_to_string(&header).unwrap();
    fs::write(&header, text.replace("\"items\": 1", "\"items\": 2")).unwrap();
    fs::remove_file(bench.folder(&unsigned).join("snapshot.json.sig")).unwrap();
    for id in [&away, &edited, &unsigned] {
        assert!(!bench.get(id).trust.is_trusted(), "{id}");
        assert_eq!(bench.verify(id)[0].place, "snapshot.json.sig");
    }
    let why = Trust::Untrusted(format!("its header is that of {moved}"));
    assert_eq!(bench.get(&away).trust, why);
}

#[test]
fn identities_that_open_nothing_are_an_error_and_no_damage() {
    let mut bench = Bench::new();
    let id = bench.backup(1).id;
    let strangers = Bench::new().operator;
    let error = bench.repository.verify(&bench.get(&id), Some(&strangers)).unwrap_err();
    assert_ne!(error.kind(), Kind::Damaged, "{error:?}");
}

#[test]
fn a_nodes_name_that_is_no_name_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    let mut read = Read {
        set: Set::Host,
        node: Some("../n1".into()),
        bundles: BTreeMap::new(),
        index: Index::default(),
        absent: BTreeMap::new(),
        failures: vec![],
        warnings: vec![],
    };
    assert_eq!(Sealing::of(&bench.job(), &mut read, Instant::now()).err().unwrap().kind(), Kind::Usage);
}

#[tokio::test]
async fn a_nodes_files_become_a_snapshot_of_that_node() {
    let bench = Bench::new();
    let root = tempfile::tempdir().unwrap();
    let rke2 = root.path().join("etc/rancher/rke2");
    fs::create_dir_all(&rke2).unwrap();
    fs::write(rke2.join("config.yaml"), "cni: canal\n").unwrap();
    let summary = host(&bench.job(), "n1", root.path()).await.unwrap();
    assert_eq!(summary.id.as_str(), "20261124T010000Z-host-n1-7f3a9c");
    let listed = bench.get(&summary.id);
    assert!(listed.trust.is_trusted());
    let header = listed.header.clone().unwrap();
    assert_eq!((header.set, header.node.as_deref()), (Set::Host, Some("n1")));
    let index = bench.repository.index(&header, &bench.index_key).unwrap();
    let paths: Vec<&str> = index.entries.iter().map(|e| e.key.name()).collect();
    assert!(paths.contains(&"/etc/rancher/rke2/config.yaml"), "{paths:?}");
    assert_eq!(bench.verify(&summary.id), []);
}
