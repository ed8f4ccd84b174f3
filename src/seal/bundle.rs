//! A component's items in a bundle, and back.
//!
//! In: items; or a bundle and the index. Out: the other. Invariant: an item comes out only if the index has a
//! line for its path and its content has the digest of that line, and no line is left without its file.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Write},
};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Identities, Recipients, Sealed,
    archive::{self, FileHeader, archive_path},
    stream,
};
use crate::{
    Error, Result, helm,
    model::{Component, Content, FileContent, Index, IndexEntry, Item, ItemKey, Json},
    yaml,
};

/// Resources hold Secrets: whoever unpacks them is the only one to read them.
const PRIVATE: (u32, u32, u32) = (0o600, 0, 0);

/// Files beside a release.json, made from it for people; nothing is ever read from them.
const FOR_PEOPLE: [&str; 3] = ["values.yaml", "manifest.yaml", "chart.tgz"];

/// Seals a component's items into one bundle: streamed tar → zstd → age.
///
/// # Errors
/// When `out` fails, when an item cannot be written, or two items have one key.
pub fn seal_bundle<'a>(
    items: impl IntoIterator<Item = &'a Item>,
    captured_at: DateTime<Utc>,
    recipients: &Recipients,
    out: &mut dyn Write,
) -> Result<Sealed> {
    stream::seal(recipients, out, |out| {
        let mut archive = archive::Writer::new(out, captured_at);
        let mut paths = HashSet::new();
        for item in items {
            let path = archive_path(&item.key);
            write(&mut archive, &path, item).map_err(|error| error.doing(format!("sealing {}", item.key)))?;
            if !paths.insert(path) {
                return Err(Error::failed(format!("{} is there twice", item.key)));
            }
        }
        archive.finish()?;
        Ok(paths.len() as u64)
    })
}

fn write(archive: &mut archive::Writer<impl Write>, path: &str, item: &Item) -> Result<()> {
    match &item.content {
        Content::Resource(json) => archive.file(path, PRIVATE, yaml::write(&json.value())?.as_bytes()),
        Content::File(file) => archive.file(path, (file.mode, file.uid, file.gid), &file.bytes),
        Content::Release(json) => {
            archive.file(path, PRIVATE, json.bytes())?;
            for (name, bytes) in for_people(&json.value()) {
                archive.file(&beside(path, name), PRIVATE, &bytes)?;
            }
            Ok(())
        }
    }
}

/// A release as people want it; what cannot be made is left out, the release itself is whole without.
fn for_people(release: &Value) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let values = helm::values_yaml(release).map(String::into_bytes).ok();
    let manifest = release["release"]["manifest"].as_str().map(|text| text.as_bytes().to_vec());
    let chart = helm::chart_tgz(release).ok();
    FOR_PEOPLE.into_iter().zip([values, manifest, chart]).filter_map(|(name, bytes)| Some((name, bytes?)))
}

/// The path of `name` in the folder of `path`.
fn beside(path: &str, name: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{name}")
}

/// Opens a bundle and hands over the items that `wanted` picks, each checked against its line in the index.
/// Items come in the order they were sealed in; those before a damaged one are handed over.
///
/// # Errors
/// No identity fits, the bundle is damaged, or it and the index disagree; and whatever `each` returns.
pub fn open_bundle(
    input: &mut dyn Read,
    identities: &Identities,
    component: Component,
    index: &Index,
    what: &str,
    wanted: &dyn Fn(&ItemKey) -> bool,
    each: &mut dyn FnMut(Item) -> Result<()>,
) -> Result<()> {
    let mut missing: HashMap<String, &IndexEntry> = HashMap::new();
    for entry in index.entries.iter().filter(|entry| entry.component == component) {
        if missing.insert(archive_path(&entry.key), entry).is_some() {
            return Err(Error::damaged(format!(
                "the index of {what} is damaged: it has {} twice",
                entry.key
            )));
        }
    }
    let mut releases = HashSet::new();
    let clear = stream::open(input, identities, what)?;
    archive::each_file(clear, what, &mut |file, input| {
        let Some(entry) = missing.remove(&file.path) else {
            let companion = FOR_PEOPLE.iter().any(|name| file.path.ends_with(&format!("/{name}")))
                && releases.contains(&beside(&file.path, ""));
            return if companion {
                Ok(())
            } else {
                Err(Error::damaged(format!(
                    "{what} is damaged: `{}` is not in the index",
                    file.path.escape_debug()
                )))
            };
        };
        if matches!(entry.key, ItemKey::Release { .. }) {
            releases.insert(beside(&file.path, ""));
        }
        if !wanted(&entry.key) {
            return Ok(());
        }
        each(item(entry, &file, archive::content(&file, input, what)?, what)?)
    })?;
    match missing.values().min_by_key(|entry| &entry.key) {
        None => Ok(()),
        Some(first) => Err(Error::damaged(format!(
            "{what} is damaged: {} of the items in the index are not in it, the first is {}",
            missing.len(),
            first.key
        ))),
    }
}

fn item(entry: &IndexEntry, file: &FileHeader, bytes: Vec<u8>, what: &str) -> Result<Item> {
    let damaged = |why| Error::damaged(format!("{what} is damaged: {} {why}", entry.key));
    let content = match &entry.key {
        ItemKey::Resource { .. } => {
            Content::Resource(Json::new(&yaml::read(&bytes).ok_or_else(|| damaged("is not YAML"))?))
        }
        ItemKey::Release { .. } => {
            let value: Value = serde_json::from_slice(&bytes).map_err(|_| damaged("is not JSON"))?;
            Content::Release(Json::new(&value))
        }
        ItemKey::File { .. } => {
            Content::File(FileContent { mode: file.mode, uid: file.uid, gid: file.gid, bytes })
        }
    };
    let item = Item {
        key: entry.key.clone(),
        component: entry.component,
        class: entry.class,
        extent: entry.extent,
        content,
    };
    if item.sha256() != entry.sha256 {
        return Err(damaged("is not what the index says"));
    }
    Ok(item)
}
