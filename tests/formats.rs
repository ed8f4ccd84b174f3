//! Frozen repositories: what a netdr of its time wrote, kept as bytes, and what today's netdr makes of it.
//!
//! In: `formats/frozen/N`, each with its keys, which are for nothing else. Whoever changes a format freezes one more
//! (docs/upgrades.md says how), and the older ones stay readable.

mod covered;
mod freeze;
mod newer;
mod read;
mod used;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use netdr::{model, repository, restore::journal};
use serde_json::{Value, json};

use crate::support::{Home, frozen};

const IDENTITY: &str = "keys/operator.txt";
/// Of the network, as a restore of the policies is asked for.
const SCENARIO: &str = "network-policies";
/// Where copies of its snapshots were.
const PLACE: &str = "replicas: [{s3: {bucket: disaster, prefix: proj-k8s}}]";

/// A frozen repository, and what is in it by name.
struct Frozen {
    folder: PathBuf,
    /// `network`, `earlier`, `certificates`, `host`: snapshots; `done`, `killed`: runs; `drill`: a report. Later ones have
    /// more: `rotated`, which was sealed anew as `earlier`; runs `resumed`, its `undo`, and `reached`.
    names: Value,
}

impl Frozen {
    /// All of them, oldest first.
    fn all() -> Vec<Self> {
        let folders = fs::read_dir(frozen()).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
        folders.sort_by_key(|folder| number(folder));
        folders.into_iter().map(|folder| Self { names: parsed(&folder.join("names.json")), folder }).collect()
    }

    fn newest() -> Self {
        Self::all().pop().unwrap()
    }

    /// Those in which this is kept: it came later than the first.
    fn with(name: &str) -> Vec<Self> {
        let all: Vec<Self> = Self::all().into_iter().filter(|one| one.names[name].is_string()).collect();
        assert!(!all.is_empty(), "no frozen repository has {name}");
        all
    }

    fn name(&self, name: &str) -> &str {
        self.names[name].as_str().unwrap_or_else(|| panic!("{name} is not in {:#}", self.names))
    }

    /// A copy of it in a home of its own, as it was.
    fn opened(&self, home: Home) -> Home {
        copy(&self.folder, home.path());
        // What Git does not keep: empty folders, and that a key is its owner's alone.
        for folder in ["repo/locks", "repo/git"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        for key in fs::read_dir(home.path().join("keys")).unwrap() {
            fs::set_permissions(key.unwrap().path(), fs::Permissions::from_mode(0o600)).unwrap();
        }
        home
    }

    fn run(&self, name: &str) -> PathBuf {
        Path::new("repo/runs").join(self.name(name)).join("journal.jsonl")
    }

    fn header(&self, name: &str) -> PathBuf {
        Path::new("repo/snapshots").join(self.name(name)).join("snapshot.json")
    }

    /// The formats that its files name.
    fn formats(&self) -> Value {
        let journal = fs::read_to_string(self.folder.join(self.run("done"))).unwrap();
        let begun: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
        json!({
            "repository": parsed(&self.folder.join("repo/netdr-repository.json"))["format"],
            "snapshot": parsed(&self.folder.join(self.header("network")))["format"],
            "journal": begun["format"],
        })
    }
}

fn number(folder: &Path) -> u32 {
    folder.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn parsed(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_formats_that_are_written_are_those_of_the_newest_frozen_repository() {
    let written =
        json!({"repository": repository::FORMAT, "snapshot": model::FORMAT, "journal": journal::FORMAT});
    assert_eq!(
        Frozen::newest().formats(),
        written,
        "a format changed: freeze a repository of it: NETDR_FREEZE=1 cargo test --test integration formats::freeze"
    );
}
