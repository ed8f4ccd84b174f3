//! A restore that is killed between or within two writes of a node's files leaves each of them old or new, and a resumed one
//! leaves nothing beside them.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::host::{CONFIG, Server};
use super::resume::killed_at;
use crate::support::{NODE, everything, fresh};

/// How many manifests are restored, besides the rest.
const MANIFESTS: usize = 12;
const FOLDER: &str = "var/lib/rancher/rke2/server/manifests";
/// Larger than the journal ever is: when its turn comes, the limit is reached in the midst of it.
const LARGE: usize = 60_000;

fn state(server: &Server) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = server.state().into_iter();
    files.filter_map(|(path, _, bytes)| Some((path, bytes?))).collect()
}

fn spoil(server: &Server) {
    for number in 0..MANIFESTS {
        fs::write(server.file(&format!("{FOLDER}/m{number}.yaml")), "spoilt\n").unwrap();
    }
    fs::write(server.file(CONFIG), format!("node-name: {NODE}\n")).unwrap();
}

/// Files that are neither whole nor spoilt, by their place below the root.
fn torn(
    server: &Server,
    whole: &BTreeMap<PathBuf, Vec<u8>>,
    spoilt: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    let either = |path: &PathBuf, bytes: &Vec<u8>| [whole, spoilt].iter().any(|s| s.get(path) == Some(bytes));
    let unfinished = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".netdr-new-");
    let found = state(server);
    assert!(whole.keys().all(|path| found.contains_key(path)), "none is gone");
    found
        .into_iter()
        .filter(|(path, bytes)| !unfinished(path) && !either(path, bytes))
        .map(|(path, _)| path)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_file_is_old_or_new_and_a_resumed_run_leaves_nothing_beside_them() {
    let plane = fresh(everything()).await.loaded().await;
    let server = Server::of(&plane).await;
    for number in 0..MANIFESTS {
        fs::write(server.file(&format!("{FOLDER}/m{number}.yaml")), format!("number: {number}\n")).unwrap();
    }
    fs::write(server.file(&format!("{FOLDER}/m8.yaml")), vec![b'#'; LARGE]).unwrap();
    let network = server.operator.backup().await;
    let host = server.backup("host").await;
    let whole = state(&server);
    spoil(&server);
    let spoilt = state(&server);
    let restore = format!(
        "restore --identity keys/operator.txt --host-root host --plan plan.yaml --snapshot {network} --snapshot {host} --yes"
    );
    server.operator.home.shell(&format!("netdr {restore} || test $? = 6")).await.ok();
    assert_eq!(state(&server), whole);
    let journal = server.operator.journal().unwrap();
    let (mut at, mut between, mut within, mut tried) = (0, 0, 0, 0);
    for line in journal.split_inclusive('\n') {
        at += line.len();
        let outcome = line.contains(r#""event":"outcome""#) && line.contains("host/");
        if !outcome {
            continue;
        }
        // In the line about what was written last, so that the next is not begun; or within the large one, if that is sooner.
        spoil(&server);
        assert_eq!(server.operator.home.shell(&killed_at(at - 20, &restore)).await.ok(), "killed\n", "{at}");
        assert_eq!(torn(&server, &whole, &spoilt), [""; 0].map(PathBuf::from));
        let now = state(&server);
        let new = now.iter().filter(|(path, bytes)| spoilt.get(*path) != Some(bytes)).count();
        let left = now.keys().filter(|path| !whole.contains_key(*path)).count();
        between += usize::from(left == 0 && new > 0 && new < MANIFESTS + 1);
        within += usize::from(left == 1);
        let run = server.operator.last_run().await;
        let report = server.netdr(&format!("restore --resume {run} --yes --json")).await;
        let code = if report.code == Some(0) { 0 } else { 6 };
        assert_eq!(report.json(code)["differences_left"], 0);
        assert_eq!(state(&server), whole, "after {at}");
        tried += 1;
    }
    assert!(tried == MANIFESTS + 1 && between > 3 && within > 0, "{tried} {between} {within}");
}
