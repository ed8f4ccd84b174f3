//! A repository with its keys in a home, and a server node's files to back up: set `host` needs no API server.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{Days, NaiveDate};
use netdr::drill::cluster::host_root;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Home, MARKER, home::Outcome, shared};

/// The node whose files are backed up.
pub(crate) const NODE: &str = "proj-k8s01";

/// `repo`, `keys`, `netdr.yaml` and the node's files, below `host`.
pub(crate) struct Store {
    home: Home,
}

impl Store {
    /// Without a cluster: only host files can be backed up.
    pub(crate) async fn new() -> Self {
        Self::made_in(Home::new()).await
    }

    /// Beside the shared plane, which stories only read.
    pub(crate) async fn beside_the_plane() -> Self {
        Self::made_in(Home::new().with_kubeconfig(shared().await.kubeconfig())).await
    }

    async fn made_in(home: Home) -> Self {
        host_root(&home.path().join("host"), NODE, MARKER).unwrap();
        let store = Self { home: home.with_repository().await };
        store.configure("cluster: {name: proj-k8s}");
        store
    }

    /// Adds a line to netdr.yaml.
    pub(crate) fn configure(&self, line: &str) {
        let file = self.path("netdr.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("{text}{line}\n")).unwrap();
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// A path in the home.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// Runs `netdr` with words that need no quoting.
    pub(crate) async fn netdr(&self, words: &str) -> Outcome {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.home.run("netdr", &words).await
    }

    /// What `netdr` answers with `--json`.
    pub(crate) async fn json(&self, words: &str) -> Value {
        let answer = self.netdr(&format!("--json {words}")).await.ok();
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{words}: {e}: {answer}"))
    }

    pub(crate) async fn shell(&self, script: &str) -> Outcome {
        self.home.shell(script).await
    }

    /// Backs up the node's files; returns the snapshot's id.
    pub(crate) async fn backup(&self) -> String {
        self.taken("backup --set host --host-root host").await
    }

    /// The same, and copies it to no place outside.
    pub(crate) async fn backup_here(&self) -> String {
        let text = fs::read_to_string(self.path("netdr.yaml")).unwrap();
        let here = text.lines().filter(|line| !line.starts_with("replicas:"));
        fs::write(self.path("here.yaml"), here.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        self.taken("backup --set host --host-root host --config here.yaml").await
    }

    /// A snapshot of the day before yesterday, in the places outside too: there, what was captured within a day stays.
    pub(crate) async fn old(&self) -> String {
        let id = self.antedate(&self.backup_here().await).await;
        self.json(&format!("replicate {id}")).await;
        id
    }

    /// Backs up the shared plane's network policies.
    pub(crate) async fn backup_policies(&self) -> String {
        self.taken("backup --set network --component policies").await
    }

    async fn taken(&self, words: &str) -> String {
        let answer = self.json(words).await;
        answer["snapshots"][0]["id"].as_str().unwrap().to_owned()
    }

    /// A snapshot's folder.
    pub(crate) fn snapshot(&self, id: &str) -> PathBuf {
        self.path("repo/snapshots").join(id)
    }

    /// What `netdr snapshots` says of one.
    pub(crate) async fn listed(&self, id: &str) -> Value {
        let answer = self.json("snapshots").await;
        let all = answer["snapshots"].as_array().unwrap();
        all.iter().find(|s| s["id"] == id).unwrap_or_else(|| panic!("{id} is not listed: {answer}")).clone()
    }

    /// Changes a snapshot's header as a thief of the signing key could, with a new id too; returns the id.
    pub(crate) async fn forge(&self, id: &str, change: impl FnOnce(&mut Value)) -> String {
        let file = self.snapshot(id).join("snapshot.json");
        let mut header: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut header);
        fs::write(&file, serde_json::to_vec(&header).unwrap()).unwrap();
        self.sign(id, "keys/signing").await;
        let new = header["id"].as_str().unwrap();
        fs::rename(self.snapshot(id), self.snapshot(new)).unwrap();
        new.to_owned()
    }

    /// Lets a snapshot be of the day before yesterday; returns its new id.
    pub(crate) async fn antedate(&self, id: &str) -> String {
        let day = NaiveDate::parse_from_str(&id[..8], "%Y%m%d").unwrap();
        let earlier = day - Days::new(2);
        self.forge(id, |header| {
            for (field, format) in [("id", "%Y%m%d"), ("captured_at", "%F")] {
                let (then, now) = (earlier.format(format).to_string(), day.format(format).to_string());
                header[field] = header[field].as_str().unwrap().replacen(&now, &then, 1).into();
            }
        })
        .await
    }

    /// Makes a snapshot as a clock a hundred years ahead would have made it; returns its id.
    pub(crate) async fn forge_future(&self, id: &str) -> String {
        let later = |value: &Value| value.as_str().unwrap().replacen("20", "21", 1).into();
        let change = |header: &mut Value| {
            header["id"] = later(&header["id"]);
            header["captured_at"] = later(&header["captured_at"]);
        };
        self.forge(id, change).await
    }

    /// Passes a snapshot's index through a filter, as a thief of both keys could.
    pub(crate) async fn forge_index(&self, id: &str, filter: &str) {
        let index = self.snapshot(id).join("index.jsonl.zst.age");
        let f = index.display();
        let to = "-R keys/recipients.txt -R <(age-keygen -y keys/index.txt)";
        let script = format!(
            "age -d -i keys/index.txt {f} | zstd -dq > index; cat index | {filter} | zstd -q | age {to} > {f}; rm index"
        );
        self.shell(&script).await.ok();
        let sha256 = digest(&fs::read(index).unwrap());
        self.forge(id, |header| header["index_sha256"] = sha256.into()).await;
    }

    /// Signs a snapshot's header anew, with stock ssh-keygen.
    pub(crate) async fn sign(&self, id: &str, key: &str) {
        let header = self.snapshot(id).join("snapshot.json");
        let _ = fs::remove_file(header.with_extension("json.sig"));
        let header = header.display().to_string();
        let arguments = ["-q", "-Y", "sign", "-f", key, "-n", "netdr-snapshot", &header];
        self.home.run("ssh-keygen", &arguments).await.ok();
    }
}

/// sha256 in hex, as a header has it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every path below a folder with the content of its files, to see that nothing was written.
pub(crate) fn content(folder: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(content(&entry));
        }
        found.push((entry.clone(), fs::read(entry).ok()));
    }
    found.sort();
    found
}

/// # Panics
/// When one of the parts is not in the text.
#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
