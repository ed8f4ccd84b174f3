//! The disaster: a new machine with config, keys and a bucket.

use std::fs;

use super::{super::repository::with_mounts, BUCKET, json, netdr, replicated};
use crate::support::{S3, Store, content, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_machine_gets_everything_back_and_restores_from_it() {
    let (s3, store) = (S3::start().await, Store::beside_the_plane().await);
    s3.bucket(BUCKET).await;
    let replica = s3.replica(&store, BUCKET, ", prefix: clusters/proj-k8s");
    store.configure(&format!("replicas: [{replica}]"));
    store.backup_policies().await;
    let newest = store.backup_policies().await;
    let host = store.backup().await;
    let before = content(&store.snapshot(&newest));
    let repository = fs::read_to_string(store.path("repo/netdr-repository.json")).unwrap();
    fs::remove_dir_all(store.path("repo")).unwrap();
    // Of what custody.md puts into the safe not even all is needed to see a plan.
    for job in ["index.txt", "signing", "recipients.txt"] {
        fs::remove_file(store.path("keys").join(job)).unwrap();
    }

    let restore = "restore --scenario network-policies --dry-run --identity keys/operator.txt";
    let (_, said) = netdr(&store, 1, restore).await;
    says(&said, &["place s3 has 3 snapshots", "netdr fetch latest"]);

    let (said, notes) = netdr(&store, 0, "fetch latest").await;
    says(&said, &[&format!("fetched {newest} from s3"), &format!("fetched {host} from s3")]);
    says(&notes, &["has nothing in it yet: it becomes repository "]);
    assert_eq!(fs::read_to_string(store.path("repo/netdr-repository.json")).unwrap(), repository);
    assert_eq!(content(&store.snapshot(&newest)), before, "every byte");
    netdr(&store, 0, "verify --read-data --identity keys/operator.txt").await;
    let (_, notes) = netdr(&store, 0, restore).await;
    says(&notes, &["a run will need the recipients", "keys/recipients.txt does not exist"]);
    let (_, notes) = netdr(&store, 0, "snapshots").await;
    says(&notes, &["keys/index.txt does not exist"]);

    let answer = json(&store, 0, "fetch --all").await;
    assert_eq!(answer["fetched"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["present"].as_array().unwrap().len(), 2, "{answer}");
    let (_, said) = netdr(&store, 2, &format!("fetch {}", newest.replace("network", "netwrok"))).await;
    says(&said, &["no snapshot", "the nearest there is: "]);
}

#[tokio::test]
async fn what_was_changed_in_the_bucket_never_arrives() {
    let (s3, store) = replicated().await;
    let id = store.backup().await;
    let at = |file: &str| s3.file(BUCKET, &format!("proj-k8s/snapshots/{id}/{file}"));
    let good = |file: &str| fs::read(store.snapshot(&id).join(file)).unwrap();
    let files = ["host.tar.zst.age", "index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"];
    let kept = files.map(|file| (file, good(file)));
    fs::remove_dir_all(store.path("repo")).unwrap();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    for (file, bytes) in &kept {
        // As a thief of the bucket's keys could: the sums that the server keeps are wrong too.
        fs::write(at(file), flipped(bytes)).unwrap();
        let (_, said) = netdr(&store, 5, &format!("fetch {id}")).await;
        says(&said, &[if file.starts_with("snapshot") { "untrusted" } else { "has sha256" }]);
        assert_eq!(
            fs::read_dir(store.path("repo/snapshots")).unwrap().count(),
            0,
            "{file}: something was kept"
        );
        fs::write(at(file), bytes).unwrap();
    }
    // Longer than the header says, and gone.
    fs::write(at("host.tar.zst.age"), [&kept[0].1[..], b"more"].concat()).unwrap();
    let (_, said) = netdr(&store, 5, &format!("fetch {id}")).await;
    says(&said, &["has more than its"]);
    fs::remove_file(at("host.tar.zst.age")).unwrap();
    let (_, said) = netdr(&store, 5, &format!("fetch {id}")).await;
    says(&said, &["host.tar.zst.age is missing: a lifecycle rule"]);
    fs::write(at("host.tar.zst.age"), &kept[0].1).unwrap();
    // An older header in the place of a newer one.
    let replayed = id.replace("-host-", "-host-x");
    fs::create_dir(s3.file(BUCKET, &format!("proj-k8s/snapshots/{replayed}"))).unwrap();
    for (file, bytes) in &kept {
        fs::write(s3.file(BUCKET, &format!("proj-k8s/snapshots/{replayed}/{file}")), bytes).unwrap();
    }
    let (_, said) = netdr(&store, 5, &format!("fetch {replayed}")).await;
    says(&said, &["untrusted", "its header is that of"]);
    netdr(&store, 0, &format!("fetch {id}")).await;
    netdr(&store, 0, "verify").await;
}

#[tokio::test]
async fn what_is_here_and_damaged_is_not_called_here_already() {
    let (_s3, store) = replicated().await;
    let (id, good) = (store.backup().await, store.backup().await);
    let file = store.snapshot(&id).join("host.tar.zst.age");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let root = store.path("repo").display().to_string();
    let next = format!("mv {root}/snapshots/{id} {root}/damaged-{id} && netdr fetch {id}");
    let (_, said) = netdr(&store, 5, &format!("fetch {id}")).await;
    says(
        &said,
        &[
            &format!("snapshot {id} is here, and not as it was written"),
            "host.tar.zst.age: has sha256",
            &next,
        ],
    );
    let (here, said) = netdr(&store, 5, "fetch --all").await;
    says(&here, &[&format!("here already: {good}")]);
    says(&said, &[&next]);
    fs::remove_file(store.snapshot(&good).join("snapshot.json.sig")).unwrap();
    let answer = json(&store, 5, "fetch --all").await;
    assert_eq!(answer["failed"].as_array().unwrap().len(), 2, "{answer}");

    store.shell(&next).await.ok();
    netdr(&store, 0, &format!("fetch {id}")).await;
    netdr(&store, 0, &format!("verify {id}")).await;
}

#[tokio::test]
async fn one_garbled_file_that_nobody_signed_stops_no_recovery() {
    let (s3, store) = replicated().await;
    let id = store.backup().await;
    let file = s3.file(BUCKET, "proj-k8s/netdr-repository.json");
    fs::write(&file, "nonsense").unwrap();
    fs::remove_dir_all(store.path("repo")).unwrap();
    let (said, notes) = netdr(&store, 5, "fetch latest").await;
    says(&said, &[&format!("fetched {id} from s3")]);
    says(
        &notes,
        &[
            "names no repository",
            "it becomes a new repository",
            "aws s3 rm s3://netdr-copies/proj-k8s/netdr-repository.json",
        ],
    );
    netdr(&store, 0, "verify --identity keys/operator.txt").await;
    fs::remove_file(&file).unwrap();
    netdr(&store, 0, "replicate").await;
    assert_eq!(fs::read(&file).unwrap(), fs::read(store.path("repo/netdr-repository.json")).unwrap());
}

#[tokio::test]
async fn what_comes_from_the_second_place_says_what_is_wrong_with_the_first() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket("netdr-near").await;
    s3.bucket("netdr-far").await;
    let (near, far) = (s3.replica(&store, "netdr-near", ""), s3.replica(&store, "netdr-far", ""));
    store.configure(&format!("replicas: [{near}, {far}]"));
    let id = store.backup().await;
    fs::remove_file(s3.file("netdr-near", &format!("snapshots/{id}/host.tar.zst.age"))).unwrap();
    fs::remove_dir_all(store.path("repo")).unwrap();
    let (said, warned) = netdr(&store, 0, "fetch latest").await;
    says(&said, &[&format!("fetched {id} from netdr-far")]);
    says(&warned, &["warning: ", "s3://netdr-near/snapshots/", "host.tar.zst.age is missing"]);
}

#[tokio::test]
async fn who_may_only_write_keeps_nobody_from_the_good_ones() {
    let (s3, store) = replicated().await;
    let id = store.backup().await;
    let planted = s3.file(BUCKET, &format!("proj-k8s/snapshots/{}", id.replacen("20", "21", 1)));
    fs::create_dir(&planted).unwrap();
    fs::write(planted.join("snapshot.json"), vec![b' '; 2 << 20]).unwrap();
    netdr(&store, 0, "prune --place s3 --dry-run").await;
    fs::remove_dir_all(store.path("repo")).unwrap();
    let (said, notes) = netdr(&store, 5, "fetch latest").await;
    says(&said, &[&format!("fetched {id} from s3")]);
    says(&notes, &[&id.replacen("20", "21", 1), "is passed over: s3://", "has more than its 1048576 bytes"]);
}

#[tokio::test]
async fn where_nothing_can_be_relied_on_the_way_out_is_said() {
    let (s3, store) = replicated().await;
    let id = store.backup().await;
    store.shell("ssh-keygen -q -t ed25519 -N '' -f thief && mv repo away").await.ok();
    store.shell("cp keys/trusted_signers signers && sed \"s|ssh-.*|$(cat thief.pub)|\" signers > keys/trusted_signers").await.ok();
    let (_, said) = netdr(&store, 5, "fetch latest").await;
    says(
        &said,
        &[&id, "which is not a trusted signer", "none of the 1 snapshot in s3://", "by a line in it"],
    );
    store.shell("mv signers keys/trusted_signers").await.ok();
    s3.bucket("another").await;
    let config = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    fs::write(store.path("netdr.yaml"), config.replace(BUCKET, "another")).unwrap();
    let (_, said) = netdr(&store, 1, "fetch latest").await;
    says(&said, &["there is no snapshot in s3://another/proj-k8s/snapshots/", "is the prefix right?"]);
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_half_fetched() {
    let (_s3, store) = replicated().await;
    store.backup().await;
    fs::create_dir(store.path("disk")).unwrap();
    let mounts =
        "P=$(getconf PAGESIZE); mount -t tmpfs -o size=$((40 * P)) tmpfs disk; netdr init --repo disk";
    // Lock, bundle, index, signature and header need a page each: whichever is the one that does not fit.
    let script = "for free in 0 1 2 3 4; do
           head -c 1M /dev/zero > disk/fill 2>/dev/null || true
           truncate -s -$((free * $(getconf PAGESIZE))) disk/fill
           code=0; netdr fetch latest --repo disk 2> error || code=$?
           [ $code = 1 ] || { echo \"exit $code with $free pages free\"; cat error; exit 9; }
           grep -q 'cannot write disk/.*No space left on device' error || { cat error; exit 9; }
           [ -z \"$(ls -A disk/locks)\" ] && [ -z \"$(ls -A disk/snapshots)\" ] || { ls -AR disk; exit 9; }
           rm disk/fill
         done
         netdr fetch latest --repo disk
         netdr verify --repo disk --identity keys/operator.txt";
    let said = with_mounts(&store, mounts, script).await.ok();
    says(&said, &["1 snapshot checked, nothing damaged"]);
}
