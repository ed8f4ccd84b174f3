//! Items: a Kubernetes resource, a Helm release or a host file, with its canonical content.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Component, ItemKey};

/// What an item is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody's intent: captured and restored.
    Config,
    /// Recorded so that people can see it; never restored.
    Evidence,
    /// Made by a controller from something else; recorded, never restored, no drift.
    Generated,
}

/// How much of the object netdr owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// The whole object: compared and replaced as one.
    Whole,
    /// Only the fields stored: merged into the live object, which is never deleted or recreated.
    Fields,
}

/// One captured thing. Its `Debug` names it and never shows its content.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// Identity.
    pub key: ItemKey,
    /// The bundle it belongs to.
    pub component: Component,
    /// What it is for.
    pub class: Class,
    /// How much of it is netdr's.
    pub extent: Extent,
    /// Its canonical content.
    pub content: Content,
}

/// An item's content, canonical: two captures of an unchanged object are byte-equal.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// A Kubernetes object with apiVersion, kind and metadata, as canonical JSON.
    Resource(Json),
    /// A Helm release: `{"name": <Secret name>, "labels": {…}, "release": <decoded release>}`, as canonical JSON.
    Release(Json),
    /// A host file.
    File(FileContent),
}

/// A host file's bytes and the ownership it must come back with.
#[derive(Clone, PartialEq)]
pub struct FileContent {
    /// Permission bits, as in `stat.st_mode & 0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Canonical JSON text: object keys sorted, no white space. Small in memory, parsed when needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Box<[u8]>);

impl FileContent {
    /// sha256 of mode, owner and bytes, in hex: that of its item.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:o} {} {}\n", self.mode, self.uid, self.gid));
        hash.update(&self.bytes);
        hex(&hash.finalize())
    }
}

impl Json {
    /// Serialises a value. `serde_json` keeps its maps sorted, so this is canonical for canonical values.
    pub fn new(value: &Value) -> Self {
        Self(serde_json::to_vec(value).unwrap_or_default().into()) // a value can always be written
    }

    /// The text.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses it back.
    pub fn value(&self) -> Value {
        self.parse().unwrap_or(Value::Null)
    }

    /// sha256 of it, in hex.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.bytes()))
    }

    /// Parses it into a type of the caller's.
    ///
    /// # Errors
    /// When the content has another shape.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }
}

impl Item {
    /// sha256 of the canonical content, in hex: equal digests mean equal items.
    pub fn sha256(&self) -> String {
        match &self.content {
            Content::Resource(json) | Content::Release(json) => json.sha256(),
            Content::File(file) => file.sha256(),
        }
    }

    /// The resource's or release's JSON; none for files.
    pub fn json(&self) -> Option<&Json> {
        match &self.content {
            Content::Resource(json) | Content::Release(json) => Some(json),
            Content::File(_) => None,
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("key", &self.key)
            .field("component", &self.component)
            .field("class", &self.class)
            .field("extent", &self.extent)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(json) => write!(f, "Resource({json:?})"),
            Self::Release(json) => write!(f, "Release({json:?})"),
            Self::File(file) => write!(f, "{file:?}"),
        }
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes, mode {:o}, owner {}:{})", self.bytes.len(), self.mode, self.uid, self.gid)
    }
}
