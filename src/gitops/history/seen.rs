//! What a capture saw, as the files that stand for it in Git.
//!
//! In: the items of a snapshot. Out: files by folder. Invariant: pure; one file an item, and no Secret; what kubectl must
//! not apply (a filtered item, a part of what others own, the values of a release) is below a folder `review`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{filter, values};
use crate::{
    Result,
    model::{Class, Component, Content, Extent, Item, ItemKey, Json, Set, SnapshotId},
    seal, yaml,
};

/// The folder of what is there to be read, and not to be applied.
pub(super) const REVIEW: &str = "review";

/// What one snapshot saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Its set.
    pub set: Set,
    /// Its cluster.
    pub cluster: String,
    /// When its capture began.
    pub captured_at: DateTime<Utc>,
    /// What it captured, by folder: a component, or `host/NODE`.
    pub(super) folders: BTreeMap<String, Folder>,
}

/// A folder, which the next commit has as it is here.
#[derive(Clone, Default)]
pub(super) struct Folder {
    /// Content by path.
    pub(super) files: BTreeMap<String, Text>,
    /// Kinds of it that could not be read: then what is missing here is not gone.
    pub(super) unread: BTreeSet<String>,
}

/// What stands in a file.
#[derive(Clone)]
pub(super) struct Text {
    /// Without what was filtered.
    pub(super) shown: String,
    /// Digest of the whole, where something was; it never reaches Git as it is, for who guesses could compare.
    pub(super) whole: Option<String>,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Folder({} files)", self.files.len())
    }
}

impl Seen {
    /// Of a snapshot with these components; none of its items is in it yet.
    pub fn new(
        snapshot: SnapshotId,
        (set, node): (Set, Option<&str>),
        cluster: &str,
        captured_at: DateTime<Utc>,
        components: impl IntoIterator<Item = Component>,
    ) -> Self {
        let folder = |component: Component| match node {
            Some(node) => format!("{component}/{node}"),
            None => component.to_string(),
        };
        let folders = components.into_iter().map(|component| (folder(component), Folder::default()));
        Self { snapshot, set, cluster: cluster.into(), captured_at, folders: folders.collect() }
    }

    /// Which part of the cluster it is: the set, of a node `host/NODE`.
    pub fn part(&self) -> String {
        match self.folders.keys().next() {
            Some(folder) if self.set == Set::Host => folder.clone(),
            _ => self.set.to_string(),
        }
    }

    /// Whether all of it was read.
    pub fn is_whole(&self) -> bool {
        self.folders.values().all(|folder| folder.unread.is_empty())
    }

    /// Says that a kind of a component could not be read.
    pub fn unread(&mut self, component: Component, kind: &str) {
        for (name, folder) in &mut self.folders {
            if name.split('/').next() == Some(component.name()) {
                folder.unread.insert(kind.to_owned());
            }
        }
    }

    /// Takes an item in, if it is one that a restore would bring back and no Secret.
    pub fn take(&mut self, item: &Item) {
        if item.class != Class::Config || item.key.is_kind("", "secrets") {
            return;
        }
        match file(item) {
            Ok(Some((path, text))) => {
                let folder = self.folders.get_mut(&folder(&item.key, item.component));
                if let Some(folder) = folder {
                    folder.files.insert(path, text);
                }
            }
            Ok(None) => {}
            // None is known; the snapshot has it whatever YAML makes of it.
            Err(_) => self.unread(item.component, &item.key.kind_name()),
        }
    }
}

fn folder(key: &ItemKey, component: Component) -> String {
    match key {
        ItemKey::File { node, .. } => format!("{component}/{node}"),
        _ => component.to_string(),
    }
}

/// Where in its folder an item is, and what is told of it.
fn file(item: &Item) -> Result<Option<(String, Text)>> {
    let path = seal::archive_path(&item.key);
    Ok(match &item.content {
        Content::Resource(json) => {
            let (object, filtered) = filter::object(&item.key, json.value());
            let path = path.strip_prefix("resources/").unwrap_or(&path);
            let whole = item.extent == Extent::Whole || item.key.is_kind("", "namespaces");
            let path = if filtered || !whole { format!("{REVIEW}/{path}") } else { path.to_owned() };
            let whole = filtered.then(|| item.sha256());
            Some((path, Text { shown: yaml::write(&object)?, whole }))
        }
        Content::Release(json) => {
            let path = path.trim_end_matches("/release.json");
            Some((format!("{REVIEW}/{path}.yaml"), release(&json.value()["release"])?))
        }
        Content::File(file) => {
            let text = filter::file(&item.key, &file.bytes);
            let text = text.map(|text| Text { shown: text.to_owned(), whole: None });
            text.map(|text| (item.key.name().trim_start_matches('/').to_owned(), text))
        }
    })
}

/// What is told of a release: its chart, and what it was given.
fn release(release: &Value) -> Result<Text> {
    let chart = &release["chart"]["metadata"];
    let values = values::filtered(&release["config"]);
    let whole = (values != release["config"]).then(|| Json::new(&release["config"]).sha256());
    let told = json!({
        "release": {"name": release["name"], "namespace": release["namespace"]},
        "chart": {"name": chart["name"], "version": chart["version"], "appVersion": chart["appVersion"]},
        "values": values,
    });
    let text = yaml::write(&told)?;
    let shown = format!(
        "# As Helm has it. Texts that may be secret are filtered; it comes back from a snapshot alone.\n{text}"
    );
    Ok(Text { shown, whole })
}
